# SPDX-License-Identifier: Apache-2.0
"""A machine whose podvisor is at work, and what a test asks of it."""
import contextlib
import json
import os
import shutil
import subprocess

from machine import PATIENCE, Machine, MachineTest, Trouble

UNITS = "usr/lib/systemd/system"
PODS = "/etc/podvisor/pods.d"
HELLO = """%s
containers = (
  { name = "hello"; image = "busybox";
    command = [ "sh", "-c", "echo hello from $HOSTNAME; trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done" ]; }
);
"""


class PodMachine(Machine):
    def start_podvisord(self):
        self.run("systemctl", "start", "podvisord.service")

    def podvisor(self, *words, **more):
        return self.run("podvisor", *words, **more)

    def pod(self, name, text):
        """As an administrator's editor does: a new file, renamed into place."""
        new = self.write(f"{PODS}/.{name}.new", text)
        new.rename(new.with_name(f"{name}.pod"))

    def remove_pod(self, name):
        self.remove(f"{PODS}/{name}.pod")
        self.podvisor("wait", name, "--for=gone", f"--timeout={PATIENCE}s")

    def wait(self, *pods, state="ready"):
        for pod in pods:
            self.podvisor("wait", pod, f"--for={state}", f"--timeout={PATIENCE}s", timeout=PATIENCE + 30)

    def status(self, pod):
        return json.loads(self.podvisor("status", pod, "--json=short").stdout)[0]

    def uptime(self, pod, container="hello"):
        """Seconds of the guest's life, by its own word."""
        return float(self.podvisor("exec", f"{pod}/{container}", "--", "cat", "/proc/uptime").stdout.split()[0])

    def import_busybox(self, name="busybox"):
        tree = self.path("/var/tmp/busybox-tree")
        (tree / "bin").mkdir(parents=True)
        (tree / "etc").mkdir()
        shutil.copy("/bin/busybox", tree / "bin/busybox")
        for applet in subprocess.run(["/bin/busybox", "--list"], check=True, capture_output=True, text=True).stdout.split():
            if applet != "busybox":
                (tree / "bin" / applet).symlink_to("busybox")
        (tree / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
        self.podvisor("image", "import", name, "/var/tmp/busybox-tree")
        shutil.rmtree(tree)

    def machines(self):
        """{pod: [pid]} by who has a machine's lock open, never asked of podvisor: a machine that it has lost is seen, too.
        A runner may look at the lock. The pids are those of the inside, as in its journal."""
        found, prefix, proc = {}, "/run/podvisor/pods/", self.path("/proc")
        for pid in filter(str.isdigit, os.listdir(proc)):
            with contextlib.suppress(OSError):
                files = {os.readlink(proc / pid / "fd" / fd) for fd in os.listdir(proc / pid / "fd")}
                words = (proc / pid / "cmdline").read_bytes().split(b"\0")
                if b"--null-machine" not in words and b"podvisor-runner" in words[0]:
                    continue
                for file in files:
                    if file.startswith(prefix) and file.endswith("/vm/machine.lock"):
                        found.setdefault(file[len(prefix):].split("/")[0], []).append(int(pid))
        return found

    def vmm(self, pod):
        """The pid of the pod's one machine; two of them, or none, are a failure."""
        pids = self.machines().get(pod, [])
        if len(pids) != 1:
            raise Trouble(f"{pod} has the machines {pids}; all: {self.machines()}")
        return pids[0]

    def as_process_of(self, pod, script):
        """What a process says that is to systemd and to the kernel what the pod's own are: in its cgroup and its name spaces, with
        its user and its groups."""
        unit = self.unit(f"podvisor-pod@{pod}.service")
        proc = self.path(f"/proc/{unit['MainPID']}")
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        uid, gid = (status[key].split()[0] for key in ("Uid", "Gid"))
        words = self.words("nsenter", "--target", unit["MainPID"], "--mount", "--net", "--ipc", "--root", "--wd", "setpriv", f"--reuid={uid}",
                           f"--regid={gid}", f"--groups={','.join(status['Groups'].split())}", "--no-new-privs",
                           "--bounding-set=-all", "python3", "-c", script)
        words[3] = self.group / unit["ControlGroup"].lstrip("/") / "cgroup.procs"
        return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


class PodMachineTest(MachineTest):
    kind = PodMachine
