# SPDX-License-Identifier: Apache-2.0
"""A podvisord of a test's own, below a directory of its own, with real runners and real guests.

What runs is never asked of podvisor alone: processes are found by what they hold open below the directory, so that
a machine that podvisor has lost is seen, too.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("PODVISOR_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
BIN = BUILD / "bin"
# Far beyond any honest duration, on two processors that emulate five guests: reaching it is a failure, not slowness.
PATIENCE = 240

HELLO = """containers = (
  { name = "hello"; image = "busybox";
    command = [ "sh", "-c", "echo hello from $HOSTNAME; trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ]; }
);
"""


class Died(Exception):
    pass


def processes_below(directory):
    """{pid: (program, files)} of all processes with something open below directory."""
    prefix, found = str(directory) + "/", {}
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            fds = f"/proc/{pid}/fd"
            files = {os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds)}
            files.add(os.readlink(f"/proc/{pid}/cwd"))
            below = {f.removeprefix(prefix) for f in files if f.startswith(prefix)}
            if below:
                found[int(pid)] = (os.path.basename(os.readlink(f"/proc/{pid}/exe")), below)
    return found


def sockets_below(directory):
    with open("/proc/net/unix") as f:
        return [line.split()[-1] for line in f if str(directory) in line]


def mounts_below(directory):
    with open("/proc/self/mounts") as f:
        return [line.split()[1] for line in f if str(directory) in line]


class Instance:
    def __init__(self, config=""):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="pv-"))
        self.pods = self.root / "pods.d"
        self.pods.mkdir()
        (self.root / "podvisord.conf").write_text(config)
        self.log = open(self.root / "podvisord.out", "ab")
        self.daemon = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, trace):
        if kind:
            self.show()
        for path in self.pods.iterdir():
            path.unlink()
        if self.daemon:
            self.kill(signal.SIGKILL)
        for pid in processes_below(self.root):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.log.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def show(self):
        print("--- podvisord said:")
        print("\n".join((self.root / "podvisord.out").read_text(errors="replace").splitlines()[-150:]))
        print("--- processes:", processes_below(self.root))

    # The programs

    def start(self):
        """Starts podvisord and returns when it answers."""
        self.daemon = subprocess.Popen([BIN / "podvisord", "--root", self.root], stdout=self.log, stderr=self.log,
                                       stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while self.cli("list", "--json=short", check=False).returncode != 0:
            if self.daemon.poll() is not None:
                raise Died(f"podvisord ended with {self.daemon.returncode}")
            if time.monotonic() > deadline:
                raise Died("podvisord does not answer")

    def kill(self, number=signal.SIGKILL):
        self.daemon.send_signal(number)
        self.daemon.wait()

    def cli(self, *words, check=True, timeout=PATIENCE, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([BIN / "podvisor", "--root", self.root, *words], check=check, timeout=timeout, text=True,
                              capture_output=True, **more)

    def list(self):
        return {pod["name"]: pod for pod in json.loads(self.cli("list", "--json=short").stdout)}

    def wait(self, *pods, state="ready"):
        for pod in pods:
            self.cli("wait", pod, f"--for={state}", f"--timeout={PATIENCE}s")

    # What is declared

    def write(self, name, text):
        """As an administrator's editor does: a new file, renamed into place."""
        new = self.pods / f".{name}.new"
        new.write_text(text)
        new.rename(self.pods / f"{name}.pod")

    def remove(self, name):
        (self.pods / f"{name}.pod").unlink(missing_ok=True)

    def import_busybox(self, name="busybox"):
        tree = self.root / "busybox-tree"
        (tree / "bin").mkdir(parents=True)
        for folder in ("etc", "tmp", "var"):
            (tree / folder).mkdir()
        shutil.copy("/bin/busybox", tree / "bin/busybox")
        for applet in subprocess.run(["/bin/busybox", "--list"], check=True, capture_output=True, text=True).stdout.split():
            if applet != "busybox":
                (tree / "bin" / applet).symlink_to("busybox")
        (tree / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\nwww:x:33:33:www:/tmp:/bin/sh\n")
        (tree / "etc/group").write_text("root:x:0:\nwww:x:33:\n")
        self.cli("image", "import", name, tree)
        shutil.rmtree(tree)

    # What runs

    def machines(self):
        """{pod: [pid]} by who holds the lock of a machine: one, or something is very wrong."""
        found = {}
        for pid, (program, files) in processes_below(self.root / "run" / "pods").items():
            for file in files:
                if file.endswith("/vm/machine.lock") and not program.startswith("podvisor-runner"):
                    found.setdefault(file.split("/")[0], []).append(pid)
        return found

    def runners(self):
        """{pod: [pid]}"""
        found = {}
        for pid, (program, files) in processes_below(self.root / "run" / "pods").items():
            if program.startswith("podvisor-runner"):
                for pod in {file.split("/")[0] for file in files if "/" in file or file}:
                    found.setdefault(pod, []).append(pid)
        return found

    def leftovers(self):
        """What there should be nothing of when no pod is declared and podvisord has gone."""
        return {
            "processes": processes_below(self.root / "run"),
            "sockets": [s for s in sockets_below(self.root) if not s.endswith(("/bus", "/runners"))],
            "mounts": mounts_below(self.root),
            "run paths": [p.name for p in (self.root / "run" / "pods").iterdir()],
        }

    def uptime(self, pod, container):
        """Seconds of the guest's life, by its own word."""
        return float(self.cli("exec", f"{pod}/{container}", "--", "cat", "/proc/uptime").stdout.split()[0])
