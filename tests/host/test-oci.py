#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The public rules of OCI runtimes and the usual defaults of container engines, looked at from inside of three containers."""
import os
import re
import signal
import tempfile
import time
import unittest

from instance import HERE, HostTest, compile_static, until

DIRECTORY = tempfile.TemporaryDirectory(prefix="pv-")
PROGRAM = compile_static("oci-rules.c", f"{DIRECTORY.name}/oci-rules", "-D_GNU_SOURCE", HERE / "oci-calls.c")
COLUMNS = ("usual", "tight", "free")
# What oci-rules expects is what stands here.
RULES = """
shm_size = "8M";
volumes = ( { name = "swap"; type = "swap"; size = "16M"; } );
sysctls = [ "net.core.somaxconn=1234", "kernel.msgmax=9000" ];
containers = (
  { name = "usual"; image = "busybox"; command = [ "oci-rules", "usual", "stay" ]; },
  { name = "tight"; image = "busybox"; command = [ "/bin/oci-rules", "tight", "stay" ];
    user = "1000:1000"; groups = [ "www", "2000" ]; working_dir = "/var"; read_only = true;
    umask = "0027"; devices = [ "/dev/fuse", "/dev/net/tun:r" ];
    capabilities = [ "NET_BIND_SERVICE" ]; environment = { A = "1"; PATH = "/bin"; HOME = "/home"; };
    limits = { memory = "16M"; swap = "8M"; memory_high = "12M"; memory_low = "4M"; cpu = 0.5; cpu_weight = 200; pids = 20;
               io = { read_bps = "100M"; read_iops = 5000; }; };
    rlimits = { nofile = "100:200"; core = "0"; cpu = "1000:2000"; fsize = "1048576"; stack = "4194304"; }; },
  { name = "free"; image = "busybox"; command = [ "oci-rules", "free", "stay" ];
    user = "www"; capabilities = [ "NONE" ]; seccomp = "unconfined"; no_new_privs = false; writable_size = "4M"; },
  { name = "maker"; image = "busybox"; command = [ "sleep", "100000" ]; capabilities = [ "MKNOD" ]; devices = [ "/dev/hwrng:r" ]; },
  { name = "big"; image = "busybox"; command = [ "sleep", "100000" ]; writable_size = "64M"; restart = { policy = "never"; };
    limits = { memory = "5M"; swap = "8M"; }; }
);
"""
# Whether two containers of a pod are in the same namespace.
NAMESPACES = {"mnt": False, "pid": False, "cgroup": False, "net": True, "ipc": True, "uts": True, "user": True}
STAYS = '{ name = "%s"; image = "busybox"; command = [ "sleep", "100000" ]; }'
TWO = f"containers = ( {STAYS % 'one'}, {STAYS % 'two'} );\n"


def rows(text):
    return [line for line in text.splitlines() if line.startswith(("ok", "FAIL"))]


class Rules(HostTest):
    files = [PROGRAM]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("rules", RULES)
        cls.host.wait("rules")
        cls.table = []

    @classmethod
    def tearDownClass(cls):
        print("\n".join(cls.table))
        super().tearDownClass()

    def hold(self, found, how):
        """Every row is ok; the table is shown at the end."""
        self.assertGreater(len(found), 80)
        self.table += [f"{how:9} {row}" for row in found]
        self.assertEqual([row for row in found if row.startswith("FAIL")], [])

    def said(self, column):
        return self.host.cli("logs", f"rules/{column}", check=False).stdout

    def test_they_hold_for_a_containers_program(self):
        for column in COLUMNS:
            with self.subTest(column):
                until("the table is whole", lambda: "rules of" in self.said(column))
                self.hold(rows(self.said(column)), "program")

    def test_they_hold_for_what_is_run_in_a_container(self):
        for column in COLUMNS:
            with self.subTest(column):
                end = self.host.cli("exec", f"rules/{column}", "--", "oci-rules", column, check=False)
                self.assertEqual(end.stderr, "")
                self.hold(rows(end.stdout), "exec")


    def test_who_can_make_nodes_gets_at_no_other_devices_by_them(self):
        for node, end in (("null c 1 3", ""), ("sda b 8 0", "Operation not permitted"), ("kmsg c 1 11", "Operation not permitted"),
                          ("hwrng c 10 183", "Operation not permitted"), ("whiteout c 0 0", "")):
            with self.subTest(node):
                self.assertIn(end, (made := self.host.sh("rules/maker", f"mknod /dev/new-{node}", check=False)).stderr)
                self.assertEqual(made.returncode == 0, not end)
        self.host.sh("rules/maker", "echo gone >/dev/new-null; dd if=/dev/hwrng bs=1 count=1 of=/dev/null")
        self.assertIn("Operation not permitted", self.host.sh("rules/maker", "echo >/dev/hwrng", check=False).stderr)


    def test_what_memory_does_not_hold_is_swapped_and_the_host_cannot_read_it(self):
        swap = self.host.root / "state/scratch/rules.swap.raw"
        self.host.sh("rules/big", "yes never-on-a-disk-of-the-host | head -c 6m >/x")
        self.assertGreater(int(self.host.sh("rules/big", "cat /sys/fs/cgroup/memory.swap.current").stdout), 512 << 10)
        self.host.sh("rules/big", "yes never-on-a-disk-of-the-host | head -c 6m | cmp - /x")
        on_disk = swap.read_bytes()
        self.assertGreater(swap.stat().st_blocks * 512, 512 << 10)
        self.assertNotIn(b"never-on-a-disk", on_disk)
        # The header, too, is for the guest alone.
        self.assertNotIn(b"SWAPSPACE2", on_disk)
        # In one system call: what runs in between would wait for its own program to come back from the disk, for long.
        self.host.sh("rules/big", "dd if=/dev/zero of=/dev/null bs=64M count=1", check=False)
        until("it is killed", lambda: self.host.container("rules", "big")["oom_killed"])
        self.assertIn("its limit is 5M and 8M of the swap space, and it used 5M", self.host.page("rules"))


class Namespaces(HostTest):

    def namespaces(self, container):
        script = "for i in /proc/self/ns/*; do echo ${i##*/} $(readlink $i); done"
        return dict(line.split() for line in self.host.sh(container, script).stdout.splitlines())

    def test_containers_share_what_is_the_pods_and_nothing_else(self):
        self.host.write("two", TWO)
        self.host.wait("two")
        one, two = self.namespaces("two/one"), self.namespaces("two/two")
        for name, shared in NAMESPACES.items():
            with self.subTest(name):
                self.assertEqual(one[name] == two[name], shared)
        self.assertEqual(one, self.namespaces("two/one"), "an exec is in the namespaces of its container")
        self.assertEqual(self.host.sh("two/one", "cat /proc/1/comm").stdout, "sleep\n")
        self.host.sh("two/one", "echo shared >/dev/shm/x")
        self.assertEqual(self.host.sh("two/two", "cat /dev/shm/x").stdout, "shared\n")

    def test_containers_share_their_processes_where_the_pod_says_so(self):
        self.host.write("all", "share_pids = true;\n" + TWO.replace("100000", "98765", 1))
        self.host.wait("all")
        self.assertEqual(self.namespaces("all/one")["pid"], self.namespaces("all/two")["pid"])
        self.assertNotEqual(self.namespaces("all/one")["mnt"], self.namespaces("all/two")["mnt"])
        seen = self.host.sh("all/two", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout
        self.assertIn("sleep 98765", seen)
        self.assertEqual(self.host.sh("all/two", "cat /proc/1/comm; ls /proc/1/fd").stdout, "pod\n")
        self.assertIn("Permission denied", self.host.sh("all/two", "ls /proc/1/root/", check=False).stderr)
        # What a container leaves running ends with its program, and is started again with it.
        self.host.cli("exec", "all/one", "--", "sh", "-c", "sleep 54321 >/dev/null 2>&1 </dev/null &")
        self.host.sh("all/two", "kill $(grep -l 98765 /proc/[0-9]*/cmdline | grep -v self | cut -d/ -f3) 2>/dev/null", check=False)
        until("a restart", lambda: self.host.container("all", "one")["restarts"] == 1)
        self.host.wait("all")
        self.assertNotIn("54321", self.host.sh("all/two", "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | sed 's/sed.*//'").stdout)
        self.assertEqual(self.host.container("all", "two")["restarts"], 0)


BUSY = """volumes = ( { name = "work"; type = "scratch"; size = "16M"; } );
containers = (
  { name = "one"; image = "busybox"; writable_size = "60M"; limits = { %s }; mounts = ( { volume = "work"; path = "/work"; } );
    command = [ "sh", "-c", "trap 'exit 1' TERM; while :; do sleep 1 & wait $!; done" ]; }, %s );
"""


LIMITS = ("memory.max", "memory.high", "memory.low", "cpu.max", "cpu.weight")


class Limits(HostTest):
    """Limits that change while the containers run."""

    def write(self, limits):
        self.host.write("busy", BUSY % (limits, STAYS % "two"))

    def limit(self, name, container="one"):
        return self.host.sh(f"busy/{container}", f"cat /sys/fs/cgroup/{name}").stdout.strip()

    def settled(self, generation):
        return lambda: (p := self.host.status("busy"))["generation"] == generation and not p["pending"] and p

    def test_they_are_in_effect_at_once_and_nothing_is_restarted(self):
        self.write('memory = "100M"; pids = 50;')
        self.host.wait("busy")
        before = self.host.status("busy")
        share = int(self.limit("pids.max", "two"))
        self.write('memory = "90M"; memory_high = "80M"; memory_low = "10M"; cpu = 0.5; cpu_weight = 300; io = { write_bps = "1M"; write_iops = 500; };')
        until("they are in effect", self.settled(2))
        self.assertEqual([self.limit(n) for n in LIMITS], [str(90 << 20), str(80 << 20), str(10 << 20), "50000 100000", "300"])
        # Of the image's disk and of the scratch.
        self.assertEqual([re.sub(r"^\S+", "disk", line) for line in self.limit("io.max").splitlines()],
                         ["disk rbps=max wbps=1048576 riops=max wiops=500"] * 2)
        before_write = time.monotonic()
        self.host.sh("busy/one", "dd if=/dev/zero of=/work/x bs=64k count=32 conv=fsync 2>/dev/null")
        self.assertGreater(time.monotonic() - before_write, 1)
        # Two now share what one had.
        self.assertLess(int(self.limit("pids.max", "two")), share)
        self.write("")
        until("they are lifted", self.settled(3))
        self.assertEqual([self.limit(n) for n in LIMITS], ["max", "max", "0", "max 100000", "100"])
        self.assertEqual(self.limit("io.max"), "")
        # The runner is killed as soon as the file is written, and so either before or after it has heard of it.
        runner = self.host.status("busy")["runner_pid"]
        self.write("pids = 33;")
        os.kill(runner, signal.SIGKILL)
        until("the next runner sees to it", lambda: self.settled(4)() and self.host.status("busy")["state"] == "ready")
        self.assertEqual(self.limit("pids.max"), "33")
        self.less_than_what_is_used()
        after = self.host.status("busy")
        self.assertEqual((after["vmm_pid"], after["attempt"]), (before["vmm_pid"], before["attempt"]))
        self.assertEqual([c["restarts"] for c in after["containers"]], [1, 0])

    def less_than_what_is_used(self):
        """The container goes on, and gets it with its next start."""
        self.host.sh("busy/one", "dd if=/dev/zero of=/big bs=1M count=30 2>/dev/null")
        self.write('memory = "20M";')
        pod = until("it is told", lambda: (p := self.host.status("busy"))["generation"] == 5 and p["pending"] and "uses" in p["pending"][0] and p)
        self.assertRegex(pod["pending"][0], "limits of container one: it uses 3[0-9]M, so its memory limit stays none until its next start, instead of 20M")
        self.assertIn("Pending: limits of container one", self.host.page("busy"))
        self.assertEqual(self.limit("memory.max"), "max")
        self.assertEqual([c["restarts"] for c in pod["containers"]], [0, 0])
        self.host.sh("busy/one", "rm /big; kill 1", check=False)
        until("it runs again", lambda: self.settled(5)() and (c := self.host.container("busy", "one"))["state"] == "running" and c["restarts"] == 1)
        self.assertEqual(self.limit("memory.max"), str(20 << 20))


class Refusals(HostTest):

    def test_what_the_kernel_refuses_is_told(self):
        self.host.write("odd", 'sysctls = [ "net.core.nothing=1" ];\nrestart = { policy = "never"; };\n' + TWO)
        self.host.wait("odd", state="failed")
        self.assertIn("sysctl net.core.nothing=1 could not be set: No such file or directory", self.host.page("odd"))

    def test_more_memory_than_the_host_has_is_told(self):
        self.host.write("huge", 'memory = "900G";\nrestart = { policy = "never"; };\n' + TWO)
        self.host.wait("huge", state="failed")
        self.assertRegex(self.host.page("huge"), r"its memory is 900G, and this host has \S+ in all, its swap space among it")

    def test_a_group_that_the_image_has_not_is_named(self):
        self.host.write("group", 'containers = ( { name = "a"; image = "busybox"; command = [ "true" ]; groups = [ "wheel" ]; '
                        'restart = { policy = "never"; }; }, ' + STAYS % "b" + " );\n")
        self.host.wait("group", state="running")
        until("it has failed", lambda: self.host.container("group", "a")["state"] == "failed")
        self.assertIn("a: failed; group wheel is not in the image", self.host.page("group"))


if __name__ == "__main__":
    unittest.main()
