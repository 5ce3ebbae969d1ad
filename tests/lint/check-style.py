#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What every source file keeps to: a licence line, one include guard, bounded files and functions, nothing left undone."""
import pathlib, re, subprocess, sys

FILE_LINES_MAX, FUNCTION_LINES_MAX = 600, 60
root = pathlib.Path(sys.argv[1])
errors = []


def tracked():
    try:
        out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], check=True, capture_output=True, text=True)
        return [root / p for p in out.stdout.splitlines()]
    except (OSError, subprocess.CalledProcessError):
        return [p for p in root.rglob("*") if "build" not in p.relative_to(root).parts[0]]


def functions(lines):
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield start, number - start
            start = None


code = [p for p in tracked() if p.suffix in (".c", ".h") and p.is_file()]
for file in code:
    path, text = file.relative_to(root), file.read_text()
    lines = text.splitlines()
    if not text.startswith("/* SPDX-License-Identifier: Apache-2.0 */\n"):
        errors.append(f"{path}:1: the first line names the licence")
    if file.suffix == ".h" and "#pragma once" not in text:
        errors.append(f"{path}:1: a header begins with #pragma once")
    if len(lines) > FILE_LINES_MAX:
        errors.append(f"{path}: {len(lines)} lines; more than {FILE_LINES_MAX} is two things in one file, or a missing table")
    for start, length in functions(lines):
        if length > FUNCTION_LINES_MAX:
            errors.append(f"{path}:{start}: a function of {length} lines; more than {FUNCTION_LINES_MAX} hides a table")
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            errors.append(f"{path}:{number}: blanks at the end of the line")
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            errors.append(f"{path}:{number}: unfinished")

print("\n".join(errors) or f"{len(code)} files keep the rules")
sys.exit(bool(errors) or not code)
