#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/build-kernel: the fragments as they are, what is wrong with others, why an option is not given, and a build that is killed."""
import os
import pathlib
import signal
import subprocess
import tarfile
import tempfile
import unittest

import made_up
import fragments
import kconfig
from failure import Failure

TOOL = made_up.TOP / "tools/build-kernel"
CONFIG = made_up.TOP / "guest/kernel/config"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME") or "/var/cache", ".cache"), "podvisor")

KCONFIG = """
config PLAIN
	bool "Plain"
	help
	  Words that mean nothing here:
	  depends on NOWHERE
	depends on !STRANGE || (OTHER && MODE = "fast")

if LOCKED
menu "Inner"
	depends on GATE
source "inner/$(SRCARCH).kconfig"
endmenu
endif

choice
	prompt "One of"
config LEFT
	bool "Left"
config RIGHT
	bool "Right"
endchoice

config HIDDEN
	def_bool y
"""

# As much of a kernel's source as tools/build-kernel uses. The compile is killed where $KILL_AT says.
MERGE = """#!/bin/sh
[ "$KILL_AT" != configure ] || kill -9 $PPID
grep -v LEFT "$2" >.config
"""
MAKEFILE = """vmlinux: note.s FORCE
	@echo "  CC      one.o"
	@[ "$$KILL_AT" != compile ] || { kill -9 $$TOOL; exit 1; }
	@echo "  SYMTAB  all"
	$(BROKEN)
	@echo again >>compiles
	@$(CC) -nostdlib -static -Wl,--build-id=none -o vmlinux note.s
	@cp compiles System.map

clean:
	@echo cleaned >>compiles

.PHONY: FORCE
"""
NOTE = """.section .note.Xen,"a",@note
.long 4, 4, %d
.asciz "Xen"
.long 0x1000000
.text
.globl _start
_start: hlt
"""


class Fragments(unittest.TestCase):
    def test_those_of_podvisor_have_a_reason_for_each_line_and_no_option_twice(self):
        self.assertGreater(len(fragments.read(CONFIG)), 100)

    def test_the_source_knows_all_options_of_podvisors(self):
        known = CACHE / "own-kernel/known-options"
        if not known.exists():
            self.skipTest("tools/build-kernel has built nothing here: which options the source knows is not known")
        asked = {option.name.removeprefix("CONFIG_") for option in fragments.read(CONFIG)}
        self.assertEqual(asked - set(known.read_text().split()), set())

    def refused(self, text, word):
        with tempfile.TemporaryDirectory() as place:
            pathlib.Path(place, "a.config").write_text(text)
            with self.assertRaisesRegex(Failure, word):
                fragments.read(pathlib.Path(place))

    def test_bad_lines_are_refused_by_file_and_line(self):
        for text, word in (
                ("CONFIG_A=y\n", r"a\.config:1: CONFIG_A has no reason"),
                ("# words\n\nCONFIG_A=y #\n", r"a\.config:3: .* is not CONFIG_NAME=value"),
                ("CONFIG_A=m # why\n", r"a\.config:1: .* is not CONFIG_NAME=value"),
                ("A=y # why\n", r"a\.config:1: .* is not CONFIG_NAME=value"),
                ("CONFIG_A=y # why\nCONFIG_A=n # why not\n", r"a\.config:2: CONFIG_A is in a\.config:1, too"),
                ("# nothing\n", r"holds no \*\.config")):
            with self.subTest(text):
                self.refused(text, word)

    def test_values_are_compared_as_the_kernel_writes_them(self):
        options, wrong = fragments.parse('CONFIG_A=y # a\nCONFIG_B=n # b\nCONFIG_C="-c" # c\nCONFIG_D=7 # d\nCONFIG_E=n # e\n', "f")
        self.assertEqual(wrong, [])
        self.assertEqual(fragments.not_in(options, 'CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C="-c"\nCONFIG_D=7\n'), [])
        missing = fragments.not_in(options, 'CONFIG_B=y\nCONFIG_C="x"\n')
        self.assertEqual([option.name for option in missing], ["CONFIG_A", "CONFIG_B", "CONFIG_C", "CONFIG_D"])


class Reasons(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tree = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (tree / "inner").mkdir()
        (tree / "Kconfig").write_text(KCONFIG)
        (tree / "inner/x86.kconfig").write_text('config INNER\n\ttristate "Inner" if EXPERT\n')
        cls.reader = kconfig.Reader(tree)

    def why(self, name, config=""):
        return kconfig.why_not(fragments.Option(f"CONFIG_{name}", "y", "", ""), self.reader, config)

    def test_each_option_that_is_not_given_has_a_reason(self):
        for name, config, why in (
                ("NOSUCH", "", "this source knows no such option"),
                ("HIDDEN", "", "it cannot be asked for, others select it (Kconfig:24)"),
                ("LEFT", "CONFIG_RIGHT=y\n", "another one of its choice was taken"),
                ("PLAIN", "CONFIG_STRANGE=y\nCONFIG_OTHER=y\n", 'it depends on !STRANGE || (OTHER && MODE = "fast") (STRANGE=y, OTHER=y, MODE=n)'),
                ("PLAIN", 'CONFIG_STRANGE=y\nCONFIG_OTHER=y\nCONFIG_MODE="fast"\n', "it is n; something selects it or sets it so"),
                ("INNER", "CONFIG_GATE=y\n", "it depends on LOCKED (LOCKED=n) and on EXPERT (EXPERT=n)")):
            with self.subTest(name):
                self.assertEqual(self.why(name, config), why)


class Building(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.top = self.work / "cache/own-kernel"
        self.archive({})

    def archive(self, other):
        """The source, with some files otherwise."""
        files = {"Kconfig": KCONFIG, "Makefile": MAKEFILE, "note.s": NOTE % 18, "scripts/kconfig/merge_config.sh": MERGE} | other
        tree = self.work / "linux-source-9"
        for name, text in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        (tree / "scripts/kconfig/merge_config.sh").chmod(0o755)
        with tarfile.open(self.work / "source.tar.xz", "w:xz", preset=0) as archive:
            archive.add(tree, tree.name)

    def build(self, *words, **environment):
        # TOOL: whom the fake source kills.
        command = f'TOOL=$$ exec "{TOOL}" --cache "{self.work}/cache" --source "{self.work}/source.tar.xz" --output "{self.work}/out/vmlinux" "$@"'
        return subprocess.run(["sh", "-c", command, "sh", *words], capture_output=True, text=True, check=False,
                              env=os.environ | {"CC": "gcc", "BROKEN": ""} | environment)

    def good(self, *words, **environment):
        done = self.build(*words, **environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.work / "out/vmlinux").is_file())
        return done

    def failed(self, word, **environment):
        done = self.build(**environment)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, word)
        self.assertFalse((self.work / "out/vmlinux").exists())

    def results(self):
        return [path for path in self.top.iterdir() if path.is_dir() and not path.name.startswith("work-")]

    def test_a_second_build_of_the_same_compiles_nothing(self):
        self.good()
        first = (self.work / "out/vmlinux").read_bytes()
        result, = self.results()
        self.assertEqual({path.name for path in result.iterdir()}, {"vmlinux", "System.map", "config", "made-from"})
        self.assertEqual([path.name for path in self.top.iterdir() if path.name.startswith(("work-", "."))], [])
        self.assertIn("made before", self.good().stderr)
        self.assertEqual((self.work / "out/vmlinux").read_bytes(), first)

    def test_another_source_is_another_kernel(self):
        self.good()
        self.archive({"more.c": "int more;\n"})
        self.good()
        self.assertEqual(len(self.results()), 2)

    def test_a_build_that_is_killed_is_gone_on_with(self):
        for step in ("configure", "compile"):
            with self.subTest(step):
                self.archive({"more.c": step})
                self.assertEqual(self.build(KILL_AT=step).returncode, -signal.SIGKILL)
                self.assertNotIn("unpacking", self.good().stderr)

    def compiles(self):
        """What was done in the source of a build that was kept."""
        return next(self.top.glob("work-*/source/*/compiles")).read_text().split()

    def test_objects_of_two_configurations_are_not_believed_after_a_kill(self):
        self.good("--keep")
        self.assertEqual(self.build("--keep", CC="gcc -DOTHER", KILL_AT="compile").returncode, -signal.SIGKILL)
        self.assertEqual(self.compiles(), ["again"])
        self.good("--keep", CC="gcc -DOTHER")
        self.assertEqual(self.compiles(), ["again", "cleaned", "again"])
        self.good("--keep", CC="gcc -DTHIRD")
        self.good("--keep", CC="gcc -DFOURTH")
        self.assertEqual(self.compiles(), ["again", "cleaned", "again", "again", "again"])

    def test_what_one_who_was_killed_left_unfinished_is_removed(self):
        left = self.top / ".unfinished-1"
        (left / "result").mkdir(parents=True)
        self.good()
        self.assertFalse(left.exists())

    def test_options_that_the_source_does_not_give_are_named_with_the_reason(self):
        self.archive({"scripts/kconfig/merge_config.sh": MERGE.replace("LEFT", "EROFS")})
        self.failed(r"storage\.config:\d+: CONFIG_EROFS_FS=y is not in the kernel's configuration: this source knows no such option")

    def test_what_the_compiler_says_is_shown(self):
        self.failed("the kernel does not compile:\n(?s:.*)no such header", BROKEN="@echo no such header >&2; exit 1")

    def test_a_kernel_that_qemu_cannot_start_is_refused(self):
        self.archive({"note.s": NOTE % 17})
        self.failed("no ELF file with a PVH entry")
        self.assertEqual(self.results(), [])

    def test_without_a_source_the_package_is_named(self):
        (self.work / "source.tar.xz").unlink()
        self.failed("tools/bootstrap installs the package linux-source-6.1")

    def test_an_archive_that_is_cut_short_is_refused_and_leaves_nothing(self):
        whole = (self.work / "source.tar.xz").read_bytes()
        (self.work / "source.tar.xz").write_bytes(whole[:len(whole) // 2])
        self.failed("cannot unpack")
        self.assertEqual([path.name for work in self.top.glob("work-*") for path in work.iterdir()], [])


unittest.main()
