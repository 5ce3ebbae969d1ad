#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""podvisord is killed at its n-th system call while it starts, changes and removes pods, or that call fails; it does not
crash, and it or the next one makes everything true. KILL_POINTS says how many of the points are tried (0: all of them),
KILL_SEED repeats a run."""
import contextlib, os, random, shutil, signal, subprocess, sys, time

sys.path.insert(0, os.path.dirname(__file__))
from instance import PROGRAMS, Instance, alive, children, until

POINTS = int(os.environ.get("KILL_POINTS", "25"))
SEED = int(os.environ.get("KILL_SEED", time.time_ns() % 100000))
# What can fail for reasons that are not ours, and how.
FALLIBLE = "openat2,openat,write,fsync,renameat,mkdirat,unlinkat,fchmod,sendmsg,recvmsg,accept4,readlinkat,newfstatat,vfork,clone3"
ERRORS = ["EIO", "ENOSPC", "ENOMEM", "EMFILE"]
SETTINGS = 'restart = { delay = "10ms"; max_delay = "50ms"; }; '


def prepare(i):
    """One pod to be left alone, one to be changed, one to be removed, one to be added."""
    for name in ("stays", "changes", "goes"):
        i.define(name, SETTINGS)
    i.start()
    before = i.await_all(["stays", "changes", "goes"])
    i.end()
    i.define("changes", SETTINGS + "cpus = 2;")
    i.undefine("goes")
    i.define("comes", SETTINGS)
    return before


def settled(i):
    try:
        pods = i.pods()
    except AssertionError:  # podvisord has ended, or does not answer yet
        return False
    return (set(pods) == {"stays", "changes", "comes"} and all(p["state"] == "ready" for p in pods.values())
            and pods["changes"]["attempt"] > 1)


def strace(i, *arguments):
    return subprocess.Popen(["strace", "-qq", *arguments, PROGRAMS / "podvisord", "--root", i.root, "--log-level", "debug"],
                            stdin=subprocess.DEVNULL, stdout=i.log, stderr=i.log)


def signal_traced(i, number):
    """podvisord, which strace waits for, and ends as it does."""
    for pid in children(i.daemon.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    i.daemon.wait()


def count(*arguments):
    i = Instance()
    try:
        prepare(i)
        trace = i.root / "trace"
        i.daemon = strace(i, "-o", trace, *arguments)
        until("all is made true", lambda: settled(i))
        signal_traced(i, signal.SIGTERM)
        return len(trace.read_text(errors="replace").splitlines())
    finally:
        i.close()


def crashed(returncode):
    """strace ends as what it traces."""
    return -returncode in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


def inject(n, fault):
    """One point; fault: for strace."""
    i = Instance()
    try:
        before = prepare(i)
        i.daemon = strace(i, "-o", "/dev/null", "-e", f"inject={fault}:when={n}")
        # Ended at that point, or got through it. What an error has made it give up for now, the next one takes up.
        with contextlib.suppress(AssertionError):
            until("it is over", lambda: i.daemon.poll() is not None or settled(i), 20)
        assert i.daemon.poll() is None or not crashed(i.daemon.returncode), "podvisord crashed"
        if i.daemon.poll() is None:
            signal_traced(i, signal.SIGKILL)
        i.start()
        until("all is made true", lambda: settled(i))
        until("nothing else is left", lambda: {k: {n: len(p) for n, p in v.items()} for k, v in i.processes().items()}
              == {"machine": dict.fromkeys(["stays", "changes", "comes"], 1),
                  "runner": dict.fromkeys(["stays", "changes", "comes"], 1)})
        assert i.pod("stays")["vmm_pid"] == before["stays"]["vmm_pid"], "a machine was lost"
        assert not alive(before["goes"]["vmm_pid"])
        assert sorted(p.name for p in (i.run / "pods").iterdir()) == ["changes", "comes", "stays"]
    except BaseException:
        i.log.flush()
        print(f"--- {fault} at system call {n}: {i.processes()}\n{(i.root / 'log').read_text(errors='replace')[-20000:]}",
              file=sys.stderr)
        raise
    finally:
        i.close()


def points(total):
    return range(1, total) if POINTS == 0 else sorted(random.sample(range(1, total), min(POINTS, total - 1)))


def main():
    if not shutil.which("strace"):
        print("strace is not there")
        sys.exit(77)
    print(f"KILL_SEED={SEED}", flush=True)
    random.seed(SEED)
    total, fallible = count(), count("-e", FALLIBLE)
    for n in points(total):
        inject(n, "all:signal=KILL")
    for n in points(fallible):
        inject(n, f"{FALLIBLE}:error={random.choice(ERRORS)}")
    print(f"of {total} system calls, {fallible} of which can fail")


main()
