# SPDX-License-Identifier: Apache-2.0
"""A machine with libvirt as Debian installs it, beside podvisor. What libvirt finds out about QEMU takes it ten seconds;
it is kept in the build directory from one machine to the next, and shared with the contract tests, which lock it as well."""
import contextlib
import fcntl
import os
import pathlib
import shutil

from machine import BUILD
from pods import PodMachine

LOCK = BUILD / "tests/contract/libvirt-cache"
CACHE = LOCK / "qemu/capabilities"
KNOWN = "/var/cache/libvirt/qemu/capabilities"
SYSTEM = "qemu:///system"
# The test restarts it more often than systemd lets anybody in so short a time.
OFTEN = "[Unit]\nStartLimitIntervalSec=0\n"


def installed():
    return pathlib.Path("/usr/sbin/libvirtd").exists() and shutil.which("virsh") and (BUILD / "bin/podvisor-runner-libvirt").exists()


@contextlib.contextmanager
def cache_locked():
    """Nobody else writes to it, or copies what is half there."""
    LOCK.mkdir(parents=True, exist_ok=True)
    lock = os.open(LOCK, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class LibvirtMachine(PodMachine):
    def prepare(self):
        super().prepare()
        # Debian's package enables it.
        self.systemctl_offline("enable", "libvirtd.service")
        self.write("/etc/systemd/system/libvirtd.service.d/often.conf", OFTEN)
        with cache_locked():
            if CACHE.exists():
                shutil.rmtree(self.root / KNOWN.lstrip("/"), ignore_errors=True)
                shutil.copytree(CACHE, self.root / KNOWN.lstrip("/"))

    def start(self):
        super().start()
        # Where root may open it and libvirt's user may not, libvirt finds out all about QEMU again and again.
        device = self.path("/dev/kvm")
        if device.exists() and device.stat().st_mode & 0o060 != 0o060:
            device.unlink()

    def keep_cache(self):
        with cache_locked():
            if not CACHE.exists():
                shutil.copytree(self.path(KNOWN), CACHE)

    def virsh(self, *words, **more):
        return self.run("virsh", "--connect", SYSTEM, *words, **more)

    def domains(self):
        """{name: UUID} of those that run."""
        names = self.virsh("list", "--name").stdout.split()
        return {name: self.virsh("domuuid", name).stdout.strip() for name in names}

    def emulators(self):
        """{name: pid} of the domains' QEMUs, by the files that libvirt itself goes by."""
        return {file.stem: int(file.read_text()) for file in self.path("/run/libvirt/qemu").glob("*.pid")}
