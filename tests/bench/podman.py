# SPDX-License-Identifier: Apache-2.0
"""A container of podman's, of the same files as a pod's, to measure beside it.

Its storage and state are in a directory of the benchmark's own, so that nothing of the host's podman is touched. It is tried as podman
does it where it is at home; then, where that cannot be (inside of another container: mixed control groups, no right to raise limits),
without control groups, in a mount namespace that has the second version of them alone.
"""
import contextlib
import os
import pathlib
import shutil
import subprocess
import time

PATIENCE = 60
# No more than anybody may have: podman would raise them to what it thinks is usual.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
# What pods of the benchmark run, too.
SPEAK = "trap 'exit 0' TERM; echo hello from $HOSTNAME; while :; do sleep 3600 & wait $!; done"
UNIFIED = "mount --make-rprivate / && umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && echo there && exec cat"


class Refused(Exception):
    pass


def tree(directory):
    for folder in ("bin", "proc", "dev", "sys", "etc", "tmp", "run"):
        (directory / folder).mkdir(parents=True)
    for applet in ("sh", "sleep", "true"):
        shutil.copy("/bin/busybox", directory / "bin" / applet)
    return directory


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Refused((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])


@contextlib.contextmanager
def at_home():
    yield [], []


@contextlib.contextmanager
def unified():
    """The namespace is there as long as its first process, which ends with its input."""
    keeper = subprocess.Popen(["unshare", "-m", "sh", "-c", UNIFIED], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    try:
        if keeper.stdout.readline() != "there\n":
            raise Refused(keeper.communicate()[1].strip() or "no mount namespace")
        yield ["nsenter", "-m", "-t", str(keeper.pid)], ["--cgroups=disabled", *LIMITS]
    finally:
        keeper.stdin.close()
        keeper.wait()


WAYS = [(at_home, None), (unified, "podman without control groups")]


class Podman:
    """place: words that come before every command; more: options of every container."""

    def __init__(self, directory, files, place, more):
        self.place, self.more, self.files = place, ["--network", "none", *more], str(files)
        self.name = f"pv-bench-{os.getpid()}"
        self.words = [*place, "podman", "--root", str(directory / "root"), "--runroot", str(directory / "run"), "--storage-driver", "vfs",
                      "--cgroup-manager", "cgroupfs", "--events-backend", "file"]

    def run(self, *options):
        return [*self.words, "run", *options, "--name", self.name, *self.more, "--rootfs", self.files]

    def remove(self):
        subprocess.run([*self.words, "rm", "-f", "-t", "0", self.name], capture_output=True)

    @contextlib.contextmanager
    def container(self):
        """The words that a command comes after which runs in a container that does nothing."""
        run(*self.run("-d"), "/bin/sleep", "100000")
        try:
            yield [*self.words, "exec", self.name]
        finally:
            self.remove()

    def first_line(self):
        """Seconds from nothing to the first line of a container, with nobody between it and who reads."""
        begin = time.monotonic()
        with subprocess.Popen([*self.run(), "/bin/sh", "-c", SPEAK], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            line = process.stdout.readline()
            took = time.monotonic() - begin
            self.remove()
        if not line.startswith(b"hello from"):
            raise RuntimeError(f"podman's container said {line!r}")
        return took


@contextlib.contextmanager
def opened(directory):
    """(a Podman that works, a remark); (None, why there is none)."""
    if not shutil.which("podman"):
        yield None, "podman is not installed"
        return
    directory = pathlib.Path(directory)
    files, why = tree(directory / "tree"), []
    try:
        with contextlib.ExitStack() as stack:
            for way, remark in WAYS:
                with contextlib.ExitStack() as attempt:
                    try:
                        there = Podman(directory, files, *attempt.enter_context(way()))
                        attempt.callback(there.remove)
                        with there.container() as words:
                            run(*words, "/bin/true")
                    except (Refused, OSError, subprocess.TimeoutExpired) as e:
                        why.append(str(e))
                        continue
                    stack.enter_context(attempt.pop_all())
                break
            else:
                there, remark = None, "podman runs no container here: " + "; ".join(why)
            yield there, remark
    finally:
        shutil.rmtree(directory, ignore_errors=True)
