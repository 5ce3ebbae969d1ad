#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""podvisor backends, with the runners of the build and with programs that play their part badly."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BIN = pathlib.Path(os.path.abspath(sys.argv[1])).parent
EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"
HAVE_LIBVIRT = sys.argv[2] == "yes"


class Backends(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="pv-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        # podvisor takes the runners beside itself.
        self.bin = self.root / "bin"
        self.bin.mkdir()
        shutil.copy(BIN / "podvisor", self.bin)
        shutil.copy(BIN / "podvisor-runner-null", self.bin)

    def run_cli(self, *words):
        return subprocess.run([self.bin / "podvisor", "--root", self.root, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60)

    def runner(self, name, script):
        path = self.bin / f"podvisor-runner-{name}"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def report(self, name):
        done = self.run_cli("backends", name, "--json=short")
        self.assertEqual(done.stderr, "")
        reports = json.loads(done.stdout)
        self.assertEqual([r["name"] for r in reports], [name])
        self.assertEqual(done.returncode, 0 if reports[0]["usable"] else 3)
        return reports[0]

    def key(self, report, name):
        return next(k for k in report["keys"] if k["key"] == name)

    def test_the_null_backend_is_always_there(self):
        report = self.report("null")
        self.assertEqual((report["state"], report["note"], report["daemons"]), ("usable", None, []))
        self.assertEqual(self.key(report, "containers")["support"], "no effect")
        self.assertEqual(self.key(report, "null"), {"key": "null", "support": "yes", "note": None})

    def test_a_backend_whose_runner_is_missing_is_not_installed(self):
        report = self.report("qemu")
        self.assertEqual(report["state"], "not installed")
        self.assertIn("podvisor-runner-qemu", report["note"])
        table = self.run_cli("backends")
        self.assertEqual(table.returncode, 0)
        self.assertRegex(table.stdout, r"(?m)^qemu +not installed +- ")
        self.assertRegex(table.stdout, r"(?m)^null +usable ")

    def test_a_runner_that_says_no_description_is_silent(self):
        for script in ("exit 1", "echo nonsense", "echo '{}'", "echo '{\"name\":\"null\",\"usable\":true}'",
                       "echo '{\"name\":\"qemu\",\"usable\":7}'", "while :; do echo 0123456789; done"):
            with self.subTest(script):
                self.runner("qemu", script)
                report = self.report("qemu")
                self.assertEqual(report["state"], "silent")
                self.assertIn("podvisor-runner-qemu", report["note"])
                self.assertEqual(report["accelerators"], [])

    def test_what_this_host_lacks_is_said_at_the_key(self):
        self.runner("qemu", """echo '{"name":"qemu","usable":true,"vmm":"QEMU 1","accelerators":
            [{"name":"kvm","usable":false,"note":"no \\u001b[31m device"},{"name":"tcg","usable":true}]}'""")
        report = self.report("qemu")
        self.assertEqual(report["vmm"], "QEMU 1")
        self.assertEqual(self.key(report, "qemu.accelerator")["support"], "partly")
        self.assertIn('"kvm" is refused on this host: no ', self.key(report, "qemu.accelerator")["note"])
        page = self.run_cli("backends", "qemu").stdout
        self.assertIn("Accelerators: kvm: no; no \\x1b[31m device\n              tcg: yes\n", page)
        self.assertNotIn("\x1b", page)

    def test_the_qemu_of_podvisord_conf_is_looked_at(self):
        shutil.copy(BIN / "podvisor-runner-qemu", self.bin)
        (self.root / "podvisord.conf").write_text('qemu = "/nonexistent/qemu";\n')
        report = self.report("qemu")
        self.assertEqual((report["state"], report["note"]), ("not usable", "QEMU is not installed: there is no /nonexistent/qemu"))
        self.assertEqual([a["name"] for a in report["accelerators"]], ["kvm", "tcg"])
        fake = self.root / "qemu"
        fake.write_text("#!/bin/sh\necho 'QEMU emulator version 9.9.1 (Somebody)'\n")
        fake.chmod(0o755)
        (self.root / "podvisord.conf").write_text(f'qemu = "{fake}";\n')
        self.assertEqual(self.report("qemu")["vmm"], "QEMU 9.9.1")

    @unittest.skipUnless(HAVE_LIBVIRT, "this build has no libvirt backend")
    def test_xml_is_refused_unless_podvisord_conf_allows_it(self):
        self.runner("libvirt", "echo '{\"name\":\"libvirt\",\"usable\":true}'")
        self.assertEqual(self.key(self.report("libvirt"), "libvirt.xml")["support"], "refused")
        (self.root / "podvisord.conf").write_text("libvirt_xml = true;\n")
        self.assertEqual(self.key(self.report("libvirt"), "libvirt.xml")["support"], "partly")

    @unittest.skipUnless(HAVE_LIBVIRT, "this build has no libvirt backend")
    def test_check_follows_podvisord_conf(self):
        pod = self.root / "web.pod"
        pod.write_text('backend = "libvirt";\ncontainers = ( { name = "a"; image = "b"; } );\n'
                       'libvirt = { xml = "<title>t</title>"; };\n')
        refused = self.run_cli("check", pod)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("web.pod:3: libvirt.xml: podvisord.conf does not allow it", refused.stderr)
        (self.root / "podvisord.conf").write_text("libvirt_xml = true;\n")
        self.assertEqual(self.run_cli("check", pod).returncode, 0)

    # {(backend, example): the one key that is refused}
    REFUSED = {("libvirt", f"{name}.pod"): "network.mode" for name in ("front", "leased", "published", "redis", "site", "store")}
    REFUSED["libvirt", "uploads.pod"] = r"volumes\[0\]\.mode"

    @unittest.skipUnless(HAVE_LIBVIRT, "this build has no libvirt backend")
    def test_every_example_is_right_on_every_backend_or_refused_for_what_it_has_not(self):
        examples = sorted(EXAMPLES.glob("*.pod"))
        self.assertGreater(len(examples), 5)
        for backend in ("qemu", "libvirt", "null"):
            for example in examples:
                pod = self.root / example.name
                pod.write_text(f'backend = "{backend}";\n{example.read_text()}')
                done = self.run_cli("check", pod)
                if (backend, example.name) in self.REFUSED:
                    self.assertRegex(done.stderr, rf"^[^\n]*: {self.REFUSED[backend, example.name]}: [^\n]*\n$")
                else:
                    self.assertEqual((done.returncode, done.stderr), (0, ""), f"{backend}: {example.name}")

    @unittest.skipIf(HAVE_LIBVIRT, "this build has the libvirt backend")
    def test_a_build_without_libvirt_says_so(self):
        report = self.report("libvirt")
        self.assertEqual(report["state"], "not installed")
        self.assertEqual(self.key(report, "cpus"), {"key": "cpus", "support": "refused", "note": "this podvisor was built without it"})

    def test_a_name_that_is_none_is_told(self):
        done = self.run_cli("backends", "qmu")
        self.assertEqual((done.returncode, done.stderr), (4, 'podvisor: there is no backend "qmu"; did you mean "qemu"?\n'))
        done = self.run_cli("backends", "x")
        self.assertEqual(done.stderr, 'podvisor: there is no backend "x"; expected qemu, libvirt or null\n')

    def test_no_line_ends_with_a_blank(self):
        for words in ((), ("null",), ("qemu",)):
            for line in self.run_cli("backends", *words).stdout.splitlines():
                self.assertEqual(line, line.rstrip())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
