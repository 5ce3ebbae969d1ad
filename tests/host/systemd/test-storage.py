#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks, secrets and config files of pods that are units: podvisord, which may do little, opens what a pod's user may not see at all."""
import os
import subprocess

from machine import main
from pods import PodMachineTest

CANARY = "canary-9b31"
POD = """volumes = ( { name = "data"; type = "disk"; %s } );
secrets = ( { name = "key"; %s } );
configs = ( { name = "site"; source = "/etc/podvisor/configs/site"; } );
restart = { policy = "never"; };
containers = (
  { name = "main"; image = "busybox";
    command = [ "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ];
    mounts = ( { volume = "data"; path = "/data"; }, { secret = "key"; path = "/run/key"; }, { config = "site"; path = "/etc/site"; } ); }
);
"""
MADE = 'format = "raw"; size = "32M"; make = true;'
KEY = 'source = "/etc/keys/key";'


class Storage(PodMachineTest):
    @classmethod
    def arrange(cls, machine):
        machine.write("/etc/keys/key", CANARY + "\n", 0o600)
        machine.write("/etc/podvisor/configs/site", "site\n")
        machine.write("/etc/podvisor/podvisord.conf", 'volume_sources = [ "/srv/disks", "/opt/disks" ];\n')
        machine.write("/etc/credentials/password", "by systemd\n", 0o600)
        machine.write("/etc/systemd/system/podvisord.service.d/storage.conf",
                      "[Service]\nLoadCredential=web.password:/etc/credentials/password\nReadWritePaths=/opt/disks\n")
        for name in ("srv", "opt"):
            machine.path(f"/{name}/disks").mkdir(parents=True)

    @classmethod
    def settle(cls, machine):
        machine.start_podvisord()
        machine.import_busybox()
        machine.pod("db", POD % (MADE, KEY))
        machine.wait("db")

    def sh(self, pod, script):
        return self.machine.podvisor("exec", pod, "--", "sh", "-c", script).stdout

    def reason(self, pod, words):
        self.machine.wait(pod, state="failed")
        self.assertIn(words, self.machine.podvisor("status", pod, check=False).stdout)
        self.machine.remove_pod(pod)

    def test_a_pod_has_its_disk_and_its_files(self):
        m = self.machine
        self.assertEqual(self.sh("db", "cat /run/key /etc/site; echo kept > /data/x"), f"{CANARY}\nsite\n")
        m.podvisor("restart", "db")
        m.wait("db")
        self.assertEqual(self.sh("db", "cat /data/x"), "kept\n")
        disk = m.path("/var/lib/podvisor/volumes/db.data.raw").stat()
        self.assertEqual((disk.st_uid, disk.st_mode & 0o777), (0, 0o600))

    def test_a_machine_has_the_disk_and_cannot_open_it(self):
        m = self.machine
        pid = m.vmm("db")
        proc = m.path(f"/proc/{pid}")
        self.assertNotEqual((proc / "status").read_text().split("Uid:\t")[1].split()[0], "0")
        links = [os.readlink(proc / "fd" / fd) for fd in os.listdir(proc / "fd")]
        self.assertIn("/var/lib/podvisor/volumes/db.data.raw", links)
        seen = m.run("nsenter", "-t", str(pid), "-m", "ls", "/var/lib/podvisor", "/etc/keys", check=False)
        self.assertNotEqual(seen.returncode, 0)
        self.assertNotIn("volumes", seen.stdout)

    def test_a_secret_changes_while_its_pod_runs(self):
        m = self.machine
        m.write("/etc/keys/key.new", "renewed\n").rename(m.path("/etc/keys/key"))
        self.addCleanup(lambda: m.write("/etc/keys/key", CANARY + "\n"))
        self.sh("db", "until grep -q renewed /run/key; do sleep 0.1; done")
        journal = m.run("journalctl", "--no-pager", "-o", "verbose").stdout
        self.assertNotIn("renewed", journal)
        self.assertNotIn(CANARY, journal)

    def test_a_credential_of_podvisord_is_a_secret(self):
        m = self.machine
        given = m.run("systemd-run", "--wait", "--pipe", "--quiet", "-p", "LoadCredential=web.password:/etc/credentials/password",
                      "sh", "-c", "ls $CREDENTIALS_DIRECTORY").stdout
        if "web.password" not in given:
            self.skipTest("systemd gives no credentials in a machine of this host's")
        m.pod("web", POD % (MADE, 'credential = "web.password";'))
        m.wait("web")
        self.assertEqual(self.sh("web", "cat /run/key"), "by systemd\n")
        m.remove_pod("web")

    def test_a_disk_elsewhere_needs_two_words_of_the_administrator(self):
        m = self.machine
        m.pod("far", POD % ('source = "/home/disk.raw"; ' + MADE, KEY))
        self.reason("far", "is not below a directory that podvisord.conf allows: volume_sources = [ /srv/disks, /opt/disks ]")
        m.pod("closed", POD % ('source = "/srv/disks/closed.raw"; ' + MADE, KEY))
        self.reason("closed", "podvisord may not write there; a drop-in of podvisord.service with ReadWritePaths= lets it")
        m.pod("open", POD % ('source = "/opt/disks/open.raw"; ' + MADE, KEY))
        m.wait("open")
        self.assertEqual(self.sh("open", "echo x > /data/x; cat /data/x"), "x\n")
        m.remove_pod("open")
        said = subprocess.run(["dumpe2fs", "-h", m.path("/opt/disks/open.raw")], check=True, capture_output=True, text=True).stdout
        self.assertRegex(said, r"(?m)^Filesystem state: +clean$")

    def test_a_share_is_copied_by_podvisord_and_read_by_the_pod(self):
        m = self.machine
        m.write("/srv/disks/www/index.html", "page\n", 0o640)
        m.pod("web", POD.replace('type = "disk"', 'type = "share"') % ('source = "/srv/disks/www"; read_only = true;', KEY))
        m.wait("web")
        self.assertEqual(self.sh("web", "cat /data/index.html"), "page\n")
        m.remove_pod("web")

    def test_a_live_share_is_refused_to_a_pod_with_a_unit(self):
        m = self.machine
        m.write("/srv/disks/uploads/page", "page\n")
        share = POD.replace('type = "disk"', 'type = "share"; mode = "live"') % ('source = "/srv/disks/uploads";', KEY)
        m.pod("live", 'qemu = { machine = "q35"; };\n' + share)
        self.reason("live", "a pod that has a unit of systemd sees no directory of the host")

    def test_a_source_elsewhere_is_refused(self):
        self.machine.pod("thief", POD % (MADE, 'source = "/etc/shadow";'))
        self.reason("thief", "the secret key cannot be read: /etc/shadow is not below a directory that podvisord.conf allows: "
                             "file_sources = [ /etc/podvisor/secrets, /etc/podvisor/configs, /etc/keys ]")

    def test_a_runner_that_is_killed_finds_disk_and_files_again(self):
        m = self.machine
        before = self.sh("db", "cat /proc/sys/kernel/random/boot_id")
        since = m.cursor()
        m.run("systemctl", "kill", "-s", "KILL", "--kill-who=main", "podvisor-pod@db.service")
        m.wait_journal(lambda r: "a new runner goes on with it" in r["MESSAGE"], since=since)
        m.wait("db")
        self.assertEqual(self.sh("db", "cat /proc/sys/kernel/random/boot_id; cat /run/key"), before + f"{CANARY}\n")


if __name__ == "__main__":
    main()
