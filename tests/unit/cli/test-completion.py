#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The completion knows what the program knows, and asks it for names."""
import os, subprocess, sys, tempfile, unittest

SCRIPT = os.path.abspath(sys.argv[1])

# Answers as podvisor does, and records how it was asked.
STUB = """#!/bin/sh
echo "$*" >> "$ASKED"
case "$*" in
*"image list"*) echo 'busybox  sha256:1  1M'; echo 'web, web:2  sha256:2  2M' ;;
*"list --json"*) echo '[{"name":"web","containers":[{"name":"httpd"},{"name":"side"}]}]' ;;
*list*) echo 'db   ready  1/1'; echo 'web  ready  2/2' ;;
*"explain --no-pager containers"*) printf 'x\\n\\nKeys:\\n  image  y\\n  init  y\\n' ;;
*explain*) printf 'x\\n\\nKeys:\\n  containers  y\\n  cpus  y\\n' ;;
esac
"""


class Completion(unittest.TestCase):
    def complete(self, *words):
        """What is offered behind these words, the last of which is being typed."""
        with tempfile.TemporaryDirectory() as directory:
            stub = os.path.join(directory, "podvisor")
            with open(stub, "w") as f:
                f.write(STUB)
            os.chmod(stub, 0o755)
            script = f'. {SCRIPT}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _podvisor; printf "%s\\n" "${{COMPREPLY[@]}}"'
            environment = {"PATH": f"{directory}:{os.environ['PATH']}", "ASKED": os.path.join(directory, "asked")}
            said = subprocess.run(["bash", "-euc", script, "bash", "podvisor", *words], env=environment, text=True,
                                  capture_output=True, cwd=directory)
            self.assertEqual(said.stderr, "")
            self.asked = open(environment["ASKED"]).read().splitlines() if os.path.exists(environment["ASKED"]) else []
            return said.stdout.split()

    def test_verbs(self):
        self.assertEqual(self.complete("sta"), ["start", "stats", "status"])
        self.assertIn("exec", self.complete(""))
        self.assertEqual(self.complete("image", "p"), ["prune", "pull"])
        self.assertEqual(self.complete("image", "pull", "--tls-verify", ""), ["false", "true"])
        self.assertEqual(self.complete("--root=/x", "li"), ["list"])

    def test_options_are_those_of_the_verb(self):
        self.assertEqual(self.complete("stop", "--no"), ["--no-wait"])
        self.assertIn("--follow", self.complete("logs", "--"))
        self.assertNotIn("--follow", self.complete("list", "--"))

    def test_values_of_options(self):
        self.assertEqual(self.complete("list", "--json", "=", "pr"), ["pretty"])
        self.assertEqual(self.complete("wait", "--for", "re"), ["recovering", "ready"])

    def test_names_of_pods_and_containers(self):
        self.assertEqual(self.complete("stop", ""), ["db", "web"])
        self.assertEqual(self.complete("analyze", ""), ["blame", "critical-chain", "plot", "db", "web"])
        self.assertEqual(self.complete("analyze", "plot", ""), ["db", "web"])
        self.assertEqual(self.complete("exec", "web/"), ["web/httpd", "web/side"])

    def test_names_of_backends(self):
        self.assertEqual(self.complete("backends", ""), ["qemu", "libvirt", "null"])
        self.assertEqual(self.complete("backends", "li"), ["libvirt"])

    def test_the_podvisord_that_is_meant_is_the_one_that_is_asked(self):
        self.complete("--root", "/x", "stop", "")
        self.assertEqual(self.asked, ["--root /x list --no-legend --no-pager"])
        self.complete("--root", "=", "/x", "--user", "stop", "")
        self.assertEqual(self.asked, ["--root /x --user list --no-legend --no-pager"])

    def test_names_of_images_and_keys(self):
        self.assertEqual(self.complete("image", "remove", ""), ["busybox", "web"])
        self.assertEqual(self.complete("explain", "c"), ["containers", "cpus"])
        self.assertEqual(self.complete("explain", "containers.im"), ["containers.image"])


unittest.main(argv=sys.argv[:1])
