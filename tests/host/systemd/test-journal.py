#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One question shows all that is said by and about a pod: journalctl -u; and a journald that is restarted misses nothing of it."""
import json

from machine import main
from pods import PodMachineTest

UNIT = "podvisor-pod@web.service"
LINES = 300
WEB = """containers = (
  { name = "eats"; image = "busybox"; limits = { memory = "4M"; }; restart = { policy = "never"; };
    command = [ "tail", "/dev/zero" ]; },
  { name = "counts"; image = "busybox";
    command = [ "sh", "-c", "echo begins; while [ ! -e /go ]; do sleep 0.1; done; i=0; while [ $i -lt %d ]; do echo n$i; i=$((i+1)); [ $((i %% 30)) != 0 ] || sleep 0.1; done; touch /done; trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ]; }
);
""" % LINES


class Journal(PodMachineTest):
    @classmethod
    def settle(cls, machine):
        machine.start_podvisord()
        machine.import_busybox()
        machine.pod("web", WEB)
        machine.wait_journal(lambda r: r["MESSAGE"] == "begins", "PODVISOR_POD=web")

    def test_one_unit_has_the_words_of_all(self):
        # The machine's process says why it ends; the pod is started again.
        self.machine.wait_journal(lambda r: "out of memory" in str(r["MESSAGE"]), "PODVISOR_STREAM=console")
        self.machine.sh(f"kill {self.machine.status('web')['vmm_pid']}")  # a word of the shell: the program is not on every host
        self.machine.wait_journal(lambda r: "terminating on signal 15" in str(r["MESSAGE"]), "PODVISOR_STREAM=vmm")
        self.machine.wait_journal(lambda r: r.get("PODVISOR_EVENT") == "failed", "PODVISOR_POD=web")

        said = self.machine.run("journalctl", "--unit", UNIT, "--output=json", "--all", "--no-pager").stdout
        records = [json.loads(line) for line in said.splitlines()]
        self.assertGreaterEqual({r.get("PODVISOR_STREAM") for r in records}, {"stdout", "console", "vmm"})
        self.assertIn("podvisord", {r.get("SYSLOG_IDENTIFIER") for r in records if r.get("PODVISOR_EVENT") == "started"})
        self.assertIn("started", self.machine.podvisor("events", "web").stdout)

    def test_a_journald_that_is_restarted_misses_nothing(self):
        self.machine.wait_journal(lambda r: r["MESSAGE"] == "begins", "PODVISOR_POD=web")
        self.machine.podvisor("wait", "web", "--for=running")
        self.machine.podvisor("exec", "web/counts", "--", "touch", "/go")
        self.machine.run("systemctl", "restart", "systemd-journald.service")
        self.machine.wait_journal(lambda r: r["MESSAGE"] == f"n{LINES - 1}", "PODVISOR_CONTAINER=counts")
        said = self.machine.podvisor("logs", "web/counts").stdout.splitlines()
        self.assertEqual([line for line in said if line != "begins"], [f"n{i}" for i in range(LINES)])


if __name__ == "__main__":
    main()
