# SPDX-License-Identifier: Apache-2.0
"""A podvisor on a terminal of its own, and somebody who types there."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

PATIENCE = 60


class Terminal:
    def __init__(self, host, *words, rows=33, columns=99):
        self.ours, theirs = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.seen = b""
        self.process = subprocess.Popen(host.words(*words), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                                        env={**os.environ, "TERM": "dumb"})

    def resize(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.ours, text)

    def wait_for(self, text):
        """All output up to and with text."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            ready, _, _ = select.select([self.ours], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"{text} did not come; there was {self.seen}")
            self.seen += os.read(self.ours, 65536)
        found, _, self.seen = self.seen.partition(text)
        return found + text

    def end(self):
        status = self.process.wait(PATIENCE)
        self.restored = termios.tcgetattr(self.theirs) == self.before
        os.close(self.ours)
        os.close(self.theirs)
        return status
