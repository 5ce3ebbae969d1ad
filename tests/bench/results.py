# SPDX-License-Identifier: Apache-2.0
"""What has been measured, as JSON: values by the keys of rows.py, from which tables and plots are made, now and later.

    parts: { PART: { measured: DATE, quick: BOOL, busy: PROCESSORS, machine: {...}, values: { KEY: [NUMBER, ...] }, remarks: { KEY: TEXT } } }

A part that is measured again replaces what the file had of it, so each part says by itself when and where it was measured.
"""
import json
import pathlib
import statistics

FORMAT = 1
NAME = "results.json"


class Damaged(Exception):
    pass


def load(directory):
    """{part: ...}; nothing where there is no file yet."""
    path = pathlib.Path(directory, NAME)
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text())
    except ValueError as e:
        raise Damaged(f"{path}: {e}") from e
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise Damaged(f"{path}: is not of format {FORMAT}")
    for name, part in data.get("parts", {}).items():
        if lacking := [key for key in Part(None, None, False, 0).data if key not in part]:
            raise Damaged(f"{path}: part {name} has no {', '.join(lacking)}")
    return data.get("parts", {})


def lines(value, depth):
    """Objects over several lines and lists on one: so a diff shows which rows have changed."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value)
    pad = " " * (depth + 1)
    return "{\n" + ",\n".join(f"{pad}{json.dumps(k)}: {lines(v, depth + 1)}" for k, v in value.items()) + "\n" + " " * depth + "}"


def save(directory, parts):
    path = pathlib.Path(directory, NAME)
    new = path.with_suffix(".new")
    new.write_text(lines({"format": FORMAT, "parts": parts}, 0) + "\n")
    new.rename(path)


class Part:
    """Of one part, while it is measured."""

    def __init__(self, machine, measured, quick, busy):
        """busy: how many processors had something to do before."""
        self.data = {"measured": measured, "quick": quick, "busy": round(busy, 1), "machine": machine, "values": {}, "remarks": {}}

    def add(self, key, *values):
        self.data["values"].setdefault(key, []).extend(round(float(v), 6) for v in values)

    def remark(self, key, text):
        """What must be known of a row; of one without values: why there are none."""
        self.data["remarks"][key] = text


def percentile(values, p):
    """Between the two nearest values."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * p / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(values):
    return statistics.median(values)
