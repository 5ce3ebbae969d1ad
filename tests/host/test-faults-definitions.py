#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with definitions and images while pods run: the real files, the real daemon, a real machine beside."""
import os
import shutil
import signal
import struct
import time
import unittest

from instance import HELLO, NOBODY, HostTest, Instance, alive, nobodys_instance, stop, until

NULL = 'backend = "null"; {} containers = ( {{ name = "a"; image = "none"; }} );\n'
ONCE = 'restart = { policy = "never"; };\n'


class Images(HostTest):
    def tearDown(self):
        self.host.clear()

    def test_a_missing_image_is_named_with_what_to_do(self):
        self.host.write("web", ONCE + HELLO.replace('"busybox"', '"nothing-like-it"'))
        self.host.wait("web", state="waiting")
        self.assertEqual(self.host.status("web")["missing_image"], "nothing-like-it")
        self.assertIn("nothing-like-it", self.host.page("web"))
        self.assertIn("podvisor image import", self.host.page("web"))
        self.assertEqual(self.host.machines(), {})

    def test_a_pod_starts_once_its_image_is_there(self):
        self.host.write("web", 'restart = { policy = "never"; };' + HELLO.replace('"busybox"', '"late"'))
        self.host.wait("web", state="waiting")
        self.host.import_busybox("late")
        self.host.wait("web")
        # What was not launched was no restart, and no attempt
        self.assertEqual((self.host.status("web")["restarts"], self.host.status("web")["attempt"]), (0, 1))

    def test_an_image_of_another_architecture_is_refused(self):
        tree = self.host.root / "arm-tree"
        (tree / "bin").mkdir(parents=True)
        # The header of a 64-bit little-endian program for AArch64 (183).
        header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0)
        (tree / "bin/sh").write_bytes(header + bytes(4096))
        (tree / "bin/sh").chmod(0o755)
        end = self.host.cli("image", "import", "arm", tree, check=False)
        self.assertNotEqual(end.returncode, 0)
        self.assertIn("aarch64", end.stderr.lower().replace("arm64", "aarch64"))
        self.assertNotIn("arm", self.host.cli("image", "list", "--json=short").stdout)


class Files(HostTest):
    """A machine runs throughout, and nothing that happens to files stops it."""

    def setUp(self):
        self.host.write("web", HELLO)
        self.host.wait("web")
        self.machine = self.host.status("web")["vmm_pid"]
        self.addCleanup(self.host.clear)

    def still_runs(self):
        status = self.host.status("web")
        self.assertEqual((status["vmm_pid"], status["state"]), (self.machine, "ready"))

    def errors(self):
        return until("an error", lambda: self.host.status("web")["errors"])

    def no_errors(self):
        until("no error any more", lambda: not self.host.status("web")["errors"])

    def test_a_file_written_slowly_never_stops_it(self):
        text = 'description = "slowly";\n' + HELLO
        with open(self.host.pods / "web.pod", "w") as f:
            for character in text:
                f.write(character)
                f.flush()
                # Slow is what is tested: the writer takes longer than podvisord waits for further changes.
                time.sleep(0.01)
            self.still_runs()
        until("the new description", lambda: self.host.status("web")["description"] == "slowly")
        self.still_runs()
        self.assertEqual(self.host.status("web")["errors"], [])

    def test_a_file_left_half_written_never_stops_it(self):
        (self.host.pods / "web.pod").write_text(HELLO[:60])
        self.assertIn("web.pod:", self.errors()[0])
        self.still_runs()
        self.assertIn("Errors:", self.host.page("web"))
        (self.host.pods / "web.pod").write_text(HELLO)
        self.no_errors()
        self.still_runs()

    def test_a_wrong_file_never_stops_it_even_when_podvisord_starts_with_it(self):
        self.host.write("web", 'memroy = "1G";\n' + HELLO)
        self.assertIn('"memory"', self.errors()[0])
        self.host.kill(signal.SIGKILL)
        self.host.start()
        self.host.wait("web")
        self.still_runs()
        self.assertIn('"memory"', self.errors()[0])

    def test_a_directory_that_is_gone_stops_nothing_and_one_that_is_back_counts(self):
        aside = self.host.root / "aside"
        self.host.pods.rename(aside)
        self.assertIn("is gone", self.errors()[0])
        self.still_runs()
        aside.rename(self.host.pods)
        self.no_errors()
        shutil.rmtree(self.host.pods)
        self.errors()
        self.still_runs()
        # What is made again is watched again, and what is not in there is not wanted any more.
        self.host.pods.mkdir()
        self.host.wait("web", state="gone")
        self.assertFalse(alive(self.machine))
        self.host.write("web", HELLO)
        self.host.wait("web")

    def test_a_queue_of_events_that_runs_over_loses_nothing(self):
        stop(self.host.daemon.pid)
        for i in range(10000):
            noise = self.host.pods / f"noise-{i}"
            noise.touch()
            noise.unlink()
        self.host.write("late", NULL.format(""))
        (self.host.pods / "web.pod").write_text('description = "seen";\n' + HELLO)
        os.kill(self.host.daemon.pid, signal.SIGCONT)
        self.host.wait("late")
        until("the change", lambda: self.host.status("web")["description"] == "seen")
        self.still_runs()

    def test_strange_names_are_no_pods(self):
        for name in ("web.pod~", ".web.pod.swp", "web.pod.dpkg-new", "#web.pod#", "README"):
            (self.host.pods / name).write_text("garbage {")
        self.host.write("last", NULL.format(""))
        self.host.wait("last")
        self.assertEqual(set(self.host.list()), {"web", "last"})


class Two(unittest.TestCase):
    """Two directories: podvisord --user."""

    def setUp(self):
        self.host = UserInstance()
        self.enterContext(self.host)

    def description(self):
        return self.host.status("a")["description"]

    def test_the_first_directory_wins_and_a_mask_hides(self):
        first, second = self.host.pods / "a.pod", self.host.second / "a.pod"
        second.write_text(NULL.format('description = "second";'))
        self.host.wait("a")
        self.assertEqual((self.description(), self.host.status("a")["file"]), ("second", str(second)))
        first.write_text(NULL.format('description = "first";'))
        until("the first one", lambda: self.description() == "first")
        self.assertEqual(self.host.status("a")["file"], str(first))
        first.unlink()
        until("the second one again", lambda: self.description() == "second")
        first.symlink_to("/dev/null")
        self.host.cli("wait", "a", "--for=gone", "--timeout=60s")
        first.unlink()
        self.host.wait("a")

    def test_a_wrong_first_one_does_not_let_the_second_through(self):
        (self.host.second / "a.pod").write_text(NULL.format('description = "second";'))
        (self.host.pods / "a.pod").write_text("garbage {")
        error = until("an error", lambda: self.host.list().get("a") and self.host.status("a")["errors"])
        self.assertIn("a.pod:1", error[0])
        self.assertNotEqual(self.host.status("a")["state"], "ready")


class UserInstance(Instance):
    def __init__(self):
        super().__init__()
        for name in ("config", "runtime", "state"):
            (self.root / name).mkdir()
        self.pods.rmdir()
        self.pods = self.root / "config/podvisor/pods.d"
        self.second = self.root / "runtime/podvisor/pods.d"
        self.run = self.root / "runtime/podvisor"
        self.pods.mkdir(parents=True)
        self.second.mkdir(parents=True)
        self.where = ["--user"]
        self.environment = {**os.environ, "HOME": str(self.root), "XDG_CONFIG_HOME": str(self.root / "config"),
                            "XDG_RUNTIME_DIR": str(self.root / "runtime"), "XDG_STATE_HOME": str(self.root / "state")}
        self.environment.pop("PODVISOR_ROOT", None)


@unittest.skipUnless(os.getuid() == 0, "only root can become somebody else")
class Unprivileged(unittest.TestCase):
    """podvisord as nobody: no permission is a real answer then, and all works that should."""

    def setUp(self):
        self.host = nobodys_instance(self)
        self.enterContext(self.host)

    def write(self, name, text, mode=0o644):
        file = self.host.pods / f"{name}.pod"
        file.write_text(text)
        os.chown(file, NOBODY, NOBODY)
        os.chmod(file, mode)

    def test_a_real_machine_runs_and_a_file_that_may_not_be_read_is_told(self):
        self.host.import_busybox()
        self.write("web", HELLO)
        self.host.wait("web")
        self.assertEqual(self.host.sh("web", "echo fine").stdout, "fine\n")
        status = self.host.status("web")
        for pid in (self.host.daemon.pid, status["runner_pid"], status["vmm_pid"]):
            self.assertEqual(os.stat(f"/proc/{pid}").st_uid, NOBODY)

        os.chmod(self.host.pods / "web.pod", 0)
        error = until("an error", lambda: self.host.status("web")["errors"])
        self.assertIn("ermission denied", error[0])
        self.assertEqual(self.host.status("web")["vmm_pid"], status["vmm_pid"])
        self.write("secret", HELLO, mode=0)
        error = until("an error", lambda: self.host.list().get("secret") and self.host.status("secret")["errors"])
        self.assertIn("ermission denied", error[0])
        os.chmod(self.host.pods / "web.pod", 0o644)
        until("no error", lambda: not self.host.status("web")["errors"])
        self.host.clear()


if __name__ == "__main__":
    unittest.main()
