#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The runner and a real guest: output over the death of runners, guests that end or never come, readers that are slow."""
import json
import os
import signal
import subprocess
import time
import unittest

from instance import BIN, PATIENCE, Instance, processes_below

COUNTER = """containers = (
  { name = "count"; image = "busybox";
    command = [ "sh", "-c", "i=0; trap 'exit 0' TERM; while :; do i=$((i+1)); echo line $i; usleep 20000; done" ]; }
);
"""
ENDS = """restart = { policy = "never"; };
containers = ( { name = "main"; image = "busybox"; command = [ "sh", "-c", "%s" ]; restart = { policy = "never"; }; } );
"""
NEVER = """restart = { policy = "never"; };
start_timeout = "2s";
containers = ( { name = "main"; image = "busybox"; command = [ "sleep", "1000" ]; } );
"""


class Runner(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = cls.enterClassContext(Instance('log_target = "files";\n'))
        cls.host.import_busybox()

    def tearDown(self):
        for name in list(self.host.list()):
            self.host.remove(name)
        self.until(lambda: not processes_below(self.host.root / "run" / "pods"), "everything is gone")

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"in vain: {what}")
            time.sleep(0.05)

    def runner(self):
        found = [pid for pid, (program, _) in processes_below(self.host.root / "run" / "pods").items()
                 if program == "podvisor-runner-qemu"]
        return found[0] if len(found) == 1 else None

    def kill_runner(self):
        before = self.runner()
        os.kill(before, signal.SIGKILL)
        self.until(lambda: self.runner() not in (before, None), "another runner")

    def status(self, name):
        return json.loads(self.host.cli("status", name, "--json=short", check=False).stdout)[0]

    def lines(self, name):
        return [line.split("line ")[1] for line in self.host.cli("logs", name, check=False).stdout.splitlines() if "line " in line]

    def test_no_line_is_lost_and_none_comes_twice_while_runners_die(self):
        self.host.write("numbers", COUNTER)
        self.host.wait("numbers")
        for _ in range(5):
            self.until(lambda: len(self.lines("numbers")) > 20, "output")
            self.kill_runner()
            self.host.wait("numbers")
        seen = len(self.lines("numbers"))
        self.until(lambda: len(self.lines("numbers")) > seen + 20, "output of the last runner")
        numbers = [int(n) for n in self.lines("numbers")]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))

    def test_what_ends_with_a_status_tells_it(self):
        self.host.write("three", ENDS % "echo line 1; exit 3")
        self.host.wait("three", state="failed")
        status = self.status("three")
        self.assertEqual(status["reason"], "completed")
        self.assertEqual(status["containers"][0]["exit_code"], 3)
        self.assertEqual(self.lines("three"), ["1"])

    def test_a_guest_that_never_comes_ends_by_its_deadline(self):
        self.host.write("never", NEVER)
        # The machine is stopped as soon as it is there, so that its guest cannot boot in time.
        self.until(lambda: self.host.list().get("never", {}).get("state") in ("starting", "failed"), "a start")
        self.until(lambda: self.host.machines() or self.host.list()["never"]["state"] == "failed", "a machine")
        for pids in self.host.machines().values():
            os.kill(pids[0], signal.SIGSTOP)
        self.host.wait("never", state="failed")
        self.assertIn(self.status("never")["reason"], ("boot-timeout", "vmm-unresponsive"))

    def test_a_reader_that_does_not_read_holds_up_nobody(self):
        self.host.write("count", COUNTER)
        self.host.wait("count")
        command = [BIN / "podvisor", "--root", self.host.root, "exec", "count/count", "--"]
        slow = subprocess.Popen([*command, "yes"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        slow.stdout.read(1)
        answer = subprocess.run([*command, "echo", "still here"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(answer.stdout, "still here\n")
        seen = len(self.lines("count"))
        self.until(lambda: len(self.lines("count")) > seen, "output")
        slow.kill()
        slow.wait()
        slow.stdout.close()

    def test_a_runner_that_dies_in_an_exec_is_told(self):
        self.host.write("count", COUNTER)
        self.host.wait("count")
        command = [BIN / "podvisor", "--root", self.host.root, "exec", "count/count", "--", "sh", "-c", "echo x; sleep 100"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        process.stdout.read(1)
        self.kill_runner()
        self.assertEqual(process.wait(PATIENCE), 125)
        self.assertTrue(process.stderr.read())
        process.stdout.close()
        process.stderr.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
