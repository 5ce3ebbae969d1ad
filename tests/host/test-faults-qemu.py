#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with QEMU: not there, not a program, too old, dying, killed, hanging."""
import os
import signal
import time
import unittest

from instance import HELLO, HostTest, Instance, alive, stop, until

ONCE = 'restart = { policy = "never"; };\n'
QUICK = 'restart = { delay = "100ms"; max_delay = "500ms"; };\n'
# Nobody is left who could end in order.
HUNG = QUICK + 'stop_timeout = "2s";\n'

# Speaks QMP on the socket that it was given, as a QEMU of long ago.
OLD = """#!/usr/bin/env python3
import json, os, socket, stat, sys
for name in sorted(os.listdir("/proc/self/fd"), key=int):
    try:
        fd = int(name)
        if fd > 2 and stat.S_ISSOCK(os.fstat(fd).st_mode):
            s = socket.socket(fileno=fd)
            if s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and s.getsockname().endswith("qmp"):
                break
    except OSError:
        pass
else:
    sys.exit("there is no socket for QMP")
client, _ = s.accept()
client.sendall(b'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 11, "major": 2}, "package": ""}, "capabilities": []}}\\r\\n')
for line in client.makefile():
    order = json.loads(line)
    client.sendall(json.dumps({"return": {}, "id": order.get("id")}).encode() + b"\\r\\n")
    if order["execute"] == "quit":
        break
"""


class Programs(unittest.TestCase):
    """podvisord.conf names a QEMU that is none."""

    def end_with(self, reason, words, qemu=None, mode=0o755, text=None):
        host = self.enterContext(Instance())
        path = host.root / "qemu"
        if text:
            path.write_text(text)
            path.chmod(mode)
        host.kill()
        (host.root / "podvisord.conf").write_text(f'qemu = "{qemu or path}";')
        host.start()
        host.import_busybox()
        host.write("web", ONCE + HELLO)
        host.wait("web", state="failed")
        self.assertEqual(host.status("web")["reason"], reason)
        page = host.page("web")
        for word in words:
            self.assertIn(word, page)
        self.assertEqual(host.machines(), {})

    def test_it_is_not_there(self):
        self.end_with("start-failed", ["there is no /nowhere/qemu", "install the package qemu-system-x86"], "/nowhere/qemu")

    def test_it_may_not_be_executed(self):
        self.end_with("start-failed", ["Permission denied"], mode=0o644, text="#!/bin/sh\n")

    def test_it_is_too_old(self):
        self.end_with("start-failed", ["is version 2.11", "or newer is needed"], text=OLD)

    def test_it_dies_at_its_start_with_a_word(self):
        self.end_with("start-failed", ["status 3", "qemu: cannot find my firmware"],
                      text="#!/bin/sh\necho 'qemu: cannot find my firmware' >&2\nexit 3\n")

    def test_it_speaks_something_else(self):
        greeting = next(line for line in OLD.splitlines() if line.startswith("client.sendall(b"))
        self.end_with("vmm-unresponsive", ["QEMU does not speak QMP as it should"],
                      text=OLD.replace(greeting, "client.sendall(b'220 mail.example ESMTP\\r\\n')"))


class Ends(HostTest):
    def tearDown(self):
        self.host.clear()

    def ready(self, name="web", more=QUICK):
        self.host.write(name, more + HELLO)
        self.host.wait(name)
        return self.host.status(name)

    def test_killed_and_started_again_by_policy(self):
        before = self.ready()
        os.kill(before["vmm_pid"], signal.SIGKILL)
        until("a new machine", lambda: self.host.status("web")["attempt"] > before["attempt"])
        self.host.wait("web")
        after = self.host.status("web")
        self.assertEqual((after["reason"], after["exit_signal"], after["restarts"]), ("vmm-signal", 9, 1))
        self.assertNotEqual(after["vmm_pid"], before["vmm_pid"])

    def test_killed_and_not_started_again_by_policy(self):
        before = self.ready(more=ONCE)
        os.kill(before["vmm_pid"], signal.SIGKILL)
        self.host.wait("web", state="failed")
        self.assertIn("QEMU was killed by", self.host.page("web"))
        self.assertIn("SIGKILL", self.host.page("web"))

    def test_asked_to_end_by_somebody_else(self):
        before = self.ready(more=ONCE)
        os.kill(before["vmm_pid"], signal.SIGTERM)
        self.host.wait("web", state="failed")
        self.assertEqual(self.host.status("web")["reason"], "vmm-signal")
        self.assertIn("somebody on the host told QEMU to end", self.host.page("web"))

    def kill_watchers(self, status):
        self.host.kill(signal.SIGKILL)
        os.kill(status["runner_pid"], signal.SIGKILL)
        until("the runner is gone", lambda: not alive(status["runner_pid"]))

    def test_killed_while_nobody_watched(self):
        before = self.ready()
        self.kill_watchers(before)
        os.kill(before["vmm_pid"], signal.SIGKILL)
        until("QEMU is gone", lambda: not alive(before["vmm_pid"]))
        self.host.start()
        until("a new machine", lambda: self.host.status("web")["attempt"] > before["attempt"])
        self.host.wait("web")
        self.assertEqual(self.host.status("web")["reason"], "lost")
        self.assertIn("while no runner watched", self.host.page("web"))

    def test_a_paused_one_is_found_paused(self):
        before = self.ready()
        self.host.cli("pause", "web")
        self.kill_watchers(before)
        self.host.start()
        self.host.wait("web", state="paused")
        self.host.cli("resume", "web")
        self.host.wait("web")
        self.assertEqual(self.host.status("web")["vmm_pid"], before["vmm_pid"])
        self.assertEqual(self.host.sh("web", "echo fine").stdout, "fine\n")

    def test_one_that_hangs_is_ended_after_its_deadline(self):
        before = self.ready(more=ONCE)
        stop(before["vmm_pid"])
        self.host.wait("web", state="failed")
        self.assertIn(self.host.status("web")["reason"], ("vmm-unresponsive", "agent-lost"))
        self.assertFalse(alive(before["vmm_pid"]))

    def test_one_that_hangs_does_not_delay_the_others(self):
        hung = self.ready("hung", more=HUNG)
        stop(hung["vmm_pid"])
        began = time.monotonic()
        self.host.list()
        self.assertLess(time.monotonic() - began, 1)
        self.ready("other")
        self.assertEqual(self.host.sh("other", "echo fine").stdout, "fine\n")
        self.host.cli("stop", "hung")
        self.assertFalse(alive(hung["vmm_pid"]))

    def test_a_runner_that_hangs_does_not_delay_the_others(self):
        hung = self.ready("hung", more=HUNG)
        stop(hung["runner_pid"])
        began = time.monotonic()
        self.host.list()
        self.assertLess(time.monotonic() - began, 1)
        self.ready("other")
        self.assertTrue(alive(hung["vmm_pid"]))
        # An exec asks the runner and gets no answer: the caller is told so.
        end = self.host.sh("hung", "true", check=False)
        self.assertEqual(end.returncode, 125)
        # A stop gets its way all the same, by the next runner.
        self.host.cli("stop", "hung")
        self.assertFalse(alive(hung["vmm_pid"]))
        until("the runner is gone", lambda: not alive(hung["runner_pid"]))


if __name__ == "__main__":
    unittest.main()
