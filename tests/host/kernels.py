# SPDX-License-Identifier: Apache-2.0
"""What is asked of every kernel, on both machines, booted and as a copy of a template: a pod with a bit of everything works."""
import json
import socket
import time

import instance
from instance import HELLO_COMMAND, switches, switches_since, until

POD = """memory = "192M";
qemu = { start = "template"; machine = "%(machine)s"; };
network = { mode = "user"; publish = [ "127.0.0.1:%(port)d:80" ]; };
volumes = ( { name = "data"; type = "disk"; format = "raw"; size = "16M"; make = true; } );
containers = ( { name = "main"; image = "busybox"; limits = { memory = "48M"; cpu = 0.5; pids = 20; };
    mounts = ( { volume = "data"; path = "/data"; } );
    command = %(command)s; } );
"""
# Quiet itself, but killed for want of memory once, of which the kernel speaks on the console.
IDLE = """qemu = { machine = "%s"; };
containers = ( { name = "main"; image = "busybox"; limits = { memory = "8M"; }; command = %s; } );
"""
# Of an idle machine's processes: switches of context in so many seconds. A guest's kernel has works that come once a second.
IDLE_WINDOW = 3
IDLE_RUNNER, IDLE_QEMU = 0, 30 * IDLE_WINDOW
LIMITS = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max"
PAGE = "mkdir -p /data/www; echo page >/data/www/index.html; sync; httpd -p 80 -h /data/www"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(port):
    with socket.create_connection(("127.0.0.1", port), timeout=instance.PATIENCE) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: s.recv(4096), b""))


class Kernel:
    """To be a HostTest, too; `release` is what the kernel's name matches."""

    def tearDown(self):
        self.host.clear()

    def said(self):
        return (self.host.root / "podvisord.out").read_text(errors="replace")

    def sh(self, script):
        return self.host.sh("pod", script).stdout

    def begin(self, machine):
        """The pod, ready; returns the port where it will be seen."""
        port = free_port()
        self.host.write("pod", POD % {"machine": machine, "port": port, "command": HELLO_COMMAND})
        self.host.wait("pod")
        return port

    def look(self, machine, port):
        """Everything of it works; and what was seen is told."""
        release, free = self.sh("uname -r; grep MemAvailable /proc/meminfo").splitlines()
        self.assertRegex(release, self.release)
        self.assertEqual(self.sh(LIMITS).split(), [str(48 << 20), "50000", "100000", "20"])
        self.sh(PAGE)
        self.assertIn(b"page", fetch(port))
        until("its output", lambda: "hello from pod" in self.host.cli("logs", "pod", check=False).stdout)
        console = self.host.cli("logs", "pod", "--stream=console").stdout
        self.assertNotIn("could not", console)
        times = json.loads(self.host.cli("analyze", "critical-chain", "pod", "--json=short").stdout)
        started = self.host.status("pod")["started_by"]
        print(f"{machine}: kernel {release}, {free.split()[1]} KiB free, ready after {times['total'] / 1e6:.2f} s, {started}", flush=True)
        return started

    def works_on(self, machine):
        """Booted while the template is made, and from that."""
        made = self.said().count("is ready: ")
        self.assertIn("by a boot", self.look(machine, self.begin(machine)))
        until("a template is made", lambda: self.said().count("is ready: ") > made)
        self.host.clear()
        self.assertEqual(self.look(machine, self.begin(machine)), "from a template")

    def test_it_works_on_microvm(self):
        self.works_on("microvm")

    def test_it_works_on_q35(self):
        self.works_on("q35")

    def idles_on(self, machine):
        """Nobody is woken for nothing: neither by the machine, nor for the sake of a console that has spoken once."""
        self.host.write("pod", IDLE % (machine, HELLO_COMMAND))
        self.host.wait("pod")
        self.host.sh("pod", "tail /dev/zero", check=False)
        until("the kernel speaks", lambda: "out of memory" in self.host.cli("logs", "pod", "--stream=console").stdout)
        pids = [self.host.list()["pod"][key] for key in ("runner_pid", "vmm_pid")]
        seen = []

        def idle():
            before = [switches(pid) for pid in pids]
            time.sleep(IDLE_WINDOW)  # this is the measurement
            seen.append([switches_since(pid, old) for pid, old in zip(pids, before)])
            return seen[-1][0] <= IDLE_RUNNER and seen[-1][1] <= IDLE_QEMU

        until("runner and QEMU sleep", idle)
        print(f"{machine}: switches of the runner and of QEMU in {IDLE_WINDOW} s: {seen}", flush=True)

    def test_an_idle_machine_wakes_nobody(self):
        for machine in ("microvm", "q35"):
            with self.subTest(machine):
                self.idles_on(machine)
                self.host.clear()
