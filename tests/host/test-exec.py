#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`podvisor exec` in a real guest: exact ends, streams byte for byte, a terminal that is one."""
import os
import pty
import signal
import subprocess
import termios
import time
import unittest

from instance import BIN, HELLO, Instance
from terminal import Terminal as AnyTerminal

PATIENCE = 60


class Terminal(AnyTerminal):
    """podvisor exec on a terminal of its own."""

    def __init__(self, host, *command):
        super().__init__(host, "exec", "hello/hello", "--", *command)


class Exec(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = cls.enterClassContext(Instance())
        cls.host.import_busybox()
        cls.host.write("hello", 'memory = "128M";\n' + HELLO)
        cls.host.wait("hello")

    def exec(self, *words, **more):
        return self.host.cli("exec", *words, check=False, **more)

    def binary(self, script, data=b""):
        return subprocess.run([BIN / "podvisor", "--root", self.host.root, "exec", "hello", "--", "sh", "-c", script],
                              input=data, capture_output=True, timeout=PATIENCE)

    # How it ended

    def test_exit_statuses_are_exact(self):
        for status in (0, 1, 3, 125, 255):
            self.assertEqual(self.exec("hello", "--", "sh", "-c", f"exit {status}").returncode, status)

    def test_the_signal_that_ended_it_is_told(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
            self.assertEqual(self.exec("hello", "--", "sh", "-c", f"kill -{int(number)} $$").returncode, 128 + number)

    def test_a_command_that_is_not_there_is_127_and_one_that_is_none_126(self):
        missing, directory = self.exec("hello", "--", "no-such-program"), self.exec("hello", "--", "/etc")
        self.assertEqual((missing.returncode, directory.returncode), (127, 126))
        self.assertIn("no-such-program", missing.stderr)
        self.assertIn("/etc", directory.stderr)

    def test_without_a_pod_or_container_it_is_125(self):
        self.assertEqual(self.exec("nobody", "--", "true").returncode, 125)
        nobody = self.exec("hello/nobody", "--", "true")
        self.assertEqual(nobody.returncode, 125)
        self.assertIn("nobody", nobody.stderr)

    # What went through

    def test_streams_are_apart(self):
        both = self.binary("echo out; echo err >&2")
        self.assertEqual((both.stdout, both.stderr), (b"out\n", b"err\n"))

    def test_bytes_are_what_they_were_both_ways(self):
        data = os.urandom(2_000_000)
        self.assertEqual(self.binary("cat", data).stdout, data)
        self.assertEqual(self.binary("cat >&2", data).stderr, data)

    def test_the_end_of_input_is_told(self):
        self.assertEqual(self.binary("cat; echo end", b"no line end").stdout, b"no line endend\n")
        self.assertEqual(self.binary("cat; echo end").stdout, b"end\n")

    def test_closed_streams_are_no_streams(self):
        closed = subprocess.run(["sh", "-c", f'"{BIN}/podvisor" --root "{self.host.root}" exec hello -- sh -c '
                                 '"cat; echo out; echo err >&2; exit 5" <&- >&- 2>&-'], timeout=PATIENCE)
        self.assertEqual(closed.returncode, 5)

    def test_output_that_nobody_reads_any_more_ends_it(self):
        head = subprocess.run(["bash", "-c", f'"{BIN}/podvisor" --root "{self.host.root}" exec hello -- yes | head -n 2; '
                               'echo ${PIPESTATUS[0]}'], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(head.stdout, f"y\ny\n{128 + signal.SIGPIPE}\n")

    def test_a_program_that_takes_no_input_is_not_waited_for(self):
        self.assertEqual(self.binary("exit 4", b"x" * 3_000_000).returncode, 4)

    def test_environment_directory_and_user(self):
        said = self.exec("-e", "A=1 2", "-e", "B=", "-w", "/tmp", "-u", "www", "hello", "--",
                         "sh", "-c", 'echo "$A|$B|$PWD|$(id -u)"').stdout
        self.assertEqual(said, "1 2||/tmp|33\n")

    # Signals

    def test_signals_are_handed_on(self):
        process = subprocess.Popen([BIN / "podvisor", "--root", self.host.root, "exec", "hello", "--", "sh", "-c",
                                    "trap 'echo got it; exit 9' USR1; echo ready; while :; do sleep 1 & wait $!; done"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.communicate(timeout=PATIENCE)[0], "got it\n")
        self.assertEqual(process.returncode, 9)

    def test_a_client_that_is_killed_takes_its_command_along(self):
        mark = f"client-{os.getpid()}"
        process = subprocess.Popen([BIN / "podvisor", "--root", self.host.root, "exec", "hello", "--", "sh", "-c",
                                    f"echo ready; : {mark}; sleep 1000; :"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.kill()
        process.communicate()
        # The next look is taken when the one before is answered; nothing sleeps here but the guest's own deadline for a hang-up.
        deadline = time.monotonic() + PATIENCE
        while mark in self.exec("hello", "--", "ps", "-o", "args").stdout.replace("ps -o args", ""):
            self.assertLess(time.monotonic(), deadline, "the command goes on")

    def test_the_command_goes_on_when_podvisord_is_killed(self):
        process = subprocess.Popen([BIN / "podvisor", "--root", self.host.root, "exec", "hello", "--", "sh", "-c",
                                    "echo ready; read x; echo $x; exit 6"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.host.kill()
        self.host.start()
        self.assertEqual(process.communicate(b"still here\n", timeout=PATIENCE)[0], b"still here\n")
        self.assertEqual(process.returncode, 6)
        self.host.wait("hello")

    # The terminal

    def test_a_terminal_is_given_where_there_is_one(self):
        terminal = Terminal(self.host, "sh", "-c", "tty; stty size; echo TERM=$TERM; exit 3")
        self.assertRegex(terminal.wait_for(b"TERM=dumb"), rb"/dev/pts/\d+\r\n33 99\r\n")
        self.assertEqual(terminal.end(), 3)
        self.assertTrue(terminal.restored)

    def test_no_terminal_is_given_without_one_or_against_the_will(self):
        self.assertNotEqual(self.exec("hello", "--", "tty").returncode, 0)
        ours, theirs = pty.openpty()
        process = subprocess.Popen([BIN / "podvisor", "--root", self.host.root, "exec", "-T", "hello", "--", "tty"],
                                   stdin=theirs, stdout=theirs, stderr=theirs)
        self.assertEqual(process.wait(PATIENCE), 1)
        os.close(ours)
        os.close(theirs)

    def test_every_key_goes_to_the_program(self):
        terminal = Terminal(self.host, "sh", "-c", "stty raw -echo; echo ready; dd bs=1 count=4 2>/dev/null | od -An -tx1; exit 2")
        terminal.wait_for(b"ready")
        terminal.type(b"\x03\x1a\x04\r")
        terminal.wait_for(b"03 1a 04 0d")
        self.assertEqual(terminal.end(), 2)
        self.assertTrue(terminal.restored)

    def test_control_c_reaches_the_program_and_not_podvisor(self):
        terminal = Terminal(self.host, "sh", "-c", "trap 'echo caught; exit 8' INT; echo ready; while :; do sleep 1 & wait $!; done")
        terminal.wait_for(b"ready")
        terminal.type(b"\x03")
        terminal.wait_for(b"caught")
        self.assertEqual(terminal.end(), 8)

    def test_a_new_size_is_told(self):
        terminal = Terminal(self.host, "sh", "-c", "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 1 & wait $!; done")
        terminal.wait_for(b"ready")
        terminal.resize(44, 111)
        terminal.wait_for(b"44 111")
        self.assertEqual(terminal.end(), 0)

    def test_an_ended_client_leaves_the_terminal_as_it_was(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            terminal = Terminal(self.host, "sh", "-c", "trap '' HUP; echo ready; exec sleep 1000")
            terminal.wait_for(b"ready")
            self.assertNotEqual(termios.tcgetattr(terminal.theirs), terminal.before)
            terminal.process.send_signal(number)
            self.assertEqual(terminal.end(), 128 + number)
            self.assertTrue(terminal.restored, number)


if __name__ == "__main__":
    unittest.main()
