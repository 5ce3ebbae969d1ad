#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The catalog as journald's own tools read it: every event of the manual has its entry, with what to do."""
import os, pathlib, re, subprocess, sys, tempfile, unittest

CATALOG, PAGE = map(pathlib.Path, sys.argv[1:3])
EVENTS = re.findall(r"(?m)^\.It Cm ([a-z-]+)\n\.Li ([0-9a-f]{32})\n\.br\n(.*)\n(.*)$", PAGE.read_text())


def journalctl(root, *words):
    return subprocess.run(["journalctl", f"--root={root}", "--no-pager", *words], check=True, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})


class Catalog(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        directory = cls.root / "usr/lib/systemd/catalog"
        directory.mkdir(parents=True)
        (cls.root / "var/lib/systemd/catalog").mkdir(parents=True)
        (directory / "podvisor.catalog").write_text(CATALOG.read_text())
        cls.update = journalctl(cls.root, "--update-catalog")

    def test_it_is_read_without_complaint(self):
        self.assertEqual(self.update.stderr, "")

    def test_every_event_has_an_entry_that_says_what_to_do(self):
        self.assertGreater(len(EVENTS), 12)
        for name, message_id, meaning, advice in EVENTS:
            entry = journalctl(self.root, "--dump-catalog", message_id).stdout
            self.assertIn(f"Subject: Pod @PODVISOR_POD@: {name}\n", entry)
            self.assertIn("Defined-By: podvisor\n", entry)
            self.assertIn(meaning.rstrip("."), entry, name)
            self.assertIn(advice.replace("\\(dq", '"'), entry, name)

    def test_no_two_events_share_an_identity_or_a_name(self):
        for which in (0, 1):
            self.assertEqual(len({event[which] for event in EVENTS}), len(EVENTS))

    def test_nothing_else_is_in_it(self):
        listed = journalctl(self.root, "--list-catalog").stdout.splitlines()
        self.assertEqual({line.split()[0] for line in listed}, {event[1] for event in EVENTS})


unittest.main(argv=sys.argv[:1])
