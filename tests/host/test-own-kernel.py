#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A kernel of our own, as tools/build-kernel makes it, on each machine; skipped where it was not built."""
import os
import pathlib
import sys
import tempfile
import unittest

import instance
from instance import BUILD, HostTest
from kernels import Kernel

OWN = BUILD / "guest/vmlinux-own"
SKIPPED = 77
# What is loaded on demand where there are modules, and asked of a kernel that has none.
RARE = """qemu = { machine = "q35"; };
volumes = ( { name = "swap"; type = "swap"; size = "16M"; }, { name = "live"; type = "share"; mode = "live"; read_only = true; source = "%s"; } );
containers = ( { name = "main"; image = "busybox"; devices = [ "/dev/fuse", "/dev/net/tun" ]; limits = { memory = "8M"; swap = "8M"; };
    mounts = ( { volume = "live"; path = "/live"; } );
    command = [ "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ]; } );
"""


class Own(Kernel, HostTest):
    """With the initial file system of the other, whose modules it has no use for."""
    config = f'kernel = "{OWN}";\n'
    release = r"-podvisor$"

    def test_nothing_needs_a_module(self):
        with tempfile.TemporaryDirectory() as share:
            os.chmod(share, 0o755)
            pathlib.Path(share, "word").write_text("live")
            self.host.write("pod", RARE % share)
            self.host.wait("pod")
            self.assertEqual(self.sh("cat /live/word; [ -c /dev/fuse ] && : </dev/fuse && [ -c /dev/net/tun ] && : </dev/net/tun; echo $?"), "live0\n")
            self.assertEqual(self.sh("cat /sys/fs/cgroup/memory.swap.max; sed 1d /proc/swaps | wc -l").split(), [str(8 << 20), "1"])
            self.host.clear()

    def test_a_panic_is_told(self):
        self.host.write("pod", 'restart = { policy = "never"; };\n' + instance.HELLO.replace("command", 'capabilities = [ "SYS_ADMIN" ]; command'))
        self.host.wait("pod")
        self.host.sh("pod", "mkdir /tmp/p; mount -t proc proc /tmp/p; echo c >/tmp/p/sysrq-trigger", check=False)
        self.host.cli("wait", "pod", "--for=failed", f"--timeout={instance.PATIENCE}s")
        self.assertEqual(self.host.status("pod")["reason"], "guest-panic")
        self.assertIn("sysrq triggered crash", self.host.page("pod"))


class OwnAndTheAgentAlone(HostTest):
    config = f'kernel = "{OWN}"; initrd = "{BUILD / "guest/initrd-agent"}";\n'

    def test_a_pod_boots_without_any_module(self):
        self.host.write("pod", instance.HELLO)
        self.host.wait("pod")
        self.assertRegex(self.host.sh("pod", "uname -r").stdout, "-podvisor$")


if not OWN.exists():
    print(f"skipped: there is no {OWN}; tools/build-kernel makes it")
    sys.exit(SKIPPED)
unittest.main()
