# SPDX-License-Identifier: Apache-2.0
"""The floors under a pod's start: the same machine with nothing of podvisor around it.

QemuFloor runs the command line of a pod that runs, with its descriptors made anew at the same numbers; LibvirtFloor gives `virsh create`
the text that podvisor gave to libvirt. Both make the container speak by the least that does (conversation.py).
"""
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time
import uuid

import conversation


class QemuFloor:
    def __init__(self, pid, definition):
        """pid: the process of a pod's machine; definition: the body of that pod's definition.msgpack."""
        self.argv = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        bell = self.numbers(r"ringbuf,.*logfile=/dev/fdset/(\d+)")
        # The descriptors by what they are. Of those that go into a set QEMU has kept copies only.
        self.descriptors = {n: "socket" for n in self.numbers(r"socket,id=\w+,fd=(\d+),")}
        self.descriptors |= {n: os.readlink(f"/proc/{pid}/fd/{n}") for n in self.numbers(r"/proc/self/fd/(\d+)")}
        for n in self.numbers(r"fd=(\d+),set="):
            self.descriptors[n] = "memory" if f"fd={n},set={bell[0]}" in self.argv else definition["images"][0]["path"]
        self.agent = self.numbers(r"socket,id=agent,fd=(\d+),")[0]
        self.configure = conversation.configuration(definition)

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

    def measure(self):
        """Seconds from nothing to the container's first line."""
        with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as agent:
            begin = time.monotonic()
            opened = {n: self.open(what, directory) for n, what in self.descriptors.items()}

            def place():
                # Out of the way first: the old numbers may be among the new ones.
                for old, new in [(os.dup2(fd, 200 + i), n) for i, (n, (fd, _)) in enumerate(opened.items())]:
                    os.dup2(old, new, inheritable=True)

            process = subprocess.Popen(self.argv, preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for fd, _ in opened.values():
                os.close(fd)
            try:
                agent.connect(opened[self.agent][1])
                conversation.first_line(agent, self.configure)
                return time.monotonic() - begin
            finally:
                process.kill(), process.wait()


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
            xml = self.xml.replace(self.run, directory).replace(self.uuid, str(uuid.uuid4()))
            (place / "domain.xml").write_text(xml.replace(f"<name>{self.name}</name>", f"<name>{name}</name>"))
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
