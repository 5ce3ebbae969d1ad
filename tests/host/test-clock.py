#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest's clock is the host's: when its containers begin, after a pause, and under a new runner."""
import os
import signal
import tempfile
import time
import unittest

from instance import HELLO, HostTest, alive, compile_static, until

DIRECTORY = tempfile.TemporaryDirectory(prefix="pv-")
TOOL = compile_static("guest-tool.c", f"{DIRECTORY.name}/guest-tool")
# What a person would not notice, and far more than the round trip by which the clock is set.
TOLERANCE = 0.1


class Clock(HostTest):
    files = (TOOL,)

    def setUp(self):
        self.host.write("web", HELLO)
        self.host.wait("web")
        self.addCleanup(self.host.clear)

    def assert_between(self, before, clock, after):
        self.assertGreater(clock, before - TOLERANCE)
        self.assertLess(clock, after + TOLERANCE)

    def assert_right(self):
        before = time.time()
        clock = float(self.host.cli("exec", "web", "--", "guest-tool", "clock").stdout)
        self.assert_between(before, clock, time.time())

    def test_it_is_right_from_the_first_instruction_of_a_container(self):
        written = time.time()
        self.host.write("first", HELLO.replace("echo hello", "guest-tool clock; echo hello"))
        until("both lines", lambda: len(self.host.cli("logs", "first", check=False).stdout.splitlines()) == 2)
        clock = float(self.host.cli("logs", "first").stdout.splitlines()[0].split()[-1])
        self.assert_between(written, clock, time.time())

    def test_it_is_right_after_a_pause(self):
        self.host.cli("pause", "web")
        self.host.wait("web", state="paused")
        time.sleep(3)  # the time that the guest is to miss
        self.host.cli("resume", "web")
        self.host.wait("web")
        self.assert_right()

    def test_a_new_runner_finds_it_right_and_leaves_it(self):
        runner = self.host.status("web")["runner_pid"]
        os.kill(runner, signal.SIGKILL)
        until("the runner is gone", lambda: not alive(runner))
        until("a new one", lambda: self.host.status("web")["runner_pid"] not in (0, runner))
        self.host.wait("web")
        self.assert_right()


if __name__ == "__main__":
    unittest.main()
