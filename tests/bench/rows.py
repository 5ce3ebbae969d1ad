# SPDX-License-Identifier: Apache-2.0
"""Every row of the tables, once: what is measured, in which unit, and what it means. Values come from measuring, or from other rows.

A key begins with its part. Keys of values that no row shows are for plots.
"""
from dataclasses import dataclass
from typing import Callable

from results import median, percentile

# How a value of a unit is written.
UNITS = {"s": "{:.3f} s", "ms": "{:.1f} ms", "1/s": "{:.1f} /s", "MiB": "{:.1f} MiB", "MB/s": "{:.2f} MB/s", "lines/s": "{:.0f} lines/s",
         "": "{:.2f}", "count": "{:.0f}"}


# The stages of a start as QEMU's side sees them, and what each ends with. Values of a start's key have them as KEY.STAGE, from the begin.
STAGES = {"spawned": "until QEMU's process", "greeted": "QEMU makes the machine", "running": "its state is loaded", "welcome": "the agent speaks",
          "line": "the container speaks"}


@dataclass(frozen=True)
class Row:
    key: str
    what: str
    unit: str
    meaning: str
    # Of a row that is not measured itself: from which it comes, and how; it has nothing where one of them has none.
    of: tuple = ()
    how: Callable = None

    @property
    def part(self):
        return self.key.split(".")[0]


def ratio(ours, floors):
    """Of pairs that saw the same machine, each."""
    return [a / b for a, b in zip(ours, floors)]


def against_work(lasts, work):
    return [last / sum(work) for last in lasts]


def over_median(values, others):
    return [value / median(others) for value in values]


def at(p):
    return lambda values: [percentile(values, p)]


def growth(values):
    """From where what is filled once has been filled, a tenth of the way, to the end."""
    return [values[-1] - values[len(values) // 10]]


def both(a, b):
    return [x + y for x, y in zip(a, b)]


PARTS = {
    "start": "A start, to the container's first line",
    "cpu": "The processor time of a start",
    "rate": "Starts one after the other, several at a time",
    "many": "Pods that are written at once",
    "memory": "Memory of pods that run at once",
    "idle": "A pod that does nothing",
    "soak": "Very many starts in a row",
    "streams": "exec, copies and logs",
    "libvirt": "Pods that are domains of libvirt",
    "crowd": "Very many pods",
}

ROWS = [
    Row("start.floor-boot", "QEMU alone, boots", "s",
        "The command line of a pod's machine without podvisor, and the least that is to be said to the agent until the container speaks."),
    Row("start.boot", "podvisor, cold", "s", "From the rename of the pod file into its place to the container's first line in its log, by a boot."),
    Row("start.floor-template", "QEMU alone, from a template", "s",
        "The same from the template that podvisor has: its memory mapped privately, its state loaded, and as little said to QEMU "
        "and to the agent. That is told everything at once, and so has done half of it by the time of its first word."),
    Row("start.template", "podvisor, from a template", "s", "As cold, of a pod with `start = \"template\"`."),
    Row("start.spare", "podvisor, from a spare", "s", "The same, where a copy of the template waits already, paused (`spares` in podvisord.conf)."),
    Row("start.spare-memory", "a spare that waits: memory", "MiB", "What it takes of the host's besides the template, as `podvisor template list` says."),
    Row("start.own-boot", "podvisor, cold, its own kernel", "s", "As cold, with the kernel that tools/build-kernel makes in place of Debian's."),
    Row("start.own-template", "podvisor, from a template, its own kernel", "s", "As from a template, with that kernel."),
    Row("start.own-spare", "podvisor, from a spare, its own kernel", "s", "As from a spare, with that kernel."),
    Row("start.virsh", "`virsh create`", "s",
        "The domain that podvisor makes of the same pod for libvirt, created by virsh, with the least that is to be said to the agent."),
    Row("start.virsh-returns", "`virsh create`, until it returns", "s", "Of the same starts: libvirt has made the domain, whose guest begins to boot."),
    Row("start.virsh-usual", "`virsh create`, a usual domain", "s",
        "The same guest, disk and channel with libvirt's defaults for all else, Debian's kernel as it is packed, and a console that shows its boot."),
    Row("start.podman", "`podman run`", "s", "The same command in a container of the same files, on the host's own kernel."),
    Row("start.cold-ratio", "podvisor cold / QEMU alone that boots", "", "Each run by the floor's run beside it.",
        ("start.boot", "start.floor-boot"), ratio),
    Row("start.template-ratio", "podvisor from a template / QEMU alone from it", "", "Each run by the floor's run beside it.",
        ("start.template", "start.floor-template"), ratio),
    Row("start.spare-ratio", "podvisor from a spare / QEMU alone from the template", "", "Each run by the floor's run beside it.",
        ("start.spare", "start.floor-template"), ratio),
    Row("start.virsh-ratio", "`virsh create` / podvisor from a template", "", "How many times as long virsh takes.",
        ("start.virsh", "start.template"), ratio),
    Row("start.usual-ratio", "`virsh create`, a usual domain / podvisor from a template", "", "The same of that.",
        ("start.virsh-usual", "start.template"), ratio),
    Row("start.usual-own-ratio", "`virsh create`, a usual domain / podvisor from a template, its own kernel", "", "The same of that.",
        ("start.virsh-usual", "start.own-template"), ratio),
    Row("start.usual-spare-ratio", "`virsh create`, a usual domain / podvisor from a spare", "", "The same of that.",
        ("start.virsh-usual", "start.spare"), ratio),
    Row("cpu.podvisord", "podvisord", "ms", "Its processor time from the pod file's coming into place to the container's first line, from a template."),
    Row("cpu.runner", "the runner", "ms", "That of the pod's runner, from its birth to the same moment."),
    Row("cpu.templates", "podvisor-templates", "ms", "That of the process that hands out the template."),
    Row("cpu.sum", "podvisord and the runner", "ms", "Their sum, start by start.", ("cpu.podvisord", "cpu.runner"), both),
    Row("cpu.floor", "QEMU alone, from a template", "ms", "All of QEMU's processor time until the container's first line: the guest's work included."),
    Row("rate.floor", "QEMU alone, 2 at a time", "1/s", "Two processes, each of which starts machines from a template and kills them when they have spoken."),
    Row("rate.two", "podvisor, 2 at a time", "1/s",
        "Pods from a template. One that has spoken is removed, and another written at once: its start goes on beside the end of the one before."),
    Row("rate.four", "podvisor, 4 at a time", "1/s", "The same with four."),
    Row("rate.ratio", "podvisor, 2 at a time / QEMU alone", "", "Each round by the floor's round beside it.", ("rate.two", "rate.floor"), ratio),
    Row("many.first", "the first is ready", "s", "From the first file's coming into place, all written at once, from a template."),
    Row("many.median", "half are ready", "s", "The same."),
    Row("many.last", "the last is ready", "s", "The same."),
    Row("many.work", "processor time of as many QEMU alone, by processors", "s",
        "The sum of what as many machines compute until their containers speak, one after the other, as if all processors did nothing else.",
        ("many.floor-share",), lambda share: [sum(share)]),
    Row("many.floor", "as many QEMU alone, one for each processor at a time", "s", "Until the last of them has spoken; each is killed when it has."),
    Row("many.floor-ratio", "the last is ready / the last QEMU alone", "", "Each round by the floor's round beside it.",
        ("many.last", "many.floor"), ratio),
    Row("many.ratio", "the last is ready / processor time of as many QEMU alone", "", "1 would be: nothing but the guests, and no processor ever waits.",
        ("many.last", "many.floor-share"), against_work),
    Row("memory.floor", "QEMU alone: proportional", "MiB", "PSS, in which a page that n processes share counts for 1/n, of machines from a template that all run."),
    Row("memory.qemu", "podvisor, QEMU: proportional", "MiB", "The same of the machines of as many pods."),
    Row("memory.runner", "podvisor, the runner: proportional", "MiB", "And of their runners."),
    Row("memory.qemu-private", "podvisor, QEMU: private", "MiB", "What would be free without this one pod's QEMU."),
    Row("memory.runner-private", "podvisor, the runner: private", "MiB", "And without its runner."),
    Row("memory.podvisord", "podvisord: proportional", "MiB", "Once, with all those pods."),
    Row("memory.template", "the template", "MiB", "Once for all: the memory file that the machines share as long as they do not write."),
    Row("memory.ratio", "QEMU of a pod / QEMU alone", "", "Each by the floor's median.", ("memory.qemu", "memory.floor"), over_median),
    Row("idle.floor", "QEMU alone, from a template: processor time for a minute", "ms",
        "Its container waits, as that of a pod does. From a quarter of a minute after the start on, since a guest's kernel has something to do until then."),
    Row("idle.booted", "podvisor, QEMU of a pod that booted: the same", "ms", "The same."),
    Row("idle.copy", "podvisor, QEMU of a pod from a template: the same", "ms", "The same."),
    Row("idle.runner", "the runner: the same", "ms", "Of both pods."),
    Row("idle.podvisord", "podvisord: the same", "ms", "With these pods."),
    Row("idle.floor-wakeups", "QEMU alone: wake-ups in a second", "count", "Switches of context of all its threads."),
    Row("idle.booted-wakeups", "podvisor, QEMU of a pod that booted: the same", "count", "The same."),
    Row("idle.copy-wakeups", "podvisor, QEMU of a pod from a template: the same", "count", "The same."),
    Row("idle.runner-wakeups", "the runner: the same", "count", "Of both pods."),
    Row("soak.start", "start from a template", "s", "To the container's first line; the next pod is written when the last one is gone."),
    Row("soak.p90", "90 % are not longer than", "s", "Of those starts.", ("soak.start",), at(90)),
    Row("soak.p99", "99 % are not longer than", "s", "Of those starts.", ("soak.start",), at(99)),
    Row("soak.p999", "99.9 % are not longer than", "s", "Of those starts.", ("soak.start",), at(99.9)),
    Row("soak.booted", "starts that were boots", "count", "Those that found no template."),
    Row("soak.hangs", "starts that hung", "count", "No line within a minute; what `podvisor status` said is below."),
    Row("soak.podvisord-growth", "podvisord: proportional memory, growth", "MiB", "From a tenth of the starts to the end, each time with no pod.",
        ("soak.podvisord-pss",), growth),
    Row("soak.templates-growth", "podvisor-templates: proportional memory, growth", "MiB", "The same.", ("soak.templates-pss",), growth),
    Row("soak.podvisord-fds-growth", "podvisord: descriptors, growth", "count", "The same, of what it has open.", ("soak.podvisord-fds",), growth),
    Row("soak.templates-fds-growth", "podvisor-templates: descriptors, growth", "count", "The same.", ("soak.templates-fds",), growth),
    Row("soak.files-growth", "files, growth", "count", "The same, of what is below the directories of run paths and state.", ("soak.files",), growth),
    Row("soak.shared-growth", "shared memory of the host, growth", "MiB", "The same, of the whole host: memory files, such as templates are, are in there.",
        ("soak.shared",), growth),
    Row("soak.shm-growth", "/dev/shm, growth", "MiB", "The same, of what the whole host uses of it.", ("soak.shm",), growth),
    Row("soak.left", "processes left behind", "count", "Of the instance, besides podvisord and podvisor-templates; dead ones that nobody has reaped are among them."),
    Row("streams.exec", "`podvisor exec true`", "s", "In a container that runs."),
    Row("streams.podman-exec", "`podman exec true`", "s", "In one of podman's."),
    Row("streams.exec-ratio", "podvisor exec / podman exec", "", "Each run by the other's run beside it.",
        ("streams.exec", "streams.podman-exec"), ratio),
    Row("streams.cp-in", "`cp` into a container", "MB/s", "Random bytes into the guest's memory."),
    Row("streams.cp-out", "`cp` out of it", "MB/s", "The same bytes back."),
    Row("streams.cat", "the same by `exec cat`", "MB/s", "The same bytes through the streams of a program."),
    Row("streams.agent", "the agent: resident in the guest", "MiB", "As `podvisor stats` says."),
    Row("streams.program", "the agent: the program", "MiB", "Its file."),
    Row("streams.short", "log, short lines", "lines/s", "From a word to the container to its last line in the log."),
    Row("streams.short-bytes", "log, short lines", "MB/s", "The same."),
    Row("streams.long", "log, lines of 1000 bytes", "lines/s", "The same with long ones."),
    Row("streams.long-bytes", "log, lines of 1000 bytes", "MB/s", "The same."),
    Row("libvirt.create", "`virsh create` returns", "s", "Of the domain that podvisor makes of the pod."),
    Row("libvirt.floor", "`virsh create`, to the container's first line", "s", "With the least that is to be said to the agent."),
    Row("libvirt.podvisor", "podvisor, to the first line", "s", "From the rename of the pod file into its place, with `backend = \"libvirt\"`."),
    Row("libvirt.ratio", "podvisor / `virsh create`", "", "Each run by the floor's run beside it.", ("libvirt.podvisor", "libvirt.floor"), ratio),
    Row("libvirt.runner", "the runner: resident", "MiB", "Of one pod."),
    Row("libvirt.daemon", "libvirtd: resident", "MiB", "Before the pods of the next row."),
    Row("libvirt.daemon-growth", "libvirtd: resident, for each pod more", "MiB", "What it needs for a domain, after those before."),
    Row("crowd.ready", "all are ready", "s", "From the first file to the last pod, of the null backend: podvisor alone."),
    Row("crowd.list", "`podvisor list` of them", "ms", "The whole command."),
    Row("crowd.podvisord", "podvisord: resident", "MiB", "With all of them."),
    Row("crowd.runner", "a runner: resident", "MiB", "Of one of them."),
    Row("crowd.idle-cpu", "podvisord, idle: processor time for a minute", "ms", "With all of them, and nothing to do."),
    Row("crowd.idle-wakeups", "podvisord, idle: wake-ups in a minute", "count", "The same."),
]
BY_KEY = {row.key: row for row in ROWS}


def values(row, measured):
    """Of a row, from a part's values by key."""
    if row.how is None:
        return measured.get(row.key, [])
    inputs = [values(BY_KEY[key], measured) if key in BY_KEY else measured.get(key, []) for key in row.of]
    return row.how(*inputs) if all(inputs) else []


def stages_of(part, measured):
    """[(row, [the median of how long each of STAGES took])] of the rows of a part that have them."""
    found = []
    for row in (row for row in ROWS if row.part == part and f"{row.key}.line" in measured):
        ends = [median(measured[f"{row.key}.{stage}"]) for stage in STAGES]
        found.append((row, [end - begin for begin, end in zip([0, *ends], ends)]))
    return found
