#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Directories of the host that a pod sees as they are, and may write."""
import contextlib
import gzip
import os
import pathlib
import shutil
import signal
import tempfile
import unittest

from instance import NOBODY, HostTest, nobodys_instance, until

OWNER = 4711
UPLOADS = pathlib.Path(__file__).resolve().parents[2] / "examples/uploads.pod"
SHARES = """qemu = { machine = "q35"; };
restart = {{ policy = "{policy}"; delay = "100ms"; max_delay = "1s"; }};
volumes = ( {volumes} );
containers = ( {{ name = "main"; image = "busybox";
  command = [ "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ];
  mounts = ( {mounts} ); }} );
"""


def pod(policy="always", **volumes):
    """A pod whose shares have these further keys."""
    return SHARES.replace("qemu = { machine", "qemu = {{ machine").replace("q35\"; };", "q35\"; }};").format(
        policy=policy,
        volumes=", ".join(f'{{ name = "{name}"; type = "share"; mode = "live"; {keys} }}' for name, keys in volumes.items()),
        mounts=", ".join(f'{{ volume = "{name}"; path = "/{name}"; }}' for name in volumes))


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.split() for key, _, value in (line.partition(":") for line in lines)}


def virtiofsds(directory):
    """The processes of each virtiofsd for something at or below it, the first one first: known by what is mounted for them."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and "virtiofsd" in os.readlink(entry / "exe"):
                roots = [line.split()[3] for line in (entry / "mountinfo").read_text().splitlines()]
                # Seen from the file system that it is on, which may be mounted anywhere.
                if any(directory.name in root.split("/") for root in roots):
                    found.append(int(entry.name))
    return sorted(found)


class Shares(HostTest):
    """Where the owner of the directories can get to them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tree = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pv-shares-")))
        cls.tree.chmod(0o755)
        cls.owner = OWNER if os.getuid() == 0 else os.getuid()

    def tearDown(self):
        self.host.clear()
        self.assertEqual(virtiofsds(self.tree), [])

    def directory(self, name, owner=None, mode=0o755):
        path = self.tree / name
        path.mkdir()
        path.chmod(mode)
        os.chown(path, self.owner if owner is None else owner, -1)
        self.addCleanup(shutil.rmtree, path)
        return path

    def sh(self, script):
        return self.host.sh("web", script).stdout

    def reason(self, name, words):
        until(f"{name}: {words}", lambda: words in (name in self.host.list() and self.host.status(name)["message"] or ""))

    def test_a_live_share_is_the_directory_itself_until_what_shares_it_ends(self):
        data, site = self.directory("data"), self.directory("site", owner=0 if os.getuid() == 0 else None)
        (site / "page").write_text("one\n")
        (site / "link").symlink_to("/etc/shadow")
        self.host.write("web", pod(data=f'source = "{data}";', site=f'source = "{site}"; read_only = true;'))
        self.host.wait("web")
        self.see_each_other(data, site)
        self.stand_confined(data)
        # The machine does not notice that its runner is another one.
        before, runner = virtiofsds(self.tree), self.host.runners()["web"][0]
        os.kill(runner, signal.SIGKILL)
        until("another runner", lambda: self.host.runners().get("web", [runner]) != [runner])
        self.host.wait("web")
        self.sh("echo again > /data/again")
        self.assertEqual((data / "again").read_text(), "again\n")
        status = self.host.status("web")
        self.assertEqual((virtiofsds(self.tree), status["attempt"]), (before, 1))
        # What shares it, and maps the guest's memory for that, is part of what the pod costs, and the guest counts once.
        self.assertLessEqual({helper["pid"] for helper in status["helpers"]}, set(before))
        self.assertEqual(len(status["helpers"]), 2)
        self.assertGreater(status["cost"]["shares"], 0)
        self.assertLessEqual(status["cost"]["guest"], status["memory_size"] + (8 << 20))
        # That runner knows of the end, and not how.
        os.kill(virtiofsds(data)[0], signal.SIGKILL)
        self.reason("web", " ended: another runner had started it, so how is not known")
        self.assertEqual(self.host.status("web")["reason"], "share-lost")
        # The next machine's runner does, while the guest boots.
        until("another machine", lambda: self.host.status("web")["attempt"] == 2 and self.host.status("web")["vmm_pid"] > 0)
        os.kill(virtiofsds(data)[0], signal.SIGKILL)
        self.reason("web", "virtiofsd of the share data ended: SIGKILL")

    def see_each_other(self, data, site):
        (site / "page").write_text("two\n")
        self.assertEqual(self.sh("cat /site/page; readlink /site/link"), "two\n/etc/shadow\n")
        (site / "page").write_text("six\n")
        self.assertEqual(self.sh("cat /site/page"), "six\n")
        (site / "page").unlink()
        self.assertEqual(self.sh("ls /site"), "link\n")
        refused = self.host.sh("web", "touch /site/x", check=False)
        self.assertIn("Read-only file system", refused.stderr)
        self.sh("mkdir /data/deep && umask 027 && echo here > /data/deep/x && mv /data/deep/x /data/deep/y")
        made = data / "deep/y"
        self.assertEqual((made.read_text(), made.stat().st_uid, made.stat().st_mode & 0o777), ("here\n", self.owner, 0o640))
        self.assertEqual(self.sh("stat -c '%u:%g %a' /data/deep/y"), "0:0 640\n")
        page = self.host.page("web")
        self.assertIn(f"Live: data is {data} itself, which the pod can write", page)
        self.assertIn(f"site is {site} itself, for reading", page)

    def stand_confined(self, data):
        pids = virtiofsds(self.tree)
        self.assertEqual(len(pids), 4)  # two each: the one that serves, and the one that waits for it
        serving = [pid for pid in pids if status_of(pid)["NSpid"] != [str(pid)]]
        self.assertEqual(len(serving), 2)
        for pid in pids:
            status = status_of(pid)
            self.assertNotIn("0", status["Uid"])
            self.assertEqual((status["NoNewPrivs"], status.get("Groups", [])), (["1"], []))
        for pid in serving:
            self.assertEqual(status_of(pid)["Seccomp"], ["2"])
            self.assertNotIn("etc", os.listdir(f"/proc/{pid}/root"))
            self.assertNotEqual(os.readlink(f"/proc/{pid}/ns/net"), os.readlink("/proc/self/ns/net"))
        self.assertIn(["deep"], [os.listdir(f"/proc/{pid}/root") for pid in serving])

    def test_what_cannot_be_shared_ends_the_start_with_its_reason(self):
        place = self.directory("place")
        (place / "page").write_text("x")
        (place / "link").symlink_to("/etc")
        closed = self.directory("closed", mode=0o700, owner=0 if os.getuid() == 0 else None)
        rows = [
            ("file", place / "page", "Not a directory"),
            ("missing", place / "nowhere", "No such file or directory"),
            ("link", place / "link", "a symbolic link is in its path"),
        ]
        if os.getuid() == 0:
            (closed / "inner").mkdir()
            os.chown(closed / "inner", OWNER, OWNER)
            rows += [
                ("roots", closed, "it is root's, and what a pod writes is written as the owner of the directory"),
                ("unreached", closed / "inner", "the user as whom it is shared cannot get there: Permission denied"),
            ]
        for name, path, _ in rows:
            self.host.write(name, pod("never", data=f'source = "{path}";'))
        for name, path, words in rows:
            with self.subTest(name):
                self.reason(name, f"the share of volume data cannot be used: {path}: {words}")


class WithoutVirtiofsd(HostTest):
    config = 'virtiofsd = "/usr/lib/qemu/no-virtiofsd";\n'

    def test_that_it_is_not_installed_is_said(self):
        self.host.write("web", pod("never", data='source = "/srv";'))
        until("its reason", lambda: "there is no /usr/lib/qemu/no-virtiofsd; install the package qemu-system-common"
              in ("web" in self.host.list() and self.host.status("web")["message"] or ""))
        self.host.clear()


class OfNobody(unittest.TestCase):
    """A user's own podvisord, which has no right to anything but what is the user's."""

    @unittest.skipUnless(os.getuid() == 0, "only root can become somebody else")
    def test_a_user_shares_what_the_user_may_use(self):
        host = self.enterContext(nobodys_instance(self))
        host.import_busybox()
        shared = host.root / "shared"
        shared.mkdir()
        os.chown(shared, NOBODY, NOBODY)
        host.write("web", UPLOADS.read_text().replace("/srv/uploads", str(shared)) + 'restart = { policy = "never"; };\n')
        host.wait("web")
        (shared / "new").write_text("<p>")
        (shared / "new").rename(shared / "page.html")
        packed = shared / "packed/page.html.gz"
        until("it is packed", packed.exists)
        self.assertEqual((packed.stat().st_uid, gzip.decompress(packed.read_bytes())), (NOBODY, b"<p>"))
        # They end with the machine, and it is not they who are blamed for that.
        daemons = virtiofsds(shared)
        self.assertEqual(len(daemons), 2)
        os.kill(host.machines()["web"][0], signal.SIGKILL)
        until("its end", lambda: host.status("web")["message"])
        self.assertEqual(host.status("web")["message"], "QEMU was killed by SIGKILL")
        until("no virtiofsd", lambda: not virtiofsds(shared))


if __name__ == "__main__":
    unittest.main()
