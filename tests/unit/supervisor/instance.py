# SPDX-License-Identifier: Apache-2.0
"""A podvisord of a test's own, below a directory of its own, with null machines; and what the tests wait for."""
import contextlib, json, os, pathlib, shutil, signal, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../.."))
import leftovers

PROGRAMS = pathlib.Path(os.environ["PODVISOR_PROGRAMS"])
DEADLINE = float(os.environ.get("PODVISOR_TEST_DEADLINE", "60"))  # seconds that anything may take on a busy machine


def until(what, condition, deadline=DEADLINE):
    """Waits for a condition, which is looked at again and again: nothing here tells of changes to all that is looked at."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"in vain: {what}")
        time.sleep(0.02)


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Instance:
    def __init__(self, run=None):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="podvisor-test-"))
        self.definitions = self.root / "pods.d"
        self.definitions.mkdir()
        self.run = self.root / "run"
        self.daemon = None
        self.log = open(self.root / "log", "wb")
        leftovers.end_with_the_test(self.close)

    def define(self, name, text="", containers=("a",), more=""):
        """Replaced by rename, as editors do."""
        rows = ", ".join(f'{{ name = "{c}"; image = "none"; {more} }}' for c in containers)
        new = self.root / f"{name}.new"
        new.write_text(f'backend = "null";\n{text}\ncontainers = ( {rows} );\n')
        new.rename(self.definitions / f"{name}.pod")

    def undefine(self, name):
        (self.definitions / f"{name}.pod").unlink()

    def start(self, prefix=()):
        self.daemon = subprocess.Popen([*prefix, PROGRAMS / "podvisord", "--root", self.root, "--log-level", "debug"],
                                       stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until("podvisord answers", lambda: self.call("list").returncode == 0)

    def end(self, how=signal.SIGKILL):
        self.daemon.send_signal(how)
        return self.daemon.wait(DEADLINE)

    def call(self, *arguments):
        return subprocess.run([PROGRAMS / "podvisor", "--root", self.root, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=DEADLINE)

    def do(self, *arguments):
        result = self.call(*arguments)
        assert result.returncode == 0, f"{arguments}: {result.stderr}"
        return result.stdout

    def pods(self):
        return {pod["name"]: pod for pod in json.loads(self.do("list", "--json=short"))}

    def pod(self, name):
        return self.pods().get(name)

    def await_state(self, name, *states):
        def look():
            pod = self.pod(name)
            return pod if pod and pod["state"] in states else None
        return until(f"{name} is {' or '.join(states)}; it is {self.pod(name)}", look)

    def await_all(self, names, state="ready"):
        def look():
            pods = self.pods()
            return pods if set(pods) == set(names) and all(p["state"] == state for p in pods.values()) else None
        return until(f"all are {state}", look)

    def await_gone(self, name, deadline=DEADLINE):
        until(f"{name} is gone", lambda: name not in self.pods() and not (self.run / "pods" / name).exists(), deadline)

    def processes(self):
        """Machines and runners, by pod: those that hold, or have open, a lock of a run path of this instance."""
        found = {"machine": {}, "runner": {}}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == self.daemon.pid:
                continue
            with contextlib.suppress(OSError):
                for fd in (entry / "fd").iterdir():
                    path = os.readlink(fd)
                    for kind, pods in found.items():
                        if path.startswith(f"{self.run}/pods/") and path.endswith(f"/vm/{kind}.lock"):
                            pods.setdefault(path.split("/")[-3], []).append(int(entry.name))
        return found

    def all_processes(self):
        return [pid for pods in self.processes().values() for pids in pods.values() for pid in pids]

    def close(self):
        if self.daemon and self.daemon.poll() is None:
            self.end()
        self.log.close()
        leftovers.kill_below(self.root)
        leftovers.forget(self.close)
        shutil.rmtree(self.root, ignore_errors=True)
