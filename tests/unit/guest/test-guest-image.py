#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""guest/image/build: what is in the initrd, that it is the same for all, and what is refused."""
import os
import pathlib
import subprocess
import tempfile
import unittest

import made_up
import elf

BUILD = made_up.TOP / "guest/image/build"


def read_newc(data):
    """{name: (mode, device, inode, data)} of an archive; fails on an owner or a time that is not 0."""
    entries, at = {}, 0
    while True:
        assert data[at:at + 6] == b"070701"
        field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110:at + 110 + field[11] - 1].decode()
        start = at + 110 + field[11] + 3 & ~3
        if name == "TRAILER!!!":
            return entries
        assert field[2] == field[3] == field[5] == 0, f"{name} has an owner or a time"
        entries[name] = (field[1], (field[9], field[10]), field[0], data[start:start + field[6]])
        at = start + field[6] + 3 & ~3


class GuestImage(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.work = pathlib.Path(holder.name)

    def inputs(self, name, reverse=False):
        """A directory with an agent and three modules."""
        place = self.work / name
        (place / "kernel/modules").mkdir(parents=True)
        (place / "agent").write_bytes(made_up.program() + b"agent")
        for number in sorted(range(3), reverse=reverse):
            (place / f"kernel/modules/{number:02}-m{number}.ko").write_bytes(b"module %d" % number)
        (place / "kernel/demand/m3").mkdir(parents=True)
        (place / "kernel/demand/m3/00-m3.ko").write_bytes(b"module 3")
        return place

    def build(self, place, **options):
        command = [BUILD, "--agent", place / "agent", "--kernel-dir", place / "kernel", "--out", place / "initrd"]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    def test_same_inputs_give_the_same_bytes(self):
        one, other = self.inputs("one"), self.inputs("other", reverse=True)
        for path in [*other.rglob("*"), other]:
            os.utime(path, (10 ** 9, 10 ** 9))
        (other / "agent").chmod(0o700)
        self.assertEqual(self.build(one).returncode, 0)
        self.assertEqual(self.build(other, umask=0o077, cwd="/", env={**os.environ, "TZ": "Asia/Tokyo"}).returncode, 0)
        self.assertEqual((one / "initrd").read_bytes(), (other / "initrd").read_bytes())

    def test_the_initrd_holds_what_the_agent_needs(self):
        place = self.inputs("one")
        self.assertEqual(self.build(place).returncode, 0)
        entries = read_newc((place / "initrd").read_bytes())
        self.assertEqual(entries["init"][0], 0o100755)
        self.assertEqual(entries["init"][3], (place / "agent").read_bytes())
        self.assertEqual(entries["dev/console"][:2], (0o020600, (5, 1)))
        load = entries["lib/podvisor/modules.load"][3].decode().split()
        self.assertEqual(load, [f"/lib/podvisor/modules/{n:02}-m{n}.ko" for n in range(3)])
        for number, path in enumerate(load):
            self.assertEqual(entries[path[1:]][3], b"module %d" % number)
        self.assertEqual(entries["lib/podvisor/demand/m3/00-m3.ko"][3], b"module 3")

    def test_a_directory_stands_before_what_is_in_it_and_inodes_are_distinct(self):
        place = self.inputs("one")
        self.assertEqual(self.build(place).returncode, 0)
        seen = {"."}
        entries = read_newc((place / "initrd").read_bytes())
        for name in entries:
            self.assertIn(os.path.dirname(name) or ".", seen)
            seen.add(name)
        self.assertEqual(len({inode for _, _, inode, _ in entries.values()}), len(entries))

    def test_cpio_reads_the_archive(self):
        place = self.inputs("one")
        self.assertEqual(self.build(place).returncode, 0)
        with open(place / "initrd", "rb") as archive:
            listed = subprocess.check_output(["cpio", "-t", "--quiet"], stdin=archive, text=True)
        self.assertEqual(listed.split(), list(read_newc((place / "initrd").read_bytes())))

    def refused(self, place, word):
        done = self.build(place)
        self.assertEqual(done.returncode, 1)
        self.assertIn(word, done.stderr)
        self.assertEqual([p.name for p in place.iterdir() if "initrd" in p.name], [])

    def test_a_dynamic_program_is_refused(self):
        place = self.inputs("one")
        (place / "agent").write_bytes(made_up.program([(elf.PT_INTERP, b"/lib/ld.so\0")]))
        self.refused(place, "linked dynamically")

    def test_what_is_no_program_is_refused(self):
        place = self.inputs("one")
        (place / "agent").write_text("#!/bin/sh\n")
        self.refused(place, "no 64-bit ELF program")

    def test_a_kernel_directory_without_modules_is_refused(self):
        place = self.inputs("one")
        for path in (place / "kernel/modules").iterdir():
            path.unlink()
        self.refused(place, "holds no modules")

    def test_without_a_kernels_directory_there_is_the_agent_and_no_module(self):
        place = self.inputs("one")
        command = [BUILD, "--agent", place / "agent", "--out", place / "initrd"]
        subprocess.run(command, check=True, capture_output=True)
        entries = read_newc((place / "initrd").read_bytes())
        self.assertEqual(set(entries), {"dev", "dev/console", "init", "proc", "run", "sys", "tmp"})

    def test_a_missing_agent_is_named(self):
        place = self.inputs("one")
        (place / "agent").unlink()
        self.refused(place, str(place / "agent"))


unittest.main()
