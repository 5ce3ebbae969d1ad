#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The output of containers in a real journal, as `podvisor logs` and journalctl show it.

The test runs in a mount namespace of its own, with a journald of its own.
"""
import ctypes
import json
import os
import select
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
# Its words have priorities, it is killed for want of memory (which the kernel says on the console), and then it counts.
EVENTFUL = """containers = (
  { name = "levels"; image = "busybox"; log = { format = "json"; }; restart = { policy = "never"; };
    command = [ "sh", "-c", "echo '<2>critical'; echo '{\\"level\\":\\"error\\",\\"msg\\":\\"of json\\",\\"n\\":1}'; printf 'a\\001b'" ]; },
  { name = "eats"; image = "busybox"; limits = { memory = "4M"; }; restart = { policy = "never"; };
    command = [ "tail", "/dev/zero" ]; },
  { name = "counts"; image = "busybox"; restart = { policy = "never"; };
    command = [ "sh", "-c", "while [ ! -e /go ]; do sleep 0.1; done; i=0; while [ $i -lt 300 ]; do echo n$i; i=$((i+1)); done; touch /done; trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ]; }
);
"""


def in_a_namespace_of_our_own():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "unshare")
    # journald asks for its control group, and ends where none are mounted.
    for directory, kind in ((b"/run", b"tmpfs"), (b"/var/log", b"tmpfs"), (b"/sys/fs/cgroup", b"cgroup2")):
        if libc.mount(kind, directory, kind, 0, None):
            raise OSError(ctypes.get_errno(), directory)


@unittest.skipUnless(os.geteuid() == 0 and os.path.exists(JOURNALD), "needs root and journald")
class Journal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        in_a_namespace_of_our_own()
        os.makedirs("/run/systemd/journal")
        os.makedirs("/var/log/journal")
        cls.journald_begin()
        cls.addClassCleanup(cls.journald_end)
        cls.host = cls.enterClassContext(Instance('log_target = "journal";\n'))
        cls.host.import_busybox()
        cls.host.write("web", POD)
        cls.host.wait("web")
        cls.wait_for_all()

    @classmethod
    def journald_begin(cls):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind("/run/notify")
            cls.journald = subprocess.Popen([JOURNALD], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL, env={**os.environ, "NOTIFY_SOCKET": "/run/notify"})
            ended, said = os.pidfd_open(cls.journald.pid), b""
            while b"READY=1" not in said:
                if ready not in select.select([ready, ended], [], [], 60)[0]:
                    raise AssertionError("journald does not get ready")
                said = ready.recv(4096)
            os.close(ended)
        os.unlink("/run/notify")

    @classmethod
    def journald_end(cls):
        cls.journald.terminate()
        cls.journald.wait(60)

    @classmethod
    def wait_for_record(cls, *matches, containing=""):
        with subprocess.Popen(["journalctl", "-f", "--no-tail", "-o", "json", "-a", *matches], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True) as following:
            while containing not in str((record := json.loads(following.stdout.readline()))["MESSAGE"]):
                pass
            following.terminate()
        return record

    @classmethod
    def wait_for_all(cls):
        with subprocess.Popen([BIN / "podvisor", "--root", cls.host.root, "logs", "-f", "-o", "json", "web"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as following:
            cls.first = [json.loads(following.stdout.readline()) for _ in range(4)]
            following.terminate()

    def test_every_record_has_its_container_and_stream(self):
        seen = {(r["container"], r["stream"], r["message"]) for r in self.first}
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

    def test_events_are_told_with_what_they_are_about(self):
        events = [json.loads(line) for line in self.host.cli("events", "--json=short", "web").stdout.splitlines()]
        self.assertEqual([e["event"] for e in events[:3]], ["definition-changed", "started", "ready"])
        self.assertEqual({e["pod"] for e in events}, {"web"})
        self.assertRegex(self.host.cli("events", "-n", "1", "web").stdout, r"^\S+ ready +web: ready\n$")

    def test_everything_that_is_said_by_a_pod_gets_into_the_journal(self):
        self.host.write("eventful", EVENTFUL)
        self.addCleanup(self.host.cli, "kill", "eventful")
        levels = {}
        for priority in ("2", "3", "6"):
            levels[priority] = self.wait_for_record("PODVISOR_CONTAINER=levels", f"PRIORITY={priority}")
        self.assertEqual(levels["2"]["MESSAGE"], "critical")
        self.assertEqual((levels["3"]["MESSAGE"], levels["3"]["PODVISOR_JSON"]), ("of json", '{"level":"error","msg":"of json","n":1}'))
        self.assertEqual(bytes(levels["6"]["MESSAGE"]) if isinstance(levels["6"]["MESSAGE"], list) else levels["6"]["MESSAGE"].encode(),
                         b"a\x01b")
        self.assertEqual(self.host.cli("logs", "-p", "err", "eventful/levels").stdout,
                         'critical\n{"level":"error","msg":"of json","n":1}\n')

        # The kernel says on the console that it killed a container, long before the machine ends.
        self.wait_for_record("PODVISOR_POD=eventful", "PODVISOR_STREAM=console", containing="emory cgroup out of memory")
        self.assertIn("emory cgroup out of memory", self.host.cli("logs", "--stream=console", "eventful").stdout)

        # A journald that is away for a while misses nothing.
        self.journald_end()
        self.host.cli("exec", "eventful/counts", "--", "touch", "/go")
        self.host.cli("exec", "eventful/counts", "--", "sh", "-c", "while [ ! -e /done ]; do sleep 0.1; done")
        self.journald_begin()
        with subprocess.Popen([BIN / "podvisor", "--root", self.host.root, "logs", "-f", "-n", "1000", "eventful/counts"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as following:
            self.assertEqual([following.stdout.readline() for _ in range(300)], [f"n{i}\n" for i in range(300)])
            following.terminate()

        # QEMU's own words.
        status = json.loads(self.host.cli("status", "--json=short", "eventful").stdout)[0]
        os.kill(status["vmm_pid"], 15)
        self.wait_for_record("PODVISOR_POD=eventful", "PODVISOR_STREAM=vmm", containing="terminating on signal 15")

    def test_a_pod_without_output_says_so(self):
        self.assertEqual(self.host.cli("logs", "nobody", check=False).returncode, 4)


if __name__ == "__main__":
    unittest.main()
