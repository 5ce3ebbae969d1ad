#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around podvisor on a host with systemd: its units, the bus, the journal. Machines run on, and all comes back."""
from machine import main
from pods import PODS, PodMachineTest

NULL = """backend = "null";
containers = ( { name = "a"; image = "none"; } );
"""
DROP_IN = """[Service]
ExecStart=
ExecStart=/nowhere/at-all
"""
CROWD = [f"crowd{number}" for number in range(12)]


class Faults(PodMachineTest):
    @classmethod
    def arrange(cls, machine):
        machine.systemctl_offline("enable", "podvisord.service", "podvisor.target")
        machine.write(f"{PODS}/steady.pod", NULL)

    @classmethod
    def settle(cls, machine):
        machine.wait("steady")

    def setUp(self):
        self.steady = self.machine.vmm("steady")
        self.addCleanup(self.check_the_steady_one)

    def check_the_steady_one(self):
        self.machine.wait("steady")
        self.assertEqual(self.machine.vmm("steady"), self.steady)

    def unit_of(self, pod):
        return f"podvisor-pod@{pod}.service"

    def declare(self, *pods):
        for pod in pods:
            self.machine.pod(pod, NULL)
            self.addCleanup(self.machine.remove_pod, pod)

    def failure_of(self, pod):
        """What podvisor says of the pod that cannot be started, to the journal and to whoever asks."""
        record = self.machine.wait_journal(lambda r: r.get("PODVISOR_EVENT") == "failed", f"PODVISOR_POD={pod}")
        page = self.machine.podvisor("status", pod, check=False).stdout
        return record["MESSAGE"], page

    def test_a_masked_unit_is_told_and_tried_again(self):
        self.machine.run("systemctl", "mask", self.unit_of("hidden"))
        self.declare("hidden")
        for said in self.failure_of("hidden"):
            self.assertIn("masked", said)
        self.machine.run("systemctl", "unmask", self.unit_of("hidden"))
        self.machine.wait("hidden")

    def test_a_drop_in_that_breaks_the_unit_is_told_and_tried_again(self):
        drop_in = f"/etc/systemd/system/{self.unit_of('broken')}.d/broken.conf"
        self.machine.write(drop_in, DROP_IN)
        self.machine.run("systemctl", "daemon-reload")
        self.declare("broken")
        for said in self.failure_of("broken"):
            self.assertIn(self.unit_of("broken"), said)
        self.machine.remove(drop_in)
        self.machine.run("systemctl", "daemon-reload")
        self.machine.wait("broken")

    def test_without_the_bus_podvisor_answers_and_is_back_on_it_afterwards(self):
        m = self.machine
        name = "org.podvisor.Supervisor1"
        m.run("busctl", "status", name)
        before = m.cursor()
        m.run("systemctl", "stop", "dbus.socket", "dbus.service")
        self.assertIn("steady", m.podvisor("list").stdout)
        m.run("systemctl", "start", "dbus.socket")
        m.run("busctl", "--timeout=60", "call", name, "/org/podvisor/Supervisor1", "org.freedesktop.DBus.Peer", "Ping")
        self.declare("after-the-bus")
        m.wait("after-the-bus")
        self.assertEqual([r["MESSAGE"] for r in m.journal("UNIT=podvisord.service", "_PID=1", since=before)], [])

    def test_a_pod_that_is_declared_without_the_bus_runs_at_the_latest_when_it_is_back(self):
        self.machine.run("systemctl", "stop", "dbus.socket", "dbus.service")
        self.declare("meanwhile")
        self.machine.run("systemctl", "start", "dbus.socket")
        self.machine.wait("meanwhile")

    def test_journald_may_be_restarted(self):
        self.machine.run("systemctl", "restart", "systemd-journald.service")
        before = self.machine.cursor()
        self.declare("after-journald")
        self.machine.wait_journal(lambda r: r.get("PODVISOR_EVENT") == "ready", "PODVISOR_POD=after-journald", since=before)

    def test_machined_is_not_needed(self):
        self.machine.run("systemctl", "mask", "--now", "systemd-machined.service")
        self.addCleanup(self.machine.run, "systemctl", "unmask", "systemd-machined.service")
        self.declare("unregistered")
        self.machine.wait("unregistered")

    def test_systemd_is_reexecuted_and_reloads_in_the_middle_of_starts(self):
        self.declare(*CROWD)
        for _ in range(3):
            self.machine.run("systemctl", "daemon-reexec")
            self.machine.run("systemctl", "daemon-reload")
        self.machine.wait(*CROWD)
        self.assertEqual({pod: len(pids) for pod, pids in self.machine.machines().items() if pod in CROWD},
                         dict.fromkeys(CROWD, 1))


if __name__ == "__main__":
    main()
