# SPDX-License-Identifier: Apache-2.0
"""How far a long work is: on a terminal in one line, elsewhere in a line now and then."""
import sys
import time

SECONDS_BETWEEN_LINES, SECONDS_ON_TERMINAL = 30, 0.5


class Progress:
    """Counts files; `note` says a line, `done` is the word for what was done with them, `about` how many there will be, if that is known."""

    def __init__(self, note, done, about=None):
        self.note, self.done, self.about = note, done, about
        self.on_terminal = sys.stderr.isatty()
        self.count, self.begin = 0, time.monotonic()
        self.said = self.begin

    def text(self):
        of = f" of about {self.about}" if self.about and self.count < self.about else ""
        return f"{self.count}{of} files {self.done}, {time.monotonic() - self.begin:.0f} s"

    def one_more(self):
        self.count += 1
        now = time.monotonic()
        if now - self.said < (SECONDS_ON_TERMINAL if self.on_terminal else SECONDS_BETWEEN_LINES):
            return
        self.said = now
        if self.on_terminal:
            sys.stderr.write(f"\r{self.text()}\033[K")
            sys.stderr.flush()
        else:
            self.note(self.text())

    def end(self):
        if self.on_terminal:
            sys.stderr.write("\r\033[K")
        self.about = None
        self.note(self.text())
