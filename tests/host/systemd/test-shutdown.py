#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The host shuts down: pods end in the reverse of their order, each by its guest's own power-off, and come back with it. They are the
examples that a host is there for: a site, and a database that forgets nothing."""
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from debian import Slice
from machine import main
from pods import HELLO, PodMachineTest
from registry import Layout, busybox

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"
# Each one requires the one behind it.
ORDER = ("site", "cache", "redis")
SITE = "http://127.0.0.1:8088/"
FIRST, SECOND = "<h1>First</h1>\n", "<h1>Second</h1>\n"


def httpd(root):
    busybox(root)
    (root / "bin/httpd").symlink_to("busybox")


class Shutdown(PodMachineTest):
    @classmethod
    def arrange(cls, machine):
        machine.systemctl_offline("enable", "podvisord.service", "podvisor.target")
        cls.redis = Slice(machine.path("/var/tmp/redis"), "redis-server")
        cls.addClassCleanup(cls.redis.end)
        with tempfile.TemporaryDirectory() as folder:
            layout = Layout(folder, httpd)
            shutil.copytree(layout.path, machine.path("/var/tmp/httpd"))
        machine.write("/srv/www/index.html", FIRST)
        machine.write("/etc/podvisor/secrets/redis", "requirepass swordfish\n", 0o600)

    @classmethod
    def settle(cls, machine):
        machine.import_busybox()
        machine.podvisor("image", "import", "httpd", "/var/tmp/httpd")
        machine.pod("site", (EXAMPLES / "site.pod").read_text() + 'requires = [ "cache" ];\n')
        machine.pod("cache", HELLO % 'requires = [ "redis" ];')
        cls.redis.ready()
        machine.podvisor("image", "import", "redis", "/var/tmp/redis")
        machine.pod("redis", (EXAMPLES / "redis.pod").read_text())
        machine.wait(*ORDER)

    def ask(self, *words):
        """The database, as somebody on its host does."""
        m = self.machine
        return m.podvisor("exec", "-e", "REDISCLI_AUTH=swordfish", "redis", "--", "redis-cli", *words).stdout.strip()

    def site(self):
        """What the site's port answers, once: a pod that is ready has a server that is."""
        return self.machine.run("curl", "--silent", "--show-error", "--fail", "--max-time", "30", SITE).stdout

    def test_1_a_site_is_served_as_its_directory_was_when_it_was_started(self):
        self.assertEqual(self.site(), FIRST)
        self.machine.write("/srv/www/index.html", SECOND)
        self.assertEqual(self.site(), FIRST)

    def test_2_a_port_that_is_taken_is_refused_with_who_has_it(self):
        m = self.machine
        m.pod("mirror", (EXAMPLES / "site.pod").read_text())
        checked = m.podvisor("check", "/etc/podvisor/pods.d", check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("127.0.0.1:8088/tcp is published by the pod mirror too", checked.stdout + checked.stderr)
        with m.following("PODVISOR_POD=mirror") as records:
            records.until(lambda r: "8088" in r["MESSAGE"])
        self.assertIn("8088", m.podvisor("status", "mirror", check=False).stdout)
        m.remove_pod("mirror")
        self.assertEqual(self.site(), FIRST)

    def test_3_a_database_keeps_its_data_over_the_end_of_its_container_and_of_its_pod(self):
        m = self.machine
        self.assertIn("NOAUTH", m.podvisor("exec", "redis", "--", "redis-cli", "GET", "apples").stdout)
        self.assertEqual(self.ask("SET", "apples", "3"), "OK")
        before = m.cursor()
        m.podvisor("exec", "-e", "REDISCLI_AUTH=swordfish", "redis", "--", "redis-cli", "SHUTDOWN", "NOSAVE", check=False)
        m.wait_journal(lambda r: "Ready to accept connections" in r["MESSAGE"], "PODVISOR_CONTAINER=redis", since=before)
        m.wait("redis")
        self.assertEqual(m.status("redis")["containers"][0]["restarts"], 1)
        self.assertEqual(self.ask("INCR", "apples"), "4")
        m.podvisor("restart", "redis")
        m.wait(*ORDER)
        self.assertEqual(self.ask("INCR", "apples"), "5")
        # Those that require it were started anew with it.
        self.assertEqual(self.site(), SECOND)

    def test_4_pods_power_off_in_the_order_of_their_dependency_and_come_back(self):
        m = self.machine
        before = m.cursor()
        m.poweroff()
        records = m.journal(since=before)

        moments = []  # (position in the journal, pod, what)
        for position, record in enumerate(records):
            pod, message = record.get("PODVISOR_POD"), record["MESSAGE"]
            if "running -> stopping" in message:
                moments.append((position, pod, "is asked to stop"))
            elif "guest powered off" in message:
                moments.append((position, pod, "powers off"))
            elif record.get("PODVISOR_EVENT") == "ended":
                moments.append((position, pod, "has ended"))
                self.assertEqual(record["PODVISOR_REASON"], "stopped")
        for position, pod, what in moments:
            print(f"{int(records[position]['__MONOTONIC_TIMESTAMP']) / 1e6:.3f}", pod, what)
        self.assertEqual([(pod, what) for _, pod, what in moments],
                         [(pod, what) for pod in ORDER for what in ("is asked to stop", "powers off", "has ended")])
        # Nobody had to be killed, and no unit failed.
        self.assertEqual([r["MESSAGE"] for r in records if int(r.get("PRIORITY", 6)) <= 3], [])

        m.start()
        m.wait(*ORDER)
        self.assertEqual(self.ask("GET", "apples"), "5")
        self.assertEqual(self.site(), SECOND)


if __name__ == "__main__":
    main()
