# SPDX-License-Identifier: Apache-2.0
"""A podvisord of a test's own, below a directory of its own, with real runners and real guests.

What runs is never asked of podvisor alone: processes are found by what they hold open below the directory, so that
a machine that podvisor has lost is seen, too.
"""
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import leftovers

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("PODVISOR_BUILD", HERE.parents[1] / "build"))
BIN = BUILD / "bin"
# Far beyond any honest duration, on two processors that emulate five guests: reaching it is a failure, not slowness.
PATIENCE = 240
NOBODY = 65534
# Any of the tests with another kernel than that of the build.
KERNEL = os.environ.get("PODVISOR_TEST_KERNEL")

# Says hello, and ends when it is told to.
HELLO_COMMAND = """[ "sh", "-c", "trap 'exit 0' TERM; echo hello from $HOSTNAME; while :; do sleep 3600 & wait $!; done" ]"""
HELLO = """containers = (
  { name = "hello"; image = "busybox";
    command = %s; }
);
""" % HELLO_COMMAND

# Run in a container: all that two machines must not have in common, a line for each.
IDENTITY = "cat /proc/sys/kernel/random/boot_id; head -c 16 /dev/urandom | md5sum; hostname; cat /proc/sys/kernel/random/uuid"


class Died(Exception):
    pass


def children(pid):
    """Its child processes; none of one that has gone."""
    with contextlib.suppress(OSError):
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


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


def until(what, condition, deadline=PATIENCE):
    """The first true value of condition, which is looked at again and again: for what nothing tells of its change."""
    end = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"in vain: {what}")
        time.sleep(0.05)
    return value


def failure(host, name, reason="start-failed"):
    """Why the pod's last start came to nothing."""
    def look():
        status = name in host.list() and host.status(name)
        return status and status["reason"] == reason and status["message"]
    return until(f"{name} fails", look)


def process_state(pid):
    """The letter of /proc/PID/stat; None when there is no such process."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def alive(pid):
    """Whether any thread of it lives: the first one may be a zombie while others still hold its files and locks."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([fd], [], [], 0)[0]
    finally:
        os.close(fd)


def stop(pid):
    """SIGSTOP, and the process has really stopped."""
    os.kill(pid, signal.SIGSTOP)
    until(f"process {pid} stops", lambda: process_state(pid) == "T")


def compile_static(source, program, *options):
    subprocess.run(["cc", "-static", "-O1", "-Wall", *options, HERE / source, "-o", program], check=True)
    return program


def resident(pid):
    """Bytes of its own: anonymous memory, not the files that it maps."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024


def switches(pid):
    """How often each of its threads has been woken, and put to sleep by others."""
    return {task.name: sum(int(line.split()[1]) for line in (task / "status").read_text().splitlines() if "ctxt_switches" in line)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir()}


def switches_since(pid, before):
    """The same of all together, since they were `before`; threads that have ended meanwhile are left out."""
    return sum(n - before.get(thread, 0) for thread, n in switches(pid).items())


class Instance:
    """before: words that each of our programs is started with, as `setpriv ...`. root: a directory of the caller's."""

    def __init__(self, config="", before=(), root=None):
        if KERNEL and "kernel =" not in config:
            config = f'kernel = "{KERNEL}";\n' + config
        self.root = pathlib.Path(root or tempfile.mkdtemp(prefix="pv-"))
        self.pods = self.root / "pods.d"
        self.pods.mkdir(exist_ok=True)
        (self.root / "podvisord.conf").write_text(config)
        self.log = open(self.root / "podvisord.out", "ab")
        self.before = list(before)
        self.where = ["--root", self.root]
        self.programs = BIN
        self.run = self.root / "run"
        self.environment = None
        self.daemon = None

    def __enter__(self):
        leftovers.end_with_the_test(self.clean_up)
        try:
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, error, trace):
        if kind:
            self.show()
        self.clean_up()

    def clean_up(self):
        for path in self.pods.iterdir() if self.pods.is_dir() else ():
            path.unlink()
        if self.daemon:
            self.kill(signal.SIGKILL)
        self.log.close()
        leftovers.kill_below(self.root)
        leftovers.forget(self.clean_up)
        shutil.rmtree(self.root, ignore_errors=True)

    def show(self):
        print("--- podvisord said:")
        print("\n".join((self.root / "podvisord.out").read_text(errors="replace").splitlines()[-150:]))
        print("--- processes:", processes_below(self.root))

    # The programs

    def start(self):
        """Starts podvisord and returns when it answers."""
        self.daemon = subprocess.Popen([*self.before, self.programs / "podvisord", *self.where], stdout=self.log, stderr=self.log,
                                       stdin=subprocess.DEVNULL, env=self.environment)
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
        more.setdefault("text", True)
        return subprocess.run(self.words(*words), check=check, timeout=timeout, capture_output=True, env=self.environment,
                              **more)

    def words(self, *words):
        return [*self.before, self.programs / "podvisor", *self.where, *words]

    def list(self):
        return {pod["name"]: pod for pod in json.loads(self.cli("list", "--json=short").stdout)}

    def status(self, pod):
        return json.loads(self.cli("status", pod, "--json=short", check=False).stdout)[0]

    def page(self, pod):
        """What a person sees."""
        return self.cli("status", pod, check=False).stdout

    def container(self, pod, name):
        return next(c for c in self.status(pod)["containers"] if c["name"] == name)

    def sh(self, target, script, check=True, **more):
        return self.cli("exec", target, "--", "sh", "-c", script, check=check, **more)

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

    def clear(self):
        """Removes all pods, so that the next test finds the instance as it was."""
        for path in self.pods.glob("*.pod"):
            path.unlink()
        for pod in self.list():
            self.cli("wait", pod, "--for=gone", f"--timeout={PATIENCE}s")

    def import_busybox(self, name="busybox", files=(), complete=False):
        """complete: with the places for what a container is given, as images of distributions have them; else those have to be made."""
        tree = self.root / "busybox-tree"
        (tree / "bin").mkdir(parents=True)
        for folder in ("etc", "tmp", "var", *(("proc", "sys", "dev") if complete else ())):
            (tree / folder).mkdir()
        for file in ("hostname", "hosts") if complete else ():
            (tree / "etc" / file).write_text("")
        shutil.copy("/bin/busybox", tree / "bin/busybox")
        for applet in subprocess.run(["/bin/busybox", "--list"], check=True, capture_output=True, text=True).stdout.split():
            if applet != "busybox":
                (tree / "bin" / applet).symlink_to("busybox")
        for file in files:
            shutil.copy(file, tree / "bin")
        (tree / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\nwww:x:33:33:www:/tmp:/bin/sh\n")
        (tree / "etc/group").write_text("root:x:0:\nwww:x:33:\n")
        self.cli("image", "import", name, tree)
        shutil.rmtree(tree)

    # What runs

    def machines(self):
        """{pod: [pid]} by who holds the lock of a machine: one, or something is very wrong."""
        found = {}
        for pid, (program, files) in processes_below(self.run / "pods").items():
            for file in files:
                if file.endswith("/vm/machine.lock") and not program.startswith("podvisor-runner"):
                    found.setdefault(file.split("/")[0], []).append(pid)
        return found

    def runners(self):
        """{pod: [pid]}"""
        found = {}
        for pid, (program, files) in processes_below(self.run / "pods").items():
            if program.startswith("podvisor-runner"):
                for pod in {file.split("/")[0] for file in files if "/" in file or file}:
                    found.setdefault(pod, []).append(pid)
        return found

    def leftovers(self):
        """What there should be nothing of when no pod is declared and podvisord has gone."""
        return {
            "processes": processes_below(self.run),
            "sockets": [s for s in sockets_below(self.root) if not s.endswith(("/bus", "/runners"))],
            "mounts": mounts_below(self.root),
            "run paths": [p.name for p in (self.run / "pods").iterdir()],
        }

    def uptime(self, pod, container):
        """Seconds of the guest's life, by its own word."""
        return float(self.cli("exec", f"{pod}/{container}", "--", "cat", "/proc/uptime").stdout.split()[0])


def nobodys_instance(test):
    """An instance, to be entered, of a user who may do nothing. Only root can become somebody else."""
    programs = pathlib.Path(test.enterContext(tempfile.TemporaryDirectory(prefix="pv-programs-")))
    programs.chmod(0o755)
    # The build tree may stand where nobody may go.
    for part in ("bin", "guest"):
        (programs / part).mkdir(mode=0o755)
    for file in (*BIN.glob("podvisor*"), *(BUILD / "guest" / name for name in ("vmlinux", "initrd"))):
        if file.is_file():
            shutil.copy(file, programs / file.parent.name)
    host = Instance(before=["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"])
    host.programs = programs / "bin"
    host.root.chmod(0o755)
    for path in (host.root, *host.root.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    return host


class HostTest(unittest.TestCase):
    """Tests that share one instance, self.host: what podvisord said is shown for each that fails."""
    config = ""
    files = ()

    @classmethod
    def setUpClass(cls):
        cls.host = cls.enterClassContext(Instance(cls.config))
        cls.host.import_busybox(files=cls.files)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            self.host.show()
        return result
