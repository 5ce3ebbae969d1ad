#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A container that takes all it can get: processes, memory, room, lines, time. Its neighbour and the agent go on."""
import tempfile
import unittest

from instance import HostTest, compile_static, resident, until

DIRECTORY = tempfile.TemporaryDirectory(prefix="pv-")
TOOL = compile_static("guest-tool.c", f"{DIRECTORY.name}/guest-tool")
POLITE = """{ name = "neighbour"; image = "busybox";
    command = [ "sh", "-c", "trap 'exit 0' TERM; i=0; while :; do echo tick $i; i=$((i+1)); sleep 1 & wait $!; done" ]; }"""


def greedy(command, more=""):
    return f'{{ name = "greedy"; image = "busybox"; command = {command}; {more} }}'


class Greed(HostTest):
    config = 'log_size = "4M";'
    files = [TOOL]

    def start(self, container, more=""):
        self.host.write("pod", f"{more}\ncontainers = ( {container}, {POLITE} );\n")
        self.addCleanup(self.host.clear)
        self.host.wait("pod", state="running")
        until("all have started", lambda: all(c["started"] for c in self.host.status("pod")["containers"]))

    def ticks(self):
        said = self.host.cli("logs", "-n", "1", "pod/neighbour", check=False).stdout.split()
        return int(said[-1]) if said else -1

    def assert_all_goes_on(self):
        """The neighbour: its program, its files, new programs in it. The agent: it does what it is asked. The machine: it is the same."""
        before = self.ticks()
        self.assertEqual(self.host.sh("pod/neighbour", "echo $((6*7)) >/tmp/x; cat /tmp/x").stdout, "42\n")
        until("the neighbour says more", lambda: self.ticks() > before)
        self.assertEqual(self.host.container("pod", "neighbour")["restarts"], 0)
        self.assertEqual(self.host.container("pod", "neighbour")["state"], "running")
        self.assertEqual(self.host.status("pod")["restarts"], 0)

    def end(self):
        return until("it ends", lambda: (c := self.host.container("pod", "greedy"))["state"] == "ended" and c)

    def test_one_that_forks_without_end(self):
        self.start(greedy('[ "guest-tool", "forks" ]', 'limits = { pids = 200; };'))
        until("it has all it can get", lambda: "no more" in self.host.cli("logs", "pod/greedy", check=False).stdout)
        self.assert_all_goes_on()
        self.assertEqual(self.host.sh("pod/neighbour", "cat /sys/fs/cgroup/pids.events").stdout.split()[-1], "0")

    def test_two_that_fork_without_end_and_have_no_limit(self):
        forks = greedy('[ "guest-tool", "forks" ]', 'restart = { policy = "never"; };')
        self.start(f'{forks}, {forks.replace("greedy", "grasping")}')
        for name in ("greedy", "grasping"):
            until(f"{name} has all it can get", lambda: "no more" in self.host.cli("logs", f"pod/{name}", check=False).stdout
                  or self.host.container("pod", name)["oom_killed"])
        self.assert_all_goes_on()

    def test_one_that_fills_its_memory(self):
        self.start(greedy('[ "tail", "/dev/zero" ]', 'restart = { policy = "never"; }; limits = { memory = "8M"; };'))
        self.assertTrue(self.end()["oom_killed"])
        self.assertIn("greedy: ended; killed by SIGKILL, out of memory", self.host.page("pod"))
        self.assertIn("killed for want of memory: its limit is 8M, and it used 8M", self.host.page("pod"))
        self.assert_all_goes_on()

    def test_one_that_fills_the_pods_memory(self):
        self.start(greedy('[ "tail", "/dev/zero" ]', 'restart = { policy = "never"; };'))
        self.assertTrue(self.end()["oom_killed"])
        self.assertRegex(self.host.page("pod"), "killed for want of memory: it used [0-9]+M, and the pod's containers had no more")
        self.assert_all_goes_on()

    def test_one_that_fills_its_root_directory_and_all_else_that_is_memory(self):
        fill = "for f in /big /dev/shm/big; do dd if=/dev/zero of=$f bs=1M; done; echo filled; exec sleep 100000"
        self.start(greedy(f'[ "sh", "-c", "{fill}" ]'))
        until("it is full", lambda: "filled" in self.host.cli("logs", "pod/greedy", check=False).stdout)
        self.assertEqual(self.host.cli("logs", "pod/greedy").stderr.count("No space left on device"), 2)
        # The neighbour as well: together they have no more than their share.
        self.assertIn("No space left", self.host.sh("pod/neighbour", "dd if=/dev/zero of=/big bs=1M", check=False).stderr)
        self.host.sh("pod/neighbour", "rm /big")
        self.assert_all_goes_on()
        self.assertEqual(self.host.container("pod", "greedy")["restarts"], 0)

    def test_what_it_gives_back_is_the_hosts_again(self):
        self.start(greedy('[ "sleep", "100000" ]', 'writable_size = "60M";'))
        machine = self.host.machines()["pod"][0]
        self.host.sh("pod/greedy", "dd if=/dev/urandom of=/big bs=1M count=50 2>/dev/null")
        full = resident(machine)
        self.host.sh("pod/greedy", "rm /big")
        until("the host has it back", lambda: resident(machine) < full - (30 << 20))
        self.assert_all_goes_on()

    def test_one_that_fills_its_root_directory_with_nothing(self):
        empty = "i=0; while : >/f$i; do i=$((i+1)); done"
        self.start(greedy('[ "sleep", "100000" ]', 'writable_size = "1M";'))
        self.assertIn("No space left", self.host.sh("pod/greedy", empty, check=False).stderr)
        self.assertLess(int(self.host.sh("pod/greedy", "ls / | wc -l").stdout), 256)
        self.assert_all_goes_on()

    def test_one_that_fills_its_log(self):
        self.start(greedy('[ "yes", "and so on and on and on" ]'))
        until("it is heard", lambda: self.host.cli("logs", "-n", "1", "pod/greedy", check=False).stdout)
        self.assert_all_goes_on()
        size = sum(f.stat().st_size for f in (self.host.root / "state/log").iterdir())
        self.assertLess(size, 5 << 20)

    def test_one_that_does_not_want_to_end(self):
        for shared in (False, True):
            with self.subTest(share_pids=shared):
                self.start(greedy('[ "guest-tool", "deaf" ]', 'stop_timeout = "1s";'), f"share_pids = {str(shared).lower()};")
                until("it is deaf", lambda: "deaf" in self.host.cli("logs", "pod/greedy", check=False).stdout)
                self.host.sh("pod/greedy", "for s in HUP INT QUIT TERM USR1 ALRM TSTP; do kill -$s $(pidof guest-tool); done")
                self.assert_all_goes_on()
                self.host.cli("stop", "pod")
                self.host.wait("pod", state="stopped")
                self.assertEqual(self.host.status("pod")["reason"], "stopped")
                self.assertEqual(self.host.container("pod", "greedy")["exit_signal"], 9)
                self.assertEqual(self.host.container("pod", "neighbour")["exit_code"], 0)
                self.host.clear()


if __name__ == "__main__":
    unittest.main()
