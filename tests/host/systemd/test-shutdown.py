#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The host shuts down: pods end in the reverse of their order, each by its guest's own power-off, and come back with it."""
from machine import main
from pods import HELLO, PodMachineTest

# Each one requires the one behind it.
ORDER = ("web", "cache", "db")


class Shutdown(PodMachineTest):
    @classmethod
    def arrange(cls, machine):
        machine.systemctl_offline("enable", "podvisord.service", "podvisor.target")

    @classmethod
    def settle(cls, machine):
        machine.import_busybox()
        for pod, required in zip(ORDER, (*ORDER[1:], None)):
            machine.pod(pod, HELLO % (f'requires = [ "{required}" ];' if required else ""))
        machine.wait(*ORDER)

    def test_pods_power_off_in_the_order_of_their_dependency(self):
        before = self.machine.cursor()
        self.machine.poweroff()
        records = self.machine.journal(since=before)

        moments = []  # (position in the journal, pod, what)
        for position, record in enumerate(records):
            pod, message = record.get("PODVISOR_POD"), record["MESSAGE"]
            if "running -> stopping" in message:
                moments.append((position, pod, "is asked to stop"))
            elif "guest powered off" in message:
                moments.append((position, pod, "powers off"))
            elif record.get("PODVISOR_EVENT") == "ended":
                moments.append((position, pod, "has ended"))
                self.assertEqual(record["PODVISOR_REASON"], "stopped")
        for position, pod, what in moments:
            print(f"{int(records[position]['__MONOTONIC_TIMESTAMP']) / 1e6:.3f}", pod, what)
        self.assertEqual([(pod, what) for _, pod, what in moments],
                         [(pod, what) for pod in ORDER for what in ("is asked to stop", "powers off", "has ended")])
        # Nobody had to be killed, and no unit failed.
        self.assertEqual([r["MESSAGE"] for r in records if int(r.get("PRIORITY", 6)) <= 3], [])

        self.machine.start()
        self.machine.wait(*ORDER)


if __name__ == "__main__":
    main()
