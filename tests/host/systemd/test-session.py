#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an administrator does with a pod who knows systemd and nothing of podvisor, as a session that the output shows."""

from machine import main
from pods import HELLO, PodMachineTest

UNIT = "podvisor-pod@web.service"


class Session(PodMachineTest):
    """One session: the steps are in the order of their names."""

    @classmethod
    def settle(cls, machine):
        machine.import_busybox()
        machine.pod("web", HELLO % 'description = "Front page";')
        machine.record("systemctl", "enable", "podvisord.service", "podvisor.target")
        print("# systemctl reboot\n", flush=True)
        machine.reboot()
        machine.wait("web")
        # What comes a moment behind readiness.
        machine.wait_journal(lambda r: r["MESSAGE"] == "hello from web", "PODVISOR_CONTAINER=hello")
        machine.wait_journal(lambda r: r["MESSAGE"] == "New machine web.", "SYSLOG_IDENTIFIER=systemd-machined")

    def test_1_after_a_boot_the_pod_is_a_service_like_any_other(self):
        said = self.machine.record("systemctl", "status", "--no-pager", UNIT).stdout
        self.assertIn("Active: active (running)", said)
        self.assertIn("qemu-system", said)
        self.assertEqual(self.machine.unit("podvisor.slice")["ActiveState"], "active")
        self.assertEqual(self.machine.unit(UNIT)["ControlGroup"], f"/podvisor.slice/{UNIT}")

    def test_2_it_is_a_machine_to_machinectl(self):
        said = self.machine.record("machinectl", "list", "--no-legend").stdout
        self.assertRegex(said, r"(?m)^web +vm +podvisor")
        self.assertIn(UNIT, self.machine.record("machinectl", "status", "--no-pager", "web").stdout)

    def test_3_its_journal_has_what_systemd_podvisor_and_containers_say(self):
        # Ready is a pod whose container runs; what that says comes behind it.
        self.machine.wait_journal(lambda record: record["MESSAGE"] == "hello from web", "PODVISOR_CONTAINER=hello")
        said = self.machine.record("journalctl", "--boot", "--no-pager", "--unit", UNIT).stdout
        for words in ("hello from web", "web: ready", f"Started {UNIT}"):
            self.assertIn(words, said)

    def test_4_a_stopped_unit_is_a_hold_and_starting_it_lifts_that(self):
        before = self.machine.vmm("web")
        self.machine.record("systemctl", "stop", UNIT)
        self.assertEqual(self.machine.machines(), {})
        said = self.machine.record("podvisor", "status", "web", check=False).stdout
        self.assertIn("Hold: ", said)
        # podvisord holds to it, even if it is another one.
        self.machine.record("systemctl", "restart", "podvisord.service")
        self.assertEqual(self.machine.unit(UNIT)["ActiveState"], "inactive")
        self.assertEqual(self.machine.machines(), {})
        self.machine.record("systemctl", "start", UNIT)
        self.assertEqual(self.machine.status("web")["state"], "ready")
        self.assertNotEqual(self.machine.vmm("web"), before)

    def test_5_a_restart_of_podvisord_breaks_no_uptime(self):
        machine, uptime, active = self.machine.vmm("web"), self.machine.uptime("web"), self.machine.unit(UNIT)
        self.machine.record("systemctl", "restart", "podvisord.service")
        self.machine.wait("web")
        self.machine.record("podvisor", "list")
        self.assertEqual(self.machine.vmm("web"), machine)
        self.assertGreater(self.machine.uptime("web"), uptime)
        for key in ("MainPID", "ActiveEnterTimestampMonotonic", "InvocationID", "NRestarts"):
            self.assertEqual(self.machine.unit(UNIT)[key], active[key])


if __name__ == "__main__":
    main()
