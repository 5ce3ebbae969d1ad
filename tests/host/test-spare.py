# SPDX-License-Identifier: Apache-2.0
"""Machines that wait for their pods: each becomes one pod's or nobody's, whoever dies when, and any doubt costs a copy of the template."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import unittest

import instance
from instance import HELLO_COMMAND, IDENTITY, Instance, children, until

SPARES = 2
SPARE = "from a spare of a template"
COPY = "from a template, not from a spare of it: "

POD = """memory = "192M";
qemu = { start = "template"; machine = "%(machine)s"; };
%(more)s
containers = ( { name = "main"; image = "busybox"; %(container)s
    command = %(command)s; } );
"""

# Of the system calls of a runner that takes a spare, before which it is killed. Of its renames the first is of its own record, then come
# that of QEMU's, one for each file of the spare, of which the last is the lock, and QEMU's record again.
KILLS = os.environ.get("PODVISOR_SPARE_KILLS", "renameat:2 renameat:4 renameat:6 renameat:7").split()

# In the place of a runner: itself, or traced, without anybody between it and podvisord.
RUNNER = """#!/bin/sh
mv '%(inject)s' '%(inject)s.'$$ 2>/dev/null || exec '%(runner)s' "$@"
read -r kill <'%(inject)s.'$$
exec strace -D -qq -o '%(inject)s.trace' -e trace="${kill%%:*}" -e inject="${kill%%:*}:signal=KILL:when=${kill##*:}" '%(runner)s' "$@"
"""


def pod(machine="microvm", more="", container=""):
    return POD % {"machine": machine, "more": more, "container": container, "command": HELLO_COMMAND}


class Spares(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host = cls.host = Instance(f"spares = {SPARES};\n")
        cls.inject, host.programs = host.root / "inject", cls.programs(host.root / "programs", host.root / "inject")
        cls.enterClassContext(host)
        host.import_busybox()

    @staticmethod
    def programs(place, inject):
        """All of ours, with something in the runner's place that can have it traced."""
        for file in (*instance.BIN.glob("podvisor*"), *(instance.BUILD / "guest" / name for name in ("vmlinux", "initrd"))):
            if file.is_file():
                (place / file.parent.name).mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place / file.parent.name)
        runner, real = place / "bin/podvisor-runner-qemu", place / "podvisor-runner-qemu"
        runner.rename(real)
        runner.write_text(RUNNER % {"inject": inject, "runner": real})
        runner.chmod(0o755)
        return place / "bin"

    def tearDown(self):
        self.host.clear()

    # What there is

    def said(self):
        return (self.host.root / "podvisord.out").read_text(errors="replace")

    def spares(self):
        """{directory: QEMU} of those that wait for pods as pod() makes them."""
        found = {}
        for pid, (program, files) in instance.processes_below(self.host.run / "templates").items():
            with contextlib.suppress(OSError):
                arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                if program.startswith("qemu") and b"microvm" in arguments and b"-netdev" not in arguments:
                    found |= {file.split("/")[0]: pid for file in files if file.endswith(("/machine.lock", "/ended"))}
        return found

    def waiting(self, machine="microvm", network=False):
        """How many there are by the word of whoever has them."""
        return sum(t["spares"] for t in json.loads(self.host.cli("template", "list", "--json=short").stdout)
                   if (t["shape"]["machine"], t["shape"]["network"]) == (machine, network))

    def keeper(self):
        for pid, (program, _) in instance.processes_below(self.host.root).items():
            if program == "podvisor-templates" and b"--" not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def guardian(self, qemu):
        stat = pathlib.Path(f"/proc/{qemu}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])

    def build(self, text=None, n=1, **shape):
        """Returns when so many spares wait for such pods, of which one has started since there is a keeper."""
        file = self.host.root / "wanted.pod"
        file.write_text(text or pod())
        self.host.cli("template", "build", file)
        until("spares wait", lambda: self.waiting(**shape) >= n)

    def prepare(self, text=None, n=1, **shape):
        if self.waiting(**shape) < n:
            self.begin("first", text)
            self.build(text, n, **shape)
            self.host.clear()

    def all_spares(self):
        """When as many as there may be wait, and so none is being made or given up."""
        return until("all spares wait", lambda: self.waiting() == SPARES == len(found := self.spares()) and found)

    def settle(self):
        self.prepare()
        return self.all_spares()

    def begin(self, name, text=None):
        self.host.write(name, text or pod())
        self.host.wait(name)
        return self.host.status(name)["started_by"]

    def one_machine_each(self, *names):
        machines = self.host.machines()
        self.assertEqual({name: len(machines.get(name, ())) for name in names}, dict.fromkeys(names, 1), machines)

    # How it goes

    def test_a_start_by_a_spare_is_shown_and_the_spare_is_made_again(self):
        before = self.settle()
        shown = self.host.cli("template", "list").stdout
        self.assertRegex(shown, rf"(?m)^MACHINE.* SPARES .*\nmicrovm .* {SPARES}, [1-9][0-9]*M ")
        self.assertEqual(self.begin("web"), SPARE)
        self.assertIn(f"Started: {SPARE}", self.host.page("web"))
        until("its output", lambda: "hello from web" in self.host.cli("logs", "web").stdout)
        machine, = self.host.machines()["web"]
        self.assertIn(machine, before.values())
        start = json.loads(self.host.cli("analyze", "critical-chain", "web", "--json=short").stdout)
        steps = {step["step"] for step in start["steps"]}
        self.assertEqual(sum(step["took"] for step in start["steps"]), start["total"])
        self.assertTrue({"chosen", "spawned", "greeted", "plugged", "proved", "welcome"} <= steps, steps)
        self.assertFalse({"restored", "kernel", "init"} & steps, steps)
        until("another in its place", lambda: len(self.spares()) == SPARES)
        self.assertNotIn(machine, self.spares().values())

    def test_no_two_pods_get_the_same_one_and_nothing_tells_it_from_another(self):
        names, waiting, seen = [f"pod{i}" for i in range(SPARES + 2)], set(self.settle().values()), {}
        for name in names:
            self.host.write(name, pod())
        self.host.wait(*names)
        self.one_machine_each(*names)
        machines = {pids[0] for pids in self.host.machines().values()}
        self.assertEqual(len(machines), len(names))
        by = [self.host.status(name)["started_by"] for name in names]
        self.assertEqual(by.count(SPARE), len(machines & waiting))
        self.assertGreaterEqual(by.count(SPARE), SPARES)
        for name in names:
            for i, line in enumerate(self.host.sh(name, IDENTITY).stdout.splitlines()):
                self.assertNotIn(line, seen.setdefault(i, {}), f"{name} and {seen[i].get(line)}")
                seen[i][line] = name
        self.assertEqual(len(seen), 4)

    def test_a_spare_with_pci_gets_its_volumes_and_its_network(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        more = f"""network = {{ mode = "user"; publish = [ "127.0.0.1:{port}:80" ]; }};
            volumes = ( {{ name = "data"; type = "disk"; format = "raw"; size = "16M"; make = true; }}, {{ name = "room"; type = "scratch"; size = "16M"; }} );"""
        container = 'mounts = ( { volume = "data"; path = "/data"; }, { volume = "room"; path = "/room"; } );'
        self.prepare(pod("q35", 'network = { mode = "user"; };'), n=2, machine="q35", network=True)
        self.assertEqual(self.begin("whole", pod("q35", more, container)), SPARE)
        self.host.sh("whole", "echo kept >/data/file; echo lost >/room/file; cat /data/file /room/file")
        self.host.sh("whole", "mkdir -p /tmp/www; echo page >/tmp/www/index.html; httpd -p 80 -h /tmp/www")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(b"page", b"".join(iter(lambda: s.recv(4096), b"")))
        self.assertNotEqual(self.host.sh("whole", "cat /sys/class/net/eth0/address").stdout.strip(), "02:00:00:00:00:02")
        self.host.cli("restart", "whole")
        self.host.wait("whole")
        self.assertEqual(self.host.status("whole")["started_by"], SPARE)
        self.assertEqual(self.host.sh("whole", "cat /data/file; ls /room").stdout.split(), ["kept"])

    def test_another_runner_and_an_operator_find_the_machine(self):
        self.prepare()
        self.assertEqual(self.begin("found"), SPARE)
        for checkpoint in (False, True):
            with self.subTest(damaged=checkpoint):
                self.host.kill()
                machine, runner = self.host.machines()["found"][0], self.host.runners()["found"][0]
                os.kill(runner, signal.SIGKILL)
                until("it is gone", lambda: not instance.alive(runner))
                if checkpoint:
                    (self.host.run / "pods/found/vm/qemu.msgpack").write_bytes(b"\0")
                self.host.start()
                if checkpoint:
                    self.host.wait("found", state="indeterminate")
                    self.host.cli("adopt", "found")
                self.host.wait("found")
                self.assertEqual(self.host.machines()["found"], [machine])
                self.assertEqual(self.host.status("found")["started_by"], SPARE)
                self.assertEqual(self.host.sh("found", "echo alive").stdout, "alive\n")

    # What goes wrong

    def test_a_spare_that_has_died_is_told_and_costs_no_more_than_a_copy(self):
        for qemu in self.settle().values():
            guardian = self.guardian(qemu)
            instance.stop(guardian)
            os.kill(qemu, signal.SIGKILL)
        try:
            self.assertEqual(self.begin("unlucky"), COPY + "it had ended")
        finally:
            for pid in children(self.keeper()):
                os.kill(pid, signal.SIGCONT)
        self.one_machine_each("unlucky")
        until("it is told", lambda: "has been lost: QEMU was killed by signal 9" in self.said())
        until("nothing is left of them", lambda: len(self.spares()) == self.waiting())

    def test_a_spare_that_hangs_is_killed_and_costs_no_more_than_a_copy(self):
        before = self.settle()
        for qemu in before.values():
            instance.stop(qemu)
        self.assertEqual(self.begin("late"), COPY + "it did not answer")
        self.one_machine_each("late")
        until("it is gone", lambda: sum(instance.alive(qemu) for qemu in before.values()) == len(before) - 1)
        for qemu in self.spares().values():
            os.kill(qemu, signal.SIGCONT)

    def test_what_keeps_spares_can_be_killed_and_leaves_none(self):
        self.prepare()
        self.assertEqual(self.begin("stays"), SPARE)
        spares, keeper = self.all_spares(), self.keeper()
        orphan = next(iter(spares.values()))
        instance.stop(keeper)
        for pid in (self.guardian(orphan), keeper):
            os.kill(pid, signal.SIGKILL)
        until("those with a guardian are gone", lambda: [q for q in spares.values() if instance.alive(q)] == [orphan])
        self.assertIn("it is being made", self.begin("next"))
        until("that without one, too", lambda: not instance.alive(orphan))
        until("and all directories", lambda: not set(spares) & {d.name for d in (self.host.run / "templates").iterdir()})
        self.assertEqual(self.host.sh("stays", "echo alive").stdout, "alive\n")
        self.one_machine_each("stays", "next")

    def test_a_guardian_that_is_killed_leaves_no_spare(self):
        name, qemu = next(iter(self.settle().items()))
        os.kill(self.guardian(qemu), signal.SIGKILL)
        until("its spare is gone", lambda: not instance.alive(qemu))
        until("its directory, too", lambda: not (self.host.run / "templates" / name).exists())
        self.assertEqual(self.begin("other"), SPARE)

    def test_a_runner_can_be_killed_at_each_step_of_taking_one(self):
        for kill in KILLS:
            with self.subTest(kill):
                self.prepare()
                self.inject.write_text(kill)
                name = "hit" + kill.replace(":", "")
                self.host.write(name, pod())
                self.host.wait(name)
                self.assertIn("killed by SIGKILL", self.inject.with_suffix(".trace").read_text())
                self.one_machine_each(name)
                self.host.clear()
                until("nothing is left of it", lambda: len(self.spares()) == self.waiting())

    def test_one_that_cannot_have_all_disks_of_its_pod_is_not_taken(self):
        self.prepare()
        volumes = ", ".join(f'{{ name = "v{i}"; type = "scratch"; size = "8M"; }}' for i in range(18))
        self.assertEqual(self.begin("many", pod(more=f"volumes = ( {volumes} );")), COPY + "it cannot be given so many disks")


if __name__ == "__main__":
    unittest.main(verbosity=2)
