#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""podvisor, installed on a host that systemd boots: it is all there, runs pods, and may be restarted under them."""

from machine import main
from pods import HELLO, UNITS, PodMachineTest

INSTALLED = ("/usr/bin/podvisor", "/usr/bin/podvisord", "/usr/lib/podvisor/podvisor-runner-qemu",
             "/usr/lib/podvisor/podvisor-runner-null", "/usr/lib/podvisor/guest/vmlinux", "/usr/lib/podvisor/guest/initrd",
             "/usr/share/man/man8/podvisord.8", "/usr/share/bash-completion/completions/podvisor", "/etc/podvisor/pods.d")


class Boot(PodMachineTest):
    @classmethod
    def arrange(cls, machine):
        machine.systemctl_offline("preset", "podvisord.service", "podvisord.socket", "podvisor.target")

    @classmethod
    def settle(cls, machine):
        print(f"booted in {machine.boot_seconds:.1f} s; controllers: {' '.join(machine.controllers()) or 'none'}")
        machine.import_busybox()
        machine.pod("pretended", HELLO % 'backend = "null";')
        machine.pod("real", HELLO % "")
        machine.wait("pretended", "real")

    def test_no_unit_has_failed(self):
        self.assertEqual(self.machine.run("systemctl", "--failed", "--no-legend").stdout, "")
        self.assertEqual(self.machine.run("systemctl", "is-system-running").stdout, "running\n")

    def test_all_of_podvisor_is_installed(self):
        self.assertEqual([path for path in INSTALLED if not self.machine.path(path).exists()], [])

    def test_units_are_valid(self):
        units = sorted(path.name for path in self.machine.path(UNITS).glob("podvisor*") if path.is_file())
        self.assertEqual(self.machine.run("systemd-analyze", "verify", "--man=no", *units).stderr, "")

    def test_the_journal_knows_what_podvisors_messages_mean(self):
        self.assertIn("podvisor", self.machine.run("journalctl", "--list-catalog").stdout)

    def test_doctor_finds_systemd_and_the_guest(self):
        found = self.machine.podvisor("doctor").stdout
        for line in (r"guest kernel +ok", r"guest initrd +ok", r"systemd +ok", r"journald +ok"):
            self.assertRegex(found, line)

    def test_output_of_containers_is_in_the_journal(self):
        record = self.machine.wait_journal(lambda r: True, "PODVISOR_POD=real", "PODVISOR_CONTAINER=hello")
        self.assertEqual(record["MESSAGE"], "hello from real")
        self.assertEqual(self.machine.podvisor("logs", "real").stdout, "hello from real\n")

    def test_restarts_of_podvisord_and_of_systemd_leave_the_machines(self):
        before = {pod: self.machine.vmm(pod) for pod in ("real", "pretended")}
        old = self.machine.unit("podvisord.service")["MainPID"]
        uptime = self.machine.uptime("real")
        self.machine.run("systemctl", "restart", "podvisord.service")
        self.machine.run("systemctl", "daemon-reexec")
        self.machine.run("systemctl", "daemon-reload")
        self.assertNotEqual(self.machine.unit("podvisord.service")["MainPID"], old)
        self.machine.wait("real", "pretended")
        self.assertEqual({pod: self.machine.vmm(pod) for pod in before}, before)
        self.assertGreater(self.machine.uptime("real"), uptime)

    def test_new_programs_take_over_from_those_that_run(self):
        before = {pod: self.machine.vmm(pod) for pod in ("real", "pretended")}
        runner = self.machine.unit("podvisor-pod@real.service")["MainPID"]
        self.machine.install()
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "restart", "podvisord.service")
        self.machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "podvisor-pod@real.service")
        self.machine.wait_unit_until("podvisor-pod@real.service",
                                     lambda u: u["ActiveState"] == "active" and u["MainPID"] not in ("0", runner))
        self.machine.wait("real", "pretended")
        self.assertEqual({pod: self.machine.vmm(pod) for pod in before}, before)
        for unit, program in (("podvisord", "/usr/bin/podvisord"), ("podvisor-pod@real", "/usr/lib/podvisor/podvisor-runner-qemu")):
            pid = self.machine.unit(f"{unit}.service")["MainPID"]
            self.assertEqual(self.machine.run("readlink", f"/proc/{pid}/exe").stdout.strip(), program)


if __name__ == "__main__":
    main()
