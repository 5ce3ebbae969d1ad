#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Page and plots of made-up results, byte for byte what stands in rendered/; nothing is measured.

usage: tests/bench/test-render.py [--update]     --update writes what is expected anew; look at it before committing
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import results
import rows
import table

RENDERED = HERE / "rendered"
BENCH = HERE.parents[1] / "tools" / "bench"
SHOWN = "{http://www.w3.org/2000/svg}"


def copy(directory):
    """What is measured and what is written by hand, without what is made of it."""
    shutil.copy(RENDERED / "results.json", directory)
    (pathlib.Path(directory) / "README.md").write_text("By hand.\n\n" + table.PAGE + "\nBy hand, too.\n")
    return pathlib.Path(directory)


def bench(*words):
    return subprocess.run([BENCH, *words], capture_output=True, text=True)


class Rendering(unittest.TestCase):
    def setUp(self):
        self.place = copy(self.enterContext(tempfile.TemporaryDirectory()))

    def test_page_and_plots_are_as_expected(self):
        done = bench("--render", "--output", self.place)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(sorted(p.name for p in self.place.iterdir()), sorted(p.name for p in RENDERED.iterdir()))
        for path in self.place.iterdir():
            self.assertEqual(path.read_text(), (RENDERED / path.name).read_text(), f"{path.name} has changed: see --update")

    def test_plots_are_well_formed_and_everything_is_inside(self):
        bench("--render", "--output", self.place)
        plots = list(self.place.glob("*.svg"))
        self.assertGreater(len(plots), 8)
        for path in plots:
            root = xml.etree.ElementTree.fromstring(path.read_text())
            width, height = float(root.get("width")), float(root.get("height"))
            for element in root.iter():
                for name, end in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("y1", height), ("y2", height), ("cy", height)):
                    self.assertTrue(0 <= float(element.get(name, 0)) <= end, (path.name, element.attrib))
            self.assertTrue(all(text.text for text in root.iter(f"{SHOWN}text")), path.name)

    def test_a_page_that_is_made_again_is_the_same(self):
        bench("--render", "--output", self.place)
        before = {p.name: p.read_text() for p in self.place.iterdir()}
        bench("--render", "--output", self.place)
        self.assertEqual(before, {p.name: p.read_text() for p in self.place.iterdir()})

    def test_what_is_damaged_is_refused_and_left_alone(self):
        for text, why in (("{", "results.json: "), ("[]", "is not of format 1"), ('{"format": 2}', "is not of format 1"),
                          ('{"format": 1, "parts": {"soak": {"values": {}}}}', "part soak has no measured, quick, busy, machine, remarks")):
            (self.place / "results.json").write_text(text)
            done = bench("--render", "--output", self.place)
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
        self.assertEqual((self.place / "results.json").read_text(), text)

    def test_where_nothing_was_measured_the_page_says_so(self):
        (self.place / "results.json").unlink()
        self.assertEqual(bench("--render", "--output", self.place).returncode, 0)
        self.assertEqual((self.place / "README.md").read_text(), "By hand.\n\n" + table.PAGE + "\nBy hand, too.\n")
        self.assertEqual([path.name for path in self.place.iterdir()], ["README.md"])

    def test_a_directory_that_is_not_there_is_said(self):
        done = bench("--render", "--output", self.place / "nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nowhere", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_a_page_without_its_marks_is_not_written_over(self):
        (self.place / "README.md").write_text("Mine.\n")
        done = bench("--render", "--output", self.place)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the marks between which results belong are missing", done.stderr)
        self.assertEqual((self.place / "README.md").read_text(), "Mine.\n")

    def test_what_cannot_be_asked_for_is_refused(self):
        for words, why in ((["--only", "nothing"], "invalid choice"), (["--runs", "0"], "--runs must be 1 at least"), (["--runs", "many"], "invalid int")):
            done = bench(*words, "--output", self.place)
            self.assertEqual(done.returncode, 2)
            self.assertIn(why, done.stderr)

    def test_results_are_kept_as_they_are_written(self):
        parts = results.load(RENDERED)
        results.save(self.place, parts)
        self.assertEqual(results.load(self.place), parts)
        self.assertEqual((self.place / "results.json").read_text(), (RENDERED / "results.json").read_text())


class Rows(unittest.TestCase):
    def test_every_row_is_one_of_a_part_and_comes_from_something(self):
        self.assertEqual(len(rows.BY_KEY), len(rows.ROWS))
        for row in rows.ROWS:
            self.assertIn(row.part, rows.PARTS)
            self.assertIn(row.unit, rows.UNITS)
            self.assertEqual(bool(row.of), row.how is not None, row.key)
        self.assertEqual({row.part for row in rows.ROWS}, set(rows.PARTS))

    def test_percentiles_lie_between_the_nearest_values(self):
        self.assertEqual([results.percentile([30, 10, 20], p) for p in (0, 25, 50, 100)], [10, 15, 20, 30])
        self.assertEqual(results.percentile([7], 99), 7)


def update():
    for path in RENDERED.iterdir():
        if path.name != "results.json":
            path.unlink()
    copy_of = json.loads((RENDERED / "results.json").read_text())["parts"]
    results.save(RENDERED, copy_of)
    (RENDERED / "README.md").write_text("By hand.\n\n" + table.PAGE + "\nBy hand, too.\n")
    table.write(RENDERED, copy_of)


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update()
    else:
        unittest.main()
