# SPDX-License-Identifier: Apache-2.0
"""What goes through a pod's streams: exec beside podman's, copies, logs."""
import contextlib
import json
import os
import subprocess
import time

import podman
import processes
from instance import BUILD


def timed(*words):
    begin = time.monotonic()
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def execs(lab):
    """In turns with podman's."""
    with contextlib.ExitStack() as stack:
        there, why = stack.enter_context(podman.opened(lab.host.root / "podman"))
        if why:
            lab.remark("streams.podman-exec", why)
        steps = [lambda: lab.add("streams.exec", timed(*lab.host.words("exec", "streams", "--", "true")))]
        if there:
            words = stack.enter_context(there.container())
            steps.append(lambda: lab.add("streams.podman-exec", timed(*words, "/bin/true")))
        lab.in_turns("exec", lab.o.runs, steps)


def log_throughput(lab, key, script, lines, size):
    """From a word to the container to its last line in the log."""
    last = "the last one"
    log = lab.host.root / "state" / "log" / f"{key}.log"
    lab.host.write(key, f'memory = "256M";\ncontainers = ( {{ name = "loud"; image = "busybox"; restart = {{ policy = "never"; }};\n'
                   f'command = [ "sh", "-c", "until [ -e /tmp/go ]; do sleep 1; done; {script}; echo {last}" ]; }} );\n')
    lab.host.wait(key)
    begin = time.monotonic()
    lab.host.cli("exec", key, "--", "touch", "/tmp/go")
    while not log.exists() or last.encode() not in log.read_bytes()[-4096:]:
        time.sleep(.05)
    took = time.monotonic() - begin
    lab.add(f"streams.{key}", lines / took)
    lab.add(f"streams.{key}-bytes", size / took / 1e6)
    lab.end(key)


def copies(lab):
    """A file of random bytes into the guest's memory, and back; beside the same bytes through an exec's streams."""
    host, source, back = lab.host, lab.host.root / "copied", lab.host.root / "back"
    with open(source, "wb") as f:
        for _ in range(lab.o.copy):
            f.write(os.urandom(1 << 20))
    lab.remark("streams.cp-in", f"{lab.o.copy} MiB")
    for key, words in (("cp-in", ("cp", source, "streams:/dev/shm/copied")), ("cp-out", ("cp", "streams:/dev/shm/copied", back)),
                       ("cat", ("exec", "streams", "--", "cat", "/dev/shm/copied"))):
        lab.add(f"streams.{key}", lab.o.copy * 1.048576 / timed(*host.words(*words)))
    if subprocess.run(["cmp", source, back]).returncode != 0:
        raise RuntimeError("what came back is not what was sent")


def measure(lab):
    host, copy = lab.host, lab.o.copy
    host.write("streams", f'memory = "{2 * copy + 256}M";\nvolumes = ( {{ name = "big"; type = "tmpfs"; size = "{copy + 16}M"; }} );\n'
               'containers = ( { name = "c"; image = "busybox"; mounts = ( { volume = "big"; path = "/dev/shm"; } );\n'
               'command = [ "sleep", "100000" ]; } );\n')
    host.wait("streams")
    execs(lab)
    copies(lab)
    told = json.loads(host.cli("stats", "streams", "--json=short").stdout)[0]
    lab.add("streams.agent", told["agent_memory"] / processes.MIB)
    lab.add("streams.program", (BUILD / "guest" / "podvisor-agent").stat().st_size / processes.MIB)
    lab.end("streams")
    short, long = 1000 * lab.o.lines, 100 * lab.o.lines
    log_throughput(lab, "short", f"seq 1 {short}", short, sum(len(str(i)) + 1 for i in range(1, short + 1)))
    log_throughput(lab, "long", f"yes $(printf %01000d 0) | head -n {long}", long, long * 1001)
