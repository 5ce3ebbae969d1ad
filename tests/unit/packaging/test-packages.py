#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is of the libvirt backend is a package of its own, and the other one is whole without it.

usage: test-packages.py BUILD LIST yes|no     whether the build has the libvirt backend"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BUILD, LIST, HAVE = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3] == "yes"
LIBVIRTS = set(LIST.read_text().split())


def installed(*words):
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", directory, *words], check=True)
        found = {os.path.join(top, file) for top, _, files in os.walk(directory) for file in files}
        linked = [file for file in found if b"libvirt.so." in pathlib.Path(file).read_bytes()]
        return ({file.removeprefix(directory) for file in found}, {file.removeprefix(directory) for file in linked})


class Packages(unittest.TestCase):
    def test_the_package_of_the_libvirt_backend_has_these_files(self):
        files, _ = installed("--tags", "libvirt")
        self.assertEqual(files, LIBVIRTS if HAVE else set())

    def test_nothing_else_is_linked_with_libvirt(self):
        files, linked = installed()
        self.assertIn("/usr/bin/podvisord", files)
        self.assertEqual(files & LIBVIRTS, LIBVIRTS if HAVE else set())
        self.assertLessEqual(linked, LIBVIRTS)
        self.assertEqual({file for file in files - LIBVIRTS if "libvirt" in file}, set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
