#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images that pods want pulled, on a host with systemd: podvisord has no network there, a unit of its own has."""
import json
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from machine import main
from pods import PodMachineTest
from registry import Layout, busybox

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"
HOST = "127.0.0.1:5000"
REGISTRY = {"version": 0.1, "log": {"level": "error"}, "storage": {"filesystem": {"rootdirectory": "/var/tmp/registry"}},
            "http": {"addr": HOST}}
UNIT = """[Service]
ExecStart=docker-registry serve /etc/registry.json
"""


def special(root):
    """What only a right of the unit lets be unpacked."""
    os.mknod(root / "null", 0o020666, os.makedev(1, 3))
    os.chown(root / "tmp", 12, 34)


class Pull(PodMachineTest):
    @classmethod
    def settle(cls, machine):
        with tempfile.TemporaryDirectory() as folder:
            layout = Layout(folder, busybox, special, owners=())
            shutil.copytree(layout.path, machine.path("/var/tmp/layout"))
        machine.write("/etc/registry.json", json.dumps(REGISTRY))
        machine.write("/etc/systemd/system/registry.service", UNIT)
        machine.write("/etc/podvisor/podvisord.conf", f'insecure_registries = [ "{HOST}" ];\n')
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", "registry.service", "podvisord.service")
        machine.run("bash", "-c", "until (exec 3<>/dev/tcp/127.0.0.1/5000) 2>/dev/null; do :; done")
        machine.run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "oci:/var/tmp/layout:latest", f"docker://{HOST}/app:1")

    def test_a_unit_pulls_what_a_pod_wants_with_all_that_is_in_it(self):
        text = (EXAMPLES / "job.pod").read_text()
        self.assertIn('image   = "busybox";', text)
        self.machine.pod("job", text.replace('image   = "busybox";', f'image = "{HOST}/app:1"; pull = "missing";'))
        self.addCleanup(self.machine.remove_pod, "job")
        self.machine.wait("job", state="inactive")
        self.machine.podvisor("start", "job", "--no-wait")
        self.machine.wait("job", state="succeeded")
        self.assertEqual(self.machine.podvisor("logs", "job").stdout, "1\n2\n3\n")
        image = next(i for i in json.loads(self.machine.podvisor("image", "list", "--json=short").stdout) if i["names"] == [f"{HOST}/app:1"])
        blob = "/var/lib/podvisor/images/blobs/" + image["record"]["digest"].replace(":", "-") + ".erofs"
        self.assertIn("Uid: 12   Gid: 34 ", self.machine.run("dump.erofs", "--path=/tmp", blob).stdout)
        self.assertIn("char dev", self.machine.run("dump.erofs", "--path=/null", blob).stdout)

    def test_why_it_failed_is_told(self):
        self.machine.pod("no", f'containers = ( {{ name = "app"; image = "{HOST}/app:no"; pull = "missing"; }} );')
        self.addCleanup(self.machine.remove_pod, "no")
        self.machine.wait_journal(lambda r: "no such image, tag or digest" in r["MESSAGE"], "PODVISOR_POD=no")
        self.assertIn("no such image, tag or digest", self.machine.podvisor("status", "no", check=False).stdout)

    def test_a_unit_that_cannot_start_is_told(self):
        self.machine.write("/etc/systemd/system/podvisor-pull@.service.d/broken.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n")
        self.addCleanup(self.machine.run, "systemctl", "daemon-reload")
        self.addCleanup(self.machine.remove, "/etc/systemd/system/podvisor-pull@.service.d/broken.conf")
        self.machine.run("systemctl", "daemon-reload")
        self.machine.pod("broken", f'containers = ( {{ name = "app"; image = "{HOST}/app:2"; pull = "missing"; }} );')
        self.addCleanup(self.machine.remove_pod, "broken")
        self.machine.wait_journal(lambda r: "was not pulled: podvisor-pull@" in r["MESSAGE"], "PODVISOR_POD=broken")


if __name__ == "__main__":
    main()
