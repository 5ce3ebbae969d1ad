#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The output of containers in a real journal, as `podvisor logs` and journalctl show it.

The test runs in a mount namespace of its own, with a journald of its own.
"""
import ctypes
import json
import os
import socket
import subprocess
import unittest

from instance import BIN, Instance

JOURNALD = "/lib/systemd/systemd-journald"
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
POD = """containers = (
  { name = "talks"; image = "busybox";
    command = [ "sh", "-c", "echo out; echo err >&2; printf 'a\\\\033[1mb\\\\n'; trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ]; },
  { name = "quiet"; image = "busybox";
    command = [ "sh", "-c", "echo quiet; trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ]; }
);
"""


def in_a_namespace_of_our_own():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "unshare")
    for directory in (b"/run", b"/var/log"):
        if libc.mount(b"tmpfs", directory, b"tmpfs", 0, None):
            raise OSError(ctypes.get_errno(), directory)


@unittest.skipUnless(os.geteuid() == 0 and os.path.exists(JOURNALD), "needs root and journald")
class Journal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        in_a_namespace_of_our_own()
        os.makedirs("/run/systemd/journal")
        os.makedirs("/var/log/journal")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind("/run/notify")
            ready.settimeout(60)
            cls.journald = subprocess.Popen([JOURNALD], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL, env={**os.environ, "NOTIFY_SOCKET": "/run/notify"})
            cls.addClassCleanup(cls.journald.wait, 60)
            cls.addClassCleanup(cls.journald.terminate)
            while b"READY=1" not in ready.recv(4096):
                pass
        cls.host = cls.enterClassContext(Instance('log_target = "journal";\n'))
        cls.host.import_busybox()
        cls.host.write("web", POD)
        cls.host.wait("web")
        cls.wait_for_all()

    @classmethod
    def wait_for_all(cls):
        with subprocess.Popen([BIN / "podvisor", "--root", cls.host.root, "logs", "-f", "-o", "json", "web"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as following:
            cls.records = [json.loads(following.stdout.readline()) for _ in range(4)]
            following.terminate()

    def test_every_record_has_its_container_and_stream(self):
        seen = {(r["container"], r["stream"], r["message"]) for r in self.records}
        self.assertEqual(seen, {("talks", "stdout", "out"), ("talks", "stderr", "err"), ("talks", "stdout", "a\033[1mb"),
                                ("quiet", "stdout", "quiet")})

    def test_streams_are_apart_and_bytes_as_they_were(self):
        said = self.host.cli("logs", "web/talks")
        self.assertEqual((said.stdout, said.stderr), ("out\na\033[1mb\n", "err\n"))
        self.assertEqual(self.host.cli("logs", "web/quiet").stdout, "quiet\n")

    def test_names_stand_before_lines_of_several_containers(self):
        said = self.host.cli("logs", "web")
        self.assertEqual(set(said.stdout.splitlines()), {"talks: out", "talks: a\033[1mb", "quiet: quiet"})
        self.assertEqual(said.stderr, "talks: err\n")

    def test_the_newest_and_the_latest(self):
        self.assertEqual(len(self.host.cli("logs", "-n", "2", "-o", "json", "web").stdout.splitlines()), 2)
        self.assertEqual(len(self.host.cli("logs", "-n", "9", "-o", "json", "web").stdout.splitlines()), 4)
        self.assertEqual(len(self.host.cli("logs", "--since", "1h", "-o", "json", "web").stdout.splitlines()), 4)

    def test_journalctl_finds_the_same(self):
        said = subprocess.run(["journalctl", "-o", "cat", "--no-pager", "-a", "PODVISOR_POD=web", "PODVISOR_CONTAINER=talks"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(set(said.stdout.splitlines()), {"out", "err", "a\033[1mb"})

    def test_a_pod_without_output_says_so(self):
        self.assertEqual(self.host.cli("logs", "nobody", check=False).returncode, 4)


if __name__ == "__main__":
    unittest.main()
