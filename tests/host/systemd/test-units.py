#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The units of pods: whom podvisord takes for a pod's runner, and what it says when a unit is not as it should be."""

import json

from machine import main
from pods import HELLO, PODS, PodMachineTest

RUNNER = "/usr/lib/podvisor/podvisor-runner"
NULL = HELLO % 'backend = "null"; restart = { policy = "never"; };'


def unit_of(pod):
    return f"podvisor-pod@{pod}.service"


class Units(PodMachineTest):
    @classmethod
    def settle(cls, machine):
        machine.run("systemctl", "start", "podvisord.service")
        machine.import_busybox()
        machine.pod("web", NULL)
        machine.pod("db", NULL)
        machine.wait("web", "db")

    def drop_in(self, pod, text):
        directory = f"/etc/systemd/system/{unit_of(pod)}.d"
        self.machine.write(f"{directory}/override.conf", text)
        self.addCleanup(self.machine.run, "systemctl", "daemon-reload")
        self.addCleanup(self.machine.remove, f"{directory}/override.conf")
        self.machine.run("systemctl", "daemon-reload")

    def restart(self, pod):
        self.machine.podvisor("restart", pod, check=False)
        return self.machine.podvisor("status", pod, check=False).stdout

    def held(self, pod):
        return json.loads(self.machine.podvisor("status", pod, "--json=short", check=False).stdout)[0]["hold"]

    def start_after(self, pod):
        """For clean-up: the pod runs again, whatever the test did to its unit."""
        self.addCleanup(self.machine.podvisor, "start", pod)

    def test_a_strangers_process_is_no_runner(self):
        before = self.machine.vmm("web")
        self.machine.run("timeout", "5", RUNNER, "web", user="daemon", check=False)
        self.machine.wait_journal(lambda r: "A connection of user 1 " in r["MESSAGE"], "_COMM=podvisord")
        self.assertEqual(self.machine.vmm("web"), before)

    def test_a_process_of_one_pods_unit_is_not_the_runner_of_another(self):
        self.machine.podvisor("stop", "db")
        self.start_after("db")
        procs = f"/sys/fs/cgroup/podvisor.slice/{unit_of('web')}/cgroup.procs"
        done = self.machine.run("sh", "-c", f"echo 0 >{procs}; exec {RUNNER} db", check=False)
        self.assertIn("it is not of the pod's unit", done.stderr)
        self.assertEqual(self.held("db"), True)
        self.assertNotIn("db", self.machine.machines())

    def test_a_runner_beside_the_one_that_works_leaves_again(self):
        before = self.machine.vmm("web")
        done = self.machine.run(RUNNER, "web", check=False)
        self.assertIn("Another runner is at work", done.stderr)
        self.assertEqual(self.machine.vmm("web"), before)

    def test_a_pod_that_nobody_declared_is_refused_with_words(self):
        self.machine.run("systemctl", "start", unit_of("nobodys"), check=False)
        said = self.machine.run("systemctl", "status", "--no-pager", unit_of("nobodys"), check=False).stdout
        self.assertIn("no pod of this name is declared", said)

    def test_a_masked_unit_is_a_failed_start_with_systemds_words(self):
        self.machine.podvisor("stop", "db")
        self.machine.run("systemctl", "mask", "--runtime", unit_of("db"))
        self.start_after("db")
        self.addCleanup(self.machine.run, "systemctl", "unmask", "--runtime", unit_of("db"))
        self.assertIn("is masked", self.machine.podvisor("start", "db", check=False).stderr)
        self.assertIn("is masked", self.machine.podvisor("status", "db", check=False).stdout)

    def test_a_drop_in_that_breaks_the_unit_is_a_failed_start_with_its_reason(self):
        self.start_after("db")
        self.drop_in("db", "[Service]\nExecStart=\nExecStart=/nonexistent\n")
        self.assertIn("its runner failed (status 203)", self.restart("db"))

    def test_the_administrators_limit_wins(self):
        self.drop_in("db", "[Service]\nMemoryMax=3G\n")
        self.restart("db")
        self.machine.wait("db")
        shown = self.machine.unit(unit_of("db"))
        self.assertEqual(shown["MemoryMax"], str(3 << 30))
        self.assertEqual(shown["CPUQuotaPerSecUSec"], "1.500000s")
        # Of a pod without a drop-in, it is the pod file's: 128 MiB, and what is beside the guest.
        self.assertGreater(int(self.machine.unit(unit_of("web"))["MemoryMax"]), 1536 << 20)

    def test_limits_that_cannot_be_held_are_told(self):
        missing = {"memory", "cpu"} - set(self.machine.controllers())
        said = [r["MESSAGE"] for r in self.machine.journal("_COMM=podvisord") if "have no controller" in r["MESSAGE"]]
        self.assertEqual({word for word in ("memory", "cpu") if any(f'"{word}"' in text for text in said)}, missing)

    def test_a_name_that_is_too_long_for_a_user_is_told(self):
        name = "a-name-of-just-28-characters"
        self.machine.pod(name, NULL)
        self.addCleanup(self.machine.remove_pod, name)
        self.machine.wait(name, state="failed")
        self.assertIn("has 28 characters", self.machine.podvisor("status", name, check=False).stdout)

    def test_a_pod_that_was_stopped_while_podvisord_was_away_is_held(self):
        self.start_after("web")
        self.machine.run("systemctl", "stop", "podvisord.socket", "podvisord.service")
        self.machine.run("systemctl", "stop", unit_of("web"))
        self.machine.run("systemctl", "start", "podvisord.service")
        self.machine.wait("web", state="inactive")
        self.assertEqual(self.held("web"), True)
        self.assertNotIn("web", self.machine.machines())

    def test_a_container_that_ignores_the_stop_of_its_unit_is_killed_in_time(self):
        deaf = """stop_timeout = "2s";
            containers = ( { name = "deaf"; image = "busybox"; stop_signal = "TERM";
                             command = [ "sh", "-c", "trap '' TERM; while :; do sleep 3600 & wait; done" ]; } );"""
        self.machine.pod("deaf", deaf)
        self.addCleanup(self.machine.remove_pod, "deaf")
        self.machine.wait("deaf")
        self.machine.run("systemctl", "stop", unit_of("deaf"))
        self.assertNotIn("deaf", self.machine.machines())
        self.assertEqual(self.machine.unit(unit_of("deaf"))["ActiveState"], "inactive")
        self.assertEqual(self.held("deaf"), True)
        self.assertIn("killed by SIGKILL", self.machine.podvisor("status", "deaf", check=False).stdout)

    def test_the_unit_of_a_job_has_failed_if_the_job_has(self):
        for pod, code, state in ("done", 0, "inactive"), ("undone", 3, "failed"):
            self.addCleanup(self.machine.remove, f"{PODS}/{pod}.pod")
            self.machine.pod(pod, HELLO % f'backend = "null"; restart = {{ policy = "never"; }}; '
                                          f'null = {{ run_time = "100ms"; exit_code = {code}; }};')
            self.machine.wait(pod, state="succeeded" if code == 0 else "failed")
            self.machine.wait_unit(unit_of(pod), ActiveState=state)

    def test_an_unreadable_reload_says_why(self):
        bad = f"{PODS}/bad.pod"
        self.machine.write(bad, "cpus = 0;\n")
        self.addCleanup(self.machine.remove, bad)
        done = self.machine.run("systemctl", "reload", "podvisord.service", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.machine.wait_journal(lambda r: "bad.pod" in r["MESSAGE"] and "cpus" in r["MESSAGE"])
        self.assertEqual(self.machine.unit("podvisord.service")["ActiveState"], "active")


if __name__ == "__main__":
    main()
