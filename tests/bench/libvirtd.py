# SPDX-License-Identifier: Apache-2.0
"""A libvirtd of the benchmark's own, for root: its processes, its /run and its /etc/libvirt are in namespaces that end with it."""
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import sys
import time

PROGRAM = "/usr/sbin/libvirtd"
LOG = pathlib.Path("/run/libvirtd-bench.log")
INSIDE = "PODVISOR_BENCH_LIBVIRT"
FILES = {
    "qemu.conf": 'security_driver = "none"\ncgroup_controllers = []\nnamespaces = []\nstdio_handler = "file"\n',
    # The calls of the API with their arguments: so the text that podvisor submitted is known to the byte.
    "libvirtd.conf": f'auth_unix_rw = "none"\nlog_filters = "1:libvirt.domain"\nlog_outputs = "1:file:{LOG}"\n',
}


def missing(runner):
    """Why there is no such daemon here; None: there is."""
    for program in (runner, PROGRAM, shutil.which("virsh") or "virsh", shutil.which("unshare") or "unshare"):
        if not os.access(program, os.X_OK):
            return f"there is no {program}"
    return None if os.geteuid() == 0 else "only root can have one of its own"


def inside():
    return INSIDE in os.environ


def run_inside():
    """Runs this program again in namespaces of its own; its exit status. The shell is process 1, since that must reap."""
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", '"$@"; exit $?', "bash",
                           sys.executable, *sys.argv], env=os.environ | {INSIDE: "1"}).returncode


class Libvirtd:
    """The daemon, to be entered; only behind run_inside()."""

    def __init__(self, cache):
        self.cache = pathlib.Path(cache)

    def __enter__(self):
        self.cache.mkdir(exist_ok=True)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        for path in ("/run", "/etc/libvirt", "/var/lib/libvirt", "/var/log/libvirt"):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", path], check=True)
        # What it finds out of QEMU takes long, and is kept.
        subprocess.run(["mount", "--bind", self.cache, "/var/cache/libvirt"], check=True)
        self.hide_kvm()
        for name, text in FILES.items():
            pathlib.Path("/etc/libvirt", name).write_text(text)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind("/run/notify")
            self.process = subprocess.Popen([PROGRAM], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                            env=os.environ | {"NOTIFY_SOCKET": "/run/notify"})
            self.await_ready(notify)
        # Now it looks at QEMU, if nothing of an earlier time is kept: no start is to wait for that.
        self.virsh("domcapabilities", "--virttype", "qemu")
        return self

    def await_ready(self, notify):
        """As a service manager does: it says so, or it ends."""
        end = time.monotonic() + 60
        with open(os.pidfd_open(self.process.pid), "rb") as ended:
            while True:
                ready, _, _ = select.select([notify, ended], [], [], max(end - time.monotonic(), 0))
                if notify not in ready:
                    raise RuntimeError("libvirtd does not get ready: " + (LOG.read_text()[-2000:] if LOG.exists() else "it says nothing"))
                if b"READY=1" in notify.recv(4096):
                    return

    @staticmethod
    def hide_kvm():
        """Where only root may open /dev/kvm, libvirt finds it when it looks at QEMU and misses it ever after: so it looks at QEMU
        anew for each domain, for seconds."""
        kvm = pathlib.Path("/dev/kvm")
        if kvm.exists() and not kvm.stat().st_mode & 0o066:
            none = pathlib.Path("/run/no-kvm")
            none.touch(mode=0)
            subprocess.run(["mount", "--bind", none, kvm], check=True)

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait()

    @property
    def pid(self):
        return self.process.pid

    @staticmethod
    def virsh(*words, check=True):
        return subprocess.run(["virsh", "-q", "-c", "qemu:///system", *words], check=check, capture_output=True, text=True)

    @staticmethod
    def submitted(name):
        """The text by which the domain of this name was last made."""
        texts = re.findall(r"virDomainCreateXML\w*:\d+ : conn=\S+ xmlDesc=(.*?</domain>)", LOG.read_text(errors="replace"), re.DOTALL)
        return next(text for text in reversed(texts) if f"<name>{name}</name>" in text)
