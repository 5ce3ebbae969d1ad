# SPDX-License-Identifier: Apache-2.0
"""What pods cost that do nothing."""
import time

import processes
from instance import HELLO, switches, switches_since

# After which a guest's kernel has done what it does of itself after a start, and QEMU has ended the threads that it needed for that.
SETTLED = 15


def measure(lab):
    with lab.template_floor() as floor, floor.machine() as alone, lab.pod("booted", HELLO) as booted, lab.copy("copy") as copy:
        runners = [pod["runner_pid"] for pod in (booted, copy)]
        who = {"floor": [alone.pid], "booted": [booted["vmm_pid"]], "copy": [copy["vmm_pid"]], "runner": runners, "podvisord": [lab.host.daemon.pid]}
        time.sleep(SETTLED)
        begin = {key: [(processes.computed(pid), switches(pid)) for pid in pids] for key, pids in who.items()}
        time.sleep(lab.o.idle)  # this is the measurement
        for key, pids in who.items():
            for pid, (computed, before) in zip(pids, begin[key]):
                lab.add(f"idle.{key}", (processes.computed(pid) - computed) * 1000 * 60 / lab.o.idle)
                if key != "podvisord":
                    lab.add(f"idle.{key}-wakeups", switches_since(pid, before) / lab.o.idle)
