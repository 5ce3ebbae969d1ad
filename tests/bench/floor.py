# SPDX-License-Identifier: Apache-2.0
"""The floor under a pod's start: the same QEMU command line with nothing around it, driven straight over the agent's port.

The command line is read from a pod that runs, so that floor and pod boot the same machine; its descriptors are made
anew at the same numbers. The conversation with the agent is the least that makes a container speak.
"""
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import time
import uuid
import zlib


def pack(value):
    """msgpack, as far as it is needed here."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, int):
        return b"\xcf" + struct.pack(">Q", value) if value >= 0 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, str):
        data = value.encode()
        return b"\xda" + struct.pack(">H", len(data)) + data
    if isinstance(value, bytes):
        return b"\xc5" + struct.pack(">H", len(value)) + value
    if isinstance(value, list):
        return b"\xdc" + struct.pack(">H", len(value)) + b"".join(map(pack, value))
    return b"\xde" + struct.pack(">H", len(value)) + b"".join(pack(k) + pack(v) for k, v in value.items())


def frame(session, payload):
    head = b"PvF1" + struct.pack("<III", len(payload), session, zlib.crc32(payload))
    return head + struct.pack("<I", zlib.crc32(head)) + payload


def message(kind, body, number=0):
    return frame(SESSION, pack({"type": kind, "id": number, "body": body}))


SESSION = 4711


class Floor:
    def __init__(self, pid, checkpoints):
        """pid: the process of a pod's machine; checkpoints: what `podvisor checkpoint show POD --json=short` printed of that pod."""
        self.argv = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        self.sockets = self.descriptors(r"^socket,id=\w+,fd=(\d+),")
        definition = json.loads(checkpoints)["definition.msgpack"]["body"]
        self.disks = {int(fd): definition["images"][0]["path"] for fd in self.descriptors(r"^fd=(\d+),set=")}
        self.configure = {"hostname": "floor", "entropy": os.urandom(32), "volumes": [],
                          "containers": [self.container(definition)]}

    def descriptors(self, pattern):
        return [m[1] for word in self.argv if (m := re.match(pattern, word))]

    @staticmethod
    def container(definition):
        image, declared = definition["images"][0], definition["pod"]["containers"][0]
        return {"definition": {"name": declared["name"], "image": declared["image"]}, "command": image["command"],
                "environment": image.get("environment", []), "disk": 0}

    def spawn(self, directory):
        """Starts the machine; (process, path of the agent's socket)."""
        moves, kept = [], []
        for number in self.sockets:
            s = socket.socket(socket.AF_UNIX)
            path = f"{directory}/{number}.{uuid.uuid4().hex[:8]}"
            s.bind(path), s.listen()
            moves.append((s.fileno(), int(number))), kept.append((s, path))
        for number, file in self.disks.items():
            fd = os.open(file, os.O_RDONLY)
            moves.append((fd, number)), kept.append((fd, file))

        def place():
            safe = [(os.dup2(old, 200 + i), new) for i, (old, new) in enumerate(moves)]
            for old, new in safe:
                os.dup2(old, new, inheritable=True)

        process = subprocess.Popen(self.argv, preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for thing, _ in kept[len(self.sockets):]:
            os.close(thing)
        return process, kept[1][1]

    def measure(self, directory, wanted=b"hello"):
        """Seconds from nothing to the container's first line."""
        begin = time.monotonic()
        process, path = self.spawn(directory)
        try:
            agent = socket.socket(socket.AF_UNIX)
            agent.settimeout(120)
            agent.connect(path)
            agent.send(message("hello", {"token": os.urandom(16), "version_min": 1, "version_max": 1,
                                         "time": time.time_ns() // 1000}))
            agent.send(message("configure", self.configure, 1))
            got = b""
            while wanted not in got:
                chunk = agent.recv(65536)
                if not chunk:
                    raise RuntimeError("the machine ended: " + repr(got[-300:]))
                got += chunk
            return time.monotonic() - begin
        finally:
            process.kill(), process.wait()
