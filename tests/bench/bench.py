#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures podvisor beside the floor of this machine, in the same run, and prints a table. Asserts nothing.

usage: tests/bench/bench.py [--runs N] [--pods N] [--idle SECONDS]
"""
import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "host")]
from floor import Floor
from instance import BIN, HELLO, Instance

IDLE = 'backend = "null";\ncontainers = ( { name = "c"; image = "busybox"; } );\n'


def first_line(host, name):
    """Seconds from the file's coming into place to its container's first line in `podvisor logs`."""
    log = host.root / "state" / "log" / f"{name}.log"
    begin = time.monotonic()
    host.write(name, HELLO)
    # `logs -f` at once would fail until there is a log, again and again, on a processor that the guest wants.
    while not (log.exists() and log.stat().st_size > 0):
        time.sleep(.002)
    host.cli("logs", name)
    return time.monotonic() - begin


def cold_starts(host, runs):
    """([podvisor's seconds], [the floor's]), in turns, so that both see the same machine."""
    ours, floors = [], []
    host.write("model", HELLO)
    host.wait("model")
    floor = Floor(host.list()["model"]["vmm_pid"], host.cli("checkpoint", "show", "model", "--json=short").stdout)
    host.remove("model")
    host.cli("wait", "model", "--for=gone", "--timeout=60s")
    def measure_floor():
        with tempfile.TemporaryDirectory() as directory:
            floors.append(floor.measure(directory))

    def measure_ours(name):
        ours.append(first_line(host, name))
        host.remove(name)
        host.cli("wait", name, "--for=gone", "--timeout=60s")

    # Whoever comes second starts on a processor that has just been busy, so they take turns in that, too.
    for i in range(runs):
        steps = [measure_floor, lambda name=f"run{i}": measure_ours(name)]
        for step in steps if i % 2 == 0 else reversed(steps):
            step()
    return ours, floors


def memory(pid):
    rows = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = {name: int(value.split()[0]) for name, value in rows.items()}
    return kib["Rss"], kib["Private_Clean"] + kib["Private_Dirty"]


def cpu_and_wakeups(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    wakeups = sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), wakeups


def many(host, pods, idle):
    begin = time.monotonic()
    for i in range(pods):
        host.write(f"pod{i}", IDLE)
    host.wait(*(f"pod{i}" for i in range(pods)))
    ready = time.monotonic() - begin
    begin = time.monotonic()
    listed = host.list()
    took = time.monotonic() - begin
    runner = next(iter(listed.values()))["runner_pid"]
    before = cpu_and_wakeups(host.daemon.pid)
    time.sleep(idle)  # this is the measurement
    after = cpu_and_wakeups(host.daemon.pid)
    return ready, took, memory(host.daemon.pid), memory(runner), after[0] - before[0], after[1] - before[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--pods", type=int, default=50)
    parser.add_argument("--idle", type=int, default=60)
    o = parser.parse_args()
    with Instance() as host:
        host.import_busybox()
        ours, floors = cold_starts(host, o.runs)
        host.write("real", HELLO)
        host.wait("real")
        qemu_runner = memory(host.list()["real"]["runner_pid"])
        host.remove("real")
        host.cli("wait", "real", "--for=gone", "--timeout=60s")
        ready, took, daemon, runner, cpu, wakeups = many(host, o.pods, o.idle)
        ratio = statistics.median(ours) / statistics.median(floors)
        print(f"# {platform.processor() or platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}, "
              f"{subprocess.run(['qemu-system-x86_64', '-version'], capture_output=True, text=True).stdout.splitlines()[0]}\n")
        print("| what | median | spread |\n|---|---|---|")
        print(f"| QEMU alone, to the container's first line | {statistics.median(floors):.3f} s | {min(floors):.3f}-{max(floors):.3f} |")
        print(f"| podvisor, file written to the first line in `logs` | {statistics.median(ours):.3f} s | {min(ours):.3f}-{max(ours):.3f} |")
        print(f"| podvisor / QEMU alone | {ratio:.2f} | |")
        print(f"| podvisord with {o.pods} pods: resident, private | {daemon[0] / 1024:.1f} MiB, {daemon[1] / 1024:.1f} MiB | |")
        print(f"| a qemu runner: resident, private | {qemu_runner[0] / 1024:.1f} MiB, {qemu_runner[1] / 1024:.1f} MiB | |")
        print(f"| a null runner: resident, private | {runner[0] / 1024:.1f} MiB, {runner[1] / 1024:.1f} MiB | |")
        print(f"| {o.pods} null pods, files written to all ready | {ready:.2f} s | |")
        print(f"| `podvisor list` of {o.pods} | {took * 1000:.0f} ms | |")
        print(f"| idle podvisord, {o.pods} pods, {o.idle} s: CPU, wake-ups | {cpu:.2f} s, {wakeups} | |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
