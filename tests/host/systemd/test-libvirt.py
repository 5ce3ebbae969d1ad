#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pods with the libvirt backend on a host with the libvirt of its distribution: every example runs as it is, libvirt's tools tell the
truth about it, its daemon can be restarted and killed without any pod noticing, and nobody else gets at libvirt by podvisor."""
import contextlib
import json
import os
import pathlib
import pty
import select
import sys
import time

from libvirt import LibvirtMachine, installed
from machine import PATIENCE, SKIPPED, MachineTest, main
from pods import HELLO

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"
# Those that run until they are stopped, and a container of each.
RUNNING = {"database": "store", "hello": "hello", "shop": "front", "ticker": "writer", "web": "httpd"}
ON_DEMAND = {"import", "job", "limits"}
ROUNDS = 10
EXPOSURE = 15  # tenths, as `systemd-analyze security --threshold` wants them
# What a process hears that has connected: the end at once, or nothing before it has said something.
KNOCK = """import socket
with socket.socket(socket.AF_UNIX) as s:
    s.connect("/run/podvisor/libvirt.socket")
    s.settimeout(%d)
    try:
        print("refused" if s.recv(1) == b"" else "spoken to")
    except TimeoutError:
        print("let in")
"""
# What this backend has not: a network, a share that is live.
REFUSED = ("front", "leased", "published", "redis", "site", "store", "uploads")


class Libvirt(MachineTest):
    kind = LibvirtMachine

    @classmethod
    def settle(cls, machine):
        machine.start_podvisord()
        machine.import_busybox()
        machine.pod("other", HELLO % "")
        for name in (*RUNNING, *ON_DEMAND):
            machine.pod(name, (EXAMPLES / f"{name}.pod").read_text() + 'backend = "libvirt";\n')
        machine.wait("other", *RUNNING)
        machine.keep_cache()

    # Examples

    def test_every_example_is_here(self):
        self.assertEqual({file.stem for file in EXAMPLES.glob("*.pod")}, {*RUNNING, *ON_DEMAND, *REFUSED})
        for name in RUNNING:
            self.assertEqual(self.machine.status(name)["backend"], "libvirt")

    def test_examples_do_what_they_say(self):
        m = self.machine
        kernel = m.podvisor("exec", "hello", "--", "uname", "-r").stdout.strip()
        self.assertEqual(m.podvisor("logs", "hello").stdout, f"Hello from hello, Linux {kernel}\n")
        page = m.podvisor("exec", "web/httpd", "--", "sh", "-c", "until wget -qO- http://127.0.0.1/ 2>/dev/null; do :; done").stdout
        self.assertEqual(page, "<h1>Served from inside of a virtual machine</h1>\n")
        self.assertIn("writer: tick\n", m.podvisor("logs", "ticker").stdout)
        self.assertEqual(m.podvisor("logs", "database").stdout, "open\n")
        self.assertEqual(m.podvisor("exec", "database", "--", "sh", "-c", "echo 3 apples >> /data/stock; cat /data/stock").stdout, "3 apples\n")
        self.assertEqual(m.status("shop")["requires"], ["database"])

    def test_a_disk_keeps_its_data_and_is_the_pods_alone(self):
        m = self.machine
        disk = "/var/lib/podvisor/volumes/keeper.data.raw"
        volume = 'volumes = ( { name = "data"; type = "disk"; %s } );\nsecrets = ( { name = "key"; source = "/etc/keys/key"; } );\n'
        m.write("/etc/keys/key", "canary-libvirt\n", 0o600)
        text = HELLO.replace("trap", "cat /run/key; trap") % ('backend = "libvirt"; restart = { policy = "never"; };\n' + volume)
        text = text.replace('image = "busybox";', 'image = "busybox"; mounts = ( { volume = "data"; path = "/data"; }, '
                                                  '{ secret = "key"; path = "/run/key"; } );')
        m.pod("keeper", text % 'format = "raw"; size = "32M"; make = true;')
        m.wait("keeper")
        m.podvisor("exec", "keeper", "--", "sh", "-c", "echo kept > /data/x")
        self.assertIn(disk, m.run("virsh", "domblklist", "keeper").stdout)
        self.assertNotIn("canary-libvirt", m.run("virsh", "dumpxml", "keeper").stdout)
        m.pod("thief", text % f'format = "raw"; source = "{disk}";')
        m.wait("thief", state="failed")
        self.assertIn("the pod keeper uses it, as its volume data", m.podvisor("status", "thief", check=False).stdout)
        m.remove_pod("thief")
        m.podvisor("restart", "keeper")
        m.wait("keeper")
        self.assertEqual(m.podvisor("exec", "keeper", "--", "cat", "/data/x", "/run/key").stdout, "kept\ncanary-libvirt\n")
        m.remove_pod("keeper")

    def test_examples_that_end(self):
        m = self.machine
        m.podvisor("start", "job")
        m.wait("job", state="succeeded")
        self.assertEqual(m.podvisor("logs", "job").stdout, "1\n2\n3\n")
        self.assertNotIn("job", m.domains())
        m.podvisor("start", "import")
        m.wait("import", state="succeeded")
        self.assertEqual(m.podvisor("logs", "import/import").stdout, "got 3\ngot 2\ngot 1\n")

    def test_examples_with_limits_and_their_console(self):
        m = self.machine
        m.podvisor("start", "limits", "--no-wait")
        m.wait("limits", state="running")
        # The guest's kernel says on each of its consoles what it has killed, again and again.
        with self.console("limits") as says:
            print(says(b"Killed process").decode(errors="replace"))
            containers = {}
            while not containers.get("greedy", {}).get("oom_killed"):
                containers = {c["name"]: c for c in json.loads(m.podvisor("status", "limits", "--json=short", check=False).stdout)[0]["containers"]}
            self.assertEqual((containers["modest"]["state"], containers["modest"]["restarts"]), ("running", 0))
            since = m.cursor()
            m.virsh("shutdown", "limits")
            says(b"podvisor-agent: the power button of the machine was pressed")
        # An end like any other that podvisord did not ask for: the pod would be started again.
        m.wait_journal(lambda r: r["PODVISOR_REASON"] == "power-button", "PODVISOR_EVENT=failed", "PODVISOR_POD=limits", since=since)
        m.podvisor("stop", "limits")

    @contextlib.contextmanager
    def console(self, domain):
        """A function that returns what the console has said when the wanted is among it."""
        terminal, other = pty.openpty()
        process = self.machine.spawn("virsh", "--connect", "qemu:///system", "console", "--force", domain, stdin=other, stdout=other, stderr=other)
        os.close(other)
        said, deadline = bytearray(), time.monotonic() + PATIENCE

        def says(wanted):
            while wanted not in said:
                self.assertTrue(select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0], said)
                said.extend(os.read(terminal, 4096))
            return said
        yield says
        self.machine.end(process)
        os.close(terminal)

    # libvirt's own view

    def test_virsh_tells_the_truth(self):
        m, emulators = self.machine, self.machine.emulators()
        domains = m.domains()
        self.assertEqual({name: domains.get(name) for name in RUNNING}, {name: m.status(name)["uuid"] for name in RUNNING})
        self.assertNotIn("other", domains)
        m.record("virsh", "list")
        for name in RUNNING:
            status = m.status(name)
            self.assertEqual(status["vmm_pid"], emulators[name])
            xml = m.virsh("dumpxml", name).stdout
            self.assertIn(f'name="{name}" uuid="{status["uuid"]}" generation="1" attempt="1" run="/run/podvisor/pods/{name}/vm"', xml)
            stats = dict(line.strip().split("=", 1) for line in m.virsh("domstats", name).stdout.splitlines() if "=" in line)
            self.assertEqual((stats["state.state"], stats["vcpu.current"]), ("1", "1"))
            self.assertGreater(int(stats["cpu.time"]), 0)
        self.assertEqual(m.virsh("list", "--name", "--persistent", "--all").stdout.split(), [])

    def test_machinectl_shows_the_pods(self):
        listed = {m["machine"]: m for m in json.loads(self.machine.run("machinectl", "list", "--output=json").stdout)}
        for name in RUNNING:
            self.assertEqual((listed[name]["class"], listed[name]["service"]), ("vm", "podvisor"))

    # Daemons and runners that end

    def lives(self):
        """What must not change, and what must grow."""
        m = self.machine
        return ({name: (uuid, m.emulators()[name]) for name, uuid in m.domains().items()},
                {name: m.uptime(name, container) for name, container in RUNNING.items()})

    def assert_same_lives(self, before):
        after = self.lives()
        self.assertEqual(after[0], before[0])
        for name in RUNNING:
            self.assertGreater(after[1][name], before[1][name])

    def events(self, since):
        """What an operator was told of the pods, as `podvisor events` shows it, which reads the same records."""
        return [(record["PODVISOR_POD"], record["PODVISOR_EVENT"]) for record in self.machine.journal(since=since)
                if record.get("PODVISOR_POD") in RUNNING and "PODVISOR_EVENT" in record]

    def all_back(self, records):
        """Each runner has found libvirt's daemon again."""
        missing = set(RUNNING)

        def seen(record):
            if "libvirt's daemon is back" in record["MESSAGE"]:
                missing.discard(record.get("PODVISOR_POD"))
            return not missing
        records.until(seen)

    def test_a_daemon_that_is_restarted_and_killed_is_missed_by_no_pod(self):
        m, before, since = self.machine, self.lives(), self.machine.cursor()
        began = time.monotonic()
        deeds = {"restart": ("restart", "libvirtd.service"),
                 "kill -9": ("kill", "--signal=KILL", "--kill-whom=main", "libvirtd.service")}
        for number in range(ROUNDS):
            for what, words in deeds.items():
                with self.subTest(round=number, what=what), m.following("_COMM=podvisor-runner", since=m.cursor()) as records:
                    # podvisord has something to do meanwhile.
                    for i in range(3):
                        m.pod(f"load-{i}", HELLO % f'backend = "null"; description = "{number} {what}";')
                    m.run("systemctl", *words)
                    self.all_back(records)
            for i in range(3):
                m.remove(f"/etc/podvisor/pods.d/load-{i}.pod")
        print(f"{ROUNDS} restarts and {ROUNDS} kills in {time.monotonic() - began:.0f} s; domains {before[0]}")
        self.assert_same_lives(before)
        self.assertEqual(self.events(since), [])
        m.record("podvisor", "events")

    def kill_runner(self, pod):
        """And systemd has started the next one, which is ready."""
        m, unit = self.machine, f"podvisor-pod@{pod}.service"
        pid = m.unit(unit)["MainPID"]
        m.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", unit)
        m.wait_unit_until(unit, lambda u: u["ActiveState"] == "active" and u["MainPID"] not in ("0", pid), what=f"a process after {pid}")

    def test_a_new_runner_takes_over_with_all_daemons_and_with_none(self):
        m, before, since = self.machine, self.lives(), self.machine.cursor()
        self.kill_runner("hello")
        daemon = ("libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket", "libvirtd.service")
        m.run("systemctl", "stop", "podvisord.service", *daemon)
        self.kill_runner("web")
        m.wait_journal(lambda r: "the machine has proved itself without it" in r["MESSAGE"], "PODVISOR_POD=web", since=since)
        m.start_podvisord()
        m.wait(*RUNNING)
        with m.following("_COMM=podvisor-runner", since=m.cursor()) as records:
            m.run("systemctl", "start", *daemon)
            self.all_back(records)
        self.assert_same_lives(before)
        self.assertLessEqual({event for _, event in self.events(since)}, {"runner-lost", "adopted", "ready"})

    # Who gets at libvirt

    def test_only_the_runner_of_a_pod_of_libvirt_is_let_in(self):
        m, since = self.machine, self.machine.cursor()
        self.assertEqual(m.as_process_of("hello", KNOCK % 1).stdout, "let in\n")
        m.run("systemctl", "stop", "podvisord.service")
        self.assertEqual(m.as_process_of("hello", KNOCK % 1).stdout, "let in\n")
        # As QEMU of a machine that is not libvirt's could do it.
        self.assertEqual(m.as_process_of("other", KNOCK % PATIENCE).stdout, "refused\n")
        m.wait_journal(lambda r: "of the pod other; its machine is not libvirt's: its backend is qemu" in r["MESSAGE"],
                       "SYSLOG_IDENTIFIER=podvisor-libvirt-proxy", since=since)
        m.start_podvisord()
        # Root itself has another way.
        self.assertEqual(m.run("python3", "-c", KNOCK % PATIENCE).stdout, "refused\n")
        m.wait_journal(lambda r: "is not of a pod's unit" in r["MESSAGE"], "SYSLOG_IDENTIFIER=podvisor-libvirt-proxy", since=since)
        self.assertIn("PermissionError", m.run("python3", "-c", KNOCK % PATIENCE, user="libvirt-qemu", check=False).stderr)
        self.assertIn("No such file", m.as_process_of("hello", 'open("/run/libvirt/libvirt-sock")').stderr)
        self.assertEqual(m.run("systemctl", "list-units", "--failed", "--no-legend", "podvisor-libvirt*").stdout, "")

    def test_the_proxy_is_confined(self):
        shown = self.machine.run("systemd-analyze", "security", "--no-pager", f"--threshold={EXPOSURE}", "podvisor-libvirt@x.service", check=False)
        print(shown.stdout.splitlines()[-1])
        self.assertEqual(shown.returncode, 0, shown.stdout)

    def test_libvirts_user_gets_at_nothing_but_images_in_use(self):
        m = self.machine
        blobs = "/var/lib/podvisor/images/blobs"
        image, = m.sh(f"ls {blobs}/*.erofs").stdout.split()
        m.run("head", "--bytes=1", image, user="libvirt-qemu", text=None)
        for closed in ("/var/lib/podvisor", blobs, "/run/podvisor/pods/hello/vm", "/run/podvisor/pods/other/vm", "/var/lib/podvisor/log"):
            self.assertNotEqual(m.run("ls", closed, user="libvirt-qemu", check=False).returncode, 0, closed)
        self.assertNotEqual(m.run("stat", "/run/podvisor/pods/other/vm/machine.lock", user="libvirt-qemu", check=False).returncode, 0)

    def test_what_is_closed_to_libvirts_user_is_named(self):
        m = self.machine
        m.path("/srv/closed").mkdir(mode=0o700)
        m.write("/srv/closed/vmlinux", "")
        m.write("/etc/podvisor/podvisord.conf", 'kernel = "/srv/closed/vmlinux";\n')
        m.run("systemctl", "restart", "podvisord.service")
        m.pod("closed", HELLO % 'backend = "libvirt"; restart = { policy = "never"; };')
        m.wait("closed", state="failed")
        shown = m.podvisor("status", "closed", check=False).stdout
        self.assertIn('libvirt\'s user "libvirt-qemu" cannot use /srv/closed/vmlinux: it may not pass through /srv/closed (mode 0700', shown)
        m.remove_pod("closed")
        m.remove("/etc/podvisor/podvisord.conf")
        m.run("systemctl", "restart", "podvisord.service")
        m.wait(*RUNNING)

    # The end of the host

    def test_when_the_host_goes_down_pods_end_in_good_order(self):
        before = self.machine.cursor()
        self.machine.poweroff()
        ends = {r["PODVISOR_POD"]: r.get("PODVISOR_REASON") for r in self.machine.journal("PODVISOR_EVENT=ended", since=before)}
        self.assertEqual(ends, dict.fromkeys(("other", *RUNNING), "stopped"))


if __name__ == "__main__":
    if not installed():
        print("skipped: no libvirt on this host, or no libvirt backend in this build")
        sys.exit(SKIPPED)
    main()
