#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pods are machines: machinectl lists them, powers them off, reboots and terminates them; and nothing hangs on it."""
import json

from machine import main
from pods import PodMachineTest

POD = """backend = "null";
containers = ( { name = "a"; image = "none"; } );
"""


class Machined(PodMachineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.machine.start_podvisord()

    def setUp(self):
        self.since = self.machine.cursor()

    def machined_says(self, text):
        """In this test, by now or later."""
        self.machine.wait_journal(lambda record: record.get("SYSLOG_IDENTIFIER") == "systemd-machined" and record["MESSAGE"] == text,
                                  since=self.since)

    def declare(self, name):
        self.machine.pod(name, POD)
        self.addCleanup(self.machine.remove_pod, name)
        self.machine.wait(name)
        self.machined_says(f"New machine {name}.")
        self.since = self.machine.cursor()

    def listed(self):
        return {m["machine"]: m for m in json.loads(self.machine.run("machinectl", "list", "--output=json").stdout)}

    def shown(self, name):
        text = self.machine.run("machinectl", "show", name).stdout
        return dict(line.split("=", 1) for line in text.splitlines())

    def leader(self, name):
        return self.machine.unit(f"podvisor-pod@{name}.service")["MainPID"]

    def test_a_pod_is_a_machine_that_its_runner_leads(self):
        self.declare("web")
        self.assertEqual(self.listed()["web"]["class"], "vm")
        shown = self.shown("web")
        self.assertEqual(shown["Service"], "podvisor")
        self.assertEqual(shown["Unit"], "podvisor-pod@web.service")
        self.assertEqual(shown["Leader"], self.leader("web"))
        self.assertEqual(shown["Id"], self.machine.status("web")["uuid"].replace("-", ""))
        self.assertIn("podvisor-runner", self.machine.run("machinectl", "--no-pager", "status", "web").stdout)

    def test_poweroff_stops_the_pod_which_stays_stopped(self):
        self.declare("off")
        self.machine.run("machinectl", "poweroff", "off")
        self.machine.wait("off", state="stopped")
        self.machined_says("Machine off terminated.")
        self.assertNotIn("off", self.listed())
        status, = json.loads(self.machine.podvisor("status", "off", "--json=short", check=False).stdout)
        self.assertEqual((status["state"], status["reason"]), ("inactive", "stopped"))
        self.machine.podvisor("start", "off")
        self.machine.wait("off")
        self.machined_says("New machine off.")

    def test_reboot_is_a_restart(self):
        self.declare("again")
        before = self.machine.status("again")
        self.machine.run("machinectl", "reboot", "again")
        self.machined_says("Machine again terminated.")
        self.machined_says("New machine again.")
        self.machine.wait("again")
        after = self.machine.status("again")
        self.assertEqual(after["attempt"], before["attempt"] + 1)
        self.assertEqual((after["restarts"], after["reason"]), (0, "stopped"))
        self.assertEqual(self.shown("again")["Id"], after["uuid"].replace("-", ""))

    def test_terminate_stops_the_unit(self):
        self.declare("ended")
        self.machine.run("machinectl", "terminate", "ended")
        self.machine.wait("ended", state="stopped")
        self.machine.wait_unit("podvisor-pod@ended.service", ActiveState="inactive")
        self.machined_says("Machine ended terminated.")
        self.assertNotIn("ended", self.listed())
        self.assertEqual(self.machine.unit("podvisord.service")["ActiveState"], "active")

    def test_the_next_runner_leads_the_same_machine(self):
        self.declare("led")
        before, old = self.machine.status("led"), self.leader("led")
        self.machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "podvisor-pod@led.service")
        self.machined_says("Machine led terminated.")
        self.machined_says("New machine led.")
        self.assertNotEqual(self.leader("led"), old)
        self.assertEqual(self.shown("led")["Leader"], self.leader("led"))
        self.assertEqual(self.machine.status("led")["uuid"], before["uuid"])

    def test_a_restart_of_podvisord_changes_nothing(self):
        self.declare("kept")
        before = self.shown("kept")
        self.machine.run("systemctl", "restart", "podvisord.service")
        # A machine that is registered later has been looked for earlier.
        self.declare("later")
        self.assertEqual(self.shown("kept"), before)

    def test_a_machine_of_another_service_is_left_alone(self):
        self.machine.run("systemd-run", "--unit=squatter", "sleep", "infinity")
        self.addCleanup(self.machine.run, "systemctl", "stop", "squatter.service")
        pid = self.machine.unit("squatter.service")["MainPID"]
        self.machine.run("busctl", "call", "org.freedesktop.machine1", "/org/freedesktop/machine1",
                         "org.freedesktop.machine1.Manager", "RegisterMachine", "sayssus", "taken", "0", "other", "container", pid, "")
        self.machine.pod("taken", POD)
        self.addCleanup(self.machine.remove_pod, "taken")
        self.machine.wait("taken")
        self.machine.wait_journal(lambda record: '"other" has a machine of this name' in record["MESSAGE"], since=self.since)
        self.assertEqual(self.shown("taken")["Service"], "other")

    def test_doctor_knows_what_of_systemd_is_there(self):
        found = self.machine.podvisor("doctor", check=False).stdout
        for line in (r"systemd +ok .*version 2[0-9][0-9]", r"machined +ok", r"logind +ok .*up to 1min 30s", r"polkit +ok"):
            self.assertRegex(found, line)


class WithoutMachined(PodMachineTest):
    @classmethod
    def arrange(cls, machine):
        machine.systemctl_offline("mask", "systemd-machined.service", "dbus-org.freedesktop.machine1.service")
        machine.write("/etc/podvisor/podvisord.conf", 'machined = "yes";\n')

    def test_pods_run_and_it_is_told_once(self):
        self.machine.start_podvisord()
        for name in ("one", "two"):
            self.machine.pod(name, POD)
        self.machine.wait("one", "two")
        self.machine.wait_journal(lambda record: "systemd-machined is not there" in record["MESSAGE"],
                                  "SYSLOG_IDENTIFIER=podvisord")
        self.machine.podvisor("restart", "one")
        self.machine.wait("one")
        told = [r for r in self.machine.journal("SYSLOG_IDENTIFIER=podvisord") if "machined" in r["MESSAGE"]]
        self.assertEqual(len(told), 1, told)


if __name__ == "__main__":
    main()
