#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many pods, two podvisords, a stuck pod among others: nobody waits for somebody else."""
import os
import signal
import socket
import subprocess
import time
import unittest

from instance import BIN, Instance, resident, stop, until

NULL = 'backend = "null"; {} containers = ( {{ name = "a"; image = "none"; }} );\n'
MEGABYTE = 1 << 20


class Crowd(unittest.TestCase):
    def list_quickly(self, host):
        began = time.monotonic()
        pods = host.list()
        self.assertLess(time.monotonic() - began, 1)
        return pods

    def descriptors(self, host):
        return len(os.listdir(f"/proc/{host.daemon.pid}/fd"))

    def test_fifty_pods_start_a_few_at_a_time_while_list_answers(self):
        host = self.enterContext(Instance("max_starts = 3;"))
        names = [f"pod-{i}" for i in range(50)]
        for name in names:
            host.write(name, NULL.format('null = { start_delay = "200ms"; };'))
        most = ready = 0
        while ready < 50:
            states = [pod["state"] for pod in self.list_quickly(host).values()]
            most, ready = max(most, states.count("starting")), states.count("ready")
        self.assertLessEqual(most, 3)
        self.assertGreater(most, 0)
        self.assertEqual(set(host.runners()), set(names))
        self.assertLess(resident(host.daemon.pid), 8 * MEGABYTE)

        machines = {name: pod["vmm_pid"] for name, pod in host.list().items()}
        host.kill(signal.SIGKILL)
        host.start()
        host.wait(*names)
        self.assertEqual({name: pod["vmm_pid"] for name, pod in host.list().items()}, machines)
        for name in names:
            host.remove(name)
        host.cli("wait", *names, "--for=gone", "--timeout=60s")
        host.kill(signal.SIGTERM)
        self.assertEqual(host.leftovers(), {"processes": {}, "sockets": [], "mounts": [], "run paths": []})

    def test_without_descriptors_the_pods_that_run_are_kept_and_the_others_told_why_they_do_not(self):
        host = self.enterContext(Instance(before=["prlimit", "--nofile=64:64"]))
        names = [f"pod-{i:02}" for i in range(30)]
        for name in names:
            host.write(name, NULL.format('restart = { delay = "100ms"; max_delay = "500ms"; };'))
        host.wait("pod-00")
        host.wait("pod-29", state="backoff")
        self.assertIn("no file descriptors left", host.page("pod-29"))
        self.assertEqual(self.list_quickly(host)["pod-00"]["state"], "ready")
        for name in names[:-3]:
            host.remove(name)
        host.wait(*names[-3:])

    def test_fifty_rounds_leave_no_memory_and_no_descriptor_behind(self):
        host = self.enterContext(Instance())
        host.write("anchor", NULL.format(""))
        host.wait("anchor")

        def rounds(n):
            for i in range(n):
                host.write("guest", NULL.format(f'description = "{i}";'))
                host.wait("guest")
                host.remove("guest")
                host.wait("guest", state="gone")

        before = self.descriptors(host)
        rounds(10)
        memory = resident(host.daemon.pid)
        rounds(50)
        self.assertLess(resident(host.daemon.pid) - memory, MEGABYTE // 2)
        until("all descriptors are closed", lambda: self.descriptors(host) <= before, 30)

    def test_a_second_podvisord_for_the_same_root_is_refused(self):
        host = self.enterContext(Instance())
        host.write("a", NULL.format(""))
        host.wait("a")
        second = subprocess.run([BIN / "podvisord", "--root", host.root], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(second.returncode, 0)
        self.assertRegex(second.stderr, "another podvisord|already|runs")
        self.assertIsNone(host.daemon.poll())
        self.assertEqual(self.list_quickly(host)["a"]["state"], "ready")

    def test_stuck_runners_take_no_slot_from_others_for_ever(self):
        host = self.enterContext(Instance("max_starts = 2;"))
        host.write("stuck", NULL.format('start_timeout = "2s"; stop_timeout = "2s"; null = { start_delay = "1h"; };'))
        host.wait("stuck", state="starting")
        stop(host.status("stuck")["runner_pid"])
        for i in range(5):
            host.write(f"other-{i}", NULL.format(""))
        host.wait(*(f"other-{i}" for i in range(5)))
        self.list_quickly(host)
        host.clear()

    def test_a_pod_that_ignores_its_end_is_killed_and_holds_up_nobody(self):
        host = self.enterContext(Instance())
        host.write("deaf", NULL.format('stop_timeout = "1s"; null = { ignore_stop = true; };'))
        host.wait("deaf")
        host.remove("deaf")
        host.write("other", NULL.format(""))
        host.wait("other")
        host.wait("deaf", state="gone")

    def test_a_client_that_says_nothing_and_one_that_talks_nonsense_hold_up_nobody(self):
        host = self.enterContext(Instance())
        host.write("a", NULL.format(""))
        host.wait("a")
        before = self.descriptors(host)
        clients = []
        for i in range(40):
            kind, name = ((socket.SOCK_STREAM, "bus"), (socket.SOCK_SEQPACKET, "runners"))[i % 2]
            client = socket.socket(socket.AF_UNIX, kind)
            self.addCleanup(client.close)
            client.connect(str(host.run / name))
            if i % 4 > 1:
                client.send(os.urandom(4096))
            clients.append(client)
        self.assertEqual(self.list_quickly(host)["a"]["state"], "ready")
        for client in clients:
            client.close()
        until("all are forgotten", lambda: self.descriptors(host) <= before)
        self.assertEqual(self.list_quickly(host)["a"]["state"], "ready")


if __name__ == "__main__":
    unittest.main()
