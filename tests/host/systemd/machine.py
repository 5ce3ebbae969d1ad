# SPDX-License-Identifier: Apache-2.0
"""A host of a test's own, with a real systemd as its PID 1 and podvisor installed. Theory of operation:

    the host that tests run on                 │ the machine: pid, mount, uts, ipc, net and cgroup namespaces of its own
                                               │
    test ── Machine ── unshare ── kill-child ──┼─▶ boot ─exec─▶ /lib/systemd/systemd
             │  │                              │                ├─ journald, dbus, logind; machined and polkit on demand
             │  ├─ run(): join the group, ─────┼─▶ nsenter ──▶  ├─ commands.service: what the test runs
             │  │  enter the namespaces        │                ├─ podvisord.service ...
             │  └─ waits ◀── READY=1, journal ─┼─────────────── ┘
             ▼                                 │
    a mount namespace of the test's process:   │
      tmpfs ┬ upper, work ─┐                   │
            ├ root = overlay of / with them ───┼─▶ /          (meson install --destdir, as a package would)
            ├ outside ─────────────────────────┼─▶ /run/host/outside   (readiness, the boot's id)
            └ cgroup = cgroup2 ────────────────┼─▶ /sys/fs/cgroup      (a group below the test's own)

Nothing of the host is written to: the overlay's changes are in the tmpfs, and /run, /tmp, /dev, /proc, /sys are new.
The host's own configuration of systemd, its enabled units and its journal are not seen in there; its programs are.

Whatever happens to the test, nothing stays: all mounts are in the namespace of its process and go with it; unshare is
killed when the test dies, PID 1 when unshare dies, and the kernel kills the rest with PID 1. Only an empty directory
and empty groups may stay behind then; the next machine removes these. stop() proves all of it.

/var/log/journal is in the overlay, so the journal of a machine that has powered off can be read, and a machine
that was started again is a host that rebooted: same disks, new /run, new boot id.

The group of the machine is made where controllers are handed out, if anywhere above the test is such a place; on a
host with cgroup v1 or the hybrid layout the machine has pure cgroup v2 without cpu, memory and io. See controllers().
"""
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("PODVISOR_BUILD", HERE.parents[2] / "build"))
# Far beyond any honest duration: reaching it is a failure, not slowness.
PATIENCE = 120
CLONE_NEWNS, MS_REC, MS_PRIVATE, PR_SET_PDEATHSIG = 0x20000, 0x4000, 1 << 18, 1
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = -100, 0x1000, 0x8000, 1, 4
NAME = "podvisor-host-"  # how the name of its directory begins, which is also that of its group
SKIPPED = 77
libc = ctypes.CDLL(None, use_errno=True)

# Made of the host's hardware and users, or of what boots once in a machine's life: nothing that podvisor could notice.
MASKED = ("systemd-remount-fs.service", "getty.target", "console-getty.service", "systemd-journald-audit.socket", "systemd-update-utmp.service",
          "systemd-update-utmp-runlevel.service", "proc-sys-fs-binfmt_misc.automount", "dev-hugepages.mount",
          "sys-fs-fuse-connections.mount", "systemd-firstboot.service", "apt-daily.timer", "systemd-networkd.service",
          "systemd-timesyncd.service", "systemd-udevd.service", "systemd-random-seed.service")

COMMANDS = """[Unit]
Description=What the test runs
[Service]
Type=exec
ExecStart=/bin/sleep infinity
TimeoutStopSec=5s
[Install]
WantedBy=multi-user.target
"""

# Those that the machine has of its own, and whose processes can be told by them.
NAMESPACES = ("pid", "mnt", "net", "ipc", "uts")
ENVIRONMENT = ("LANG=C.UTF-8", "HOME=/root", "TERM=dumb", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=",
               "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


class Trouble(AssertionError):
    """The machine did not do what every machine must."""


def unavailable():
    """Why there can be no machine on this host; None: there can."""
    if os.geteuid() != 0:
        return "not root"
    tried = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec", """
            mount -t tmpfs tmpfs /tmp && mkdir /tmp/upper /tmp/work /tmp/root /tmp/cgroup
            mount -t overlay -o lowerdir=/,upperdir=/tmp/upper,workdir=/tmp/work overlay /tmp/root
            mount -t cgroup2 cgroup2 /tmp/cgroup
            unshare --pid --fork --mount --uts --ipc --net --cgroup sh -ec 'mount -t proc p /proc; mount -t sysfs s /sys'
        """], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return None if tried.returncode == 0 else f"no namespaces, overlay or cgroup2: {tried.stderr.strip()}"


def main():
    """In place of unittest.main(): a host that cannot have machines has the test skipped, never passed."""
    reason = unavailable()
    if reason:
        print("skipped:", reason)
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def call(name, *arguments):
    result = getattr(libc, name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return result


def own_mount_namespace():
    """From then on the mounts of this process are seen by nobody else, and end with it. Its root becomes the namespace's: in
    a chroot it is not, and the machine's would not be either, where the kernel for instance allows no user namespaces."""
    cwd = os.getcwd()
    call("unshare", CLONE_NEWNS)
    here = os.open("/", os.O_PATH | os.O_DIRECTORY)
    ours = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    call("setns", ours, CLONE_NEWNS)  # whose root is now ours
    call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
    tree = call("open_tree", here, b"", OPEN_TREE_CLONE | AT_RECURSIVE | AT_EMPTY_PATH)
    call("move_mount", tree, b"", AT_FDCWD, b"/", MOVE_MOUNT_F_EMPTY_PATH)
    os.fchdir(tree)
    os.chroot(".")
    os.chdir(cwd)
    for fd in (here, ours, tree):
        os.close(fd)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_inside(pid, namespaces):
    for kind in NAMESPACES:
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}/ns/{kind}").st_ino in namespaces:
                return True
    return False


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def own_group():
    """Where in the tree of cgroup v2 this process is; "/" if there or out of sight."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::/") and not line.startswith("0::/.."):
            return line[3:]
    return "/"


def remove_group(group):
    """It and all below it. Fails if a process is left in there."""
    for directory, _, _ in os.walk(group, topdown=False):
        os.rmdir(directory)


def claim(directory):
    """A descriptor that says, as long as it is open, that the directory is in use; None: it already is."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def claimed(make):
    """The directory that make() makes, and its claim; made again if somebody took it for stale in between."""
    while True:
        path = make()
        with contextlib.suppress(FileNotFoundError):
            fd = claim(path)
            if fd is not None and path.exists():
                return path, fd


def stale(place):
    """What machines have left there whose tests were killed. Process ids would tell nothing: they may be another namespace's."""
    for path in place.glob(f"{NAME}*"):
        with contextlib.suppress(OSError):
            fd = claim(path)
            if fd is not None:
                yield path
                os.close(fd)


class Following:
    """The journal from a moment on, record by record, as they come. A context manager."""

    def __init__(self, machine, matches, since):
        where = ["--cursor", since] if since else ["--boot"]
        self.since = since
        self.process = machine.spawn("journalctl", "--follow", "--no-tail", "--all", "--output=json", *where, *matches,
                                     stdout=subprocess.PIPE)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        Machine.end(self.process)
        self.process.stdout.close()

    def next(self, deadline):
        """The next record. deadline: time.monotonic()."""
        while b"\n" not in self.buffer:
            ready = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0]
            data = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not data:
                raise Trouble("in vain: a record of the journal" if not ready else "journalctl has ended")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        record = json.loads(line)
        return record if record["__CURSOR"] != self.since else self.next(deadline)

    def until(self, condition, timeout=PATIENCE):
        """The first record of which condition(record) is true."""
        deadline = time.monotonic() + timeout
        while not condition(record := self.next(deadline)):
            pass
        return record


class Machine:
    """As a context manager: prepared and started; stopped at the end. prepare() and start() apart where a test has to
    put files into it before the first boot."""

    def __init__(self):
        self.base = None
        self.group = None
        self.init = None  # unshare, the parent of PID 1
        self.pid = None  # of PID 1, as the test sees it
        self.boots = 0
        self.spawned = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.show()
            self.stop()
            raise
        return self

    def __exit__(self, kind, error, trace):
        if kind:
            self.show()
        self.stop()

    # Making it

    def prepare(self):
        """All that is done before power is switched on."""
        own_mount_namespace()
        for directory in stale(pathlib.Path(tempfile.gettempdir())):
            directory.rmdir()
        self.base, fd = claimed(lambda: pathlib.Path(tempfile.mkdtemp(prefix=NAME)))
        self.claims = [fd]
        try:
            self._make()
        except BaseException:
            self.stop()
            raise

    def _make(self):
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", self.base)
        for name in ("upper", "work", "root", "outside", "cgroup"):
            (self.base / name).mkdir(mode=0o755)
        (self.base / "outside/boot_id").touch()
        mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={self.base}/upper,workdir={self.base}/work", "overlay", self.root)
        mount("-t", "cgroup2", "cgroup2", self.base / "cgroup")
        self._make_group()
        self._forget_the_host()
        self._configure()
        self.install()

    @property
    def root(self):
        return self.base / "root"

    def _make_group(self):
        place = own = self.base / "cgroup" / own_group().strip("/")
        while "memory" not in self._handed_out(place) and place != self.base / "cgroup":
            place = place.parent
        if "memory" not in self._handed_out(place):
            place = own
        for group in stale(place):
            if "populated 0" in (group / "cgroup.events").read_text():
                remove_group(group)
        self.group, fd = claimed(lambda: self._make_directory(place / self.base.name))
        self.claims.append(fd)

    @staticmethod
    def _make_directory(path):
        path.mkdir(exist_ok=True)
        return path

    @staticmethod
    def _handed_out(group):
        return (group / "cgroup.subtree_control").read_text().split()

    def controllers(self):
        """Those that units in the machine can have."""
        return (self.group / "cgroup.controllers").read_text().split()

    def _forget_the_host(self):
        for path in ("etc/systemd/system", "etc/systemd/user", "etc/podvisor", "var/lib/podvisor", "var/log/journal"):
            shutil.rmtree(self.root / path, ignore_errors=True)
        for path in ("etc/machine-id", "etc/hostname", "etc/hosts", "etc/fstab", "etc/.updated", "var/.updated"):
            (self.root / path).unlink(missing_ok=True)
        for path in ("proc", "sys", "dev", "run", "tmp"):
            (self.root / path).mkdir(exist_ok=True)

    def _configure(self):
        self.write("/etc/machine-id", f"{uuid.uuid4().hex}\n")
        self.write("/etc/hostname", "machine\n")
        self.write("/etc/hosts", "127.0.0.1 localhost machine\n::1 localhost machine\n")
        self.write("/etc/systemd/system/commands.service", COMMANDS)
        (self.root / "var/log/journal").mkdir(parents=True)
        for unit in MASKED:
            (self.root / "etc/systemd/system" / unit).symlink_to("/dev/null")
        self.systemctl_offline("enable", "commands.service")

    def systemctl_offline(self, *words):
        """systemctl on a machine that is off: enable, disable, mask, preset."""
        subprocess.run(["systemctl", "--quiet", f"--root={self.root}", *words], check=True)

    def install(self):
        """As a package would: the files, then what its scripts do. Accounts and directories come with the boot."""
        options = json.loads((BUILD / "meson-info/intro-buildoptions.json").read_text())
        prefix = next(option["value"] for option in options if option["name"] == "prefix")
        if prefix != "/usr":
            raise Trouble(f"{BUILD} is for {prefix}, where systemd does not look: meson configure {BUILD} -Dprefix=/usr")
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", self.root], check=True)
        subprocess.run(["journalctl", f"--root={self.root}", "--update-catalog"], check=True)

    # Power

    def start(self):
        """Returns when the boot has ended. Again after poweroff() or reboot(): the same disks, another boot."""
        if not self.base:
            self.prepare()
        self.boots += 1
        (self.base / "outside/boot_id").write_text(f"{uuid.uuid4()}\n")
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, open(self.base / "console", "ab") as console:
            notify = self.base / "outside/notify"
            notify.unlink(missing_ok=True)
            ready.bind(os.fspath(notify))
            self.init = subprocess.Popen(
                ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--net", HERE / "boot", self.root,
                 self.base / "outside", self.group],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=die_with_parent)
            self._wait_for_ready(ready)
        self.boot_seconds = time.monotonic() - began
        self.pid, = children(self.init.pid)
        # Open until nothing of the machine is looked for any more: the kernel gives the number of one that has gone to the next one that
        # anybody makes, such as a test beside this one.
        self.namespaces = [os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY) for kind in NAMESPACES]

    def _wait_for_ready(self, ready):
        pidfd = os.pidfd_open(self.init.pid)
        deadline, said = time.monotonic() + PATIENCE, b""
        try:
            while b"READY=1" not in said.split(b"\n"):
                which = select.select([ready, pidfd], [], [], max(0, deadline - time.monotonic()))[0]
                if ready not in which:
                    raise Trouble(f"the machine does not boot: {'PID 1 has ended' if which else 'no READY=1'}")
                said = ready.recv(4096)
        finally:
            os.close(pidfd)

    def _off(self, *words):
        """Ends the machine from the inside. Returns the signal that PID 1's parent is told."""
        with contextlib.suppress(subprocess.CalledProcessError):  # the command may be killed by what it began
            self.run(*words)
        try:
            status = self.init.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Trouble(f"{' '.join(words)}: the machine does not end")
        self._ended()
        return -status

    def poweroff(self):
        """An orderly end. The journal can be read afterwards."""
        if (number := self._off("systemctl", "poweroff")) != signal.SIGINT:
            raise Trouble(f"the machine did not power off, but ended with {number}")

    def reboot(self):
        if (number := self._off("systemctl", "reboot")) != signal.SIGHUP:
            raise Trouble(f"the machine did not reboot, but ended with {number}")
        self.start()

    def crash(self):
        """The plug is pulled: every process is killed at once, /run is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self.init.wait()
        self._ended()

    def _ended(self):
        """The kernel has ended all of the pid namespace before the parent of its first process heard of it."""
        self.init = None
        for process in self.spawned:
            process.wait(PATIENCE)
        self.spawned = []
        numbers = {os.fstat(fd).st_ino for fd in self.namespaces}
        left = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if is_inside(pid, numbers)]
        while self.namespaces:
            os.close(self.namespaces.pop())
        if left:
            raise Trouble(f"processes {left} are left of the machine")
        for directory in self.group.iterdir():
            if directory.is_dir():
                remove_group(directory)

    def stop(self):
        """Ends the machine, however it is, and fails if anything is left: a process, a group, a mount, a file."""
        if not self.base:
            return
        if self.init:
            # PID 1 may not even have got its namespaces.
            if self.pid:
                self.crash()
            else:
                self.init.kill()
                self.init.wait()
        if self.group:
            remove_group(self.group)
        # The group's keeps its tree busy; the directory's until it is gone, so that nobody else takes it for stale before.
        for fd in self.claims[1:]:
            os.close(fd)
        for path in (self.base / "cgroup", self.root, self.base):
            if os.path.ismount(path):
                subprocess.run(["umount", path], check=True)
        self.base.rmdir()
        os.close(self.claims[0])
        self.base = self.group = None

    # Files

    def path(self, inside):
        """Where a file of the machine is for the test: of the running one, or of its disks when it is off."""
        top = pathlib.Path(f"/proc/{self.pid}/root") if self.init and self.pid else self.root
        return top / str(inside).lstrip("/")

    def write(self, inside, text, mode=0o644):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def remove(self, inside):
        self.path(inside).unlink(missing_ok=True)

    # Commands

    def words(self, *words, user=None):
        """What runs the words in the machine, as part of commands.service: for systemd they are any service's process."""
        procs = self.group / "system.slice/commands.service/cgroup.procs"
        become = ["--reuid", user, "--regid", user, "--init-groups"] if user else []
        return ["sh", "-c", 'echo 0 >"$0" && exec "$@"', procs,
                "nsenter", "--target", str(self.pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd",
                "env", "-i", *ENVIRONMENT, "setpriv", "--pdeathsig", "KILL", *become, *map(str, words)]

    def run(self, *words, check=True, timeout=PATIENCE, user=None, **more):
        """Exit status, output and errors of the words. check: anything but 0 is a failure, which shows both."""
        more.setdefault("text", True)
        more.setdefault("stdin", None if "input" in more else subprocess.DEVNULL)
        done = subprocess.run(self.words(*words, user=user), capture_output=True, timeout=timeout,
                              **{k: v for k, v in more.items() if v is not None})
        if check and done.returncode != 0:
            raise Trouble(f"{' '.join(map(str, words))}: ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def sh(self, script, **more):
        return self.run("sh", "-c", script, **more)

    def record(self, *words, **more):
        """As run(), and shown as somebody at a terminal would have seen it."""
        done = self.run(*words, **more)
        print(f"# {' '.join(map(str, words))}\n{done.stdout}{done.stderr}", flush=True)
        return done

    def spawn(self, *words, user=None, **more):
        """Runs on beside the test, until it ends, the machine ends, or end() ends it."""
        more.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(self.words(*words, user=user), **more)
        self.spawned.append(process)
        return process

    @staticmethod
    def end(process):
        """Kills what spawn() began. The result is nsenter, which waits for its child: an orphan would be nobody's in there."""
        for pid in (children(process.pid) or [process.pid]) if process.poll() is None else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    # The journal

    def journal(self, *matches, since=None):
        """The records, oldest first, of this boot or since a cursor; of a machine that is off: of all its boots."""
        words = ["journalctl", "--quiet", "--all", "--output=json", *matches]
        # Not --after-cursor: with matches it loses the first record, if the one at the cursor is no match.
        words += ["--cursor", since] if since else ["--boot"] if self.init else []
        if self.init:
            self.run("journalctl", "--sync")
            said = self.run(*words).stdout
        else:
            words += ["--directory", self.root / "var/log/journal"]
            said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        return [record for record in map(json.loads, said.splitlines()) if record["__CURSOR"] != since]

    def cursor(self):
        """Now, for journal() and following()."""
        self.run("journalctl", "--sync")
        return json.loads(self.run("journalctl", "--quiet", "--lines=1", "--output=json").stdout)["__CURSOR"]

    def following(self, *matches, since=None):
        return Following(self, matches, since)

    def wait_journal(self, condition, *matches, since=None, timeout=PATIENCE):
        """The first record since the cursor, or of this boot, of which condition(record) is true; waits for it."""
        with self.following(*matches, since=since) as records:
            return records.until(condition, timeout)

    # Units

    def unit(self, name):
        """Its properties."""
        shown = self.run("systemctl", "show", name).stdout
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def wait_unit(self, name, timeout=PATIENCE, **wanted):
        """Its properties once they are as wanted, such as ActiveState="active". What systemd says of it wakes us up."""
        return self.wait_unit_until(name, lambda shown: all(shown.get(key) == value for key, value in wanted.items()),
                                    timeout, f"{wanted}")

    def wait_unit_until(self, name, condition, timeout=PATIENCE, what="what is waited for"):
        """Its properties once condition(properties) is true."""
        deadline = time.monotonic() + timeout
        with self.following(f"UNIT={name}", "_PID=1", since=self.cursor()) as records:
            while not condition(shown := self.unit(name)):
                try:
                    records.next(deadline)
                except Trouble:
                    has = {key: shown.get(key) for key in ("ActiveState", "SubState", "Result", "MainPID")}
                    raise Trouble(f"in vain: {name} with {what}; it has {has}")
        return shown

    # When it fails

    def show(self, lines=150):
        """What somebody needs who was not there."""
        if not self.base:
            return
        with contextlib.suppress(OSError):
            print("--- console:", *(self.base / "console").read_text(errors="replace").splitlines()[-30:], sep="\n")
        words = ["journalctl", "--quiet", "--no-pager", "--output=short-monotonic", f"--lines={lines}"]
        where = ["--directory", f"{self.root}/var/log/journal"]
        print("--- journal:", flush=True)
        if self.init and self.pid:
            subprocess.run(self.words(*words), stdin=subprocess.DEVNULL, timeout=PATIENCE)
            subprocess.run(self.words("systemctl", "--failed", "--no-legend", "--no-pager"), stdin=subprocess.DEVNULL, timeout=PATIENCE)
        else:
            subprocess.run([*words, *where], stdin=subprocess.DEVNULL, timeout=PATIENCE)
        sys.stdout.flush()


class MachineTest(unittest.TestCase):
    """Tests that share one machine, self.machine. What it said is shown for each that fails."""
    kind = Machine

    @classmethod
    def setUpClass(cls):
        cls.machine = cls.kind()
        cls.machine.prepare()
        cls.addClassCleanup(cls.machine.stop)
        cls.arrange(cls.machine)
        try:
            cls.machine.start()
            cls.settle(cls.machine)
        except BaseException:
            cls.machine.show()
            raise

    @classmethod
    def arrange(cls, machine):
        """What is put into it before the first boot."""

    @classmethod
    def settle(cls, machine):
        """What all tests find done."""

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            self.machine.show()
        return result
