#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a pod's unit keeps from its machine, and podvisord's from podvisord. A probe that runs in QEMU's place tries to get at the
host; the same probe, run by root beside it, shows that each thing was there to be got at."""
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile

from machine import BUILD, main
from pods import HELLO, PodMachineTest

HERE = pathlib.Path(__file__).parent
PROBE = "/usr/bin/qemu-probe"
BOOT = 'kernel = "/srv/vmlinux"; initrd = "/srv/initrd";\n'
NOTHING = "0000000000000000"
# As `systemd-analyze security --threshold` wants them: tenths.
EXPOSURE = {"podvisor-pod@real.service": 10, "podvisord.service": 25, "podvisor-pull@x.service": 30}
SECRETS = ("/root/secret", "/home/user/secret", "/srv/secret", "/run/secret", "/var/lib/secret")
# What root itself cannot get in a machine of the tests, since it has no power over the hardware that all share.
DENIED_TO_ALL = {"/dev/mem", "init_module"}
# Sockets that anybody may connect to, by the names of those that rule a host.
TARGETS = {
    "targets.socket": "[Socket]\nListenStream=/run/docker.sock\nListenStream=/run/libvirt/libvirt-sock\nSocketMode=0666\nAccept=yes\n",
    "targets@.service": "[Service]\nExecStart=/bin/true\nStandardInput=socket\n",
}


def attempts():
    """What probe.c tries, by its own table."""
    return set(re.findall(r'\{ try_\w+, "([^"]*)"', (HERE / "probe.c").read_text()))


def succeeded(line):
    """Of the probe's one line."""
    return set(re.findall(r"\[([^]]*)\]", line))


class Confinement(PodMachineTest):
    @classmethod
    def arrange(cls, machine):
        with tempfile.TemporaryDirectory(prefix="pv-") as directory:
            program = pathlib.Path(directory) / "probe"
            subprocess.run(["cc", "-D_GNU_SOURCE", "-static", "-O1", "-Wall", "-Wextra", "-Wno-unused-parameter", HERE / "probe.c", "-o", program], check=True)
            path = machine.path(PROBE)
            path.write_bytes(program.read_bytes())
            path.chmod(0o755)
        for name, text in TARGETS.items():
            machine.write(f"/etc/systemd/system/{name}", text)
        # Where no pod can see them: podvisord opens them.
        for name in ("vmlinux", "initrd"):
            shutil.copy(BUILD / "guest" / name, machine.path("/srv"))
        machine.write("/etc/podvisor/podvisord.conf", BOOT)
        for path in SECRETS:
            if not path.startswith("/run/"):
                machine.write(path, "secret\n")
        machine.path("/root").chmod(0o755)
        machine.path("/open").mkdir()
        machine.path("/open").chmod(0o777)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.machine.write("/run/secret", "secret\n")
        cls.machine.run("systemctl", "start", "targets.socket")
        cls.make_devices()
        cls.machine.run("systemctl", "start", "podvisord.service")
        cls.machine.import_busybox()
        cls.machine.pod("real", HELLO % "")
        cls.machine.wait("real")

    @classmethod
    def make_device(cls, name, kind, number):
        """A node that anybody may open: only the unit's own list of devices stands before it. False: not even root can."""
        path = cls.machine.path("/dev") / name
        path.unlink(missing_ok=True)
        os.mknod(path, kind, number)
        path.chmod(0o666)
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    @classmethod
    def make_devices(cls):
        fuse = os.makedev(10, 229)
        devices = {"fuse": fuse, "mem": os.makedev(1, 1), "kmsg": os.makedev(1, 11)}
        cls.denied = DENIED_TO_ALL | {f"/dev/{name}" for name, number in devices.items() if not cls.make_device(name, stat.S_IFCHR, number)}
        # Where tests may not touch the host's disk, or it has none, another device stands for it.
        disk = os.stat("/").st_dev
        if not os.major(disk) or not cls.make_device("disk-of-the-host", stat.S_IFBLK, disk):
            if not cls.make_device("disk-of-the-host", stat.S_IFCHR, fuse):
                cls.denied.add("/dev/disk-of-the-host")

    def probe_in_qemus_place(self):
        """Its one line, as the reason of the pod's end has it."""
        self.machine.write("/etc/podvisor/podvisord.conf", BOOT + f'qemu = "{PROBE}";\n')
        self.machine.run("systemctl", "restart", "podvisord.service")
        self.machine.pod("probe", HELLO % 'restart = { policy = "never"; };')
        self.machine.wait("probe", state="failed")
        shown = self.machine.podvisor("status", "probe", "--json=short", check=False).stdout
        self.machine.remove_pod("probe")
        self.machine.write("/etc/podvisor/podvisord.conf", BOOT)
        self.machine.run("systemctl", "restart", "podvisord.service")
        return json.loads(shown)[0]["message"]

    def test_a_machine_gets_at_nothing_of_its_host(self):
        confined = self.probe_in_qemus_place()
        self.assertIn(f"probe: {len(attempts())} attempts, ", confined)
        self.assertEqual(succeeded(confined), set())
        # The same with nothing in its way, where its mounts are seen by nobody.
        free = self.machine.run("unshare", "--mount", PROBE, check=False).stderr
        self.assertEqual(attempts() - succeeded(free) - self.denied, set())

    def test_exposure(self):
        for unit, threshold in EXPOSURE.items():
            shown = self.machine.run("systemd-analyze", "security", "--no-pager", f"--threshold={threshold}", unit, check=False)
            print(shown.stdout.splitlines()[-1])
            self.assertEqual(shown.returncode, 0, shown.stdout)

    def test_each_right_that_is_kept_is_spoken_of_in_its_unit(self):
        for unit in EXPOSURE:
            shown = self.machine.run("systemd-analyze", "security", "--no-pager", unit).stdout
            kept = {name for line in shown.splitlines() if line.startswith("✗") for name in re.findall(r"^✗ (\w+)=", line)}
            text = self.machine.run("systemctl", "cat", unit).stdout
            self.assertGreater(len(kept), 3, shown)
            self.assertEqual({name for name in kept if f"{name}=" not in text}, set())

    def test_the_real_machine_is_a_user_of_its_own_without_any_power(self):
        pid = self.machine.vmm("real")
        proc = self.machine.path(f"/proc/{pid}")
        found = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        wanted = {"NoNewPrivs": "1", "Seccomp": "2", **{f"Cap{kind}": NOTHING for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")}}
        self.assertEqual({key: found[key] for key in wanted}, wanted)
        runner = self.machine.status("real")["runner_pid"]
        users = {os.stat(self.machine.path(f"/proc/{p}")).st_uid for p in (pid, runner)}
        self.assertEqual(len(users), 1)
        self.assertGreaterEqual(users.pop(), 61184)
        self.assertIn("podvisor-pod@real.service", (proc / "cgroup").read_text())
        files = {os.readlink(proc / "fd" / number) for number in os.listdir(proc / "fd")}
        self.assertLess({"/srv/vmlinux", "/srv/initrd"}, files)
        for namespace in ("net", "mnt", "ipc"):
            self.assertNotEqual(os.readlink(proc / "ns" / namespace), os.readlink(self.machine.path(f"/proc/1/ns/{namespace}")))


if __name__ == "__main__":
    main()
