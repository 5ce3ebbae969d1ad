#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills podvisord, runners and machines at random moments while definitions come, change and go.

At every look there is at most one machine for a pod; at the end exactly the declared pods run, once each, and when
nothing is declared any more, nothing is left. PODVISOR_SEED repeats a run, PODVISOR_KILLS makes it longer.
"""
import os
import random
import signal
import sys
import time
import unittest

from instance import HELLO, Instance, until

KILLS = int(os.environ.get("PODVISOR_KILLS", 200))
SEED = int(os.environ.get("PODVISOR_SEED", random.SystemRandom().randrange(1 << 32)))
PODS = ["a", "b", "c", "d", "e"]
QUICK = 'memory = "128M"; restart = { delay = "100ms"; max_delay = "500ms"; };\n'


class Chaos(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)
        self.declared = {}
        self.kills = {"podvisord": 0, "runner": 0, "machine": 0}
        self.last_victim = None

    def declare(self, host, pod):
        self.declared[pod] = f'description = "{self.random.random()}";\n' if pod in self.declared and self.random.random() < .5 else ""
        environment = f'environment = {{ ROUND = "{self.random.randrange(3)}"; }};'
        host.write(pod, self.declared[pod] + QUICK + HELLO.replace("command", environment + "\n    command"))

    def change_something(self, host):
        pod = self.random.choice(PODS)
        if pod in self.declared and len(self.declared) > 2 and self.random.random() < .4:
            host.remove(pod)
            del self.declared[pod]
        else:
            self.declare(host, pod)

    def kill_something(self, host):
        victim = self.random.choice(list(self.kills))
        if victim == "podvisord":
            host.kill(signal.SIGKILL)
            time.sleep(self.random.random() / 2)
            host.start()
        else:
            alive = host.runners() if victim == "runner" else host.machines()
            pids = [pid for all_of_pod in alive.values() for pid in all_of_pod]
            if not pids:
                return
            self.last_victim = self.random.choice(pids)
            try:
                os.kill(self.last_victim, signal.SIGKILL)
            except ProcessLookupError:
                return
        self.kills[victim] += 1

    def assert_one_machine_each(self, host):
        for pod, pids in host.machines().items():
            self.assertEqual(len(pids), 1, f"{pod} has the machines {pids}")

    def test_nothing_is_lost_doubled_or_left(self):
        with Instance() as host:
            host.import_busybox()
            for pod in PODS:
                self.declare(host, pod)
            while sum(self.kills.values()) < KILLS:
                # The random moment is what is tested; nothing is expected to have happened by then.
                time.sleep(self.random.random() * 1.2)
                self.kill_something(host)
                if self.random.random() < .2:
                    self.change_something(host)
                self.assert_one_machine_each(host)
            print(f"seed {SEED}: killed {self.kills}, declared at the end: {sorted(self.declared)}", file=sys.stderr)

            # Whoever is killed takes a moment to die; until that has been seen, its pod is as ready as it was.
            until("the last death is noticed",
                  lambda: not any(self.last_victim in (pod["vmm_pid"], pod["runner_pid"]) for pod in host.list().values()))
            host.wait(*self.declared)
            self.assertEqual(set(host.list()), set(self.declared))
            self.assertEqual(set(host.machines()), set(self.declared))
            self.assert_one_machine_each(host)
            self.assertEqual({pod: len(pids) for pod, pids in host.runners().items()}, dict.fromkeys(self.declared, 1))
            for pod, status in host.list().items():
                self.assertEqual(host.machines()[pod], [status["vmm_pid"]])

            for pod in list(self.declared):
                host.remove(pod)
            for pod in self.declared:
                host.cli("wait", pod, "--for=gone", "--timeout=120s")
            host.kill(signal.SIGTERM)
            self.assertEqual(host.leftovers(), {"processes": {}, "sockets": [], "mounts": [], "run paths": []})


if __name__ == "__main__":
    unittest.main()
