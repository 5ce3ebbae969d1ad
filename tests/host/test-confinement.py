#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a machine's process has of its host, looked up in /proc for each QEMU that runs: by the direct launcher, of root and of an
ordinary user. What is not listed here must not be there."""
import os
import pathlib
import re
import signal
import tempfile
import unittest

from instance import HELLO, NOBODY, Instance, nobodys_instance, until

NOTHING = "0000000000000000"
ENVIRONMENT = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", "MALLOC_ARENA_MAX=1",
               "MALLOC_TOP_PAD_=1048576"}
MACHINES = ("microvm", "q35")
# Its sockets are unix sockets all; their paths are checked apart.
DESCRIPTORS = {
    "rw": (r"/dev/null", r"/memfd:(qemu-log|console-bell) \(deleted\)", r".*/run/pods/[a-z0-9]+/vm/machine\.lock", r"socket:\[\d+\]",
           r"anon_inode:\[(eventfd|signalfd|eventpoll|kvm.*)\]", r"/dev/kvm"),
    "r": (r".*/guest/vmlinux", r".*/guest/initrd", r".*/state/images/blobs/sha256-[0-9a-f]{64}\.erofs"),
}
# What QEMU and its libraries read of the host by themselves.
OPENED = (r"/usr/.*", r"/lib(64)?/.*", r"/etc/ld\.so\.cache", r"/etc/localtime", r"/proc/self/(fd/\d+|status|exe|maps|stat)",
          r"/proc/(filesystems|cpuinfo|sys/vm/overcommit_memory)", r"/sys/devices/system/(cpu|node)(/.*)?", r"/sys/bus/nd/devices",
          r"/dev/(null|kvm|urandom)", r"\.", r"/proc/\d+/cmdline")


def read(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text()


def status(pid):
    return dict(line.split(":\t", 1) for line in read(pid, "status").splitlines() if ":\t" in line)


def descriptors(pid):
    """[(number, target, "r" or "rw")]"""
    found = []
    for number in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
        flags = int(re.search(r"flags:\t(\d+)", read(pid, f"fdinfo/{number}"))[1], 8)
        found.append((int(number), os.readlink(f"/proc/{pid}/fd/{number}"), "rw" if flags & os.O_ACCMODE else "r"))
    return found


def unix_sockets():
    """{inode: path or ""}"""
    lines = pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]
    return {words[6]: words[7] if len(words) > 7 else "" for words in map(str.split, lines)}


class Confinement(unittest.TestCase):
    def pods(self, host):
        """One pod on each machine; {pod: process of QEMU}."""
        self.host = self.enterContext(host)
        self.host.import_busybox()
        for machine in MACHINES:
            self.host.write(machine, HELLO + f'qemu = {{ machine = "{machine}"; }};')
        self.host.wait(*MACHINES)
        found = {pod: pids[0] for pod, pids in self.host.machines().items() if len(pids) == 1}
        self.assertEqual(sorted(found), sorted(MACHINES))
        return found

    def assert_privileges(self, pid, bounding):
        found = status(pid)
        wanted = {"NoNewPrivs": "1", "Seccomp": "2", "Umask": "0077", **{f"Cap{kind}": NOTHING for kind in ("Inh", "Prm", "Eff", "Amb")}}
        if bounding:
            wanted["CapBnd"] = NOTHING
        self.assertEqual({key: found[key] for key in wanted}, wanted)
        self.assertEqual(found["Groups"].strip(), "")

    def assert_surroundings(self, pid):
        self.assertEqual(set(filter(None, read(pid, "environ").split("\0"))), ENVIRONMENT)
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
        limits = {line[:25].strip(): line[26:].split()[:2] for line in read(pid, "limits").splitlines()}
        self.assertEqual(limits["Max core file size"], ["0", "0"])
        self.assertEqual(limits["Max realtime priority"], ["0", "0"])
        self.assertEqual(limits["Max msgqueue size"], ["0", "0"])
        self.assertLessEqual(int(limits["Max open files"][1]), 4096)
        self.assertEqual(status(pid)["NSsid"].split()[-1], str(pid), "it has a session of its own")

    def assert_descriptors(self, pid):
        found, sockets, count = descriptors(pid), unix_sockets(), {}
        for number, target, access in found:
            self.assertTrue(any(re.fullmatch(pattern, target) for pattern in DESCRIPTORS[access]), f"{number} -> {target} ({access})")
            if target.startswith("socket:"):
                path = sockets.get(target[8:-1])
                self.assertIsNotNone(path, f"{number} is no unix socket")
                self.assertRegex(path, r"^$|/(qmp|agent)$")
            count[target] = count.get(target, 0) + 1
        self.assertEqual([target for number, target, _ in found if number < 3],
                         ["/dev/null", "/memfd:qemu-log (deleted)", "/memfd:qemu-log (deleted)"])
        self.assertEqual(sum(n for target, n in count.items() if target.endswith("machine.lock")), 1)

    def assert_arguments(self, pid):
        """But for the program no word has a path of the host in it: what comes from there comes open."""
        program, *words = read(pid, "cmdline").split("\0")
        self.assertRegex(program, r"^/usr/(local/)?(bin|libexec)/qemu")
        paths = {path for word in words for path in re.findall(r"(?:^|[=,])(/[^,]*)", word)}
        self.assertEqual({path for path in paths if not re.fullmatch(r"/proc/self/fd/\d+|/dev/fdset/\d+", path)}, set())

    def assert_confined(self, pods, bounding):
        for pod, pid in pods.items():
            with self.subTest(pod):
                self.assert_privileges(pid, bounding)
                self.assert_surroundings(pid)
                self.assert_descriptors(pid)
                self.assert_arguments(pid)

    def test_of_its_starters_privileges_nothing_is_left(self):
        self.assert_confined(self.pods(Instance()), bounding=os.geteuid() == 0)

    @unittest.skipIf(os.geteuid() != 0, "only root can become somebody else")
    def test_an_ordinary_users_machine_has_no_more(self):
        pods = self.pods(nobodys_instance(self))
        self.assertEqual({os.stat(f"/proc/{pid}").st_uid for pid in pods.values()}, {NOBODY})
        self.assert_confined(pods, bounding=False)

    def test_a_machine_that_is_adopted_is_the_same(self):
        pods = self.pods(Instance())
        for pod in pods:
            runner = self.host.status(pod)["runner_pid"]
            os.kill(runner, signal.SIGKILL)
            until("another runner", lambda: self.host.status(pod)["runner_pid"] not in (0, runner))
            self.host.wait(pod)
        self.assertEqual({pod: pids[0] for pod, pids in self.host.machines().items()}, pods)
        self.assert_confined(pods, bounding=os.geteuid() == 0)


class Trace:
    """All that a tree of processes executes and opens."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.words = ["strace", "--follow-forks", "--output-separately", f"--output={directory}/trace", "--quiet=all",
                      "--trace=open,openat,openat2,creat,connect,execve,clone,clone3,fork,vfork", "--string-limit=400"]

    def lines(self, task):
        return (self.directory / f"trace.{task}").read_text(errors="replace").splitlines()

    def since_exec(self, pid):
        """What succeeded since the last exec, in all its threads."""
        lines = [line for line in self.lines(pid) if re.search(r"\) += \d+", line)]
        begin = max((i for i, line in enumerate(lines) if line.startswith("execve(")), default=-1) + 1
        found, tasks = lines[begin:], [pid]
        while tasks:
            tasks = [int(line.rsplit("=", 1)[1].split()[0]) for line in found if line.startswith(("clone", "fork", "vfork"))]
            found = [line for line in found if not line.startswith(("clone", "fork", "vfork"))]
            for task in tasks:
                found += [line for line in self.lines(task) if re.search(r"\) += \d+", line)]
        return found


class Opened(unittest.TestCase):
    """From QEMU's first instruction to the first of a container."""

    def test_qemu_opens_no_file_of_the_host_but_its_own(self):
        trace = Trace(self.enterContext(tempfile.TemporaryDirectory(prefix="pv-")))
        host = self.enterContext(Instance(before=trace.words))
        host.before = []
        host.import_busybox()
        for machine in MACHINES:
            with self.subTest(machine):
                host.write(machine, HELLO + f'qemu = {{ machine = "{machine}"; }};')
                host.wait(machine)
                done = trace.since_exec(host.status(machine)["vmm_pid"])
                self.assertEqual([line for line in done if line.startswith(("connect", "execve"))], [])
                opened = {re.search(r'"([^"]*)"', line)[1] for line in done}
                self.assertEqual({path for path in opened if not any(re.fullmatch(pattern, path) for pattern in OPENED)}, set())
                self.assertEqual(len([path for path in opened if path.startswith("/proc/self/fd/")]), 2, "kernel and initrd")


if __name__ == "__main__":
    unittest.main()
