# SPDX-License-Identifier: Apache-2.0
"""Very many starts from a template in a row, and whether anything grows or is left."""
import subprocess

import processes
from instance import processes_below
from lab import TEMPLATE, Hang

# Names come again, as those of real pods do: each has a log that stays.
NAMES = 10
SAMPLES = 50
PATIENCE = 60
TOLD = 5
WATCHED = ("podvisord", "templates")


def sample(lab, done, pids):
    """With no pod there."""
    lab.add("soak.at", done)
    for name, pid in pids.items():
        lab.add(f"soak.{name}-pss", processes.proportional(pid))
        lab.add(f"soak.{name}-fds", processes.descriptors(pid))
    lab.add("soak.files", processes.files(lab.host.run, lab.host.root / "state"))
    lab.add("soak.shared", processes.shared())
    lab.add("soak.shm", processes.used("/dev/shm"))


def hung(lab, name, number, error):
    """What is known of it, in the words that an operator would read; of the first ones, as the others will be of a kind."""
    lab.add("soak.hang-at", number)
    if len(lab.part.data["values"]["soak.hang-at"]) <= TOLD:
        before = lab.part.data["remarks"].get("soak.hangs", "")
        lab.remark("soak.hangs", f"{before}start {number}: {error}; `podvisor status` said:\n{lab.host.page(name)}\n")


def left(lab, pids):
    """Those that have something open, and those that are dead and nobody has reaped."""
    open_files = {pid: program for pid, (program, _) in processes_below(lab.host.root).items()}
    children = {child: "a child" for pid in pids for child in processes.children(pid)}
    return [f"{program} ({pid})" for pid, program in (children | open_files).items() if pid not in pids]


def one(lab, number):
    """Whether it spoke; nothing is left of it when this returns."""
    name = f"soak{number % NAMES}"
    try:
        lab.add("soak.start", lab.first_line(name, TEMPLATE, PATIENCE))
        return lab.host.list()[name]["started_by"] == "from a template"
    except Hang as e:
        hung(lab, name, number, e)
        return True
    finally:
        try:
            lab.end(name)
        except subprocess.CalledProcessError as e:
            hung(lab, name, number, f"its end: {e.stderr.strip()}")


def measure(lab):
    lab.make_template()
    pids = dict(zip(WATCHED, (lab.host.daemon.pid, lab.keeper())))
    every, booted = max(1, lab.o.soak // SAMPLES), 0
    for i in range(lab.o.soak):
        lab.progress(f"soak: start {i + 1} of {lab.o.soak}")
        booted += not one(lab, i)
        if (i + 1) % every == 0:
            sample(lab, i + 1, pids)
    lab.progress("")
    lab.add("soak.booted", booted)
    lab.add("soak.hangs", len(lab.part.data["values"].get("soak.hang-at", [])))
    remaining = left(lab, pids.values())
    lab.add("soak.left", len(remaining))
    if remaining:
        lab.remark("soak.left", ", ".join(remaining))
