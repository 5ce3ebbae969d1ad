# SPDX-License-Identifier: Apache-2.0
"""Pods that are domains of libvirt, beside `virsh create` of the same domain."""
import processes
from lab import LIBVIRT
from start import libvirt_floor


def growth(lab):
    """What libvirtd needs for each domain, after those before: the first ones fill what it keeps."""
    names = [f"domain{i}" for i in range(lab.o.domains)]
    before = processes.resident(lab.daemon.pid)
    lab.add("libvirt.daemon", before)
    for name in names:
        lab.host.write(name, LIBVIRT)
    lab.host.wait(*names)
    lab.add("libvirt.daemon-growth", (processes.resident(lab.daemon.pid) - before) / len(names))
    lab.end(*names)


def measure(lab):
    if not lab.daemon:
        lab.remark("libvirt.podvisor", lab.why)
        return
    floor = libvirt_floor(lab)
    counter = iter(range(lab.o.runs))

    def ours():
        name = f"libvirt{next(counter)}"
        lab.add("libvirt.podvisor", lab.first_line(name, LIBVIRT))
        lab.host.wait(name)
        lab.add("libvirt.runner", processes.resident(lab.host.list()[name]["runner_pid"]))
        lab.end(name)

    def created():
        returned, line = floor.measure()
        lab.add("libvirt.create", returned)
        lab.add("libvirt.floor", line)

    lab.in_turns("libvirt", lab.o.runs, [created, ours])
    growth(lab)
