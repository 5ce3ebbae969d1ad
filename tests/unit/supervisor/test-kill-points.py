#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""podvisord is killed at its n-th system call while it starts, changes and removes pods; the next one makes everything
true. KILL_POINTS says how many of the points are tried (0: all of them), KILL_SEED repeats a run."""
import os, random, shutil, signal, subprocess, sys, time

sys.path.insert(0, os.path.dirname(__file__))
from instance import PROGRAMS, Instance, alive, until

POINTS = int(os.environ.get("KILL_POINTS", "25"))
SEED = int(os.environ.get("KILL_SEED", time.time_ns() % 100000))
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


def count():
    i = Instance()
    try:
        prepare(i)
        trace = i.root / "trace"
        i.daemon = strace(i, "-o", trace)
        until("all is made true", lambda: settled(i))
        subprocess.run(["pkill", "-P", str(i.daemon.pid)], check=True)  # podvisord, which strace waits for
        i.daemon.wait()
        return len(trace.read_text(errors="replace").splitlines())
    finally:
        i.close()


def kill_at(n):
    i = Instance()
    try:
        before = prepare(i)
        i.daemon = strace(i, "-o", "/dev/null", "-e", f"inject=all:signal=KILL:when={n}")
        # Killed at that point, or it has got through without coming to it.
        until("it is over", lambda: i.daemon.poll() is not None or settled(i))
        if i.daemon.poll() is None:
            subprocess.run(["pkill", "-KILL", "-P", str(i.daemon.pid)], check=False)
            i.daemon.wait()
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
        print(f"--- killed at system call {n}: {i.processes()}\n{(i.root / 'log').read_text(errors='replace')[-20000:]}",
              file=sys.stderr)
        raise
    finally:
        i.close()


def main():
    if not shutil.which("strace"):
        print("strace is not there")
        sys.exit(77)
    print(f"KILL_SEED={SEED}", flush=True)
    random.seed(SEED)
    total = count()
    points = range(1, total) if POINTS == 0 else sorted(random.sample(range(1, total), min(POINTS, total - 1)))
    print(f"{len(points)} of {total} system calls", flush=True)
    for n in points:
        kill_at(n)


main()
