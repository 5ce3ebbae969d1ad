#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`podvisor cp`, `top` and `stats` with a real guest: what comes out is what went in, and nothing of a guest leaves the destination."""
import contextlib
import io
import json
import os
import pathlib
import signal
import stat
import subprocess
import tarfile
import tempfile
import unittest

from instance import HELLO, NOBODY, HostTest, nobodys_instance, resident, until

PATIENCE = 120
VOLUMES = """memory = "192M";
volumes = ( { name = "data"; type = "tmpfs"; size = "8M"; } );
containers = (
  { name = "one"; image = "busybox"; read_only = true; mounts = ( { volume = "data"; path = "/data"; } );
    command = [ "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ]; },
  { name = "two"; image = "busybox"; restart = { policy = "never"; }; command = [ "true" ]; } );
"""


def facts(path):
    """What a copy has to keep of a file."""
    s = path.lstat()
    kind = stat.S_IFMT(s.st_mode)
    content = os.readlink(path) if path.is_symlink() else path.read_bytes() if kind == stat.S_IFREG else b""
    return oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, content


class Copy(HostTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("hello", 'memory = "256M";\n' + HELLO)
        cls.host.write("several", VOLUMES)
        cls.host.wait("hello", "several")

    def setUp(self):
        self.here = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="pv-copy-")))
        # Whoever tests as root leaves owners behind that others could not.
        self.root = os.geteuid() == 0

    def cp(self, *words, check=True, **more):
        done = self.host.cli("cp", *words, check=False, timeout=PATIENCE, **more)
        if check and done.returncode != 0:
            self.fail(f"cp {words}: {done.returncode} {done.stderr}")
        return done

    def sh(self, script, target="hello"):
        return self.host.sh(target, script).stdout

    # What is kept

    def make_tree(self):
        tree = self.here / "tree"
        (tree / "dir").mkdir(parents=True)
        (tree / "dir/file").write_bytes(os.urandom(100_000))
        (tree / "dir/other").hardlink_to(tree / "dir/file")
        (tree / "link").symlink_to("dir/file")
        (tree / "dangling").symlink_to("/no/where")
        (tree / os.fsdecode(b"strange \n\xff\x01 name")).write_text("x")
        os.mkfifo(tree / "fifo")
        if self.root:
            os.chown(tree / "dir/file", 33, 3_000_000_000)
            os.lchown(tree / "link", 5, 6)
        (tree / "dir/file").chmod(0o4751)
        (tree / "dir").chmod(0o1750)
        os.utime(tree / "dir/file", ns=(0, 1_234_567_890_123_456_789))
        os.utime(tree / "link", ns=(0, 42), follow_symlinks=False)
        os.utime(tree / "dir", ns=(0, 7_000_000_001))
        return tree

    def test_there_and_back_is_what_it_was(self):
        tree, back = self.make_tree(), self.here / "back"
        self.cp(tree, "hello:/tmp/tree")
        self.assertEqual(self.sh("stat -c '%a %u %g %Y' /tmp/tree/dir/file").split(),
                         ["4751", *(("33", "3000000000") if self.root else ("0", "0")), "1234567890"])
        self.cp("--keep-setuid", "hello/hello:/tmp/tree", back)
        for path in [tree, *tree.rglob("*")]:
            self.assertEqual(facts(path), facts(back / path.relative_to(tree)), path)
        self.assertEqual((back / "dir/file").stat().st_ino, (back / "dir/other").stat().st_ino)

    def test_power_stays_in_the_guest_unless_it_is_asked_for(self):
        self.sh("cp /bin/busybox /tmp/suid; chmod 6755 /tmp/suid")
        self.cp("hello:/tmp/suid", self.here)
        self.assertEqual(oct((self.here / "suid").stat().st_mode)[-4:], "0755")

    def test_holes_are_not_sent(self):
        with open(self.here / "sparse", "wb") as f:
            f.truncate(20 << 30)
            f.seek(10 << 30)
            f.write(b"in the middle")
        self.cp(self.here / "sparse", "hello:/tmp/sparse")
        self.assertEqual(self.sh("stat -c %s /tmp/sparse").strip(), str(20 << 30))
        self.cp("hello:/tmp/sparse", self.here / "back")
        back = (self.here / "back").stat()
        self.assertEqual(back.st_size, 20 << 30)
        self.assertLess(back.st_blocks * 512, 1 << 20)
        with open(self.here / "back", "rb") as f:
            f.seek(10 << 30)
            self.assertEqual(f.read(13), b"in the middle")

    def test_a_large_file_needs_little_memory_anywhere(self):
        size, limit = 32 << 20, 12 << 20
        (self.here / "large").write_bytes(os.urandom(size))
        runner = self.host.runners()["hello"][0]
        before = resident(runner)
        copying = subprocess.Popen(self.host.words("cp", self.here / "large", "hello:/tmp/large"))
        most = 0
        while copying.poll() is None:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                children = pathlib.Path(f"/proc/{copying.pid}/task/{copying.pid}/children").read_text().split()
                most = max(most, resident(runner) - before, *((resident(int(pid)) or 0) for pid in (copying.pid, *children)))
            with contextlib.suppress(subprocess.TimeoutExpired):
                copying.wait(.02)
        self.assertEqual(copying.returncode, 0)
        self.assertLess(most, limit)
        self.cp("hello:/tmp/large", self.here / "back")
        self.assertEqual((self.here / "large").read_bytes(), (self.here / "back").read_bytes())
        self.sh("rm /tmp/large")

    # Where it goes

    def test_a_directory_that_is_there_gets_it_by_its_name(self):
        (self.here / "file").write_text("one")
        self.sh("mkdir -p /tmp/there")
        self.cp(self.here / "file", "hello:/tmp/there")
        self.cp(self.here / "file", "hello:/tmp/there/renamed")
        self.assertEqual(self.sh("cat /tmp/there/file /tmp/there/renamed"), "oneone")
        self.cp("hello:/tmp/there/.", self.here)
        self.assertEqual((self.here / "renamed").read_text(), "one")

    def test_a_dash_is_an_archive(self):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            info = tarfile.TarInfo("deep/down/file")
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
        self.cp("-", "hello:/tmp", input=packed.getvalue(), stdin=None, text=False)
        self.assertEqual(self.sh("cat /tmp/deep/down/file"), "abc")
        out = self.cp("hello:/tmp/deep", "-", text=False).stdout
        with tarfile.open(fileobj=io.BytesIO(out)) as tar:
            self.assertEqual(tar.getnames(), ["deep", "deep/down", "deep/down/file"])
            self.assertEqual(tar.extractfile("deep/down/file").read(), b"abc")

    def test_a_volume_of_a_read_only_container_can_be_copied_to(self):
        (self.here / "file").write_text("data")
        self.cp(self.here / "file", "several/one:/data/")
        self.assertEqual(self.sh("cat /data/file", "several/one"), "data")
        refused = self.cp(self.here / "file", "several/one:/etc/", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("file: Read-only file system", refused.stderr)

    # What goes wrong

    def assert_fails(self, words, text, status=1, **more):
        done = self.cp(*words, check=False, **more)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.returncode, status)

    def test_every_failure_says_why(self):
        (self.here / "file").write_text("x")
        for words, text, status in (
                ((self.here / "none", "hello:/tmp"), "none: No such file or directory", 1),
                (("hello:/none", self.here), "/none: No such file or directory", 1),
                (("hello:/tmp", self.here / "a/b"), f"{self.here}/a, in which b is to be made: No such file or directory", 1),
                ((self.here, "hello:/etc/passwd"), "passwd is there, and is no directory", 1),
                ((self.here / "file", "hello:/none/"), "/none/: Not a directory", 1),
                ((self.here / "file", "hello:/etc/passwd/x"), "Not a directory", 1),
                (("hello:/dev/null", self.here), "/dev/null is a device, which cannot be copied", 1),
                (("hello:/proc/cpuinfo", self.here), "a file system of the kernel", 1),
                ((self.here / "file", "several:/tmp"), "several has several containers; say which: several/CONTAINER, of one, two", 2),
                ((self.here / "file", "several/two:/tmp"), "container two does not run", 1),
                ((self.here / "file", "several/none:/tmp"), 'has no container "none"', 4),
                ((self.here / "file", "nobody:/tmp"), "nobody", 4),
                ((self.here / "file", self.here), "none of the places is in a container", 2),
                (("hello:/tmp", "hello:/etc"), "both places are in containers", 2),
                ((self.here / "file", "hello:"), "there is no path", 2)):
            with self.subTest(words=words):
                self.assert_fails(words, text, status)

    def test_what_is_no_archive_is_told(self):
        self.assert_fails(("-", "hello:/tmp"), "the archive is broken: what should be a header is none", input="x" * 5000, stdin=None)
        self.assert_fails(("-", "hello:/tmp"), "the archive is broken: it ends without its end", input="", stdin=None)

    def test_a_full_disk_is_told_and_leaves_no_part_of_a_file(self):
        (self.here / "big").write_bytes(os.urandom(12 << 20))
        self.assert_fails((self.here / "big", "several/one:/data/big"), "big: No space left on device")
        self.assertNotIn("big", self.sh("ls /data", "several/one").split())
        if not self.root:
            self.skipTest("only root can make a small disk")
        small = self.here / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], check=True)
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        self.sh("head -c 4000000 /dev/urandom > /tmp/four")
        self.assert_fails(("hello:/tmp/four", small), "four: No space left on device")
        self.assertEqual(list(small.iterdir()), [])

    def test_an_interruption_names_what_is_left(self):
        self.sh("head -c 60000000 /dev/urandom > /tmp/long")
        copying = subprocess.Popen(self.host.words("cp", "hello:/tmp/long", self.here), stderr=subprocess.PIPE, text=True)
        until("the copy begins", lambda: (self.here / "long").exists() and (self.here / "long").stat().st_size > 0)
        copying.send_signal(signal.SIGINT)
        said = copying.communicate(timeout=PATIENCE)[1]
        self.assertEqual(copying.returncode, 128 + signal.SIGINT)
        self.assertIn(f"{self.here}: interrupted", said)
        # Half a file would look like a whole one.
        self.assertEqual(list(self.here.iterdir()), [])
        self.sh("rm /tmp/long")

    def test_a_reader_that_goes_away_ends_it_in_silence(self):
        self.sh("head -c 3000000 /dev/urandom > /tmp/three")
        words = " ".join(map(str, self.host.words("cp", "hello:/tmp/three", "-")))
        head = subprocess.run(["bash", "-c", f"{words} | head -c 1 > /dev/null; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True,
                              timeout=PATIENCE)
        self.assertEqual((head.stdout, head.stderr), (f"{128 + signal.SIGPIPE}\n", ""))

    def test_a_machine_that_ends_ends_the_copy(self):
        self.host.write("short", 'memory = "192M";\nrestart = { policy = "never"; };\n' + HELLO)
        self.host.wait("short")
        self.host.sh("short", "head -c 30000000 /dev/urandom > /tmp/long")
        copying = subprocess.Popen(self.host.words("cp", "short:/tmp/long", self.here), stderr=subprocess.PIPE, text=True)
        until("the copy begins", lambda: (self.here / "long").exists() and (self.here / "long").stat().st_size > 0)
        self.host.cli("kill", "short")
        self.assertIn("short/hello:/tmp/long: ", copying.communicate(timeout=PATIENCE)[1])
        self.assertEqual(copying.returncode, 1)
        self.assertEqual(list(self.here.iterdir()), [])
        self.host.remove("short")

    # Who is in the container

    def test_a_container_cannot_lead_a_copy_out(self):
        self.sh("mkdir -p /tmp/trap && ln -s / /tmp/trap/up && ln -s /proc/1/root /tmp/trap/magic")
        (self.here / "x").mkdir()
        self.cp("hello:/tmp/trap", self.here / "x")
        self.assertEqual(os.readlink(self.here / "x/trap/up"), "/")
        # A second copy meets the links of the first on this host, and does not follow them.
        self.sh("rm -r /tmp/trap && mkdir -p /tmp/trap/up && echo evil > /tmp/trap/up/evil")
        self.assert_fails(("hello:/tmp/trap", self.here / "x"), "up is there, and is no directory")
        self.assertFalse(os.path.exists("/evil"))

    # top and stats

    def test_top_has_the_processes_of_the_inside(self):
        top = json.loads(self.host.cli("top", "several/one", "--json=short").stdout)
        self.assertEqual({p["container"] for p in top}, {"one"})
        first = next(p for p in top if p["pid"] == 1)
        self.assertEqual((first["parent"], first["uid"], first["user"]), (0, 0, "root"))
        self.assertIn("trap 'exit 0' TERM", first["command"])
        ours = subprocess.Popen(self.host.words("exec", "-u", "www", "hello", "--", "sh", "-c", "echo ready; read x; : \33[31m"),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(ours.stdout.readline(), b"ready\n")
        table = self.host.cli("top", "hello").stdout
        self.assertIn("www", table)
        self.assertIn("\\x1b[31m", table)
        ours.communicate(b"\n", timeout=PATIENCE)
        self.assertEqual(self.host.cli("top", "several/two", check=False).returncode, 1)

    def test_stats_count_what_containers_do(self):
        def of(pod):
            return json.loads(self.host.cli("stats", pod, "--json=short").stdout)[0]
        before = of("hello")
        self.sh("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; head -c 5000000 /dev/zero > /tmp/five")
        after = of("hello")
        c, d = before["containers"][0], after["containers"][0]
        self.assertGreater(d["cpu_time"], c["cpu_time"])
        self.assertGreater(d["memory"], 4_000_000)
        self.assertGreaterEqual(d["memory_peak"], d["memory"])
        self.assertGreater(after["uptime"], before["uptime"])
        self.assertLess(after["memory_available"], after["memory_total"])
        self.assertIn("hello/hello", self.host.cli("stats").stdout)
        self.assertIn("several/one", self.host.cli("stats").stdout)

    def test_an_agent_can_be_asked_by_hand(self):
        pong = json.loads(self.host.cli("agent", "hello", "ping").stdout)
        self.assertEqual((pong["protocol"] >= 3, pong["kernel"]), (True, self.host.status("hello")["kernel"]))
        list_ = json.loads(self.host.cli("agent", "several", "processes", '{"container": "one"}', "--json=short").stdout)
        self.assertEqual(list_["processes"][0]["pid"], 1)
        self.assertIn("containers", json.loads(self.host.cli("agent", "several", "statistics").stdout))
        for words, text, status in ((("hello", "power_off"), '"power_off" is nothing that an agent is asked; there are: ping', 2),
                                    (("hello", "ping", "{"), "is not what a request is told", 2),
                                    (("several", "processes"), "several has several containers", 2),
                                    (("several", "processes", '{"container": "../x"}'), "../x", 4)):
            refused = self.host.cli("agent", *words, check=False)
            self.assertIn(text, refused.stderr)
            self.assertEqual(refused.returncode, status)

    def test_a_pod_without_an_agent_says_so(self):
        self.host.write("idle", 'backend = "null";\ncontainers = ( { name = "c"; image = "busybox"; } );\n')
        self.host.wait("idle")
        refused = self.host.cli("stats", "idle", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("runs no programs", refused.stderr)
        self.host.remove("idle")


class Nobody(unittest.TestCase):
    """A user's own podvisord: the numbers of the guest's users are not those of this host's."""

    @unittest.skipIf(os.geteuid() != 0, "only root can become somebody else")
    def test_what_comes_out_belongs_to_who_copies(self):
        with nobodys_instance(self) as host:
            host.import_busybox()
            host.write("hello", 'memory = "128M";\n' + HELLO)
            host.wait("hello")
            host.sh("hello", "mkdir /tmp/tree; echo x > /tmp/tree/file; chown -R 33:33 /tmp/tree; chmod 640 /tmp/tree/file; ln -s x /tmp/tree/link")
            host.cli("cp", "hello:/tmp/tree", host.root / "back")
            for path in (host.root / "back", host.root / "back/file", host.root / "back/link"):
                self.assertEqual(path.lstat().st_uid, NOBODY)
            self.assertEqual(oct((host.root / "back/file").stat().st_mode)[-3:], "640")
            host.cli("cp", host.root / "back", "hello:/tmp/again")
            self.assertEqual(host.sh("hello", "stat -c %u /tmp/again/file").stdout, f"{NOBODY}\n")


if __name__ == "__main__":
    unittest.main()
