#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Containers in real guests: each way to end, what a program sees of its limits, clients that go away, and the output."""
import os
import json
import signal
import subprocess
import tempfile
import unittest

from instance import HostTest, compile_static, resident, until

DIRECTORY = tempfile.TemporaryDirectory()
TOOL = compile_static("guest-tool.c", f"{DIRECTORY.name}/guest-tool")
STAYS = '{ name = "stays"; image = "busybox"; command = [ "sleep", "100000" ]; }'


def ending(name, command, more=""):
    return f'{{ name = "{name}"; image = "busybox"; command = {command}; restart = {{ policy = "never"; }}; {more} }}'


def pod(*containers, more=""):
    return f"{more}\ncontainers = ( {', '.join(containers)} );\n"


class Ends(HostTest):
    """Each container ends in its own way, in one pod that goes on."""
    files = [TOOL]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("ends", pod(
            ending("missing", '[ "/bin/nothing" ]'), ending("zero", '[ "true" ]'), ending("three", '[ "sh", "-c", "exit 3" ]'),
            ending("crash", '[ "guest-tool", "crash" ]'), ending("oom", '[ "tail", "/dev/zero" ]', 'limits = { memory = "8M"; };'),
            STAYS))
        cls.host.wait("ends", state="running")

    def end(self, name):
        def over():
            container = self.host.container("ends", name)
            return container if container["state"] in ("ended", "failed") else None
        container = until(f"{name} ends", over)
        return tuple(container[key] for key in ("state", "exit_code", "exit_signal", "oom_killed"))

    def test_a_missing_command_is_named(self):
        self.assertEqual(self.end("missing"), ("failed", -1, 0, False))
        self.assertIn("missing: failed; /bin/nothing: command not found", self.host.page("ends"))

    def test_exit_status_0(self):
        self.assertEqual(self.end("zero"), ("ended", 0, 0, False))

    def test_exit_status_3(self):
        self.assertEqual(self.end("three"), ("ended", 3, 0, False))
        self.assertIn("three: ended; exit status 3", self.host.page("ends"))

    def test_a_signal(self):
        self.assertEqual(self.end("crash"), ("ended", -1, signal.SIGSEGV, False))
        self.assertIn("crash: ended; killed by SIGSEGV", self.host.page("ends"))

    def test_want_of_memory(self):
        self.assertEqual(self.end("oom"), ("ended", -1, signal.SIGKILL, True))
        self.assertRegex(self.host.page("ends"), r"out of memory, .*; killed for want of memory: its limit is 8M, and it used ")
        self.assertIn("container oom was killed for want of memory: its limit is 8M", self.host.cli("events", "ends").stdout)
        oom = json.loads(self.host.cli("stats", "ends", "--json=short").stdout)[0]["containers"][4]
        self.assertEqual((oom["name"], oom["memory_limit"]), ("oom", 8 << 20))
        self.assertGreaterEqual(oom["oom_kills"], 1)

    def test_the_others_go_on(self):
        self.assertEqual(self.host.sh("ends/stays", "echo here").stdout, "here\n")

    def test_a_job_that_ends_well_is_a_pod_that_succeeded(self):
        self.host.write("job", pod(ending("only", '[ "true" ]'), more='restart = { policy = "on-failure"; };'))
        self.host.wait("job", state="succeeded")
        self.assertEqual(self.host.status("job")["reason"], "completed")
        self.assertEqual(self.host.machines().get("job"), None)

    def test_a_job_that_fails_is_a_pod_that_failed(self):
        self.host.write("bad-job", pod(ending("only", '[ "sh", "-c", "exit 3" ]'), more='restart = { policy = "never"; };'))
        self.host.wait("bad-job", state="failed")
        self.assertIn("exit status 3", self.host.page("bad-job"))

    def test_a_container_is_started_again_with_growing_delays(self):
        self.host.write("again", pod(
            '{ name = "fails"; image = "busybox"; command = [ "sh", "-c", "exit 7" ]; '
            'restart = { policy = "on-failure"; delay = "50ms"; max_delay = "200ms"; }; }'))
        self.host.wait("again", state="running")
        count = until("three restarts", lambda: (c := self.host.container("again", "fails"))["restarts"] >= 3 and c)
        self.assertEqual(count["exit_code"], 7)
        self.assertEqual(self.host.status("again")["restarts"], 0, "the machine goes on")


class Inside(HostTest):
    """What a program sees of what its container was given."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("box", """
volumes = ( { name = "scratch"; type = "tmpfs"; size = "2M"; } );
containers = (
  { name = "tight"; image = "busybox"; command = [ "sleep", "100000" ]; user = "1000:1000"; working_dir = "/var";
    read_only = true; environment = { GREETING = "good day"; EMPTY = ""; }; capabilities = [ "NET_BIND_SERVICE" ];
    limits = { memory = "16M"; pids = 5; }; mounts = ( { volume = "scratch"; path = "/scratch"; } ); },
  { name = "wide"; image = "busybox"; command = [ "sleep", "100000" ]; user = "www";
    mounts = ( { volume = "scratch"; path = "/shared"; read_only = true; } ); },
  { name = "root"; image = "busybox"; command = [ "sleep", "100000" ]; capabilities = [ "NONE" ]; }
);""")
        cls.host.wait("box")

    def of_init(self, container, key):
        status = self.host.sh(f"box/{container}", "cat /proc/1/status").stdout
        return next(line.split(":", 1)[1].split() for line in status.splitlines() if line.startswith(f"{key}:"))

    def test_the_root_directory_is_read_only(self):
        self.assertIn("Read-only file system", self.host.sh("box/tight", "echo x >/etc/x", check=False).stderr)

    def test_writes_go_to_the_pods_memory_otherwise(self):
        self.assertEqual(self.host.sh("box/root", "echo x >/tmp/x; cat /tmp/x").stdout, "x\n")
        self.assertNotEqual(self.host.sh("box/wide", "cat /tmp/x", check=False).returncode, 0)

    def test_user_and_group(self):
        self.assertEqual(self.of_init("tight", "Uid"), ["1000"] * 4)
        self.assertEqual(self.of_init("tight", "Gid"), ["1000"] * 4)
        self.assertEqual(self.of_init("wide", "Uid"), ["33"] * 4)
        self.assertEqual(self.host.sh("box/wide", "id -un; id -u; id -g").stdout, "www\n33\n33\n")

    def test_capabilities(self):
        self.assertEqual(int(self.of_init("tight", "CapBnd")[0], 16), 1 << 10)
        self.assertEqual(self.of_init("root", "CapEff"), ["0" * 16])
        self.assertEqual(int(self.of_init("wide", "CapBnd")[0], 16) & 1 << 21, 0, "CAP_SYS_ADMIN is not among the usual")

    def test_no_new_privileges(self):
        self.assertEqual(self.of_init("wide", "NoNewPrivs"), ["1"])

    def test_working_directory_and_environment(self):
        self.assertEqual(self.host.sh("box/tight", "pwd").stdout, "/var\n")
        self.assertEqual(self.host.sh("box/tight", 'echo "$GREETING|${EMPTY-unset}"').stdout, "good day|\n")

    def test_no_more_processes_than_allowed(self):
        end = self.host.sh("box/tight", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait", check=False)
        self.assertIn("can't fork", end.stderr)
        self.assertEqual(self.host.sh("box/wide", "echo fine").stdout, "fine\n")

    def test_a_volume_is_as_large_as_declared_shared_and_read_only_where_so(self):
        self.assertIn("No space left", self.host.sh("box/tight", "dd if=/dev/zero of=/scratch/x bs=64k count=64", check=False).stderr)
        self.assertEqual(self.host.sh("box/tight", "echo shared >/scratch/x; cat /scratch/x").stdout, "shared\n")
        self.assertEqual(self.host.sh("box/wide", "cat /shared/x").stdout, "shared\n")
        self.assertIn("Read-only", self.host.sh("box/wide", "echo x >/shared/y", check=False).stderr)

    def test_an_exec_that_eats_memory_ends_the_container_which_is_started_again(self):
        self.host.write("eaten", pod('{ name = "small"; image = "busybox"; command = [ "sleep", "100000" ]; '
                                     'limits = { memory = "8M"; }; restart = { delay = "50ms"; }; }', STAYS))
        self.host.wait("eaten")
        self.assertNotEqual(self.host.sh("eaten/small", "tail /dev/zero", check=False).returncode, 0)
        until("a restart", lambda: self.host.container("eaten", "small")["restarts"] == 1)
        self.host.wait("eaten")
        self.assertTrue(self.host.container("eaten", "small")["oom_killed"])
        self.assertEqual(self.host.container("eaten", "stays")["restarts"], 0)


class Exec(HostTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("box", pod(STAYS))
        cls.host.wait("box")

    def running(self, word):
        """How many programs in the container have word as their argument."""
        return int(self.host.sh("box", f"cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -cx {word}", check=False).stdout)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.host.status('box')['runner_pid']}/fd"))

    def test_a_client_that_is_killed_takes_its_program_along_and_leaks_nothing(self):
        self.host.sh("box", "true")
        before = self.descriptors()
        for i in range(3):
            client = subprocess.Popen(self.host.words("exec", "box", "--", "sleep", "98765"), stdin=subprocess.DEVNULL)
            until("the program runs", lambda: self.running("98765") > 0)
            client.kill()
            client.wait()
            until("the program is ended", lambda: self.running("98765") == 0)
        until("the runner has closed all", lambda: self.descriptors() <= before, 30)

    def test_many_at_once(self):
        clients = [subprocess.Popen(self.host.words("exec", "box", "--", "sh", "-c", f"echo {i}; exit {i}"),
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for i in range(10)]
        self.assertEqual([(c.communicate(timeout=120)[0], c.returncode) for c in clients],
                         [(f"{i}\n".encode(), i) for i in range(10)])


class Output(HostTest):
    config = 'log_size = "64M";'
    files = [TOOL]

    def test_a_hundred_thousand_lines_are_whole_and_in_order(self):
        self.host.write("loud", pod(ending("lines", '[ "guest-tool", "lines" ]'), STAYS))
        self.host.wait("loud", state="running")
        runner = self.host.status("loud")["runner_pid"]
        until("all is written", lambda: self.host.container("loud", "lines")["state"] == "ended")
        last = "line 100000 of a hundred thousand"
        until("all is recorded", lambda: self.host.cli("logs", "-n", "1", "loud/lines", check=False).stdout.strip() == last)
        lines = self.host.cli("logs", "loud/lines").stdout.splitlines()
        self.assertEqual(lines, [f"line {i:06} of a hundred thousand" for i in range(1, 100001)])
        self.assertLess(resident(runner), 16 << 20)
        self.assertLess(resident(self.host.daemon.pid), 16 << 20)

    def test_output_and_errors_come_apart(self):
        self.host.write("both", pod(ending("talks", '[ "sh", "-c", "echo to the left; echo to the right >&2" ]'), STAYS))
        self.host.wait("both", state="running")
        until("both lines", lambda: "right" in (end := self.host.cli("logs", "both", check=False)).stderr and "left" in end.stdout)
        end = self.host.cli("logs", "both/talks")
        self.assertEqual((end.stdout, end.stderr), ("to the left\n", "to the right\n"))


if __name__ == "__main__":
    unittest.main()
