#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""guest/kernel/build: the package's way into the cache, the kernel out of its image, the order of modules."""
import hashlib
import lzma
import os
import pathlib
import subprocess
import tempfile
import unittest
from unittest import mock

import made_up
import elf
import modules
import package
import vmlinux
from failure import Failure

PVH_KERNEL = made_up.program([(elf.PT_NOTE, made_up.note(b"Linux\0", 1) + made_up.note(b"Xen\0", 18))])
PACKAGE = "linux-image-6.1.0-9-cloud-amd64"
DEB = b"a package"

# Knows one kernel, whose package holds $DEB; without a network when $OFFLINE is set.
APT = f"""#!/bin/sh
case "$*" in
*METAPACKAGE) echo "Depends: {PACKAGE} (= 6.1.9-1)" ;;
*download*)
    [ -z "$OFFLINE" ] || {{ echo "E: no route" >&2; exit 100; }}
    printf %s "$DEB" >{PACKAGE}_6.1.9-1_amd64.deb ;;
*) printf 'Version: 6.1.9-1\\nSHA256: %s\\n' {hashlib.sha256(DEB).hexdigest()} ;;
esac
""".replace("METAPACKAGE", package.METAPACKAGE)


class InTemporaryDirectory(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.work = pathlib.Path(holder.name)


class Unpacking(unittest.TestCase):
    def test_every_packing_gives_the_kernel_back(self):
        packings = {
            "lz4": subprocess.run(["lz4", "-lzcq"], input=PVH_KERNEL, capture_output=True, check=True).stdout,
            "zstd": subprocess.run(["zstd", "-zcq"], input=PVH_KERNEL, capture_output=True, check=True).stdout,
            "xz": lzma.compress(PVH_KERNEL, lzma.FORMAT_XZ),
        }
        for name, packed in packings.items():
            with self.subTest(name):
                self.assertEqual(vmlinux.unpack(made_up.bzimage(packed, len(PVH_KERNEL))), PVH_KERNEL)

    def refused(self, image, word):
        with self.assertRaisesRegex(Failure, word):
            vmlinux.unpack(image)

    def test_what_is_no_good_kernel_is_refused(self):
        packed, size = lzma.compress(PVH_KERNEL), len(PVH_KERNEL)
        good = made_up.bzimage(packed, size)
        without_entry = made_up.program([(elf.PT_NOTE, made_up.note(b"Xen\0", 17))])
        self.refused(b"\0" * 2048, "no x86 bzImage")
        self.refused(good[:-1], "cut short")
        self.refused(made_up.bzimage(b"unheard of", size), "unknown way")
        self.refused(made_up.bzimage(packed, size + 1), "not the ELF file")
        self.refused(made_up.bzimage(lzma.compress(without_entry), len(without_entry)), "no PVH entry")
        self.refused(made_up.bzimage(b"\x02\x21\x4c\x18\xff", size), "cannot unpack")


class Modules(InTemporaryDirectory):
    def tree(self, **depends):
        (self.work / "kernel").mkdir()
        (self.work / "modules.builtin").write_text("kernel/lib/built-in.ko\n")
        for name, modinfo in depends.items():
            (self.work / f"kernel/{name}.ko").write_bytes(made_up.module(f"name={name}", *modinfo))

    def order(self, *names):
        return [path.stem for path in modules.in_load_order(self.work, names)]

    def test_a_module_comes_after_what_it_needs(self):
        self.tree(a=["depends=b,c"], b=["depends=c"], c=["depends="], d=["depends=b,built_in"])
        self.assertEqual(self.order("a", "d"), ["c", "b", "a", "d"])

    def test_a_soft_need_is_met_where_it_can_be(self):
        self.tree(a=["softdep=pre: b crypto-c post: d"], b=[], d=[])
        self.assertEqual(self.order("a"), ["b", "a"])

    def test_dash_and_underscore_are_the_same(self):
        self.tree(a_b=[], c=["depends=a-b"])
        self.assertEqual(self.order("c", "a-b"), ["a_b", "c"])

    def test_a_missing_module_is_named_with_who_asked(self):
        self.tree(a=["depends=gone"])
        with self.assertRaisesRegex(Failure, "no module gone, which a asks for"):
            self.order("a")

    def test_the_shipped_list_has_names_and_a_reason_for_each(self):
        shipped = made_up.TOP / "guest/kernel/modules.list"
        always, on_demand = modules.wanted(shipped)
        self.assertIn("virtio_console", always)
        self.assertIn("fuse", on_demand)
        for line in shipped.read_text().splitlines():
            self.assertRegex(line, r"^#|^\S+ +# \S+")

    def test_a_signature_is_cut_off_and_nothing_else(self):
        plain = made_up.module("name=a")
        signed = plain + b"S" * 300 + bytes(8) + (300).to_bytes(4, "big") + modules.SIGNATURE_END
        self.assertEqual(modules.without_signature(signed), plain)
        self.assertEqual(modules.without_signature(plain), plain)


class Package(InTemporaryDirectory):
    def setUp(self):
        super().setUp()
        for name in ("apt-get", "apt-cache"):
            program = self.work / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(APT)
            program.chmod(0o755)
        self.cache = self.work / "cache"

    def fetch(self, **environment):
        path = f"{self.work}/bin:{os.environ['PATH']}"
        with mock.patch.dict(os.environ, {"PATH": path, "DEB": DEB.decode(), **environment}), mock.patch("sys.stderr"):
            return package.fetch(self.cache)

    def cached(self):
        return sorted(path.name for path in self.cache.iterdir())

    def test_the_package_is_downloaded_once_and_then_taken_from_the_cache(self):
        first = self.fetch()
        self.assertEqual(first.read_bytes(), DEB)
        self.assertEqual(self.fetch(OFFLINE="1"), first)
        self.assertEqual(self.cached(), [first.name])

    def test_a_damaged_package_in_the_cache_is_downloaded_again(self):
        self.fetch().write_bytes(b"half a pack")
        self.assertEqual(self.fetch().read_bytes(), DEB)

    def test_a_package_with_another_hash_is_refused(self):
        with self.assertRaisesRegex(Failure, "has not the SHA-256"):
            self.fetch(DEB="something else")
        self.assertEqual(self.cached(), [])

    def test_without_a_network_the_newest_cached_package_is_used(self):
        self.cache.mkdir()
        for version in ("6.1.8-1", "6.1.10-1", "6.1.10~rc1-1"):
            (self.cache / f"linux-image-{version}-cloud-amd64_{version}_amd64.deb").write_bytes(DEB)
        self.assertIn("_6.1.10-1_", self.fetch(OFFLINE="1").name)

    def test_without_a_network_and_a_cache_apts_own_words_are_shown(self):
        with self.assertRaisesRegex(Failure, "cannot download .*no route"):
            self.fetch(OFFLINE="1")


unittest.main()
