#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints how many tests of a meson test log passed, failed and were skipped."""
import collections, json, sys

counts = collections.Counter()
with open(sys.argv[1]) as log:
    for line in log:
        result = json.loads(line)["result"]
        counts["passed" if result in ("OK", "EXPECTEDFAIL") else "skipped" if result == "SKIP" else "failed"] += 1
print(counts["passed"], counts["failed"], counts["skipped"])
