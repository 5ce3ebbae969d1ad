#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Streams under stress, in a real guest: who is loud or slow is so at his own cost, and nothing is lost or out of order."""
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from instance import HostTest, compile_static, resident, until

PATIENCE = 180
SMALL = 16 << 20
TOOL = compile_static("guest-tool.c", pathlib.Path(tempfile.mkdtemp()) / "guest-tool")
PODS = """memory = "192M";
containers = (
  { name = "quiet"; image = "busybox"; command = [ "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ]; },
  { name = "ended"; image = "busybox"; restart = { policy = "never"; }; command = [ "true" ]; }%s );
"""
LOUD = ', { name = "loud"; image = "busybox"; command = [ "guest-tool", "loud" ]; }'
MILLION = ', { name = "million"; image = "busybox"; restart = { policy = "never"; }; command = [ "guest-tool", "million" ]; }'


class Streams(HostTest):
    config = 'log_size = "256M";'
    files = [TOOL]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("box", PODS % "")
        cls.host.wait("box")

    def begin(self, script, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.host.words("exec", "box/quiet", "--", "sh", "-c", script), stdout=subprocess.PIPE, **more)

    def runner(self, pod="box"):
        return self.host.status(pod)["runner_pid"]

    def assert_serves(self, pod="box"):
        self.assertEqual(self.host.sh(f"{pod}/quiet", "echo here").stdout, "here\n")

    # Much

    def test_a_million_lines_are_whole_and_in_order(self):
        """All of a million. Without hardware virtualisation and alone on two processors, less than a minute with all that is around it."""
        self.host.write("many", PODS % MILLION)
        self.host.wait("many", state="running")
        runner = self.runner("many")
        until("all is written", lambda: self.host.container("many", "million")["state"] == "ended")
        until("all is recorded", lambda: self.host.cli("logs", "-n", "1", "many/million", check=False).stdout == "1000000\n")
        lines = self.host.cli("logs", "many/million").stdout.splitlines()
        self.assertEqual(len(lines), 1_000_000)
        self.assertTrue(all(line == str(i) for i, line in enumerate(lines, 1)))
        self.assertLess(resident(runner), SMALL)
        self.host.remove("many")

    def test_a_loud_container_starves_nobody(self):
        self.host.write("noise", PODS % LOUD)
        self.host.wait("noise", state="running")
        until("it is heard", lambda: self.host.cli("logs", "-n", "1", "noise/loud", check=False).stdout)
        runner = self.runner("noise")
        for _ in range(3):
            self.assert_serves("noise")
        data = "x" * 1_000_000
        echoed = self.host.cli("exec", "noise/quiet", "--", "cat", input=data, stdin=None).stdout
        self.assertEqual(echoed, data)
        self.assertIn("noise/quiet", self.host.cli("stats", "noise").stdout)
        self.assertLess(resident(runner), SMALL)
        # The machine's own requests get through as well.
        self.host.cli("stop", "noise")
        self.host.remove("noise")

    # Slow

    def test_a_reader_that_never_reads_holds_up_its_own_program_alone(self):
        runner, before = self.runner(), resident(self.runner())
        stuck = self.begin("i=0; while :; do echo $i; i=$((i+1)); done")
        try:
            until("it has begun", lambda: "echo" in self.host.cli("top", "box/quiet").stdout)

            def cpu():
                return max(p.split()[-1] for p in self.host.sh(
                    "box/quiet", "for p in /proc/[0-9]*; do grep -q 'i=0; while' $p/cmdline && cut -d' ' -f14 $p/stat; done").stdout.splitlines())
            # It stands still when every buffer on the way is full.
            last = [None]

            def stands():
                now, last[0] = (last[0], cpu()) if last[0] is not None else (None, cpu())
                return now == last[0]
            until("it stands still", stands)
            for _ in range(3):
                self.assert_serves()
            self.assertLess(resident(runner) - before, 2 << 20)
            # What it wrote is all there when somebody reads at last.
            self.assertEqual([stuck.stdout.readline() for _ in range(1000)], [f"{i}\n".encode() for i in range(1000)])
        finally:
            stuck.kill()
            stuck.communicate()
        self.assert_serves()

    def test_many_readers_that_never_read(self):
        stuck = [self.begin("yes") for _ in range(20)]
        try:
            self.assertEqual({p.stdout.readline() for p in stuck}, {b"y\n"})
            self.assert_serves()
            self.assertLess(resident(self.runner()), SMALL)
        finally:
            for p in stuck:
                p.kill()
                p.communicate()
        until("all are ended", lambda: "yes" not in self.host.cli("top", "box/quiet").stdout)

    def test_input_that_is_closed_early_is_lost_and_nothing_else(self):
        deaf = self.begin("exec 0<&-; echo closed; sleep 1; exit 7", stdin=subprocess.PIPE)
        self.assertEqual(deaf.stdout.readline(), b"closed\n")
        out, _ = deaf.communicate(b"x" * 5_000_000, timeout=PATIENCE)
        self.assertEqual((out, deaf.returncode), (b"", 7))
        part = self.begin("head -c 10; exit 3", stdin=subprocess.PIPE)
        self.assertEqual(part.communicate(b"0123456789" * 300_000, timeout=PATIENCE)[0], b"0123456789")
        self.assertEqual(part.returncode, 3)

    def test_input_that_nobody_reads_waits(self):
        waits = self.begin("read x; echo $x; sleep 1; wc -c", stdin=subprocess.PIPE)
        out, _ = waits.communicate(b"first\n" + b"x" * 3_000_000, timeout=PATIENCE)
        self.assertEqual(out.split(), [b"first", b"3000000"])

    # Not at all

    def test_a_missing_program_and_a_container_that_has_ended(self):
        missing = self.host.cli("exec", "box/quiet", "--", "/no/such/program", check=False)
        self.assertEqual((missing.returncode, missing.stderr), (127, "podvisor: box/quiet: /no/such/program: command not found\n"))
        until("it has ended", lambda: self.host.container("box", "ended")["state"] == "ended")
        over = self.host.cli("exec", "box/ended", "--", "true", check=False)
        self.assertEqual((over.returncode, over.stderr), (125, "podvisor: box/ended: container ended does not run: it ended for good\n"))

    def test_a_program_whose_container_is_killed_ends_with_it(self):
        # Its first process ends; the container is started again.
        self.host.write("brief", 'containers = ( { name = "quiet"; image = "busybox"; command = [ "sleep", "100000" ]; '
                                 'restart = { delay = "50ms"; }; } );')
        self.host.wait("brief")
        inside = subprocess.Popen(self.host.words("exec", "brief", "--", "sh", "-c", "echo ready; sleep 1000"), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE)
        self.assertEqual(inside.stdout.readline(), b"ready\n")
        self.host.sh("brief", "kill -9 -1; :", check=False)
        begin = time.monotonic()
        inside.communicate(timeout=PATIENCE)
        self.assertEqual(inside.returncode, 128 + signal.SIGKILL)
        self.assertLess(time.monotonic() - begin, PATIENCE)
        self.host.remove("brief")


if __name__ == "__main__":
    unittest.main()
