#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pod with a unit has a network that its unit has not: another unit is it, which systemd starts when the pod's runner asks."""
import os
import unittest

from machine import main
from pods import PodMachineTest

WEB = """network = { mode = %s; };
containers = (
  { name = "httpd"; image = "busybox"; stop_signal = "KILL"; capabilities = [ "NET_BIND_SERVICE" ];
    ready = { http = "http://:80/"; period = "200ms"; };
    command = [ "sh", "-c", "mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www" ]; }
);
"""
HELLO = 'containers = ( { name = "hello"; image = "busybox"; command = [ "sleep", "1000000" ]; stop_signal = "KILL"; } );\n'
PUBLISHED = '"user"; publish = [ "127.0.0.1:%d:80" ]'
MANAGED = '"bridge"; network = "lan"'
# As `systemd-analyze security --threshold` wants it: tenths.
EXPOSURE = 35
KNOCK = """import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(20)
s.connect("/run/podvisor/uplink.socket")
print(s.recv(1000))
"""


class Network(PodMachineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.machine.start_podvisord()
        cls.machine.import_busybox()

    def served(self, port, address="127.0.0.1"):
        """Asked once: a pod that is ready answers."""
        return self.machine.run("busybox", "wget", "-qO-", f"http://{address}:{port}/").stdout

    def uplinks(self):
        """{unit: its processes}"""
        m = self.machine
        units = m.run("systemctl", "list-units", "--no-legend", "--plain", "podvisor-uplink@*").stdout.split("\n")
        names = [line.split()[0] for line in units if line]
        groups = {name: m.group / m.unit(name)["ControlGroup"].lstrip("/") for name in names}
        return {name: [int(pid) for pid in (group / "cgroup.procs").read_text().split()] for name, group in groups.items()}

    def test_a_page_comes_out_of_a_pod_whose_unit_has_no_network(self):
        m = self.machine
        m.pod("web", WEB % (PUBLISHED % 8080))
        m.wait("web")
        self.assertEqual(self.served(8080), "served\n")
        pid = m.vmm("web")
        self.assertNotEqual(os.readlink(m.path(f"/proc/{pid}/ns/net")), os.readlink(m.path("/proc/1/ns/net")))
        uplink, = self.uplinks()
        status = {line.split(":\t")[0]: line.split(":\t")[1] for line in m.run("sh", "-c", f"cat /proc/$(systemctl show -P MainPID {uplink})/status")
                  .stdout.splitlines() if ":\t" in line}
        self.assertEqual(status["Uid"].split(), ["65534"] * 4)
        self.assertEqual((status["CapEff"], status["CapPrm"], status["Seccomp"]), ("0" * 16, "0" * 16, "2"))
        m.remove_pod("web")
        m.wait_unit(uplink, ActiveState="inactive")
        self.assertEqual(self.uplinks(), {})

    def test_a_port_below_1024_can_be_published(self):
        self.machine.pod("low", WEB % (PUBLISHED % 80))
        self.machine.wait("low")
        self.assertEqual(self.served(80), "served\n")
        self.machine.remove_pod("low")

    def test_a_pod_is_on_a_bridge_that_podvisor_makes_and_its_unit_has_no_network(self):
        m = self.machine
        since = m.cursor()
        m.write("/etc/podvisor/pods.d/lan.network", 'subnet = "10.89.0.0/24";\n')
        m.pod("bridged", WEB % MANAGED)
        m.wait("bridged")
        self.assertEqual(self.served(80, "10.89.0.2"), "served\n")
        pid = m.vmm("bridged")
        self.assertNotEqual(os.readlink(m.path(f"/proc/{pid}/ns/net")), os.readlink(m.path("/proc/1/ns/net")))
        m.run("kill", "-KILL", str(m.status("bridged")["runner_pid"]))
        m.run("systemctl", "restart", "podvisord.service")
        m.wait("bridged")
        self.assertEqual((m.vmm("bridged"), self.served(80, "10.89.0.2")), (pid, "served\n"))
        self.assertIn("podvisor pod bridged", m.run("ip", "link").stdout)
        # The bridge goes with the last of both, its file and its pods.
        m.run("rm", "/etc/podvisor/pods.d/lan.network")
        m.remove_pod("bridged")
        m.wait_journal(lambda r: "The bridge pv-lan" in r["MESSAGE"] and "is given up" in r["MESSAGE"], since=since)
        self.assertNotIn("podvisor", m.run("ip", "link").stdout)
        self.assertEqual(self.uplinks(), {})

    def test_a_runner_that_is_killed_and_a_podvisord_that_is_restarted_leave_the_network_as_it_is(self):
        m = self.machine
        m.pod("web", WEB % (PUBLISHED % 8081))
        m.wait("web")
        self.assertEqual(self.served(8081), "served\n")
        before, since = self.uplinks(), m.cursor()
        m.run("kill", "-KILL", str(m.status("web")["runner_pid"]))
        m.wait_journal(lambda r: "goes on with it" in r["MESSAGE"], since=since)
        m.run("systemctl", "restart", "podvisord.service")
        m.wait("web")
        self.assertEqual(self.uplinks(), before)
        self.assertEqual(self.served(8081), "served\n")
        # That runner knows which process it is, so that root sees what all of it costs.
        status = m.status("web")
        self.assertEqual([str(helper["pid"]) for helper in status["helpers"]], [m.unit(unit)["MainPID"] for unit in before])
        self.assertEqual((status["cost"]["known"], status["cost"]["missing"]), (True, []))
        self.assertGreater(status["cost"]["network"], 1 << 20)
        # The unit is killed by the host: another one is the network then.
        unit, = before
        m.run("systemctl", "kill", "--signal=KILL", unit)
        m.wait_journal(lambda r: "its network is back" in r["MESSAGE"], since=since)
        self.assertEqual(self.served(8081), "served\n")
        self.assertEqual(len(self.uplinks()), 1)
        m.remove_pod("web")

    def test_a_machine_gets_only_the_network_of_its_definition(self):
        m, since = self.machine, self.machine.cursor()
        m.pod("hello", HELLO)
        m.wait("hello")
        done = m.as_process_of("hello", KNOCK)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("its definition gives it no network", done.stdout)
        m.remove_pod("hello")
        self.assertEqual(self.uplinks(), {})
        self.assertEqual(m.run("systemctl", "list-units", "--failed", "--no-legend", "podvisor-uplink*").stdout, "")

    def test_exposure(self):
        shown = self.machine.run("systemd-analyze", "security", "--no-pager", f"--threshold={EXPOSURE}", "podvisor-uplink@x.service", check=False)
        print(shown.stdout.splitlines()[-1])
        self.assertEqual(shown.returncode, 0, shown.stdout)


if __name__ == "__main__":
    main()
