#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guests that are broken or hostile: each pod has an init that is not the agent, and its end is told as what it is."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from instance import BUILD, HERE, HELLO, PATIENCE, HostTest, Instance, compile_static, resident, until

WELL = 'memory = "128M"; restart = {{ policy = "{}"; delay = "100ms"; }};\n' + HELLO.replace("{", "{{").replace("}", "}}")
# Of a guest that never comes nobody waits for the end of an honest one's patience.
POD = 'start_timeout = "12s"; ' + WELL
NULL = 'backend = "null"; containers = ( { name = "a"; image = "none"; } );'
MEGABYTE = 1 << 20


class Well(HostTest):
    """Guests that are well, until somebody ends them."""

    def press_power_button(self, pod):
        """As somebody does who has the machine in his hands: by its control socket, which takes one after the other."""
        with socket.socket(socket.AF_UNIX) as s, s.makefile("rw") as words:
            s.settimeout(PATIENCE)
            s.connect(str(self.host.run / "pods" / pod / "vm" / "qmp"))
            os.kill(self.host.status(pod)["runner_pid"], signal.SIGKILL)  # the next one queues up behind this
            words.readline()
            for command in ("qmp_capabilities", "system_powerdown"):
                words.write(json.dumps({"execute": command}) + "\n")
                words.flush()
                next(line for line in words if "return" in line)  # there are events, too

    def test_the_power_button_of_a_machine_ends_its_pod_in_order(self):
        machines = ("q35", "microvm")
        for machine in machines:
            self.host.write(machine, f'qemu = {{ machine = "{machine}"; }};\n' + WELL.format("never").replace("exit 0", "exit 7"))
        for machine in machines:
            # Which it says when it can be asked to end.
            until("its line", lambda: "hello" in self.host.cli("logs", machine, check=False).stdout)
        for machine in machines:
            self.press_power_button(machine)
        for machine in machines:
            self.host.wait(machine, state="failed")
            self.assertEqual(self.host.status(machine)["reason"], "power-button")
            self.assertEqual(self.host.container(machine, "hello")["exit_code"], 7)
            self.assertIn("podvisor-agent: the power button of the machine was pressed", self.host.page(machine))

    def test_a_panic_is_told_in_the_kernels_words_and_the_pod_starts_again(self):
        self.host.write("web", WELL.format("on-failure").replace("command", 'capabilities = [ "SYS_ADMIN" ]; command'))
        self.host.wait("web")
        machine = self.host.status("web")["vmm_pid"]
        self.host.sh("web", "mkdir /tmp/p; mount -t proc proc /tmp/p; echo c >/tmp/p/sysrq-trigger", check=False)
        until("a restart", lambda: self.host.status("web")["restarts"] == 1)
        self.assertEqual(self.host.status("web")["reason"], "guest-panic")
        self.assertIn("sysrq triggered crash", self.host.page("web"))
        self.host.wait("web")
        self.assertNotEqual(self.host.status("web")["vmm_pid"], machine)


class Guests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pv-")))

    def host(self, part):
        """An instance whose guests run that part of false-agent.c, and a pod that is none of its business."""
        program, initrd = self.directory / part, self.directory / f"{part}.initrd"
        compile_static("false-agent.c", program, f"-DPART={part}", "-Wno-unused-function")
        subprocess.run([HERE.parents[1] / "guest/image/build", "--agent", program, "--kernel-dir", BUILD / "guest/kernel",
                        "--out", initrd], check=True)
        host = self.enterContext(Instance(f'initrd = "{initrd}";'))
        host.import_busybox()
        host.write("calm", NULL)
        host.wait("calm")
        return host

    def end(self, host, text=POD):
        host.write("odd", text.format("never"))
        host.wait("odd", state="failed")
        self.assertEqual(host.machines(), {})
        self.assertEqual(host.status("calm")["state"], "ready")
        return host.status("odd")

    def test_an_init_that_ends_is_a_panic_of_the_kernel(self):
        host = self.host("leave")
        self.assertEqual(self.end(host, WELL)["reason"], "guest-panic")
        page = host.page("odd")
        self.assertIn("Attempted to kill init", page)
        self.assertIn("Console:", page)

    def test_a_guest_that_resets(self):
        self.assertEqual(self.end(self.host("reset"), WELL)["reason"], "guest-reset")

    def test_a_silent_guest_ends_at_its_deadline_with_its_last_words(self):
        host = self.host("sleep_on")
        began = time.monotonic()
        self.assertEqual(self.end(host)["reason"], "boot-timeout")
        self.assertGreater(time.monotonic() - began, 11)
        self.assertIn("the false agent sleeps now", host.page("odd"))
        self.assertIn("the false agent sleeps now", host.cli("start", "odd", check=False).stderr)

    def test_a_silent_guest_is_tried_again_by_policy(self):
        host = self.host("sleep_on")
        host.write("odd", POD.format("on-failure"))
        until("a second try", lambda: (pods := host.list()).get("odd", {}).get("restarts", 0) >= 1)
        self.assertEqual(host.status("odd")["reason"], "boot-timeout")

    def flood(self, part):
        """Runner and podvisord stay small and quick all the time until the guest is given up."""
        host = self.host(part)
        before = resident(host.daemon.pid)
        host.write("odd", POD.format("never"))
        host.wait("odd", state="starting")
        runner, largest, slowest = host.status("odd")["runner_pid"], 0, 0
        while (state := host.status("odd")["state"]) == "starting":
            began = time.monotonic()
            self.assertEqual(host.list()["calm"]["state"], "ready")
            slowest = max(slowest, time.monotonic() - began)
            with self.subTest("the runner may be gone by now"):
                try:
                    largest = max(largest, resident(runner) or 0)
                except FileNotFoundError:
                    pass
        host.wait("odd", state="failed")
        self.assertIn(host.status("odd")["reason"], ("boot-timeout", "agent-lost", "agent-refused"))
        self.assertEqual(host.machines(), {})
        self.assertGreater(largest, 0)
        self.assertLess(largest, 8 * MEGABYTE)
        self.assertLess(slowest, 1)
        self.assertLess(resident(host.daemon.pid) - before, 2 * MEGABYTE)

    def test_noise_on_the_port(self):
        self.flood("noise")

    def test_frames_that_never_end(self):
        self.flood("endless")

    def test_frames_whose_content_lies(self):
        self.flood("frames")

    def test_a_console_that_never_ends_is_kept_small(self):
        self.flood("mute")


if __name__ == "__main__":
    unittest.main()
