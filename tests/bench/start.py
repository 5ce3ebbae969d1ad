# SPDX-License-Identifier: Apache-2.0
"""A start to the container's first line, podvisor's beside everybody else's, in turns."""
import contextlib
import time

import packed_kernel
import podman
import processes
from floor import LibvirtFloor, UsualFloor
from instance import BUILD, HELLO
from lab import LIBVIRT, TEMPLATE, Lab, instance
from rows import STAGES

# STAGES as podvisor marks them (`podvisor status --json`), but for the last one, which is what is measured.
MARKS = {"spawned": "spawned", "greeted": "greeted", "running": "proved", "welcome": "welcome"}
OWN_KERNEL = BUILD / "guest" / "vmlinux-own"
# How many are kept where starts from spares are measured: the next one is awaited.
SPARES = 1


def add_stages(lab, key, stages):
    for name in STAGES:
        lab.add(f"{key}.{name}", stages[name])


def stages_of(marks, begin, line):
    """Of a start of podvisor's. What was done before it took none of its time."""
    stages, last = {}, 0
    for stage, mark in MARKS.items():
        stages[stage] = last = max(last, marks[mark] / 1e6 - begin)
    return stages | {"line": line}


def alone(lab, key, floor):
    """A step that measures QEMU alone."""
    def step():
        stages = floor.measure().stages
        lab.add(key, stages["line"])
        add_stages(lab, key, stages)
    return step


def declared(lab, key, text, by=None, plot=None):
    """A step that measures podvisor. by: how the pod must have been started; plot: the picture of `podvisor analyze plot` gets this name, of
    the start in the middle of those so far."""
    counter, pictures = iter(range(1 << 30)), []

    def step():
        name = f"{key.split('.')[1]}{next(counter)}"
        begin = time.monotonic()
        took = lab.first_line(name, text)
        lab.host.wait(name)
        status = lab.host.list()[name]
        if status["started_by"] != by:
            raise RuntimeError(f"{name} was started {status['started_by']}, not {by}")
        lab.add(key, took)
        add_stages(lab, key, stages_of(status["start"], begin, took))
        if plot:
            pictures.append((took, lab.host.cli("analyze", "plot", name).stdout))
            (lab.o.output / plot).write_text(sorted(pictures)[len(pictures) // 2][1])
        lab.end(name)
    return step


def created(lab, key, floor):
    def step():
        returned, line = floor.measure()
        lab.add(key, line)
        lab.add(f"{key}-returns", returned)
    return step


def libvirt_floor(lab, kind=LibvirtFloor, *more):
    with lab.pod("model", LIBVIRT):
        return kind(lab.daemon, lab.definition("model"), "model", *more)


# Who is measured: a row's key, and who makes the step from the lab and a stack of what is to be closed; None, with a remark: not here.

def floor_boot(lab, stack):
    return alone(lab, "start.floor-boot", lab.cold_floor())


def floor_template(lab, stack):
    return alone(lab, "start.floor-template", stack.enter_context(lab.template_floor()))


def boot(lab, stack):
    return declared(lab, "start.boot", HELLO, plot="start-cold.svg")


def template(lab, stack):
    lab.make_template()
    return declared(lab, "start.template", TEMPLATE, "from a template", "start-template.svg")


def another(lab, stack, config):
    """A Lab whose podvisord is its own."""
    return Lab(stack.enter_context(instance(config)), None, None, lab.o, lab.part)


def from_spares(other, key):
    """Making spares would disturb others of the same podvisord."""
    other.make_template()
    other.fill(SPARES)
    start = declared(other, key, TEMPLATE, "from a spare of a template")

    def step():
        start()
        other.fill(SPARES)
    return step


def spare(lab, stack):
    other = another(lab, stack, f"spares = {SPARES};")
    step = from_spares(other, "start.spare")
    lab.add("start.spare-memory", other.known_template()["spares_size"] / processes.MIB / SPARES)
    return step


# With our own kernel, where it has been built.

def with_own_kernel(lab, stack, key, config=""):
    if OWN_KERNEL.exists():
        return another(lab, stack, f'kernel = "{OWN_KERNEL}";\n{config}')
    lab.remark(key, "tools/build-kernel has not been run")
    return None


def own_boot(lab, stack):
    other = with_own_kernel(lab, stack, "start.own-boot")
    return other and declared(other, "start.own-boot", HELLO)


def own_template(lab, stack):
    other = with_own_kernel(lab, stack, "start.own-template")
    if other:
        other.make_template()
    return other and declared(other, "start.own-template", TEMPLATE, "from a template")


def own_spare(lab, stack):
    other = with_own_kernel(lab, stack, "start.own-spare", f"spares = {SPARES};")
    return other and from_spares(other, "start.own-spare")


def virsh(lab, stack):
    if lab.daemon:
        return created(lab, "start.virsh", libvirt_floor(lab))
    lab.remark("start.virsh", lab.why)
    return None


def virsh_usual(lab, stack):
    kernel, why = packed_kernel.unpack(lab.part.data["machine"]["guest's kernel"], lab.host.root) if lab.daemon else (None, lab.why)
    if kernel:
        return created(lab, "start.virsh-usual", libvirt_floor(lab, UsualFloor, kernel))
    lab.remark("start.virsh-usual", why)
    return None


def run_podman(lab, stack):
    there, why = stack.enter_context(podman.opened(lab.host.root / "podman"))
    if why:
        lab.remark("start.podman", why)
    return there and (lambda: lab.add("start.podman", there.first_line()))


PEERS = [floor_boot, boot, floor_template, template, spare, own_boot, own_template, own_spare, virsh, virsh_usual, run_podman]


def measure(lab):
    with contextlib.ExitStack() as stack:
        steps = [step for step in (make(lab, stack) for make in PEERS) if step]
        lab.in_turns("starts", lab.o.runs, steps)


def cpu(lab):
    """Of starts from a template; what asks about the pod comes after its line."""
    with lab.template_floor() as floor:
        keeper, daemon = lab.keeper(), lab.host.daemon.pid
        counter = iter(range(lab.o.runs))

        def ours():
            name = f"cost{next(counter)}"
            before = processes.computed(daemon), processes.computed(keeper)
            lab.first_line(name, TEMPLATE)
            after = processes.computed(daemon), processes.computed(keeper)
            runner, = lab.host.runners()[name]
            for key, seconds in (("podvisord", after[0] - before[0]), ("templates", after[1] - before[1]), ("runner", processes.computed(runner))):
                lab.add(f"cpu.{key}", seconds * 1000)
            lab.end(name)

        lab.in_turns("processor time", lab.o.runs, [ours, lambda: lab.add("cpu.floor", floor.measure().cpu * 1000)])
