# SPDX-License-Identifier: Apache-2.0
"""Very many pods without machines: what podvisor alone costs."""
import time

import processes
from instance import switches, switches_since

IDLE = 'backend = "null";\ncontainers = ( { name = "c"; image = "busybox"; } );\n'


def measure(lab):
    host, names = lab.host, [f"pod{i}" for i in range(lab.o.pods)]
    lab.remark("crowd.ready", f"{len(names)} pods")
    begin = time.monotonic()
    for name in names:
        host.write(name, IDLE)
    host.wait(*names)
    lab.add("crowd.ready", time.monotonic() - begin)
    for _ in range(lab.o.runs):
        begin = time.monotonic()
        listed = host.list()
        lab.add("crowd.list", (time.monotonic() - begin) * 1000)
    lab.add("crowd.podvisord", processes.resident(host.daemon.pid))
    lab.add("crowd.runner", processes.resident(listed[names[0]]["runner_pid"]))
    daemon = host.daemon.pid
    before = processes.computed(daemon), switches(daemon)
    time.sleep(lab.o.idle)  # this is the measurement
    minutes = lab.o.idle / 60
    lab.add("crowd.idle-cpu", (processes.computed(daemon) - before[0]) * 1000 / minutes)
    lab.add("crowd.idle-wakeups", switches_since(daemon, before[1]) / minutes)
    lab.end(*names)
