# SPDX-License-Identifier: Apache-2.0
"""What tests in Python launch does not outlive them, however they end: also by meson's SIGTERM when its patience is over."""
import atexit
import contextlib
import os
import signal


def end_with_the_test(clean_up):
    """clean_up is called when Python ends, unless forget() was; a SIGTERM ends Python in order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    atexit.register(clean_up)


def forget(clean_up):
    atexit.unregister(clean_up)


def kill_below(directory):
    """Kills, again and again until there is none, all that has something open below a directory."""
    while pids := [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid != os.getpid() and holds(pid, directory)]:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def holds(pid, directory):
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{fd}").startswith(f"{directory}/"):
                    return True
    return False
