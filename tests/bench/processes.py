# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of processes."""
import os
import pathlib
import time

MIB = 1 << 20


def rollup(pid):
    rows = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return {name: int(value.split()[0]) / 1024 for name, value in rows.items()}


def resident(pid):
    """MiB, as `top` shows it."""
    return rollup(pid)["Rss"]


def proportional(pid):
    """MiB, of which it has its part of what it shares."""
    return rollup(pid)["Pss"]


def private(pid):
    """MiB that would be free without it."""
    kib = rollup(pid)
    return kib["Private_Clean"] + kib["Private_Dirty"]


def computed(pid):
    """Seconds of the processor, to the nanosecond; what has gone by in time slices is not counted in ticks."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def children(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def shared():
    """MiB of the whole host: all of tmpfs, and all memory files."""
    rows = dict(line.split(":", 1) for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    return int(rows["Shmem"].split()[0]) / 1024


def busy(seconds=1):
    """How many processors have something to do, on an average of that time."""
    def counters():
        ticks = list(map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
        return sum(ticks), ticks[3] + ticks[4]

    before = counters()
    time.sleep(seconds)  # this is the measurement
    total, idle = (b - a for a, b in zip(before, counters()))
    return os.cpu_count() * (1 - idle / total)


def files(*directories):
    """How many there are below them, of every kind."""
    return sum(len(folders) + len(names) for directory in directories for _, folders, names in os.walk(directory))


def used(file_system):
    """MiB."""
    there = os.statvfs(file_system)
    return (there.f_blocks - there.f_bfree) * there.f_frsize / MIB
