# SPDX-License-Identifier: Apache-2.0
"""Machines that are copies of a template: quick, each one somebody else, and a boot wherever something is wrong."""
import array
import fcntl
import json
import os
import pathlib
import signal
import socket
import struct
import threading
import time
import unittest

import instance
from instance import HELLO_COMMAND, IDENTITY, Instance, children, until

COPIES = int(os.environ.get("PODVISOR_COPIES", "6"))
BOOT = "by a boot, not from a template: "

POD = """memory = "192M";
qemu = { start = "%(start)s"; machine = "%(machine)s"; };
%(more)s
containers = ( { name = "main"; image = "busybox"; %(container)s
    command = %(command)s; } );
"""


# What a container finds itself in, as far as it must not depend on how its machine was started.
# Sizes that a pod does not give are of what memory is left after the boot, to within a percent.
FOUND = """df -k / /dev/shm | awk 'NR > 1 {print int($2 / 16384 + 0.5)}'; cat /etc/hosts /etc/hostname; cd /sys/fs/cgroup; grep . pids.max memory.max memory.oom.group cpu.max;
grep -E "^(Seccomp|NoNewPrivs|Cap)" /proc/self/status; cut -d" " -f 4-6,9- /proc/self/mountinfo | sed "s/workdir=.*//; s/lowerdir=.*//; s/size=[0-9]*k//; s/nr_inodes=[0-9]*//"; ls -la /etc"""
VARIANTS = {
    "plain": ("", ""),
    "sizes": ('shm_size = "3M";', 'writable_size = "7M"; limits = { memory = "40M"; pids = 77; cpu = 0.5; };'),
    "open": ("", 'seccomp = "unconfined"; no_new_privs = true; capabilities = [ "SYS_ADMIN" ]; read_only = true;'),
    "layer": ('volumes = ( { name = "room"; type = "scratch"; size = "16M"; } );', 'writable_volume = "room"; devices = [ "/dev/fuse" ];'),
}


def pod(start="template", machine="microvm", more="", container=""):
    return POD % {"start": start, "machine": machine, "more": more, "container": container, "command": HELLO_COMMAND}


def keepers(host, word=None):
    """Processes of podvisor-templates; word: those with it among their arguments."""
    found = []
    for pid, (program, _) in instance.processes_below(host.root).items():
        arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        # One that is just ending has no arguments any more.
        if program == "podvisor-templates" and arguments != [b""] and (word is None) == (b"--make" not in arguments):
            found.append(pid)
    # A child that has not become another program yet looks like its parent.
    return [pid for pid in found if not any(pid in instance.children(other) for other in found)]


def pack(value):
    """msgpack, as far as packets to podvisor-templates need it."""
    if isinstance(value, dict):
        return bytes([0x80 | len(value)]) + b"".join(pack(k) + pack(v) for k, v in value.items())
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xcf" + struct.pack(">Q", value)
    data = value.encode()
    return b"\xd9" + bytes([len(data)]) + data


def packet(kind, body=None):
    return pack({"type": kind, "id": 0} | ({"body": body} if body else {}))


def proportional(pid):
    """Bytes, each page divided by how many processes have it."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024


class FalseKeeper:
    """Stands in the place of podvisor-templates and hands out whatever it was given."""

    def __init__(self, host, memory, state):
        self.path, self.fds = host.run / "templates.socket", (memory, state)
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(self.path))
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                if connection.recv(8192):
                    for kind, fd in zip(("memory", "state"), self.fds):
                        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
                        connection.sendmsg([packet(kind)], rights)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.path.unlink()


def memory_file(size, content=b"", sealed=True):
    fd = os.memfd_create("false", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    os.pwrite(fd, content, 0)
    if sealed:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    return fd


def asleep(host):
    """A template of the keeper's, in whose memory nothing is left but zeros: its copies run, and do not wake."""
    real = host.run / "templates.socket"
    aside = real.with_name("aside")
    real.rename(aside)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(str(real))
        door.listen()
        host.write("asks", pod())
        wish = b""
        while not wish:  # podvisord looks whether there is a keeper, and says nothing
            runner, _ = door.accept()
            with runner:
                wish = runner.recv(8192)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as keeper:
            keeper.connect(str(aside))
            keeper.send(wish)
            fds = [socket.recv_fds(keeper, 8192, 1)[1][0] for _ in range(2)]
    aside.rename(real)
    os.close(fds[0])
    return memory_file(192 << 20), fds[1]


class Templates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = cls.enterClassContext(Instance())
        cls.host.import_busybox()

    def tearDown(self):
        self.host.clear()

    def started(self, name):
        return self.host.status(name)["started_by"]

    def said(self):
        return (self.host.root / "podvisord.out").read_text(errors="replace")

    def begin(self, name, text=None):
        self.host.write(name, text or pod())
        self.host.wait(name)
        return self.started(name)

    def prepare(self, text=None):
        """Returns when there is a template for such pods."""
        made = self.said().count("is ready: ")
        if self.begin("first", text) != "from a template":
            until("a template is made", lambda: self.said().count("is ready: ") > made)
        self.host.clear()

    def test_the_first_pod_boots_and_the_next_ones_are_copies(self):
        self.assertIn(BOOT, self.begin("one") if not keepers(self.host) else BOOT)
        self.prepare()
        self.assertEqual(self.begin("two"), "from a template")
        self.assertIn("Started: from a template", self.host.page("two"))
        until("its output", lambda: "hello from two" in self.host.cli("logs", "two").stdout)
        # What a copy has not done itself is no part of its start.
        start = json.loads(self.host.cli("analyze", "critical-chain", "two", "--json=short").stdout)
        steps = [step["step"] for step in start["steps"]]
        self.assertEqual(sum(step["took"] for step in start["steps"]), start["total"])
        self.assertTrue({"seen", "chosen", "spawned", "restored", "proved", "welcome", "setup", "started", "ready"} <= set(steps), steps)
        self.assertFalse({"kernel", "init", "modules", "port"} & set(steps), steps)

    def test_copies_share_nothing_that_tells_them_apart(self):
        self.prepare()
        names, seen = [f"copy{i}" for i in range(COPIES)], {}
        for name in names:
            self.host.write(name, pod())
        for name in names:
            self.host.wait(name)
            self.assertEqual(self.started(name), "from a template")
            for i, line in enumerate(self.host.sh(name, IDENTITY).stdout.splitlines()):
                self.assertNotIn(line, seen.setdefault(i, {}), f"{name} and {seen[i].get(line)}")
                seen[i][line] = name
        self.assertEqual(len(seen), 4)
        self.check_costs(names)

    def check_costs(self, names):
        """What copies cost is what the host's kernel says of their processes, and less than what they use."""
        pods = {pod["name"]: pod for pod in json.loads(self.host.cli("list", "--memory", "--json=short").stdout)}
        for name in names:
            pod, cost = pods[name], pods[name]["cost"]
            self.assertEqual((cost["known"], cost["missing"], cost["guest_size"]), (True, [], 192 << 20))
            parts = [cost[part] for part in ("guest", "vmm", "runner", "network", "shares")]
            self.assertEqual(sum(parts), cost["total"])
            # Guests go on meanwhile.
            now = proportional(pod["vmm_pid"]) + proportional(pod["runner_pid"])
            self.assertLess(abs(cost["total"] - now), now // 4 + (8 << 20), (cost, now))
            self.assertGreater(cost["guest_own"], 1 << 20)
            self.assertGreater(cost["guest_resident"], cost["guest_own"] + (4 << 20))
            if len(names) > 1:
                self.assertLess(cost["guest"], cost["guest_resident"])
        self.assertRegex(self.host.cli("list", "--memory").stdout, rf"(?m)^{names[0]} +ready +192M +\d+M .*M$")
        self.assertIn("of the guest's 192M, ", self.host.page(names[0]))

    def test_a_copy_has_the_right_time(self):
        self.prepare()
        self.begin("clock")
        before = time.time()
        guest = float(self.host.sh("clock", "date +%s").stdout)
        self.assertLess(abs(guest - before), 5)

    def test_a_container_finds_in_a_copy_what_it_finds_after_a_boot(self):
        self.prepare()
        for name, (more, container) in VARIANTS.items():
            found = {}
            for start in ("cold", "template"):
                by = self.begin("same", pod(start=start, more=more, container=container))
                self.assertEqual(by == "from a template", start == "template")
                found[start] = self.host.sh("same", FOUND).stdout
                if name == "sizes":
                    self.assertEqual(self.host.sh("same", "df -k / /dev/shm | awk 'NR > 1 {print $2}'").stdout.split(), ["7168", "3072"])
                self.host.clear()
            self.assertIn("Seccomp:", found["cold"])
            with self.subTest(name):
                self.assertEqual(found["template"], found["cold"])

    def test_a_copy_has_its_volumes_and_its_network(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        more = f"""network = {{ mode = "user"; publish = [ "127.0.0.1:{port}:80" ]; }};
            volumes = ( {{ name = "data"; type = "disk"; format = "raw"; size = "16M"; make = true; }}, {{ name = "room"; type = "scratch"; size = "16M"; }},
            {{ name = "swap"; type = "swap"; size = "16M"; }} );"""
        container = 'limits = { memory = "64M"; swap = "8M"; }; mounts = ( { volume = "data"; path = "/data"; }, { volume = "room"; path = "/room"; } );'
        self.prepare(pod(more='network = { mode = "user"; };'))
        self.assertEqual(self.begin("whole", pod(more=more, container=container)), "from a template")
        self.host.sh("whole", "echo kept >/data/file; echo lost >/room/file; cat /data/file /room/file")
        self.host.sh("whole", "mkdir -p /tmp/www; echo page >/tmp/www/index.html; httpd -p 80 -h /tmp/www")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(b"page", b"".join(iter(lambda: s.recv(4096), b"")))
        self.assertIn("/dev/dm-0", self.host.sh("whole", "cat /proc/swaps").stdout)
        mac = self.host.sh("whole", "cat /sys/class/net/eth0/address").stdout
        self.assertNotEqual(mac.strip(), "02:00:00:00:00:02")
        self.host.cli("restart", "whole")
        self.host.wait("whole")
        self.assertEqual(self.started("whole"), "from a template")
        self.assertEqual(self.host.sh("whole", "cat /data/file; ls /room").stdout.split(), ["kept"])

    def test_a_machine_with_pci_is_copied_too(self):
        text = pod(machine="q35")
        self.prepare(text)
        self.assertEqual(self.begin("pci", text), "from a template")

    def test_cold_is_cold(self):
        self.prepare()
        self.assertIsNone(self.begin("cold", pod(start="cold")))
        self.assertIsNone(self.begin("default", pod(start="auto")))

    def test_a_pod_whose_runner_dies_in_the_middle_of_its_start_starts(self):
        self.prepare()
        for delay in (0, 0.01, 0.02, 0.03, 0.05, 0.08):
            self.host.write("hit", pod())
            runner = until("a runner", lambda: self.host.runners().get("hit"))
            time.sleep(delay)
            os.kill(runner[0], signal.SIGKILL)
            self.host.wait("hit")
            self.assertEqual(len(self.host.machines()["hit"]), 1)
            self.host.clear()

    def test_a_new_podvisord_finds_the_templates_of_the_one_before(self):
        self.prepare()
        before = keepers(self.host)
        self.host.kill()
        self.host.start()
        self.assertEqual(self.begin("later"), "from a template")
        self.assertEqual(keepers(self.host), before)

    def test_without_whoever_keeps_them_copies_go_on_and_new_ones_boot(self):
        self.prepare()
        self.begin("stays")
        keeper = keepers(self.host)[0]
        os.kill(keeper, signal.SIGKILL)
        until("it is gone, and its door shut", lambda: not instance.alive(keeper))
        self.assertIn("it is being made", self.begin("after"))
        self.assertEqual(self.host.sh("stays", "dd if=/dev/zero of=/tmp/x bs=1M count=20 2>/dev/null; echo alive").stdout, "alive\n")
        self.assertEqual(len(keepers(self.host)), 1)

    def test_a_keeper_that_hangs_costs_a_boot(self):
        self.prepare()
        keeper = keepers(self.host)[0]
        instance.stop(keeper)
        try:
            self.assertIn("podvisor-templates does not answer", self.begin("unanswered"))
        finally:
            os.kill(keeper, signal.SIGCONT)

    def test_pods_that_want_the_same_at_once_have_it_made_once(self):
        more, made = "cpus = 2;", self.said().count("is ready: ")
        for name in "abc":
            self.host.write(name, pod(more=more))
        for name in "abc":
            self.host.wait(name)
        until("it is made", lambda: self.said().count("is ready: ") > made)
        self.assertEqual(self.begin("next", pod(more=more)), "from a template")
        self.assertEqual(self.said().count("is ready: "), made + 1)

    def test_a_maker_that_is_killed_leaves_nothing_and_is_told(self):
        wish = pod().replace('"192M"', '"208M"')
        self.host.write("unlucky", wish)
        maker = until("a maker", lambda: keepers(self.host, "--make"))[0]
        machine = until("its machine", lambda: children(maker))[0]
        os.kill(maker, signal.SIGKILL)
        until("its machine ends, too", lambda: not instance.alive(machine))
        until("it is told", lambda: "its maker was killed by signal 9" in self.said())
        self.assertEqual(list((self.host.run / "templates").iterdir()), [])
        self.host.wait("unlucky")
        self.host.clear()
        self.assertIn("its maker was killed by signal 9", self.begin("unlucky", wish))

    def test_what_is_no_template_costs_a_boot(self):
        self.prepare()
        os.kill(keepers(self.host)[0], signal.SIGKILL)
        size = 192 << 20
        cases = (
            ("what podvisor-templates hands out is no template", memory_file(size, sealed=False), memory_file(4096)),
            ("what podvisor-templates hands out is no template", memory_file(size // 2), memory_file(4096)),
            ("what podvisor-templates hands out is no template", memory_file(size), memory_file(0)),
            ("QEMU could not load the template", memory_file(size), memory_file(4096, b"QEVM\0\0\0\3" + b"\xff" * 100)),
        )
        for i, (why, memory, state) in enumerate(cases):
            with self.subTest(i), FalseKeeper(self.host, memory, state):
                self.assertIn(BOOT + why, self.begin(f"false{i}"))
            os.close(memory)
            os.close(state)

    def test_a_copy_that_does_not_wake_is_followed_by_a_boot(self):
        self.prepare()
        memory, state = asleep(self.host)
        self.host.clear()
        keeper = self.host.run / "templates.socket"
        keeper.rename(keeper.with_name("aside"))
        with FalseKeeper(self.host, memory, state):
            self.assertEqual(self.begin("sleeper"), BOOT + "the last copy of it did not wake")
        keeper.with_name("aside").rename(keeper)
        os.close(memory)
        os.close(state)

    def templates(self, **wanted):
        found = json.loads(self.host.cli("template", "list", "--json=short").stdout)
        return [t for t in found if all(t["shape"].get(k, t.get(k)) == v for k, v in wanted.items())]

    def test_a_template_can_be_made_before_any_pod_wants_it(self):
        self.prepare()
        size = 224 << 20
        text = pod().replace('"192M"', '"224M"')
        file = self.host.root / "new.pod"
        file.write_text(text)
        self.assertEqual(self.templates(memory=size), [])
        self.host.cli("template", "build", file)
        made, = self.templates(memory=size)
        self.assertEqual((made["phase"], made["starts"], made["shape"]["machine"]), ("ready", 0, "microvm"))
        self.assertGreater(made["size"], 16 << 20)
        self.assertEqual(self.begin("new", text), "from a template")
        self.assertEqual(self.templates(memory=size)[0]["starts"], 1)
        self.host.cli("template", "build", "new")
        self.assertRegex(self.host.cli("template", "list").stdout, r"(?m)^microvm +tcg +1 +224M +no +ready .* 1 ")

    def test_what_cannot_be_built_is_said(self):
        self.prepare()
        for name, text, why in (("bridged", pod(more='network = { mode = "bridge"; bridge = "br0"; address = "10.0.0.2/24"; };'), "on a bridge"),
                                ("null", 'backend = "null"; containers = ( { name = "a"; image = "busybox"; } );', "only those of the qemu backend"),
                                ("wrong", "containers = 3;", "has errors"),
                                ("vast", pod().replace('"192M"', '"800G"'), "not enough memory")):
            file = self.host.root / f"{name}.pod"
            file.write_text(text)
            done = self.host.cli("template", "build", file, check=False)
            self.assertIn(why, done.stderr)
            self.assertEqual(done.returncode, 1)
        self.assertEqual(self.host.cli("template", "build", "nobody", check=False).returncode, 4)

    def test_strangers_get_a_reason_and_nothing_else(self):
        self.prepare()
        shape = {"key": "0" * 64, "machine": "microvm", "accelerator": "tcg", "cpus": 1, "memory": 64 << 20}
        for wish, why in ((packet("want", shape), "are not those that templates are made of"),
                          (packet("want", {}), ""), (b"\xff" * 100, ""), (packet("state"), "no wish")):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                s.settimeout(20)
                s.connect(str(self.host.run / "templates.socket"))
                s.sendall(wish)
                self.assertIn(why, s.recv(8192).decode(errors="replace"))
        self.assertEqual(self.begin("friend"), "from a template")


if __name__ == "__main__":
    unittest.main(verbosity=2)
