#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pods with units start from templates, which another unit keeps: one without rights, that systemd starts when it is asked for."""
from machine import main
from pods import HELLO, PodMachineTest

KEEPER = "podvisor-templates.service"
# As `systemd-analyze security --threshold` wants it: tenths.
EXPOSURE = 10


class Templates(PodMachineTest):
    @classmethod
    def arrange(cls, machine):
        machine.write("/etc/podvisor/podvisord.conf", 'start = "template";\nspares = 2;\n')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.machine.start_podvisord()
        cls.machine.import_busybox()

    def test_the_second_start_is_a_copy_of_what_the_keeper_has_made(self):
        m, since = self.machine, self.machine.cursor()
        m.pod("web", HELLO % "")
        m.wait("web")
        self.assertIn("it is being made", m.status("web")["started_by"])
        m.wait_journal(lambda record: "is ready: " in record["MESSAGE"], f"_SYSTEMD_UNIT={KEEPER}", since=since)
        again = m.cursor()
        m.run("systemctl", "restart", "podvisor-pod@web.service")
        m.wait("web")
        self.assertEqual(m.status("web")["started_by"], "from a template")
        m.wait_journal(lambda record: record["MESSAGE"] == "hello from web", since=again)
        pid = m.unit(KEEPER)["MainPID"]
        self.assertIn("Uid:\t0", m.run("cat", "/proc/1/status").stdout)
        status = m.run("cat", f"/proc/{pid}/status").stdout
        self.assertNotIn("Uid:\t0", status)
        self.assertIn("CapEff:\t0000000000000000", status)
        m.run("systemctl", "stop", KEEPER)
        self.assertEqual(m.status("web")["state"], "ready")
        m.remove_pod("web")

    def test_that_pods_with_units_have_no_spares_is_said(self):
        m = self.machine
        m.wait_journal(lambda record: "spares = 2 in podvisord.conf has no effect: pods have units here" in record["MESSAGE"],
                       "_SYSTEMD_UNIT=podvisord.service")

    def test_exposure(self):
        shown = self.machine.run("systemd-analyze", "security", "--no-pager", f"--threshold={EXPOSURE}", KEEPER, check=False)
        print(shown.stdout.splitlines()[-1])
        self.assertEqual(shown.returncode, 0, shown.stdout)


if __name__ == "__main__":
    main()
