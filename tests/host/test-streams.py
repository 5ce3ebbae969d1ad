#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Streams under stress, in a real guest: who is loud or slow is so at his own cost, and nothing is lost or out of order."""
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import time
import unittest

from instance import HostTest, compile_static, resident, until
from terminal import Terminal

PATIENCE = 180
SMALL = 16 << 20
TOOL = compile_static("guest-tool.c", pathlib.Path(tempfile.mkdtemp()) / "guest-tool")
PODS = """memory = "192M";
containers = (
  { name = "quiet"; image = "busybox"; command = [ "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ]; },
  { name = "ended"; image = "busybox"; restart = { policy = "never"; }; command = [ "true" ]; }%s );
"""
LOUD = ', { name = "loud"; image = "busybox"; command = [ "guest-tool", "loud" ]; }'
# One that does what it is told on its standard input, and one that does so on its terminal.
FED = (', { name = "fed"; image = "busybox"; stdin = true; command = [ "sh" ]; restart = { delay = "50ms"; }; },'
       '  { name = "shell"; image = "busybox"; terminal = true; command = [ "sh" ]; environment = { PS1 = "$ "; }; '
       '    restart = { delay = "50ms"; }; }')
MILLION = ', { name = "million"; image = "busybox"; restart = { policy = "never"; }; command = [ "guest-tool", "million" ]; }'


class Streams(HostTest):
    config = 'log_size = "256M";'
    files = [TOOL]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("box", PODS % FED)
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

    # Attached

    def attach(self, *words, target="box/fed", **more):
        more = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **more}
        return subprocess.Popen(self.host.words("attach", *words, target), **more)

    def feed(self, process, command):
        process.stdin.write(command + b"\n")
        process.stdin.flush()

    def look(self, feeder, **more):
        """Somebody who only looks, and is attached: the first of what the other one makes the program say is here."""
        looker = self.attach("--no-stdin", stdin=subprocess.DEVNULL, **more)

        def sees():
            self.feed(feeder, b"echo tick")
            return select.select([looker.stdout], [], [], 0.2)[0]
        until("it is attached", sees)
        return looker

    def read_to(self, process, line):
        for got in process.stdout:
            if got == line:
                return
        self.fail(f"the output ended before {line}")

    def run_of(self, name, before=None):
        """When the container's run began; it is another one than that before."""
        def look():
            c = self.host.container("box", name)
            return c["state"] == "running" and c["started"] != before and c["started"]
        return until(f"{name} runs", look)

    def test_many_see_what_one_types_and_leave_it_running(self):
        run = self.run_of("fed")
        feeder = self.attach()
        lookers = [self.look(feeder) for _ in range(3)]
        self.feed(feeder, b"echo to all")
        for process in (feeder, *lookers):
            self.read_to(process, b"to all\n")
        for looker in lookers:
            looker.send_signal(signal.SIGINT)
            looker.communicate(timeout=PATIENCE)
            self.assertEqual(looker.returncode, 128 + signal.SIGINT)
        # Whoever is killed has typed what he typed, and ends nothing either.
        self.feed(feeder, b"echo last words")
        self.read_to(feeder, b"last words\n")
        feeder.kill()
        feeder.communicate()
        self.assertEqual(self.run_of("fed"), run)

    def test_the_end_of_input_is_the_programs_and_so_is_the_status(self):
        run = self.run_of("fed")
        other = self.attach()
        self.feed(other, b"echo ready")
        self.read_to(other, b"ready\n")
        done = self.host.cli("attach", "box/fed", input="echo one; trap 'exit 5' EXIT", stdin=None, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (5, "one\n", ""))
        # Whoever was attached sees the end as well, though he has more to say.
        other.communicate(timeout=PATIENCE)
        self.assertEqual(other.returncode, 5)
        run = self.run_of("fed", before=run)
        again = self.host.cli("attach", "box/fed", input="echo again; kill -9 $$; exit 3\n", stdin=None, check=False)
        self.assertEqual((again.returncode, again.stdout), (3, "again\n"))

    def test_who_does_not_read_is_cut_off_and_holds_up_nobody_for_long(self):
        self.run_of("fed")
        feeder = self.attach()
        stuck = self.look(feeder, stderr=subprocess.PIPE)
        begin = time.monotonic()
        # More than all that is between the program and who reads; in long lines, as it is not about their number.
        self.feed(feeder, b"seq 1 150000 | tr '\\n' ' ' | fold -w 4000; echo; echo all")
        self.read_to(feeder, b"all\n")
        waited = time.monotonic() - begin
        out, error = stuck.communicate(timeout=PATIENCE)
        self.assertEqual((stuck.returncode, error), (125, b"podvisor: box/fed: cut off, since nothing of its output was taken for 5s; "
                                                          b"the container goes on without waiting\n"))
        self.assertNotIn(b"all\n", out)
        self.assertGreater(waited, 4)
        feeder.kill()
        feeder.communicate()
        until("all is recorded", lambda: "all\n" in self.host.cli("logs", "-n", "1", "box/fed").stdout)
        logged = self.host.cli("logs", "box/fed").stdout.replace("\n", "")
        self.assertIn("".join(f"{i} " for i in range(1, 150001)) + "all", logged)

    def test_what_cannot_be_attached_to_is_said(self):
        for target, words in (("box/quiet", "podvisor: box/quiet: it takes no input; for that, its pod file has to say stdin = true or "
                                            "terminal = true"),
                              ("box/ended", "podvisor: box/ended: container ended does not run: it ended for good"),
                              ("box/nobody", 'podvisor: Pod "box" has no container "nobody".'),
                              ("nobody", "podvisor: nobody: there is no such pod; `podvisor list` shows all")):
            said = self.host.cli("attach", target, input="x\n", stdin=None, check=False)
            self.assertEqual((said.returncode, said.stdout, said.stderr), (125, "", words + "\n"))
        for keys in ("ctrl-", "a,", "ctrl-1", "ab"):
            said = self.host.cli("attach", f"--detach-keys={keys}", "box/fed", check=False)
            self.assertEqual(said.returncode, 125)
            self.assertIn(f'--detach-keys: "{keys}" is not accepted; expected one key or several', said.stderr)

    def test_a_runner_that_is_killed_is_said_and_ends_nothing(self):
        run, feeder = self.run_of("fed"), self.attach(stderr=subprocess.PIPE)
        self.feed(feeder, b"kept=here; echo ready")
        self.read_to(feeder, b"ready\n")
        runner = self.runner()
        os.kill(runner, signal.SIGKILL)
        _, error = feeder.communicate(timeout=PATIENCE)
        self.assertEqual((feeder.returncode, error), (125, b"podvisor: box/fed: the connection to the container is lost, which may go on "
                                                           b"without it; `podvisor status` shows the pod\n"))
        until("another runner", lambda: self.runner() not in (0, runner))
        self.host.wait("box")
        feeder = self.attach()
        self.feed(feeder, b"echo $kept")
        self.read_to(feeder, b"here\n")
        feeder.kill()
        feeder.communicate()
        self.assertEqual(self.run_of("fed"), run)

    def test_a_terminal_is_left_by_its_keys_and_found_again(self):
        run = self.run_of("shell")
        on = Terminal(self.host, "attach", "box/shell")
        on.wait_for(b"Attached to box/shell; ctrl-p,ctrl-q leaves it")
        # The command that Ctrl-C is for has the terminal when it says something.
        on.type(b"kept=h; tty; stty size; sh -c 'echo as\"\"leep; sleep 1000'\r")
        on.wait_for(b"/dev/pts/0\r\n33 99\r\nasleep\r\n")
        on.resize(44, 111)
        on.type(b"\x03")
        on.wait_for(b"$ ")
        on.type(b"stty size\r")
        on.wait_for(b"44 111\r\n")
        on.type(b"\x10\x11")
        on.wait_for(b"Left box/shell, which goes on")
        self.assertEqual((on.end(), on.restored), (0, True))
        on = Terminal(self.host, "attach", "--detach-keys=ctrl-x,x", "box/shell")
        on.wait_for(b"ctrl-x,x leaves it")
        on.type(b"echo t${kept}is; stty size\r")
        on.wait_for(b"this\r\n33 99\r\n")
        self.assertEqual(self.run_of("shell"), run)
        on.type(b"exit 3\r")
        self.assertEqual((on.end(), on.restored), (3, True))
        self.run_of("shell", before=run)
        until("it is recorded in lines", lambda: "\n44 111\n" in self.host.cli("logs", "box/shell").stdout)

    def test_lines_are_typed_into_a_program_without_a_terminal(self):
        self.run_of("fed")
        on = Terminal(self.host, "attach", "box/fed")
        on.wait_for(b"Attached to box/fed; ctrl-p,ctrl-q leaves it")
        on.type(b"echo t\x7fheard\n")
        on.wait_for(b"\r\nheard\r\n")
        on.type(b"\x10\x11")
        self.assertEqual((on.end(), on.restored), (0, True))

    def test_who_can_type_nothing_leaves_by_control_c(self):
        on = Terminal(self.host, "attach", "box/quiet")
        on.wait_for(b"box/quiet takes no input, for which its pod file has to say stdin = true; Ctrl-C leaves it")
        on.type(b"\x03")
        self.assertEqual((on.end(), on.restored), (128 + signal.SIGINT, True))
        self.assert_serves()


if __name__ == "__main__":
    unittest.main()
