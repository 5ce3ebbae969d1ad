#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that cannot be believed, and disks that take none: nothing is killed, the operator is told, and has verbs."""
import os
import signal
import subprocess
import unittest

from instance import HELLO, HostTest, Instance, alive, leftovers, until

KINDS = {"supervisor": "supervisor.msgpack", "definition": "definition.msgpack", "qemu": "vm/qemu.msgpack",
         "runner": "vm/runner.msgpack"}


def newer(data):
    at = data.index(b"\xa7version") + len(b"\xa7version")
    return data[:at] + b"\x63" + data[at + 1:]


def flipped(data):
    middle = len(data) * 3 // 4
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1:]


DAMAGES = {
    "truncated": lambda data: data[:len(data) // 2],
    "empty": lambda data: b"",
    "flipped": flipped,
    "newer": newer,
    "text": lambda data: b"this is no checkpoint\n",
}


class Damaged(HostTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("web", HELLO)
        cls.host.wait("web")

    def kill_both(self):
        runner = self.host.status("web")["runner_pid"]
        self.host.kill(signal.SIGKILL)
        os.kill(runner, signal.SIGKILL)
        until("the runner is gone", lambda: not alive(runner))

    def damage(self, kind, how):
        """Its bytes before, and podvisord has come back to what is left of it."""
        self.kill_both()
        file = self.host.run / "pods/web" / KINDS[kind]
        before = file.read_bytes()
        file.write_bytes(DAMAGES[how](before))
        self.host.start()
        self.host.wait("web", state="indeterminate")
        return file, before

    def assert_nothing_happened(self, machine):
        self.assertTrue(alive(machine))
        self.assertEqual(self.host.machines(), {"web": [machine]})

    def assert_verbs(self, machine):
        end = self.host.cli("forget", "web", check=False)
        self.assertNotEqual(end.returncode, 0, "forget is refused while the machine runs")
        for verb in ("start", "stop", "kill", "restart"):
            end = self.host.cli(verb, "web", check=False)
            self.assertNotEqual(end.returncode, 0, f"{verb} is refused in doubt")
            self.assertIn("adopt", end.stderr)
        self.assert_nothing_happened(machine)

    def one(self, kind, how):
        machine = self.host.machines()["web"][0]
        uptime = self.host.uptime("web", "hello")
        file, before = self.damage(kind, how)
        self.assert_nothing_happened(machine)
        page = self.host.page("web")
        self.assertIn("indeterminate", page)
        self.assertIn("podvisor adopt web", page)
        self.assertRegex(page, "newer" if how == "newer" else "believed|used|cannot")
        self.assert_verbs(machine)
        # The supervisor's own record is the one that it can do without; the others are proof, and come back from a backup.
        if kind != "supervisor":
            file.write_bytes(before)
        self.host.cli("adopt", "web")
        self.host.wait("web")
        self.assertEqual(self.host.status("web")["vmm_pid"], machine)
        self.assertGreater(self.host.uptime("web", "hello"), uptime)

    def test_the_supervisors_record(self):
        for how in DAMAGES:
            with self.subTest(how):
                self.one("supervisor", how)

    def test_the_frozen_definition(self):
        for how in DAMAGES:
            with self.subTest(how):
                self.one("definition", how)

    def test_the_record_of_qemu(self):
        for how in DAMAGES:
            with self.subTest(how):
                self.one("qemu", how)

    def test_the_runners_record(self):
        for how in DAMAGES:
            with self.subTest(how):
                self.one("runner", how)

    def test_zz_what_was_ended_by_hand_is_forgotten_and_starts_anew(self):
        machine = self.host.machines()["web"][0]
        self.damage("qemu", "truncated")
        shown = self.host.cli("checkpoint", "show", "web", check=False)
        self.assertEqual(shown.returncode, 1)
        self.assertIn("corrupt", shown.stdout)
        os.kill(machine, signal.SIGKILL)
        until("the machine is gone", lambda: not alive(machine))
        self.host.cli("forget", "web")
        self.host.wait("web")
        self.assertNotEqual(self.host.machines()["web"], [machine])


@unittest.skipUnless(os.getuid() == 0, "only root can mount")
class DiskFull(unittest.TestCase):
    """The run paths are on a small file system of their own, which is full."""

    def setUp(self):
        self.host = self.enterContext(Instance())
        self.host.kill()
        for path in sorted(self.host.run.rglob("*"), reverse=True):
            path.unlink() if not path.is_dir() else path.rmdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "tmpfs", self.host.run], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.host.run])
        # Before that: what runs there would not be found any more.
        self.addCleanup(leftovers.kill_below, self.host.root)
        self.host.start()
        self.host.import_busybox()

    def fill(self):
        with open(self.host.run / "filling", "wb", buffering=0) as f:
            size = 65536
            while size:
                try:
                    f.write(bytes(size))
                except OSError:
                    size //= 2

    def test_a_running_machine_goes_on_and_is_known_when_there_is_room_again(self):
        self.host.write("web", HELLO)
        self.host.wait("web")
        machine = self.host.machines()["web"]
        self.fill()
        # Something to write down: a new generation, and a hand-over to a new runner.
        self.host.write("web", 'description = "changed on a full disk";\n' + HELLO)
        until("the change", lambda: self.host.status("web")["description"] == "changed on a full disk")
        runner = self.host.status("web")["runner_pid"]
        os.kill(runner, signal.SIGKILL)
        # A request that goes out to one that is about to die is not sent again: the program may have run.
        until("the runner is gone", lambda: not alive(runner))
        self.assertEqual(self.host.machines()["web"], machine)
        (self.host.run / "filling").unlink()
        self.host.wait("web")
        self.assertEqual(self.host.sh("web", "echo fine").stdout, "fine\n")
        self.assertEqual(self.host.machines()["web"], machine)
        self.host.kill(signal.SIGKILL)
        self.host.start()
        self.host.wait("web")
        self.assertEqual(self.host.machines()["web"], machine)
        self.host.clear()

    def test_a_start_without_room_says_so_and_comes_when_there_is(self):
        self.fill()
        self.host.write("web", 'restart = { delay = "100ms"; max_delay = "500ms"; };\n' + HELLO)
        until("a word about it", lambda: "web" in self.host.list() and "No space left" in self.host.page("web"))
        self.assertEqual(self.host.machines(), {})
        (self.host.run / "filling").unlink()
        self.host.wait("web")
        self.host.clear()


if __name__ == "__main__":
    unittest.main()
