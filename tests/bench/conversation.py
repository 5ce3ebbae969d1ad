# SPDX-License-Identifier: Apache-2.0
"""The least that makes a container speak: a conversation with the agent, straight over its port, with no runner."""
import os
import socket
import struct
import zlib

SESSION = 4711
PATIENCE = 120


def pack(value):
    """msgpack, as far as it is needed here."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
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


def packet(kind, body, number=0):
    return pack({"type": kind, "id": number, "body": body})


def message(kind, body, number=0):
    payload = packet(kind, body, number)
    head = b"PvF1" + struct.pack("<III", len(payload), SESSION, zlib.crc32(payload))
    return head + struct.pack("<I", zlib.crc32(head)) + payload


def configuration(definition):
    """What to run, of a frozen definition with one container: definition.msgpack's body as `podvisor checkpoint show` prints it."""
    image, declared = definition["images"][0], definition["pod"]["containers"][0]
    container = {"definition": {"name": declared["name"], "image": declared["image"]}, "command": image["command"],
                 "environment": image.get("environment", []), "disk": 0}
    return {"hostname": "floor", "entropy": os.urandom(32), "volumes": [], "containers": [container]}


def first_line(agent, configure, wanted=b"hello from", on_welcome=lambda: None):
    """Returns when the container has said its line (its name alone is in each report). agent: a connected socket; what is said too
    early waits in it. on_welcome is called when the agent has said its first word."""
    agent.settimeout(PATIENCE)
    agent.sendall(message("hello", {"token": os.urandom(16), "version_min": 1, "version_max": 1, "entropy": os.urandom(32)}))
    agent.sendall(message("configure", configure, 1))
    got = b""
    while wanted not in got:
        chunk = agent.recv(65536)
        if not chunk:
            raise RuntimeError("the machine ended: " + repr(got[-300:]))
        if not got:
            on_welcome()
        got += chunk


def listen(path):
    """A socket that anybody may connect to who can reach it."""
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(path))
    os.chmod(path, 0o666)
    s.listen()
    return s
