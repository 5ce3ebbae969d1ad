#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks that keep what is on them, and secrets that nobody but the container sees."""
import contextlib
import json
import os
import pathlib
import signal
import struct
import subprocess
import unittest

from instance import HostTest, processes_below, until

IDLE = 'command = [ "sh", "-c", "trap \'exit 0\' TERM; while :; do sleep 3600 & wait $!; done" ];'
CANARY = "canary-5d0f2c77"


def pod(volumes="", mounts="", more="", command=IDLE):
    return f"""restart = {{ delay = "100ms"; max_delay = "1s"; }};
volumes = ( {volumes} );
{more}
containers = ( {{ name = "main"; image = "busybox"; {command}
                 restart = {{ delay = "100ms"; }};
                 mounts = ( {mounts} ); }} );
"""


MADE = '{ name = "data"; type = "disk"; format = "raw"; size = "32M"; make = true; }'
AT_DATA = '{ volume = "data"; path = "/data"; }'


def disk(source, form="raw", more=""):
    return f'{{ name = "data"; type = "disk"; source = "{source}"; format = "{form}"; {more} }}'


def qcow2(backing=0, incompatible=0):
    """The beginning of an image of QEMU's; nothing else of it is there."""
    return struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, backing, 0, 16, 1 << 25, 0, 1, 0x30000, 0x10000, 1, 0, 0,
                       incompatible, 0, 0, 4, 104).ljust(65536, b"\0")


def mkfs(path, size="32M"):
    with open(path, "wb") as f:
        f.truncate(int(size.rstrip("M")) << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", path], check=True, capture_output=True)
    return path


class Storage(HostTest):
    def tearDown(self):
        self.host.clear()

    def declare(self, name, text):
        self.host.write(name, text)
        until(f"{name} is known", lambda: name in self.host.list())

    def reason(self, name, words):
        """Waits for an end of the pod whose message has the words."""
        until(f"{name}: {words}", lambda: words in (self.host.status(name)["message"] or ""), 60)

    def sh(self, script, target="db/main"):
        return self.host.sh(target, script).stdout

    def file(self, name, content=b""):
        path = self.host.root / name
        path.write_bytes(content)
        self.addCleanup(path.unlink, missing_ok=True)
        return path

    def place(self, pod, volume="data"):
        return self.host.root / "state/volumes" / f"{pod}.{volume}.raw"

    def features(self, path):
        """What fsck and the next mount would find."""
        said = subprocess.run(["dumpe2fs", "-h", path], check=True, capture_output=True, text=True).stdout
        return {key: value.strip() for key, _, value in (line.partition(":") for line in said.splitlines())}


class Disks(Storage):
    def tearDown(self):
        super().tearDown()
        for path in (self.host.root / "state/volumes").glob("*"):
            path.unlink()

    def test_a_made_disk_keeps_its_data_over_the_end_of_container_pod_and_machine(self):
        self.declare("db", pod(MADE, AT_DATA))
        self.host.wait("db")
        self.assertIn("ext4 rw,nosuid,nodev", self.sh("cat /proc/mounts").replace("(", ""))
        self.sh("echo one > /data/one")
        # The container ends, by what is first in there; the machine goes on.
        self.host.sh("db/main", "kill -TERM 1", check=False)
        until("the container is back", lambda: self.host.container("db", "main")["restarts"] == 1
              and self.host.container("db", "main")["state"] == "running")
        self.assertEqual(self.sh("cat /data/one; echo two > /data/two"), "one\n")
        self.host.cli("restart", "db")
        self.host.wait("db")
        self.assertEqual(self.sh("cat /data/one /data/two; echo three > /data/three; sync"), "one\ntwo\n")
        # The machine is gone in the middle of everything; the journal brings the rest in order.
        os.kill(self.host.machines()["db"][0], signal.SIGKILL)
        until("another machine", lambda: self.host.status("db")["attempt"] == 3)
        self.host.wait("db")
        self.assertEqual(self.sh("cat /data/one /data/two /data/three"), "one\ntwo\nthree\n")

    def test_a_disk_is_left_in_order_by_a_pod_that_stops(self):
        self.declare("db", pod(MADE, AT_DATA))
        self.host.wait("db")
        self.sh("echo x > /data/x")
        self.assertIn("needs_recovery", self.features(self.place("db"))["Filesystem features"])
        self.host.cli("stop", "db")
        found = self.features(self.place("db"))
        self.assertEqual(found["Filesystem state"], "clean")
        self.assertNotIn("needs_recovery", found["Filesystem features"])
        self.assertEqual(self.place("db").stat().st_mode & 0o777, 0o600)

    def test_a_disk_outlives_the_runner_podvisord_and_the_definition(self):
        self.declare("db", pod(MADE, AT_DATA))
        self.host.wait("db")
        self.sh("echo kept > /data/x")
        runner = self.host.runners()["db"][0]
        os.kill(runner, signal.SIGKILL)
        until("another runner", lambda: self.host.runners().get("db", [runner]) != [runner])
        self.host.kill(signal.SIGKILL)
        self.host.start()
        self.host.wait("db")
        self.assertEqual(self.sh("cat /data/x"), "kept\n")
        self.assertEqual(self.host.status("db")["attempt"], 1)
        self.host.clear()
        self.declare("db", pod(MADE, AT_DATA))
        self.host.wait("db")
        self.assertEqual(self.sh("cat /data/x"), "kept\n")

    def test_what_a_killed_podvisord_left_unfinished_is_made_anew(self):
        volumes = self.host.root / "state/volumes"
        volumes.mkdir(exist_ok=True)
        (volumes / ".db.data.raw.unfinished").write_bytes(b"half")
        self.declare("db", pod(MADE, AT_DATA))
        self.host.wait("db")
        self.assertEqual([path.name for path in volumes.iterdir()], ["db.data.raw"])

    def test_a_file_that_is_there_is_never_formatted(self):
        volumes = self.host.root / "state/volumes"
        volumes.mkdir(exist_ok=True)
        self.place("db").write_bytes(b"precious" + bytes(65528))
        self.declare("db", pod(MADE, AT_DATA))
        # It is started again and again: of a machine that boots there is nothing to tell yet.
        until("why", lambda: "volume data could not be mounted as ext4: there is no such file system on it" in self.host.page("db"))
        self.assertTrue(self.place("db").read_bytes().startswith(b"precious"))

    def test_two_containers_share_a_disk_and_one_of_them_only_reads(self):
        self.host.write("db", pod(MADE, AT_DATA).replace("containers = (", f"""containers = (
            {{ name = "reader"; image = "busybox"; {IDLE} user = "1000:1000";
               mounts = ( {{ volume = "data"; path = "/data"; read_only = true; }} ); }},"""))
        self.host.wait("db")
        self.sh("echo x > /data/x")
        self.assertEqual(self.sh("cat /data/x", "db/reader"), "x\n")
        self.assertNotEqual(self.host.sh("db/reader", "touch /data/y", check=False).returncode, 0)
        # A new disk is for every user, as memory is.
        self.assertEqual(self.sh("stat -c %a /data"), "1777\n")

    def test_a_read_only_disk_is_shared_by_pods_and_kept_by_the_host(self):
        path = mkfs(self.host.root / "base.raw")
        self.addCleanup(path.unlink)
        for name in ("one", "two"):
            self.declare(name, pod(disk(path, more="read_only = true;"), AT_DATA))
        self.host.wait("one", "two")
        self.assertNotEqual(self.host.sh("one/main", "touch /data/x", check=False).returncode, 0)
        for pids in self.host.machines().values():
            flags = {(pathlib.Path("/proc") / str(pids[0]) / "fdinfo" / fd).read_text().split("flags:\t")[1][:8][-1]
                     for fd in os.listdir(f"/proc/{pids[0]}/fd")
                     if os.readlink(f"/proc/{pids[0]}/fd/{fd}") == str(path)}
            self.assertEqual(flags, {"0"})
        # Who would write has to wait until nobody reads.
        self.declare("writer", pod(disk(path), AT_DATA))
        self.reason("writer", "the pod one uses it, as its volume data")

    def test_a_disk_in_use_by_another_pod_is_told_with_its_name(self):
        self.declare("db", pod(MADE, AT_DATA))
        self.host.wait("db")
        self.declare("thief", pod(disk(self.place("db")), AT_DATA))
        self.reason("thief", f"the disk of volume data cannot be used: {self.place('db')}: the pod db uses it, as its volume data")
        # It gets the disk when it is free; podvisord was restarted meanwhile, and knows all the same.
        self.host.kill(signal.SIGKILL)
        self.host.start()
        self.reason("thief", "the pod db uses it")
        self.host.cli("stop", "db")
        self.host.wait("thief")

    def test_a_disk_in_use_by_another_process_is_told_with_its_number(self):
        path = mkfs(self.host.root / "base.raw")
        self.addCleanup(path.unlink)
        other = subprocess.Popen(["qemu-system-x86_64", "-nodefaults", "-display", "none", "-S", "-machine", "none",
                                  "-drive", f"if=none,file={path},format=raw"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        until("it has the disk", lambda: str(path) in [os.readlink(f"/proc/{other.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{other.pid}/fd")])
        self.declare("db", pod(disk(path), AT_DATA))
        self.reason("db", f"{path}: process {other.pid} (qemu-system-x86) uses it")

    def test_what_is_no_disk_is_refused_with_its_reason(self):
        fifo = self.host.root / "fifo"
        os.mkfifo(fifo)
        self.addCleanup(fifo.unlink)
        link = self.host.root / "link"
        link.symlink_to("/etc/passwd")
        self.addCleanup(link.unlink)
        rows = (
            ("missing", disk(self.host.root / "nothing"), "No such file or directory"),
            ("empty", disk(self.file("empty")), "it is empty"),
            ("odd", disk(self.file("odd", b"x" * 1000)), "its size is not a multiple of 512 bytes"),
            ("directory", disk(self.host.root / "state"), "Is a directory"),
            ("pipe", disk(fifo), "it is neither a file nor a block device"),
            ("link", disk(link), "a symbolic link is in its path"),
            ("device", disk("/dev/null"), "it is neither a file nor a block device"),
            ("no-image", disk(self.file("text", b"x" * 65536), "qcow2"), "it does not begin as such an image does"),
            ("chain", disk(self.file("chain", qcow2(backing=0x200)), "qcow2"), "it is made on top of another image"),
            ("split", disk(self.file("split", qcow2(incompatible=4)), "qcow2"), "it keeps its data in another file"),
            ("no-raw", disk(self.file("image", qcow2())), 'begins as an image of format "qcow2" does'),
        )
        for name, volume, _ in rows:
            self.declare(name, pod(volume, AT_DATA))
        for name, _, words in rows:
            with self.subTest(name):
                self.reason(name, words)
                self.assertIn("the disk of volume data cannot be used: ", self.host.status(name)["message"])

    def test_an_image_of_qemus_is_a_disk_too(self):
        path = self.host.root / "image.qcow2"
        # Without qemu-img: QEMU itself makes one, and copies a disk into it.
        raw = mkfs(self.host.root / "from.raw")
        self.addCleanup(raw.unlink)
        self.addCleanup(path.unlink)
        qcow2_from(raw, path)
        self.declare("db", pod(disk(path, "qcow2"), AT_DATA))
        self.host.wait("db")
        self.sh("echo kept > /data/x")
        self.host.cli("restart", "db")
        self.host.wait("db")
        self.assertEqual(self.sh("cat /data/x"), "kept\n")

    def test_a_block_device_is_a_disk_too(self):
        backing = mkfs(self.host.root / "device.raw")
        self.addCleanup(backing.unlink)
        made = subprocess.run(["losetup", "--find", "--show", backing], capture_output=True, text=True)
        if made.returncode != 0:
            self.skipTest(f"this user makes no block devices here: {made.stderr.strip()}")
        device = made.stdout.strip()
        self.addCleanup(subprocess.run, ["losetup", "--detach", device], check=True)
        self.declare("db", pod(disk(device), AT_DATA))
        self.host.wait("db")
        self.sh("echo kept > /data/x")
        self.declare("thief", pod(disk(device), AT_DATA))
        self.reason("thief", f"{device}: the pod db uses it, as its volume data")
        self.host.remove("thief")
        self.host.cli("restart", "db")
        self.host.wait("db")
        self.assertEqual(self.sh("cat /data/x"), "kept\n")
        self.host.cli("stop", "db")
        self.assertEqual(self.features(device)["Filesystem state"], "clean")
        # Its other name is the same disk.
        self.declare("image", pod(disk(backing), AT_DATA))
        self.host.wait("image")
        self.assertEqual(self.sh("cat /data/x", "image/main"), "kept\n")

    def test_a_disk_of_erofs_can_be_read_alone(self):
        tree = self.host.root / "tree"
        tree.mkdir()
        (tree / "greeting").write_text("hello\n")
        path = self.host.root / "tree.erofs"
        subprocess.run(["mkfs.erofs", path, tree], check=True, capture_output=True)
        self.addCleanup(path.unlink)
        self.declare("db", pod(disk(path, more='filesystem = "erofs";'), AT_DATA))
        self.host.wait("db")
        self.assertEqual(self.sh("cat /data/greeting"), "hello\n")
        self.assertNotEqual(self.host.sh("db/main", "touch /data/x", check=False).returncode, 0)

    def test_a_full_disk_is_the_containers_trouble_and_nobody_elses(self):
        self.declare("db", pod(MADE, AT_DATA))
        self.host.wait("db")
        said = self.host.sh("db/main", "dd if=/dev/zero of=/data/big bs=1M count=64", check=False)
        self.assertIn("No space left on device", said.stderr)
        self.sh("rm /data/big; sync; echo x > /data/x")
        self.assertEqual(self.host.status("db")["attempt"], 1)

    def test_a_host_without_room_is_told_to_the_container_and_stops_no_machine(self):
        if os.geteuid() != 0:
            self.skipTest("only root can make a small file system")
        small = self.host.root / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", small], check=True)
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        self.declare("db", pod(disk(small / "db.raw", more='size = "64M"; make = true;'), AT_DATA))
        self.host.wait("db")
        said = self.host.sh("db/main", "dd if=/dev/zero of=/data/big bs=1M count=40 conv=fsync", check=False)
        self.assertNotEqual(said.returncode, 0)
        self.assertRegex(said.stderr, "No space left on device|Input/output error|Read-only file system")
        # Nothing stands still, and what is not on the disk goes on.
        self.assertEqual(self.sh("echo alive"), "alive\n")
        self.assertEqual((self.host.status("db")["state"], self.host.status("db")["attempt"]), ("ready", 1))
        self.host.remove("db")
        self.host.wait("db", state="gone")


class Scratches(Storage):
    WORK = '{ name = "work"; type = "scratch"; size = "%s"; }'
    AT_WORK = '{ volume = "work"; path = "/work"; }'
    ON_WORK = IDLE + ' writable_volume = "work";'

    def here(self):
        """What of scratch disks the host has."""
        return sorted(path.name for path in (self.host.root / "state/scratch").iterdir())

    def test_a_scratch_has_what_memory_should_not_hold_and_is_gone_with_the_machine(self):
        self.declare("job", pod(self.WORK % "400M", self.AT_WORK, 'memory = "160M";', self.ON_WORK))
        self.host.wait("job")
        # More than all memory of the pod, in the root directory.
        self.sh("dd if=/dev/zero of=/large bs=1M count=200 && sync && echo x > /work/x", "job")
        self.assertEqual(self.sh("ls -A /work; stat -c %a /work", "job"), "x\n1777\n")
        self.assertGreater(self.host.status("job")["scratch_used"], 200 << 20)
        self.assertRegex(self.host.page("job"), r"Scratch: 2..(\.\d+)?M of 400M on this host's disk")
        self.sh("rm /large; sync", "job")
        until("the host has its room again", lambda: self.host.status("job")["scratch_used"] < 100 << 20)
        # It outlives the container, and a podvisord that is killed, ...
        self.host.sh("job", "echo y > /y; kill -TERM 1", check=False)
        self.host.kill(signal.SIGKILL)
        (self.host.root / "state/scratch/.job.work.raw.unfinished").write_bytes(b"half")
        (self.host.root / "state/scratch/nobody.work.raw").write_bytes(b"left")
        self.host.start()
        # A podvisord that has just come knows of no container before the runner has told.
        until("the container is back", lambda: [(c["restarts"], c["state"]) for c in self.host.status("job")["containers"]] == [(1, "running")])
        self.assertEqual(self.sh("cat /y /work/x", "job"), "y\nx\n")
        self.assertEqual(self.here(), ["job.work.raw"])
        # ... and not the machine.
        self.host.cli("restart", "job")
        self.host.wait("job")
        self.assertEqual(self.host.sh("job", "ls -A /work; ls /y", check=False).stdout, "")
        self.host.cli("stop", "job")
        self.assertEqual(self.here(), [])

    def test_a_scratch_for_which_there_is_no_room_is_refused_with_what_is_left(self):
        self.declare("job", pod(self.WORK % "1024G", self.AT_WORK))
        self.reason("job", "it may take 1T, and the file system that it lies on has only ")
        self.assertEqual(self.here(), [])


class Shares(Storage):
    SITE = '{ name = "site"; type = "share"; source = "%s"; read_only = true; }'
    AT_WWW = '{ volume = "site"; path = "/www"; }'

    def site(self):
        tree = self.host.root / "www"
        if not tree.exists():
            (tree / "deep").mkdir(parents=True)
            (tree / "index.html").write_text("one\n")
            (tree / "deep/link").symlink_to("/etc/shadow")
            (tree / "index.html").chmod(0o640)
            os.chown(tree / "index.html", 33, 33)
        return tree

    def test_a_share_is_what_its_directory_was_when_the_pod_started(self):
        tree = self.site()
        self.declare("web", pod(self.SITE % tree, self.AT_WWW))
        self.host.wait("web")
        self.assertEqual(self.sh("cat /www/index.html; stat -c '%a %u:%g' /www/index.html; readlink /www/deep/link", "web"),
                         "one\n640 33:33\n/etc/shadow\n")
        self.assertNotEqual(self.host.sh("web", "touch /www/x", check=False).returncode, 0)
        (tree / "index.html").write_text("two\n")
        self.assertEqual(self.sh("cat /www/index.html", "web"), "one\n")
        self.assertIn(f"Copies: site of {tree}, as it was when the pod started", self.host.page("web"))
        self.host.cli("restart", "web")
        self.host.wait("web")
        self.assertEqual(self.sh("cat /www/index.html", "web"), "two\n")
        # Nothing of it is left when the machine is gone.
        self.assertEqual([path.name for path in (self.host.root / "state/shares").iterdir()], ["web.site.erofs"])
        self.host.cli("stop", "web")
        self.assertEqual(list((self.host.root / "state/shares").iterdir()), [])

    def test_what_is_no_directory_is_refused_with_its_reason(self):
        link = self.host.root / "www-link"
        link.symlink_to("/etc")
        self.addCleanup(link.unlink)
        rows = (
            ("file", self.file("page", b"x"), "Not a directory"),
            ("missing", self.host.root / "nowhere", "No such file or directory"),
            ("link", link, "a symbolic link is in its path"),
        )
        for name, path, _ in rows:
            self.declare(name, pod(self.SITE % path, self.AT_WWW))
        for name, path, words in rows:
            with self.subTest(name):
                self.reason(name, f"the directory of volume site could not be copied: {path}: {words}")


def places_in_memory(pid, wanted):
    """Where a process has these bytes, by the names of its mappings."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            where, rights, *rest = line.split()
            begin, end = (int(number, 16) for number in where.split("-"))
            if rights.startswith("r") and wanted in memory_of(memory.fileno(), begin, end):
                yield rest[3] if len(rest) > 3 else where


def memory_of(fd, begin, end):
    """What lies behind the end of a file that is mapped cannot be read."""
    data = b""
    with contextlib.suppress(OSError, OverflowError):
        while begin + len(data) < end and (part := os.pread(fd, end - begin - len(data), begin + len(data))):
            data += part
    return data


def qcow2_from(raw, path):
    """A qcow2 image with the content of a raw disk, by QEMU alone: it is written by a monitor's commands."""
    size = raw.stat().st_size
    commands = [
        {"execute": "qmp_capabilities"},
        {"execute": "blockdev-create", "arguments": {"job-id": "f", "options": {"driver": "file", "filename": str(path), "size": 0}}},
        {"execute": "blockdev-add", "arguments": {"driver": "file", "node-name": "file", "filename": str(path)}},
        {"execute": "blockdev-create", "arguments": {"job-id": "q", "options": {"driver": "qcow2", "file": "file", "size": size}}},
        {"execute": "blockdev-add", "arguments": {"driver": "qcow2", "node-name": "image", "file": "file"}},
        {"execute": "blockdev-add", "arguments": {"driver": "raw", "node-name": "raw", "read-only": True,
                                                  "file": {"driver": "file", "filename": str(raw), "read-only": True}}},
        {"execute": "blockdev-mirror", "arguments": {"job-id": "m", "device": "raw", "target": "image", "sync": "full"}},
    ]
    qemu = subprocess.Popen(["qemu-system-x86_64", "-nodefaults", "-display", "none", "-S", "-machine", "none", "-qmp", "stdio"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(command):
        qemu.stdin.write(json.dumps(command) + "\n")
        qemu.stdin.flush()

    def hear(accept):
        for line in qemu.stdout:
            message = json.loads(line)
            if "error" in message:
                raise AssertionError(message)
            if accept(message):
                return

    try:
        hear(lambda m: "QMP" in m)
        for command in commands:
            job = command.get("arguments", {}).get("job-id")
            say(command)
            if job == "m":
                hear(lambda m: m.get("event") == "BLOCK_JOB_READY")
                say({"execute": "block-job-complete", "arguments": {"device": "m"}})
                hear(lambda m: m.get("event") == "BLOCK_JOB_COMPLETED")
            elif job:
                hear(lambda m: m.get("event") == "JOB_STATUS_CHANGE" and m["data"]["status"] == "concluded")
                say({"execute": "job-dismiss", "arguments": {"id": job}})
                hear(lambda m: m.get("event") == "JOB_STATUS_CHANGE" and m["data"]["status"] == "null")
            else:
                hear(lambda m: "return" in m)
        say({"execute": "quit"})
        qemu.wait(60)
    finally:
        qemu.kill()
        qemu.wait()
        qemu.stdin.close()
        qemu.stdout.close()


class Policy(Storage):
    """What podvisord.conf says about sources."""

    @classmethod
    def setUpClass(cls):
        cls.config = 'volume_sources = [ "/srv/podvisor-test-disks" ]; file_sources = [ "/srv/podvisor-test-files" ];\n'
        super().setUpClass()

    def test_sources_elsewhere_are_refused_with_what_is_allowed(self):
        outside = self.file("outside", b"x" * 4096)
        self.declare("disk", pod(disk(outside), AT_DATA))
        self.declare("beside", pod(disk("/srv/podvisor-test-disks2/x"), AT_DATA))
        self.declare("share", pod('{ name = "data"; type = "share"; source = "/etc"; read_only = true; }', AT_DATA))
        self.declare("live", pod('{ name = "data"; type = "share"; mode = "live"; source = "/etc"; }', AT_DATA,
                                 'qemu = { machine = "q35"; };'))
        self.declare("secret", pod(more=f'secrets = ( {{ name = "key"; source = "{outside}"; }} );'))
        self.reason("disk", f"{outside} is not below a directory that podvisord.conf allows: volume_sources = [ /srv/podvisor-test-disks ]")
        self.reason("share", "/etc is not below a directory that podvisord.conf allows: volume_sources")
        self.reason("live", "the share of volume data: /etc is not below a directory that podvisord.conf allows: volume_sources")
        self.reason("beside", "is not below a directory that podvisord.conf allows")
        self.reason("secret", f"{outside} is not below a directory that podvisord.conf allows: file_sources = [ /srv/podvisor-test-files ]")

    def test_podvisords_own_directory_is_always_allowed(self):
        self.declare("db", pod(MADE, AT_DATA))
        self.host.wait("db")


class Secrets(Storage):
    def setUp(self):
        # The log of a pod is that of all pods of its name.
        self.web = self.id().rsplit(".", 1)[1][5:60].replace("_", "-").strip("-")

    def replace(self, path, text):
        """As whoever renews a key does."""
        new = path.with_name(path.name + ".new")
        new.write_text(text)
        new.rename(path)

    def secret(self, text=CANARY + "\n", name="key"):
        path = self.host.root / "keys"
        path.mkdir(exist_ok=True)
        path = path / name
        path.write_text(text)
        return path

    def declare_web(self, path, mount='{ secret = "key"; path = "/run/key"; }', more="", command=IDLE):
        self.declare(self.web, pod("", mount, f'secrets = ( {{ name = "key"; source = "{path}"; }} ); {more}', command))

    def test_a_secret_is_there_before_the_container_with_its_mode_and_owner(self):
        path = self.secret()
        self.declare_web(path, """{ secret = "key"; path = "/run/key"; }, { secret = "key"; path = "/etc/deep/er/key"; mode = "0440"; owner = "1000:33"; },
                                  { config = "motd"; path = "/etc/passwd"; }""", 'configs = ( { name = "motd"; content = "root:x:0:0::/:/bin/sh\\n"; } );',
                         'command = [ "sh", "-c", "cat /run/key; while :; do sleep 3600; done" ];')
        self.host.wait(self.web)
        until("what it read", lambda: self.host.cli("logs", self.web).stdout == CANARY + "\n")
        self.assertEqual(self.sh("stat -Lc '%a %u:%g' /run/key /etc/deep/er/key /etc/passwd", self.web), "400 0:0\n440 1000:33\n444 0:0\n")
        # A file that the image has at the place is not seen any more.
        self.assertEqual(self.sh("cat /etc/passwd", self.web), "root:x:0:0::/:/bin/sh\n")
        self.assertNotEqual(self.host.sh(self.web, "echo mine > /run/key", check=False).returncode, 0)
        other = self.host.cli("exec", "-u", "1000:1000", self.web, "--", "cat", "/run/key", check=False)
        self.assertEqual((other.stdout, other.returncode), ("", 1))
        self.assertIn("Permission denied", other.stderr)

    def test_a_secret_that_changes_is_replaced_as_a_whole_while_the_container_runs(self):
        # Each content is one letter, over and over, and long enough to come in many pieces.
        size = 200 * 1024
        path = self.secret("a" * size)
        self.declare_web(path, command="""command = [ "sh", "-c",
            "while x=$(cat /run/key); do case $x in *a*b*|*b*c*|*c*d*) echo mixed;; esac; echo ${#x}; sleep 0.05; done" ];""")
        self.host.wait(self.web)
        for letter in "bcd":
            self.replace(path, letter * size)
            until(letter, lambda: self.host.sh(self.web, "head -c 1 /run/key").stdout == letter)
            self.assertEqual(self.sh("wc -c < /run/key", self.web), f"{size}\n")
        until("it has looked", lambda: self.host.cli("logs", self.web).stdout.count("\n") > 3)
        self.assertEqual(set(self.host.cli("logs", self.web).stdout.split()), {str(size)})
        container = self.host.container(self.web, "main")
        self.assertEqual((container["restarts"], container["state"]), (0, "running"))

    def test_a_source_that_is_rewritten_in_place_is_seen_too(self):
        path = self.secret("one\n")
        self.declare_web(path)
        self.host.wait(self.web)
        path.write_text("two\n")
        until("the new one", lambda: self.sh("cat /run/key", self.web) == "two\n")
        # And while nobody looked: podvisord and the runner were away.
        self.host.kill(signal.SIGKILL)
        runner = self.host.runners()[self.web][0]
        path.write_text("three\n")
        self.host.start()
        until("the newest one", lambda: self.host.sh(self.web, "cat /run/key", check=False).stdout == "three\n")
        os.kill(runner, signal.SIGKILL)
        until("another runner", lambda: self.host.runners().get(self.web, [runner]) != [runner])
        self.host.wait(self.web)
        path.write_text("four\n")
        until("the very newest one", lambda: self.host.sh(self.web, "cat /run/key", check=False).stdout == "four\n")
        self.assertEqual(self.host.status(self.web)["attempt"], 1)

    def test_a_source_that_vanishes_changes_nothing_and_is_told(self):
        path = self.secret()
        self.declare_web(path)
        self.host.wait(self.web)
        path.unlink()
        until("it is told", lambda: self.host.status(self.web)["stale_files"] == [f"secret key: {path}: No such file or directory"])
        self.assertIn(f"Stale: secret key: {path}: No such file or directory", self.host.page(self.web))
        self.assertEqual(self.sh("cat /run/key", self.web), CANARY + "\n")
        # It stays so over a new podvisord and a new runner.
        runner = self.host.runners()[self.web][0]
        os.kill(runner, signal.SIGKILL)
        until("another runner", lambda: self.host.runners().get(self.web, [runner]) != [runner])
        self.host.kill(signal.SIGKILL)
        self.host.start()
        self.host.wait(self.web)
        self.assertEqual(self.sh("cat /run/key", self.web), CANARY + "\n")
        until("it is told again", lambda: self.host.status(self.web)["stale_files"])
        path.write_text("back\n")
        until("it is back", lambda: self.host.sh(self.web, "cat /run/key", check=False).stdout == "back\n")
        until("nothing is told", lambda: not self.host.status(self.web)["stale_files"])

    def test_sources_that_cannot_be_read_keep_the_pod_from_starting_and_say_why(self):
        link = self.host.root / "keys-link"
        link.symlink_to("/etc/passwd")
        self.addCleanup(link.unlink)
        fifo = self.host.root / "keys-fifo"
        os.mkfifo(fifo)
        self.addCleanup(fifo.unlink)
        rows = (
            ("missing", self.host.root / "nowhere/key", "No such file or directory"),
            ("link", link, "a symbolic link is in its path"),
            ("pipe", fifo, "it is no regular file"),
            ("directory", self.host.root / "state", "it is no regular file"),
            ("large", self.file("large", bytes(512 * 1024 + 1)), "it is larger than 512K"),
        )
        for name, path, _ in rows:
            self.declare(name, pod(more=f'secrets = ( {{ name = "key"; source = "{path}"; }} );'))
        self.declare("credential", pod(more='secrets = ( { name = "key"; credential = "key"; } );'))
        for name, path, words in rows:
            with self.subTest(name):
                self.reason(name, f"the secret key cannot be read: {path}: {words}")
        self.reason("credential", "podvisord was given no credentials")
        # The one that comes lets its pod start.
        self.secret(name="late")
        self.declare("late", pod(more=f'secrets = ( {{ name = "key"; source = "{self.host.root}/keys/later"; }} );'))
        self.reason("late", "No such file or directory")
        self.secret(name="later")
        self.host.wait("late")

    def test_the_largest_and_the_smallest_secret_arrive_whole(self):
        path, empty = self.secret("x" * (512 * 1024)), self.secret("", "empty")
        self.declare(self.web, pod("", '{ secret = "key"; path = "/key"; }, { secret = "none"; path = "/none"; }',
                                f'secrets = ( {{ name = "key"; source = "{path}"; }}, {{ name = "none"; source = "{empty}"; }} );'))
        self.host.wait(self.web)
        self.assertEqual(self.sh("wc -c < /key; wc -c < /none", self.web), f"{512 * 1024}\n0\n")

    def test_no_byte_of_a_secret_is_anywhere_on_the_host_but_in_its_source(self):
        # Of this test alone: others have pods that say theirs.
        canary = "canary-" + os.urandom(8).hex()
        path = self.secret(canary + "\n")
        self.declare_web(path)
        self.host.wait(self.web)
        self.replace(path, canary + "-again\n")
        # What a program prints goes through the runner as all output does; so nothing is said of what is in there.
        until("the new one", lambda: self.sh("grep -c again /run/key || :", self.web) == "1\n")
        self.host.cli("status", self.web, "--json=pretty")
        for what in ("checkpoint", "status"):
            shown = self.host.cli(*(["checkpoint", "show", self.web] if what == "checkpoint" else ["status", self.web]))
            self.assertNotIn(canary, shown.stdout)
        found = []
        for file in self.host.root.rglob("*"):
            if file.is_file() and file.parent.name != "keys" and canary.encode() in file.read_bytes():
                found.append(str(file))
        for pid in [self.host.daemon.pid, *processes_below(self.host.root)]:
            for name in ("cmdline", "environ"):
                if canary.encode() in pathlib.Path(f"/proc/{pid}/{name}").read_bytes():
                    found.append(f"{pid} {name}")
        # Nor do those keep it who have only passed it on: it is in the guest, which has it, and what is nobody's memory but a file's.
        for name, pid in (("podvisord", self.host.daemon.pid), ("runner", self.host.status(self.web)["runner_pid"])):
            found += [f"{name}: {place}" for place in places_in_memory(pid, canary.encode())]
        self.assertEqual(found, [])


class Credentials(Storage):
    """podvisord as a unit that was given credentials."""

    @classmethod
    def setUpClass(cls):
        cls.before = os.environ.get("CREDENTIALS_DIRECTORY")
        os.environ["CREDENTIALS_DIRECTORY"] = "/tmp/podvisor-credentials-%d" % os.getpid()
        directory = pathlib.Path(os.environ["CREDENTIALS_DIRECTORY"])
        directory.mkdir(mode=0o700)
        (directory / "web.password").write_text(CANARY + "\n")
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        directory = pathlib.Path(os.environ.pop("CREDENTIALS_DIRECTORY"))
        (directory / "web.password").unlink()
        directory.rmdir()

    def test_a_credential_of_podvisord_is_a_secret_of_a_pod(self):
        self.declare("web", pod("", '{ secret = "key"; path = "/key"; }', 'secrets = ( { name = "key"; credential = "web.password"; } );'))
        self.host.wait("web")
        self.assertEqual(self.sh("cat /key", "web"), CANARY + "\n")
        self.declare("other", pod(more='secrets = ( { name = "key"; credential = "no-such"; } );'))
        self.reason("other", "the secret key cannot be read: no-such: No such file or directory")


if __name__ == "__main__":
    unittest.main()
