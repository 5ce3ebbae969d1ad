# SPDX-License-Identifier: Apache-2.0
"""How far a long work is: on a terminal in one line, elsewhere in a line now and then."""
import sys
import time

SECONDS_BETWEEN_LINES, SECONDS_ON_TERMINAL = 30, 0.5


class Progress:
    """Counts; `note` says a line, `done` is the word for one that is counted."""

    def __init__(self, note, done):
        self.note, self.done = note, done
        self.on_terminal = sys.stderr.isatty()
        self.count, self.begin = 0, time.monotonic()
        self.said = self.begin

    def text(self):
        return f"{self.count} files {self.done}, {time.monotonic() - self.begin:.0f} s"

    def one_more(self):
        self.count += 1
        now = time.monotonic()
        if now - self.said < (SECONDS_ON_TERMINAL if self.on_terminal else SECONDS_BETWEEN_LINES):
            return
        self.said = now
        if self.on_terminal:
            sys.stderr.write(f"\r{self.text()}")
            sys.stderr.flush()
        else:
            self.note(self.text())

    def end(self):
        if self.on_terminal:
            sys.stderr.write("\r\033[K")
        self.note(self.text())
