#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The API on a real system bus, with a real polkit: what root sees, what users see, and what an administrator lets them do."""
import errno
import os
import pty
import select
import termios
import time

from machine import PATIENCE, main
from pods import HELLO, PodMachineTest

NAME, PATH = "org.podvisor.Supervisor1", "/org/podvisor/Supervisor1"
POD = NAME + ".Pod"
DENIED, NO_DAEMON = 1, 6
# The administrator's: alice manages the pod web, and nothing else.
RULE = """polkit.addRule(function(action, subject) {
    if (action.id == "org.podvisor.manage" && action.lookup("pod") == "web" && subject.isInGroup("web"))
        return polkit.Result.YES;
});
"""
ADMINISTRATOR = 'polkit.addAdminRule(function(action, subject) { return ["unix-user:boss"]; });\n'
# Asks the bus for podvisord's name, and says what it got.
REQUEST = f"""
import ctypes
systemd, bus = ctypes.CDLL("libsystemd.so.0"), ctypes.c_void_p()
systemd.sd_bus_open_system(ctypes.byref(bus))
print(systemd.sd_bus_request_name(bus, b"{NAME}", ctypes.c_uint64(0)))
"""


def path(pod):
    return f"{PATH}/pod/{pod}"


class Bus(PodMachineTest):
    """The steps are in the order of their names."""

    @classmethod
    def arrange(cls, machine):
        for pod in ("web", "other"):
            machine.pod(pod, HELLO % 'backend = "null";')
        machine.write("/etc/polkit-1/rules.d/50-web.rules", RULE)
        machine.write("/etc/polkit-1/rules.d/10-boss.rules", ADMINISTRATOR)

    @classmethod
    def settle(cls, machine):
        machine.run("groupadd", "web")
        machine.run("useradd", "--groups=web", "alice")
        machine.run("useradd", "mallory")
        machine.run("useradd", "boss")
        machine.run("chpasswd", input="boss:secret\n")

    def busctl(self, *words, user=None, check=True):
        return self.machine.record("busctl", "--no-pager", "--system", *words, user=user, check=check)

    def call(self, pod, method, user=None, check=True):
        return self.busctl("call", NAME, path(pod), POD, method, user=user, check=check)

    def state(self, pod):
        return self.machine.status(pod)["state"]

    def test_1_the_first_call_starts_podvisord(self):
        self.machine.run("systemctl", "stop", "podvisord.service", "podvisord.socket")
        self.assertIn(path("web"), self.busctl("call", NAME, PATH, NAME, "GetPod", "s", "web").stdout)
        self.assertEqual(self.machine.unit("podvisord.service")["ActiveState"], "active")
        self.machine.wait("web", "other")

    def test_2_busctl_knows_it_whoever_asks(self):
        for user in (None, "mallory"):
            tree = self.busctl("tree", NAME, user=user).stdout
            self.assertIn(path("web"), tree)
            self.assertIn(path("other"), tree)
            shown = self.busctl("introspect", NAME, path("web"), user=user).stdout
            self.assertRegex(shown, r"(?m)^\.Exec +method +sasasssbuu +h ")
            self.assertRegex(shown, r'(?m)^\.State +property +s +"ready" +emits-change')
        self.assertIn(path("web"), self.busctl("call", NAME, PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                                               user="mallory").stdout)

    def test_3_every_user_sees_pods_and_nobody_manages_them_without_leave(self):
        self.assertRegex(self.machine.record("podvisor", "list", user="mallory").stdout, r"web +ready")
        # But not what they cost, since processes of others are not for everybody to look at.
        self.assertRegex(self.machine.record("podvisor", "list", "--memory", user="mallory").stdout, r"(?m)^web +ready .* -$")
        self.assertIn("this user may not look at it; root may", self.machine.record("podvisor", "status", "web", user="mallory").stdout)
        self.assertRegex(self.machine.record("podvisor", "list", "--memory").stdout, r"(?m)^web +ready .*[MK]$")
        for verb in ("stop", "kill", "restart", "pause"):
            said = self.machine.record("podvisor", verb, "web", user="mallory", check=False)
            self.assertEqual(said.returncode, DENIED)
            self.assertIn("polkit", said.stderr)
        self.assertNotEqual(self.call("web", "Stop", user="mallory", check=False).returncode, 0)
        said = self.machine.record("podvisor", "exec", "web/hello", "--", "true", user="mallory", check=False)
        self.assertNotEqual(said.returncode, 0)
        self.assertEqual(self.state("web"), "ready")

    def test_4_a_rule_lets_a_user_manage_one_pod(self):
        self.machine.record("podvisor", "stop", "web", user="alice")
        self.machine.wait("web", state="stopped")
        self.machine.record("podvisor", "start", "web", user="alice")
        self.machine.wait("web")
        self.assertEqual(self.machine.record("podvisor", "stop", "other", user="alice", check=False).returncode, DENIED)
        self.assertNotEqual(self.machine.record("podvisor", "reload", user="alice", check=False).returncode, 0)
        self.assertEqual(self.state("other"), "ready")

    def test_5_a_user_with_an_administrator_at_hand_may(self):
        master, slave = pty.openpty()
        process = self.machine.spawn("setsid", "--ctty", "--wait", "podvisor", "stop", "other", user="mallory",
                                     stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        said = self.read(master, "assword: ")
        # What is typed before the echo is off is thrown away; nothing tells when that is.
        deadline = time.monotonic() + PATIENCE
        while termios.tcgetattr(master)[3] & termios.ECHO and time.monotonic() < deadline:
            time.sleep(0.02)
        os.write(master, b"secret\n")
        self.read(master, None)
        self.assertEqual(process.wait(PATIENCE), 0)
        os.close(master)
        self.assertIn("org.podvisor.manage", said)
        self.machine.wait("other", state="stopped")
        self.machine.podvisor("start", "other")
        self.machine.wait("other")

    def read(self, fd, end):
        """From a terminal: what is there until these words, or, None, until its other side is closed."""
        text, deadline = "", time.monotonic() + PATIENCE
        while end is None or not text.endswith(end):
            if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
                self.fail(f"in vain: {end} on the terminal, which has: {text}")
            try:
                data = os.read(fd, 4096)
            except OSError:  # how the end of a terminal looks
                data = b""
            if not data:
                break
            print(data.decode(errors="replace"), end="", flush=True)
            text += data.decode(errors="replace")
        return text

    def test_6_without_polkit_only_root_may(self):
        self.machine.run("systemctl", "mask", "--runtime", "--now", "polkit.service")
        said = self.machine.record("podvisor", "list", user="alice", check=False)
        self.assertEqual(said.returncode, DENIED)
        self.assertIn("only root", said.stderr)
        self.call("web", "Pause")
        self.call("web", "Resume")
        self.machine.run("systemctl", "unmask", "--runtime", "polkit.service")
        self.machine.record("podvisor", "list", user="alice")

    def test_7_a_bus_that_is_restarted_has_podvisord_again(self):
        before = {pod: self.machine.vmm(pod) for pod in ("web", "other")}
        podvisord = self.machine.unit("podvisord.service")["MainPID"]
        # A machined that starts asks the bus, and waits; a bus that a new user connects to asks machined (nss-systemd), and
        # waits: if both happen at once, they wait 45 s for each other. That is theirs to mend; here machined stays away.
        self.machine.run("systemctl", "mask", "--runtime", "--now", "systemd-machined.service")
        self.machine.run("systemctl", "stop", "dbus.socket", "dbus.service")
        self.machine.record("podvisor", "list")
        said = self.machine.record("podvisor", "list", user="alice", check=False)
        self.assertEqual(said.returncode, NO_DAEMON)
        self.machine.run("systemctl", "start", "dbus.socket", "dbus.service")
        # A bus on which it is not yet has it started: it already runs, and takes its name.
        self.assertIn(path("web"), self.busctl("tree", NAME).stdout)
        self.machine.record("podvisor", "list", user="alice")
        self.assertEqual(self.machine.unit("podvisord.service")["MainPID"], podvisord)
        self.assertEqual({pod: self.machine.vmm(pod) for pod in before}, before)
        self.machine.run("systemctl", "unmask", "--runtime", "systemd-machined.service")

    def test_8_nobody_else_is_podvisord(self):
        self.machine.run("systemctl", "stop", "podvisord.service", "podvisord.socket")
        self.assertEqual(self.machine.record("/usr/bin/python3", "-c", REQUEST, user="mallory").stdout, f"{-errno.EACCES}\n")
        self.assertEqual(self.machine.record("/usr/bin/python3", "-c", REQUEST).stdout, "1\n")


if __name__ == "__main__":
    main()
