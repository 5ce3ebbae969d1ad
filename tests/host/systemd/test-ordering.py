#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Units of others that need a pod: released when it is ready, and stopped with it."""
import json

from machine import main
from pods import HELLO, PodMachineTest

POD = "podvisor-pod@web.service"
APP = """[Unit]
Requires=podvisor-pod@web.service
After=podvisor-pod@web.service
[Service]
Type=exec
ExecStartPre=/bin/sh -c 'podvisor status web --json=short >/run/as-the-app-saw-it'
ExecStart=/bin/sleep infinity
"""
STARTED, STOPPED = "39f53479d3a045ac8e11786248231fbf", "9d1aaa27d60140bd96365438aad20286"


class Ordering(PodMachineTest):
    @classmethod
    def arrange(cls, machine):
        machine.write("/etc/systemd/system/app.service", APP)
        machine.systemctl_offline("enable", "podvisord.service")

    @classmethod
    def settle(cls, machine):
        machine.import_busybox()

    def moments(self, unit, message_id, since):
        """When systemd said so of the unit, in microseconds after the boot."""
        return [int(r["__MONOTONIC_TIMESTAMP"]) for r in self.machine.journal(f"UNIT={unit}", f"MESSAGE_ID={message_id}", "_PID=1",
                                                                              since=since)]

    def test_a_unit_that_requires_a_pod_starts_when_the_pod_is_ready_and_stops_before_it(self):
        before = self.machine.cursor()
        self.machine.pod("web", HELLO % "")
        self.machine.run("systemctl", "start", "app.service")

        seen = json.loads(self.machine.path("/run/as-the-app-saw-it").read_text())[0]
        self.assertEqual(seen["state"], "ready")
        ready, = (int(r["__MONOTONIC_TIMESTAMP"]) for r in self.machine.journal("PODVISOR_POD=web", "PODVISOR_EVENT=ready", since=before))
        released, = self.moments("app.service", STARTED, before)
        self.assertLess(ready, released)
        self.assertEqual(len(self.machine.machines()["web"]), 1)

        self.machine.run("systemctl", "stop", POD)
        self.assertEqual(self.machine.unit("app.service")["ActiveState"], "inactive")
        app, = self.moments("app.service", STOPPED, before)
        pod, = self.moments(POD, STOPPED, before)
        self.assertLess(app, pod)
        self.assertEqual(self.machine.machines(), {})


if __name__ == "__main__":
    main()
