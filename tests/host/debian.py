# SPDX-License-Identifier: Apache-2.0
"""Slices of Debian as images: packages as they are, by mmdebstrap, with what apt knows on this host and from where it gets it."""
import os
import pathlib
import signal
import subprocess

SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
LISTS = 'mkdir -p "$1/var/lib/apt" && cp -r /var/lib/apt/lists "$1/var/lib/apt/"'


class Slice:
    """A root file system that is being made beside what the test does. usr-is-merged spares it usrmerge, which brings all of Perl."""

    def __init__(self, folder, *packages):
        # As apt itself gets out of here.
        proxies = [f"--aptopt={path}" for path in pathlib.Path("/etc/apt/apt.conf.d").glob("*proxy*")]
        sources = [path for path in SOURCES if pathlib.Path(path).is_file() and pathlib.Path(path).read_text().strip()]
        self.path = folder
        # The lists are the host's: to get them again takes longer than everything else.
        self.process = subprocess.Popen(
            ["mmdebstrap", "--quiet", "--variant=extract", "--skip=update", *proxies, f"--setup-hook={LISTS}",
             f"--include={','.join((*packages, 'usr-is-merged'))}", "bookworm", folder, *sources],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True)

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
