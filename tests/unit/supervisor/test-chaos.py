#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""podvisord, runners and machines are killed at random moments while definitions come, change and go. At the end exactly
the declared pods run, once each, and nothing else is left. CHAOS_ROUNDS and CHAOS_SEED say how often, and repeat a run."""
import os, random, signal, sys, time

sys.path.insert(0, os.path.dirname(__file__))
from instance import Instance, alive, until

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", time.time_ns() % 100000))
NAMES = [f"pod-{n}" for n in range(5)]
SETTINGS = 'restart = { delay = "10ms"; max_delay = "50ms"; }; '


def kill(pids):
    pids = [pid for pid in pids if alive(pid)]
    if pids:
        try:
            os.kill(random.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            pass


def order(name, others):
    """Some of those that stand before it in the list, so that there is no circle."""
    text = ""
    for key in ("after", "requires"):
        names = [f'"{other}"' for other in others if other < name and random.random() < 0.25]
        text += f"{key} = [ {', '.join(names)} ]; "
    return text


def change(i, declared):
    name = random.choice(NAMES)
    if name in declared and random.random() < 0.4:
        i.undefine(name)
        declared.discard(name)
    else:
        i.define(name, SETTINGS + order(name, NAMES) + f"cpus = {random.randint(1, 4)};")
        declared.add(name)


def main():
    print(f"CHAOS_SEED={SEED} CHAOS_ROUNDS={ROUNDS}", flush=True)
    random.seed(SEED)
    i = Instance()
    declared = set(NAMES)
    try:
        for name in NAMES:
            i.define(name, SETTINGS + order(name, NAMES))
        i.start()
        for _ in range(ROUNDS):
            time.sleep(random.random() * 0.15)
            deed = random.choice(["podvisord", "runner", "machine", "change", "both"])
            if deed in ("podvisord", "both"):
                i.end()
            found = i.processes()
            if deed in ("runner", "both"):
                kill([p for pids in found["runner"].values() for p in pids])
            if deed == "machine":
                kill([p for pids in found["machine"].values() for p in pids])
            if deed == "change":
                change(i, declared)
            for name, pids in i.processes()["machine"].items():
                # A machine whose process is just being replaced by its program may be seen twice, for a moment.
                if len(pids) > 1:
                    until(f"{name} runs once", lambda: len(i.processes()["machine"].get(name, [])) <= 1, 2)
            if deed in ("podvisord", "both"):
                i.start()
        # Nobody waits any more for one that is not declared.
        for name in sorted(declared):
            i.define(name, SETTINGS + order(name, sorted(declared)))
        i.await_all(declared)
        until("each runs once", lambda: {n: len(p) for n, p in i.processes()["machine"].items()} == dict.fromkeys(declared, 1))
        for name in list(declared):
            i.undefine(name)
        until("all are gone", lambda: not i.pods())
        until("no process is left", lambda: not i.all_processes())
        assert not list((i.run / "pods").iterdir()), "a run path is left"
    except BaseException:
        i.log.flush()
        print(f"declared {declared}; {i.processes()}", i.do("list", "--json=pretty"), file=sys.stderr)
        print((i.root / "log").read_text(errors="replace")[-60000:], file=sys.stderr)
        raise
    finally:
        i.close()


main()
