#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""podvisord, each runner and systemd itself are ended in turn, again and again: nothing is lost, nothing is doubled."""
import itertools
import os
import time

from machine import main
from pods import HELLO, PodMachineTest

ROUNDS = int(os.environ.get("PODVISOR_ROUNDS", 50))
PODS = {"real": "", "one": 'backend = "null";', "two": 'backend = "null";'}


class Rounds(PodMachineTest):
    @classmethod
    def arrange(cls, machine):
        machine.systemctl_offline("enable", "podvisord.service", "podvisor.target")

    @classmethod
    def settle(cls, machine):
        machine.import_busybox()
        for name, backend in PODS.items():
            machine.pod(name, HELLO % backend)
        machine.wait(*PODS)

    def kill(self, unit):
        """kill -9, and systemd has put another process in its place, which is ready."""
        pid = self.machine.unit(unit)["MainPID"]
        self.machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", unit)
        self.machine.wait_unit_until(unit, lambda u: u["ActiveState"] == "active" and u["MainPID"] not in ("0", pid),
                                     what=f"a process after {pid}")

    def test_whatever_is_killed_the_machines_are_the_same_ones(self):
        m = self.machine
        before, uptime = m.machines(), m.uptime("real")
        self.assertEqual({pod: len(pids) for pod, pids in before.items()}, dict.fromkeys(PODS, 1))
        deeds = {"podvisord": lambda: self.kill("podvisord.service"),
                 "daemon-reexec": lambda: m.run("systemctl", "daemon-reexec")}
        for pod in PODS:
            deeds[f"runner of {pod}"] = lambda unit=f"podvisor-pod@{pod}.service": self.kill(unit)
        began = time.monotonic()
        for number, (what, deed) in zip(range(ROUNDS), itertools.cycle(deeds.items())):
            with self.subTest(round=number, killed=what):
                deed()
                m.wait(*PODS)
                self.assertEqual(m.machines(), before)
        print(f"{ROUNDS} rounds in {time.monotonic() - began:.0f} s; machines {before}")
        self.assertGreater(m.uptime("real"), uptime)
        self.assertEqual(m.run("systemctl", "--failed", "--no-legend").stdout, "")
        restarts = {unit: int(m.unit(unit)["NRestarts"]) for unit in ("podvisord.service", "podvisor-pod@real.service")}
        print(restarts)

    def test_podvisord_is_not_given_up_however_quickly_it_is_killed(self):
        before = self.machine.machines()
        for _ in range(8):
            self.kill("podvisord.service")
        self.machine.wait(*PODS)
        self.assertEqual(self.machine.machines(), before)


if __name__ == "__main__":
    main()
