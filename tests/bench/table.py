# SPDX-License-Identifier: Apache-2.0
"""The page of results: a table for each part, and what its rows mean, between two marks of a README that is otherwise written by hand."""
import pathlib

import plots
from results import median, percentile
from rows import PARTS, ROWS, STAGES, UNITS, stages_of, values

BEGIN, END = "<!-- results: what stands to their end is written by tools/bench -->", "<!-- end of results -->"
NOTHING = "Nothing has been measured yet.\n"
PAGE = f"{BEGIN}\n\n{NOTHING}\n{END}\n"


# From how many processors on it is said that they were busy.
BUSY = .3


class Unmarked(Exception):
    pass


def written(number, value):
    """Nothing is less than nothing by too little to be written."""
    text = number.format(value)
    return text.removeprefix("-") if float(text) == 0 else text


def cells(row, measured):
    """(median, quartiles, range, n)"""
    found = values(row, measured)
    if not found:
        return None
    number, unit = UNITS[row.unit].partition("}")[::2]
    number += "}"
    text = [written(number, v) for v in (median(found), percentile(found, 25), percentile(found, 75), min(found), max(found))]
    several = len(found) > 1
    return (text[0] + unit, f"{text[1]} - {text[2]}" if several else "", f"{text[3]} - {text[4]}" if several else "", str(len(found)))


def table(part, data):
    """Lines of Markdown, and the rows that are in them."""
    lines, shown, long = ["| what | median | quartiles | range | n |", "|---|--:|--:|--:|--:|"], [], []
    for row in (row for row in ROWS if row.part == part):
        remark, found = data["remarks"].get(row.key, ""), cells(row, data["values"])
        if "\n" in remark:
            long += ["", f"{row.what}:", "```", remark.strip(), "```"]
            remark = "below"
        remark = remark.replace("|", "\\|")
        if found:
            lines.append(f"| {row.what}{f' ({remark})' if remark else ''} | {' | '.join(found)} |")
        elif remark:
            lines.append(f"| {row.what} | not measured: {remark} | | | |")
        if found or remark:
            shown.append(row)
    return lines + stages(part, data) + long, shown


def stages(part, data):
    """Where the time goes, a column for each kind of start."""
    found = stages_of(part, data["values"])
    if not found:
        return []
    lines = ["", f"| of the median, ms | {' | '.join(row.what for row, _ in found)} |", "|---|" + "--:|" * len(found)]
    for i, words in enumerate(STAGES.values()):
        lines.append(f"| {words} | " + " | ".join(written("{:.1f}", took[i] * 1000) for _, took in found) + " |")
    return lines


def meanings(shown):
    return [f"- *{row.what}*: {row.meaning}" for row in shown]


def conditions(data):
    machine = ", ".join(f"{name} {value}" for name, value in data["machine"].items())
    return f"Measured on {data['measured']}: {machine}."


def warnings(data):
    """What must be known before anybody goes by the numbers."""
    return (["*A quick look: too few runs to go by.*"] if data["quick"] else []) + (
        [f"*Others were at work on this machine: {data['busy']} processors were busy before it began.*"] if data["busy"] >= BUSY else [])


def page(parts):
    """All of it, as Markdown."""
    lines, known = [], [part for part in PARTS if part in parts]
    if not known:
        return NOTHING
    together = len({conditions(parts[part]) for part in known}) == 1
    if together:
        lines += [conditions(parts[known[0]]), ""]
    for part in known:
        rows, shown = table(part, parts[part])
        lines += [f"## {PARTS[part]}", "", *([] if together else [conditions(parts[part]), ""]),
                  *(line for warning in warnings(parts[part]) for line in (warning, "")), *rows, "", *meanings(shown), ""]
        for name, title in plots.names(part, parts[part]["values"]):
            lines += [f"![{title}]({name})", ""]
    return "\n".join(lines)


def write(directory, parts):
    """The page and the plots that are made from values."""
    directory = pathlib.Path(directory)
    readme = directory / "README.md"
    text = readme.read_text() if readme.exists() else PAGE
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Unmarked(f"{readme}: the marks between which results belong are missing")
    for part in parts:
        plots.draw(directory, part, parts[part]["values"])
    readme.write_text(f"{before}{BEGIN}\n\n{page(parts)}\n{END}{after}")
