# SPDX-License-Identifier: Apache-2.0
"""On what, and by which programs, something is measured."""
import os
import pathlib
import platform
import re
import shutil
import subprocess

from instance import HERE

# Of programs: what they are called, and how they tell their version.
PROGRAMS = {"QEMU": ("qemu-system-x86_64", "-version"), "libvirt": ("virsh", "-V"), "podman": ("podman", "--version")}


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return " ".join(names[0].split()) if names else platform.machine()


def version(program, option):
    if not shutil.which(program):
        return "not installed"
    said = subprocess.run([program, option], capture_output=True, text=True).stdout
    found = re.search(r"\d+(\.\d+)+\S*", said)
    return found[0] if found else "unknown"


def commit():
    done = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def describe():
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"processor": processor(), "processors": os.cpu_count(), "memory": f"{pages / (1 << 30):.0f} GiB", "host's kernel": platform.release(), **{name: version(*words) for name, words in PROGRAMS.items()}, "podvisor": commit()}
