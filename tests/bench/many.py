# SPDX-License-Identifier: Apache-2.0
"""Many starts from a template: one after the other, and all at once."""
import contextlib
import os
import statistics
import time

import processes
from lab import LOOK, TEMPLATE, Log


def sustained(lab, prefix, count, flight):
    """Starts per second: as many are under way at any time, and who has spoken is removed."""
    names, under_way, spoke = [f"{prefix}{i}" for i in range(count)], {}, 0
    waiting = iter(names)
    begin = time.monotonic()
    while spoke < count:
        for name in [name for name, log in under_way.items() if log.spoke()]:
            lab.host.remove(name)
            del under_way[name]
            spoke += 1
        while len(under_way) < flight and (name := next(waiting, None)):
            under_way[name] = Log(lab.host, name)
            lab.host.write(name, TEMPLATE)
        if time.monotonic() - begin > 60 + 10 * count:
            raise RuntimeError(f"after {time.monotonic() - begin:.0f} s nothing is heard of {', '.join(under_way)}")
        time.sleep(LOOK)
    rate = count / (time.monotonic() - begin)
    for name in names:
        lab.host.cli("wait", name, "--for=gone", "--timeout=60s")
    return rate


def sustained_floor(floor, count, flight):
    """The same of QEMU alone, by processes that share nothing: threads of one Python would wait for each other."""
    begin = time.monotonic()
    children = []
    for i in range(flight):
        pid = os.fork()
        if pid == 0:
            status = 1
            with contextlib.suppress(BaseException):
                for _ in range(count * i // flight, count * (i + 1) // flight):
                    floor.measure()
                status = 0
            os._exit(status)
        children.append(pid)
    if any([os.waitpid(pid, 0)[1] for pid in children]):
        raise RuntimeError("QEMU alone did not start")
    return count / (time.monotonic() - begin)


def rate(lab):
    with lab.template_floor() as floor:
        count, turn = lab.o.starts, iter(range(1 << 30))
        lab.in_turns(f"rounds of {count} starts", lab.o.rounds, [
            lambda: lab.add("rate.floor", sustained_floor(floor, count, 2)),
            lambda: lab.add("rate.two", sustained(lab, f"two{next(turn)}-", count, 2)),
            lambda: lab.add("rate.four", sustained(lab, f"four{next(turn)}-", count, 4)),
        ])


def many(lab):
    with lab.template_floor() as floor:
        names = [f"many{i}" for i in range(lab.o.many)]
        lab.remark("many.first", f"{len(names)} pods")

        def at_once():
            begin = time.monotonic()
            for name in names:
                lab.host.write(name, TEMPLATE)
            lab.host.wait(*names)
            listed = lab.host.list()
            # The runner's marks are of our clock, so nobody need look on while they start.
            times = sorted(listed[name]["start"]["ready"] / 1e6 - begin for name in names)
            booted = [name for name in names if listed[name]["started_by"] != "from a template"]
            if booted:
                lab.remark("many.last", f"{len(booted)} of them were boots: {listed[booted[0]]['started_by']}")
            lab.add("many.first", times[0])
            lab.add("many.median", statistics.median(times))
            lab.add("many.last", times[-1])
            lab.add("many.ready", *times)
            lab.end(*names)

        def alone():
            lab.add("many.floor", len(names) / sustained_floor(floor, len(names), os.cpu_count()))

        lab.in_turns(f"{len(names)} pods at once", lab.o.rounds, [at_once, alone])
        lab.add("many.floor-share", *(floor.measure().cpu / os.cpu_count() for _ in names))


def memory(lab):
    with lab.template_floor() as floor, contextlib.ExitStack() as stack:
        machines = [stack.enter_context(floor.machine()) for _ in range(lab.o.many)]
        lab.remark("memory.floor", f"{len(machines)} at once")
        lab.add("memory.floor", *(processes.proportional(m.pid) for m in machines))
        stack.close()
        names = [f"mem{i}" for i in range(lab.o.many)]
        for name in names:
            lab.host.write(name, TEMPLATE)
        lab.host.wait(*names)
        listed = lab.host.list()
        for key in ("qemu", "runner"):
            pids = [listed[name]["vmm_pid" if key == "qemu" else "runner_pid"] for name in names]
            lab.add(f"memory.{key}", *map(processes.proportional, pids))
            lab.add(f"memory.{key}-private", *map(processes.private, pids))
        lab.add("memory.podvisord", processes.proportional(lab.host.daemon.pid))
        lab.add("memory.template", lab.known_template()["size"] / processes.MIB)
        lab.end(*names)
