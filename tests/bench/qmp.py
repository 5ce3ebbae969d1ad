# SPDX-License-Identifier: Apache-2.0
"""As much of QEMU's protocol as waking a copy of a template takes."""
import json
import socket

PATIENCE = 120


class Qmp:
    """Connected before QEMU runs: its greeting is the first that comes."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rb")

    def close(self):
        self.lines.close()
        self.socket.close()

    def send(self, *commands):
        """(name, arguments), all at once: QEMU does them in their order."""
        self.socket.sendall(b"".join(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n" for name, arguments in commands))

    def until(self, wanted):
        """The first line of which wanted is true; an error is raised."""
        while line := self.lines.readline():
            said = json.loads(line)
            if "error" in said:
                raise RuntimeError(f"QEMU: {said['error']}")
            if wanted(said):
                return said
        raise RuntimeError("QEMU ended")

    def wake(self, state):
        """Loads a template's state from an inherited descriptor, and lets the machine run."""
        self.send(("qmp_capabilities", {}),
                  ("migrate-set-capabilities", {"capabilities": [{"capability": c, "state": True} for c in ("x-ignore-shared", "events")]}),
                  ("migrate-set-parameters", {"announce-rounds": 0}), ("migrate-incoming", {"uri": f"fd:{state}"}))
        self.until(lambda said: said.get("event") == "MIGRATION" and said["data"]["status"] == "completed")
        self.send(("cont", {}))
        self.until(lambda said: said.get("event") == "RESUME")
