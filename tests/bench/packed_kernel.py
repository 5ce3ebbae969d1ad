# SPDX-License-Identifier: Apache-2.0
"""Debian's kernel as its package has it, which the guest's was unpacked from."""
import os
import pathlib
import subprocess
import sys

GUEST = pathlib.Path(__file__).resolve().parents[2] / "guest"
sys.path[:0] = [str(GUEST / "kernel"), str(GUEST / "common")]
import package


def unpack(release, directory):
    """(its path, None), or (None, why it cannot be had)."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "podvisor")
    deb = package.newest_cached(cache)
    if not deb:
        return None, f"there is no package of a kernel in {cache}"
    if not deb.name.startswith(f"linux-image-{release}_"):
        return None, f"the guest's kernel is {release}, and not that of {deb.name}"
    kernel = pathlib.Path(directory, "vmlinuz")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as archive, open(kernel, "wb") as out:
        subprocess.run(["tar", "-xO", f"./boot/vmlinuz-{release}"], stdin=archive.stdout, stdout=out, check=True)
    kernel.chmod(0o644)
    return kernel, None
