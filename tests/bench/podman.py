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

PATIENCE = 60
# No more than anybody may have: podman would raise them to what it thinks is usual.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
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


WAYS = [(at_home, ""), (unified, ", without control groups")]


@contextlib.contextmanager
def container(directory):
    """(place, words, remark): `*place, *words, COMMAND` runs a command in it. words None: there is none, and remark says why."""
    if not shutil.which("podman"):
        yield [], None, "podman is not installed"
        return
    directory = pathlib.Path(directory)
    name, files = f"pv-bench-{os.getpid()}", tree(directory / "tree")
    podman = ["podman", "--root", str(directory / "root"), "--runroot", str(directory / "run"), "--storage-driver", "vfs",
              "--cgroup-manager", "cgroupfs", "--events-backend", "file"]
    why = []
    with contextlib.ExitStack() as stack:
        for way, remark in WAYS:
            with contextlib.ExitStack() as attempt:
                try:
                    place, more = attempt.enter_context(way())
                    attempt.callback(subprocess.run, [*place, *podman, "rm", "-f", "-t", "0", name], capture_output=True)
                    run(*place, *podman, "run", "-d", "--name", name, "--network", "none", *more, "--rootfs", str(files),
                        "/bin/sleep", "100000")
                    run(*place, *podman, "exec", name, "/bin/true")
                except (Refused, OSError, subprocess.TimeoutExpired) as e:
                    why.append(str(e))
                    continue
                stack.enter_context(attempt.pop_all())
            break
        else:
            yield [], None, "podman runs no container here: " + "; ".join(why)
            return
        yield place, [*podman, "exec", name], remark
