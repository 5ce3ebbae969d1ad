# SPDX-License-Identifier: Apache-2.0
"""Slices of Debian as images: packages as they are, by mmdebstrap, from where apt of this host gets its own."""
import os
import pathlib
import signal
import subprocess

SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")


class Slice:
    """A root file system that is being made beside what the test does. usr-is-merged spares it usrmerge, which brings all of Perl."""

    def __init__(self, folder, *packages):
        # As apt itself gets out of here.
        proxies = [f"--aptopt={path}" for path in pathlib.Path("/etc/apt/apt.conf.d").glob("*proxy*")]
        sources = [path for path in SOURCES if pathlib.Path(path).is_file() and pathlib.Path(path).read_text().strip()]
        self.path = folder
        # Its lists are its own: those of this host may be gone, or name packages that have been replaced.
        self.process = subprocess.Popen(
            ["mmdebstrap", "--quiet", "--variant=extract", *proxies, f"--include={','.join((*packages, 'usr-is-merged'))}",
             "bookworm", folder, *sources],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def ready(self):
        said, _ = self.process.communicate(timeout=300)
        if self.process.returncode != 0:
            raise AssertionError(f"mmdebstrap ended with {self.process.returncode}: {said}")
        return self.path

    def end(self):
        """Whatever came in between: nothing of it goes on."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
