#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures podvisor beside the floor of this machine, in the same run, and prints a table. Asserts nothing.

usage: tests/bench/bench.py [--runs N] [--pods N] [--domains N] [--copy MIB] [--idle SECONDS] [--only PART]

Where podman is installed, an exec in a container is measured beside podman's (podman.py).
Where libvirt is, and who measures is root, all is measured in namespaces with a libvirtd of the benchmark's own.
"""
import argparse
import contextlib
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "host")]
import libvirtd
import podman
from floor import LibvirtFloor, QemuFloor
from instance import BIN, BUILD, HELLO, Instance

IDLE = 'backend = "null";\ncontainers = ( { name = "c"; image = "busybox"; } );\n'
LINE = b"hello from"
TEMPLATE = 'qemu = { start = "template"; };\n' + HELLO
LIBVIRT = 'backend = "libvirt";\n' + HELLO


# What is measured

def first_line(host, name, text):
    """Seconds from the file's coming into place to its container's first line in `podvisor logs`."""
    log = host.root / "state" / "log" / f"{name}.log"
    begin = time.monotonic()
    host.write(name, text)
    # `logs -f` at once would fail until there is a log, again and again, on a processor that the guest wants. The console is in there, too.
    while not (log.exists() and LINE in log.read_bytes()):
        time.sleep(.002)
    said = host.cli("logs", name).stdout
    took = time.monotonic() - begin
    if LINE.decode() not in said:
        raise RuntimeError(f"{name} said: {said}")
    return took


@contextlib.contextmanager
def pod(host, name, text):
    """A pod that is ready; behind it, one that is gone."""
    host.write(name, text)
    host.wait(name)
    yield host.list()[name]
    end(host, name)


def end(host, name):
    host.remove(name)
    host.cli("wait", name, "--for=gone", "--timeout=60s")


def definition(host, name):
    return json.loads(host.cli("checkpoint", "show", name, "--json=short").stdout)["definition.msgpack"]["body"]


def in_turns(host, runs, name, text, floor):
    """([podvisor's seconds], [what floor.measure() gave]), in turns, so that both see the same machine."""
    ours, floors = [], []

    def measure_ours(name):
        ours.append(first_line(host, name, text))
        end(host, name)

    # Whoever comes second starts on a processor that has just been busy, so they take turns in that, too.
    for i in range(runs):
        steps = [lambda: floors.append(floor.measure()), lambda: measure_ours(f"{name}{i}")]
        for step in steps if i % 2 == 0 else reversed(steps):
            step()
    return ours, floors


def memory(pid):
    """(resident, private) in MiB."""
    rows = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = {name: int(value.split()[0]) for name, value in rows.items()}
    return kib["Rss"] / 1024, (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024


def cpu_and_wakeups(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    wakeups = sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), wakeups


# What is printed

def row(what, median, spread=""):
    print(f"| {what} | {median} | {spread} |", flush=True)


def row_of_times(what, times):
    row(what, f"{statistics.median(times):.3f} s", f"{min(times):.3f}-{max(times):.3f}")


def row_of_ratio(what, ours, floors):
    """Beside the ratio of the medians those of the pairs, each of which saw the same machine."""
    pairs = [a / b for a, b in zip(ours, floors)]
    row(what, f"{statistics.median(ours) / statistics.median(floors):.2f}", f"{min(pairs):.2f}-{max(pairs):.2f}")


def row_of_memory(what, pid):
    row(f"{what}: resident, private", "{:.1f} MiB, {:.1f} MiB".format(*memory(pid)))


# The parts

def qemu(host, o):
    with pod(host, "model", HELLO) as model:
        floor = QemuFloor(model["vmm_pid"], definition(host, "model"))
        row_of_memory("qemu: runner", model["runner_pid"])
        row_of_memory("qemu: QEMU", model["vmm_pid"])
    ours, floors = in_turns(host, o.runs, "qemu", HELLO, floor)
    row_of_times("qemu: QEMU alone, to the container's first line", floors)
    row_of_times("qemu: podvisor, file written to the first line in `logs`", ours)
    row_of_ratio("qemu: podvisor / QEMU alone", ours, floors)


def processor_time(*pids):
    """Seconds that the processes have computed, to the nanosecond; what has gone by in time slices is not counted in ticks."""
    return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9


def shared(pid):
    """(proportional, private) in MiB: what a machine takes of its own, with its part of what it shares."""
    rows = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = {name: int(value.split()[0]) for name, value in rows.items()}
    return kib["Pss"] / 1024, (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024


def make_template(host):
    """Returns when there is a template for such pods. The first pod starts who keeps it."""
    file = host.root / "wanted.pod"
    file.write_text(TEMPLATE)
    with pod(host, "first", TEMPLATE):
        host.cli("template", "build", file)


def template(host, o):
    with pod(host, "model", HELLO) as model:
        floor = QemuFloor(model["vmm_pid"], definition(host, "model"))
    make_template(host)
    ours, floors = in_turns(host, o.runs, "copy", TEMPLATE, floor)
    row_of_times("template: podvisor, file written to the first line in `logs`", ours)
    row_of_ratio("template: podvisor / QEMU alone that boots", ours, floors)
    before = processor_time(host.daemon.pid)
    with pod(host, "cost", TEMPLATE) as status:
        if status["started_by"] != "from a template":
            raise RuntimeError(status["started_by"])
        runner = status["runner_pid"]
        row("template: CPU of podvisord and the runner for a start",
            f"{(processor_time(host.daemon.pid) - before + processor_time(runner)) * 1000:.1f} ms")
    names = [f"many{i}" for i in range(20)]
    begin = time.monotonic()
    for name in names:
        host.write(name, TEMPLATE)
    host.wait(*names)
    row("template: 20 pods, files written to all ready", f"{time.monotonic() - begin:.2f} s")
    costs = [shared(host.list()[name]["vmm_pid"]) for name in names]
    row("template: QEMU of each of 20, proportional, private", ", ".join(f"{statistics.median(c):.1f} MiB" for c in zip(*costs)))
    for name in names:
        end(host, name)


def libvirt(host, o, daemon):
    with pod(host, "model", LIBVIRT) as model:
        floor = LibvirtFloor(daemon, definition(host, "model"), "model")
        row_of_memory("libvirt: runner", model["runner_pid"])
        row_of_memory("libvirt: QEMU", model["vmm_pid"])
    ours, floors = in_turns(host, o.runs, "libvirt", LIBVIRT, floor)
    whole = [line for _, line in floors]
    row_of_times("libvirt: `virsh create` returns", [created for created, _ in floors])
    row_of_times("libvirt: `virsh create`, to the container's first line", whole)
    row_of_times("libvirt: podvisor, file written to the first line in `logs`", ours)
    row_of_ratio("libvirt: podvisor / `virsh create`", ours, whole)
    growth(host, o, daemon)


def growth(host, o, daemon):
    """What libvirtd needs for each domain, after those before: the first ones fill what it keeps."""
    names = [f"domain{i}" for i in range(o.domains)]
    before = memory(daemon.pid)
    for name in names:
        host.write(name, LIBVIRT)
    host.wait(*names)
    row("libvirt: libvirtd, resident, private", "{:.1f} MiB, {:.1f} MiB".format(*before))
    row(f"libvirt: the same for each of {len(names)} pods more",
        ", ".join(f"{(b - a) / len(names):.2f} MiB" for a, b in zip(before, memory(daemon.pid))))
    for name in names:
        end(host, name)


def timed(*words):
    begin = time.monotonic()
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def execs(host, o):
    """`exec true` in a container that runs, in turns with podman's."""
    ours, theirs = [], []
    with podman.container(host.root / "podman") as (place, words, why):
        steps = [lambda: ours.append(timed(*place, *host.words("exec", "streams", "--", "true")))]
        if words:
            steps.append(lambda: theirs.append(timed(*place, *words, "/bin/true")))
        for i in range(o.runs):
            for step in steps if i % 2 == 0 else reversed(steps):
                step()
    row_of_times("`podvisor exec true` in a running container", ours)
    if theirs:
        row_of_times(f"`podman exec true` in a running container{why}", theirs)
        row_of_ratio("podvisor exec / podman exec", ours, theirs)
    else:
        row("`podman exec true`: not measured", why)


def log_throughput(host, what, script, last, lines, size):
    """Seconds from a word to the container to its last line in the log."""
    log = host.root / "state" / "log" / "loud.log"
    host.write("loud", 'memory = "256M";\ncontainers = ( { name = "loud"; image = "busybox"; restart = { policy = "never"; };\n'
               f'command = [ "sh", "-c", "until [ -e /tmp/go ]; do sleep 1; done; {script}; echo {last}" ]; }} );\n')
    host.wait("loud")
    begin = time.monotonic()
    host.cli("exec", "loud", "--", "touch", "/tmp/go")
    while not log.exists() or last.encode() not in log.read_bytes()[-4096:]:
        time.sleep(.05)
    took = time.monotonic() - begin
    row(what, f"{lines / took:.0f} lines/s", f"{size / took / 1e6:.2f} MB/s")
    end(host, "loud")


def copies(host, o):
    """A file of random bytes into the guest's memory, and back; beside the same bytes through an exec's streams."""
    source, back = host.root / "copied", host.root / "back"
    with open(source, "wb") as f:
        for _ in range(o.copy):
            f.write(os.urandom(1 << 20))
    into = timed(*host.words("cp", source, "streams:/dev/shm/copied"))
    out = timed(*host.words("cp", "streams:/dev/shm/copied", back))
    cat = timed(*host.words("exec", "streams", "--", "cat", "/dev/shm/copied"))
    if subprocess.run(["cmp", source, back]).returncode != 0:
        raise RuntimeError("what came back is not what was sent")
    for what, took in (("cp into a container", into), ("cp out of it", out), ("the same through `exec cat`", cat)):
        row(f"{what}, {o.copy} MiB", f"{took:.1f} s", f"{o.copy / took:.1f} MiB/s")


def streams(host, o):
    host.write("streams", f'memory = "{2 * o.copy + 256}M";\nvolumes = ( {{ name = "big"; type = "tmpfs"; size = "{o.copy + 16}M"; }} );\n'
               'containers = ( { name = "c"; image = "busybox"; mounts = ( { volume = "big"; path = "/dev/shm"; } );\n'
               'command = [ "sleep", "100000" ]; } );\n')
    host.wait("streams")
    execs(host, o)
    copies(host, o)
    told = json.loads(host.cli("stats", "streams", "--json=short").stdout)[0]
    row("agent: resident in the guest", f"{told['agent_memory'] / (1 << 20):.2f} MiB")
    row("agent: the program", f"{(BUILD / 'guest' / 'podvisor-agent').stat().st_size / 1e6:.2f} MB")
    end(host, "streams")
    log_throughput(host, "log, short lines", "seq 1 300000", "the last one", 300000, sum(len(str(i)) + 1 for i in range(1, 300001)))
    long = "yes $(printf %01000d 0) | head -n 30000"
    log_throughput(host, "log, lines of 1000 bytes", long, "the last one", 30000, 30000 * 1001)


def crowd(host, o):
    begin = time.monotonic()
    for i in range(o.pods):
        host.write(f"pod{i}", IDLE)
    host.wait(*(f"pod{i}" for i in range(o.pods)))
    row(f"{o.pods} null pods, files written to all ready", f"{time.monotonic() - begin:.2f} s")
    begin = time.monotonic()
    listed = host.list()
    row(f"`podvisor list` of {o.pods}", f"{(time.monotonic() - begin) * 1000:.0f} ms")
    row_of_memory(f"podvisord with {o.pods} pods", host.daemon.pid)
    row_of_memory("null: runner", next(iter(listed.values()))["runner_pid"])
    before = cpu_and_wakeups(host.daemon.pid)
    time.sleep(o.idle)  # this is the measurement
    after = cpu_and_wakeups(host.daemon.pid)
    row(f"idle podvisord, {o.pods} pods, {o.idle} s: CPU, wake-ups", f"{after[0] - before[0]:.2f} s, {after[1] - before[1]}")


def measure(o, daemon, why):
    program = subprocess.run(["qemu-system-x86_64", "-version"], capture_output=True, text=True).stdout.splitlines()[0]
    print(f"# {platform.processor() or platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}, {program}\n")
    print("| what | median | spread |\n|---|---|---|")
    with Instance('log_size = "256M";') as host:
        host.root.chmod(0o711)  # libvirt's user has to get through
        host.import_busybox()
        parts = {"qemu": qemu, "template": template, "streams": streams,
                 "libvirt": lambda host, o: libvirt(host, o, daemon) if daemon else row("libvirt: not measured", why), "crowd": crowd}
        for name, part in parts.items():
            if o.only in (None, name):
                part(host, o)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--pods", type=int, default=50)
    parser.add_argument("--domains", type=int, default=5)
    parser.add_argument("--copy", type=int, default=256, metavar="MIB")
    parser.add_argument("--idle", type=int, default=60)
    parser.add_argument("--only", metavar="PART", choices=["qemu", "template", "streams", "libvirt", "crowd"])
    o = parser.parse_args()
    why = libvirtd.missing(BIN / "podvisor-runner-libvirt")
    if why:
        measure(o, None, why)
    elif not libvirtd.inside():
        return libvirtd.run_inside()
    else:
        with libvirtd.Libvirtd(BUILD / "bench-libvirt-cache") as daemon:
            measure(o, daemon, None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
