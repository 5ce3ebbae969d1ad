# SPDX-License-Identifier: Apache-2.0
"""The floors under a pod's start: the same machine with nothing of podvisor around it.

QemuFloor runs the command line of a pod that runs, with its descriptors made anew at the same numbers; where that pod's machine was a copy
of a template, so is this one. LibvirtFloor gives `virsh create` the text that podvisor gave to libvirt, UsualFloor less of it. All make the
container speak by the least that does (conversation.py).
"""
import contextlib
import fcntl
import os
import pathlib
import re
import signal
import socket
import tempfile
import time
import uuid
import xml.etree.ElementTree

import conversation
from qmp import Qmp


# Above all numbers that a machine's descriptors have.
ASIDE = 200


class Template:
    """The descriptors of a template, as podvisor-templates hands them out to whoever wants one of that shape."""

    def __init__(self, keeper, shape):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(conversation.PATIENCE)
            s.connect(str(keeper))
            s.send(conversation.packet("want", shape))
            found = []
            for _ in range(2):
                said, fds, _, _ = socket.recv_fds(s, 8192, 1)
                if not fds:
                    raise RuntimeError(f"podvisor-templates says: {said!r}")
                found += fds
        self.memory, self.state = found

    def close(self):
        os.close(self.memory)
        os.close(self.state)


class Machine:
    """One that runs, and whose container has spoken; stages: seconds by STAGES (rows.py). cpu, once it has ended: seconds that it computed."""

    def __init__(self, pid, stages):
        self.pid, self.stages, self.cpu = pid, stages, None

    def end(self):
        if self.cpu is None:
            os.kill(self.pid, signal.SIGKILL)
            _, _, used = os.wait4(self.pid, 0)
            self.cpu = used.ru_utime + used.ru_stime


class QemuFloor:
    def __init__(self, pid, definition, template=None):
        """pid: the process of a pod's machine; definition: the body of that pod's definition.msgpack; template: what the machine is a copy
        of, owned by the caller."""
        self.argv = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        bell = self.numbers(r"ringbuf,.*logfile=/dev/fdset/(\d+)")
        # The descriptors by what they are. Of those that go into a set QEMU has kept copies only.
        self.descriptors = {n: "socket" for n in self.numbers(r"socket,id=\w+,fd=(\d+),")}
        self.descriptors |= {n: os.readlink(f"/proc/{pid}/fd/{n}") for n in self.numbers(r"/proc/self/fd/(\d+)")}
        for n in self.numbers(r"fd=(\d+),set="):
            self.descriptors[n] = "memory" if f"fd={n},set={bell[0]}" in self.argv else definition["images"][0]["path"]
        self.agent, self.qmp = (self.numbers(rf"socket,id={name},fd=(\d+),")[0] for name in ("agent", "qmp"))
        self.configure = conversation.configuration(definition)
        self.template = template
        if template:
            memory = self.numbers(r"memory-backend-file,.*mem-path=/proc/self/fd/(\d+),")[0]
            self.state = max(self.descriptors) + 1
            self.descriptors |= {memory: f"/proc/self/fd/{template.memory}", self.state: f"/proc/self/fd/{template.state}"}

    def numbers(self, pattern):
        return [int(m[1]) for word in self.argv if (m := re.match(pattern, word))]

    @staticmethod
    def open(what, directory):
        """Another of the same kind: (descriptor, path of a socket)."""
        if what == "socket":
            path = f"{directory}/{uuid.uuid4().hex}"
            return conversation.listen(path).detach(), path
        if what == "memory":
            memory = os.memfd_create("floor")
            try:
                return os.open(f"/proc/self/fd/{memory}", os.O_WRONLY), None
            finally:
                os.close(memory)
        return os.open(what, os.O_RDONLY), None

    def spawn(self, opened):
        """Without a copy of this process, as a supervisor in C would: its pid."""
        # Out of the way first: the old numbers may be among the new ones.
        aside = {n: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, ASIDE) for n, (fd, _) in opened.items()}
        for fd, _ in opened.values():
            os.close(fd)
        try:
            return os.posix_spawn(self.argv[0], self.argv, os.environ, file_actions=[
                *((os.POSIX_SPAWN_OPEN, n, "/dev/null", os.O_RDWR, 0) for n in range(3)),
                *((os.POSIX_SPAWN_DUP2, fd, n) for n, fd in aside.items())])
        finally:
            for fd in aside.values():
                os.close(fd)

    def start(self):
        """A Machine from nothing, for the caller to end."""
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            agent = stack.enter_context(socket.socket(socket.AF_UNIX))
            stages, begin = {}, time.monotonic()

            def stage(name):
                stages[name] = time.monotonic() - begin

            opened = {n: self.open(what, directory) for n, what in self.descriptors.items()}
            qmp = stack.enter_context(contextlib.closing(Qmp(opened[self.qmp][1])))
            agent.connect(opened[self.agent][1])
            machine = Machine(self.spawn(opened), stages)
            stack.callback(lambda: "line" in stages or machine.end())
            stage("spawned")
            qmp.until(lambda said: "QMP" in said)
            stage("greeted")
            if self.template:
                qmp.wake(self.state)
            stage("running")
            conversation.first_line(agent, self.configure, on_welcome=lambda: stage("welcome"))
            stage("line")
            return machine

    @contextlib.contextmanager
    def machine(self):
        machine = self.start()
        try:
            yield machine
        finally:
            machine.end()

    def measure(self):
        """A Machine that has ended."""
        with self.machine() as machine:
            return machine


class LibvirtFloor:
    def __init__(self, daemon, definition, name):
        """daemon: where a pod of this name has been started; definition: the body of its definition.msgpack."""
        self.daemon = daemon
        self.xml = daemon.submitted(name)
        self.name = name
        self.run = re.search(r'source mode="connect" path="(.*)/agent\.socket"', self.xml)[1]
        self.uuid = re.search(r"<uuid>(.*)</uuid>", self.xml)[1]
        self.configure = conversation.configuration(definition)

    def measure(self):
        """Seconds from nothing to (the return of `virsh create`, the container's first line)."""
        with tempfile.TemporaryDirectory(prefix="pv-") as directory:
            place = pathlib.Path(directory)
            place.chmod(0o711)
            name = f"floor-{uuid.uuid4().hex[:8]}"
            text = self.xml.replace(self.run, directory).replace(self.uuid, str(uuid.uuid4()))
            (place / "domain.xml").write_text(text.replace(f"<name>{self.name}</name>", f"<name>{name}</name>"))
            (place / "machine.lock").write_bytes(bytes(4096))
            (place / "machine.lock").chmod(0o666)
            with conversation.listen(place / "agent.socket") as port, conversation.listen(place / "console.socket"):
                begin = time.monotonic()
                self.daemon.virsh("create", str(place / "domain.xml"))
                created = time.monotonic() - begin
                try:
                    port.settimeout(conversation.PATIENCE)
                    with port.accept()[0] as agent:
                        conversation.first_line(agent, self.configure)
                    return created, time.monotonic() - begin
                finally:
                    self.daemon.virsh("destroy", name)


class UsualFloor(LibvirtFloor):
    """The same guest with the same disk and channel, without what podvisor has found out about short boots."""
    BESIDES = ("metadata", "features/vmport", "features/tcg", "devices/controller[@type='usb']", "devices/serial", "devices/console", "devices/rng",
               "devices/memballoon", "devices/panic", "devices/disk[serial='podvisor-lock']")

    def __init__(self, daemon, definition, name, kernel):
        """kernel: as a distribution packs it."""
        super().__init__(daemon, definition, name)
        root = xml.etree.ElementTree.fromstring(self.xml)
        for path in self.BESIDES:
            parent = root.find(path.rpartition("/")[0] or ".")
            for element in root.findall(path):
                parent.remove(element)
        root.find("os/kernel").text = str(kernel)
        root.find("os/cmdline").text = "console=ttyS0"
        xml.etree.ElementTree.SubElement(root.find("devices"), "serial", type="pty")
        self.xml = xml.etree.ElementTree.tostring(root, encoding="unicode")
