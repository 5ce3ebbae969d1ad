#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures podvisor beside others and beside the floor of this machine, in the same run, and writes a page with tables and plots.

Asserts nothing, and touches nothing of this host's podvisor, podman or libvirt. Where libvirt is, and who measures is root, all runs in
namespaces with a libvirtd of its own. Whoever is not there is left out, with the reason.
"""
import argparse
import datetime
import os
import pathlib
import sys
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "host")]
import crowd
import domains
import idle
import libvirtd
import machine
import many
import processes
import results
import soak
import start
import streams
import table
from instance import BIN, BUILD, HELLO
from lab import Lab, instance
from rows import PARTS

MEASURES = {"start": start.measure, "cpu": start.cpu, "rate": many.rate, "many": many.many, "memory": many.memory, "idle": idle.measure, "soak": soak.measure,
            "streams": streams.measure, "libvirt": domains.measure, "crowd": crowd.measure}
assert list(MEASURES) == list(PARTS)

# How much of what: name, usually, with --quick, and what of.
SIZES = [
    ("runs", 15, 2, "runs of what is measured one by one"),
    ("rounds", 3, 1, "rounds of what is measured by the crowd"),
    ("starts", 100, 6, "starts in a round of part `rate`"),
    ("many", 20, 4, "pods at once in `many` and `memory`"),
    ("soak", 1000, 5, "starts in a row in `soak`"),
    ("copy", 256, 8, "MiB that are copied in `streams`"),
    ("lines", 300, 10, "thousand short lines that are logged in `streams`, a tenth as many long ones"),
    ("domains", 5, 2, "pods more in `libvirt`"),
    ("pods", 50, 5, "pods in `crowd`"),
    ("idle", 60, 2, "seconds of idling in `idle` and `crowd`"),
]


def options():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="parts:\n" + "\n".join(f"  {name:8} {title}" for name, title in PARTS.items()))
    parser.add_argument("--only", metavar="PART", action="append", choices=list(PARTS),
                        help="this part (again: and that one); the others stay as they were measured before")
    parser.add_argument("--output", metavar="DIR", type=pathlib.Path, default=HERE.parents[1] / "doc" / "benchmarks",
                        help="where results.json, README.md and the plots are; default: doc/benchmarks")
    parser.add_argument("--quick", action="store_true", help="a look whether all works: too few runs to go by")
    parser.add_argument("--render", action="store_true", help="measures nothing: page and plots are made anew from results.json")
    for name, usual, quick, what in SIZES:
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{what}; default: {usual}, quick: {quick}")
    o = parser.parse_args()
    for name, usual, quick, _ in SIZES:
        if getattr(o, name) is None:
            setattr(o, name, quick if o.quick else usual)
        elif getattr(o, name) < 1:
            parser.error(f"--{name} must be 1 at least")
    return o


def measure_part(lab, name, facts):
    """Written when it is whole, so that what breaks off later costs no more than that."""
    o = lab.o
    lab.part = results.Part(facts, datetime.date.today().isoformat(), o.quick, processes.busy())
    MEASURES[name](lab)
    parts = results.load(o.output) | {name: lab.part.data}
    results.save(o.output, parts)
    table.write(o.output, parts)
    print(f"\n## {PARTS[name]}", *table.table(name, lab.part.data)[0], sep="\n", flush=True)


def attempt(lab, name, facts):
    """Whether it was measured. What breaks in one part is no reason to lose the others."""
    try:
        measure_part(lab, name, facts)
        return True
    except Exception:
        lab.host.show()
        traceback.print_exc()
        print(f"tools/bench: {name} was not measured, see above; the others go on", file=sys.stderr)
        lab.host.clear()
        return False


def measure(o, daemon, why):
    """Names of parts that could not be measured."""
    with instance() as host:
        lab = Lab(host, daemon, why, o)
        with lab.pod("probe", HELLO) as pod:
            facts = machine.describe() | {"guest's kernel": pod["kernel"], "accelerator": pod["accelerator"]}
        print(", ".join(f"{name} {value}" for name, value in facts.items()))
        return [name for name in MEASURES if (not o.only or name in o.only) and not attempt(lab, name, facts)]


def main():
    o = options()
    if o.render and not o.output.is_dir():
        sys.exit(f"tools/bench: {o.output} is no directory")
    if o.render:
        table.write(o.output, results.load(o.output))
        return 0
    if not os.access(BIN / "podvisord", os.X_OK):
        sys.exit(f"tools/bench: there is no {BIN}/podvisord; tools/build makes it")
    o.output.mkdir(parents=True, exist_ok=True)
    why = libvirtd.missing(BIN / "podvisor-runner-libvirt")
    if why:
        failed = measure(o, None, why)
    elif not libvirtd.inside():
        return libvirtd.run_inside()
    else:
        with libvirtd.Libvirtd(BUILD / "bench-libvirt-cache") as daemon:
            failed = measure(o, daemon, None)
    return f"tools/bench: not measured: {', '.join(failed)}" if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (results.Damaged, table.Unmarked) as e:
        sys.exit(f"tools/bench: {e}")
