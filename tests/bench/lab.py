# SPDX-License-Identifier: Apache-2.0
"""The instance that is measured, and what all parts do with it."""
import contextlib
import ctypes
import json
import os
import pathlib
import select
import sys
import tempfile
import time

from floor import QemuFloor, Template
from instance import HELLO, Instance, processes_below, until

LINE = b"hello from"
TEMPLATE = 'qemu = { start = "template"; };\n' + HELLO
LIBVIRT = 'backend = "libvirt";\n' + HELLO
# Between two looks at several logs: the doubt of a time, and some hundredths of a processor.
LOOK = .002
LIBC = ctypes.CDLL(None, use_errno=True)
IN_MODIFY, IN_CREATE = 0x2, 0x100


@contextlib.contextmanager
def instance(config=""):
    """An Instance with the image busybox. In memory, as /run is on any host: what podvisor writes there it writes through to the disk."""
    with Instance('log_size = "256M";\n' + config, root=tempfile.mkdtemp(prefix="pv-", dir="/dev/shm")) as host:
        host.root.chmod(0o711)  # libvirt's user has to get through
        host.import_busybox(complete=True)
        yield host


class Hang(Exception):
    pass


class Log:
    """A pod's log, from where it ends now: a pod that comes again goes on with the old one."""

    def __init__(self, host, name):
        self.path = host.root / "state" / "log" / f"{name}.log"
        self.begin = self.path.stat().st_size if self.path.exists() else 0

    def spoke(self, line=LINE):
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as f:
            f.seek(self.begin)
            return line in f.read()
        return False


class Changes:
    """Of files in a directory, as inotify(7) tells: who waits for them takes nothing from those who make them."""

    def __init__(self, directory):
        self.fd = LIBC.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self.fd < 0 or LIBC.inotify_add_watch(self.fd, bytes(directory), IN_MODIFY | IN_CREATE) < 0:
            raise OSError(ctypes.get_errno(), f"{directory} cannot be watched")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def wait(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            os.read(self.fd, 65536)


class Lab:
    """host: an instance(); daemon: a Libvirtd, or None with the reason why not; o: the options; part: where results go."""

    def __init__(self, host, daemon, why, o, part=None):
        self.host, self.daemon, self.why, self.o, self.part = host, daemon, why, o, part
        self.template_made = False

    def add(self, key, *values):
        self.part.add(key, *values)

    def remark(self, key, text):
        self.part.remark(key, text)

    @staticmethod
    def progress(text):
        """On a terminal over the last one."""
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def first_line(self, name, text, patience=240):
        """Seconds from the file's coming into place to its container's first line in its log."""
        log = Log(self.host, name)
        log.path.parent.mkdir(parents=True, exist_ok=True)
        # `logs -f` at once would fail until there is a log, again and again, on a processor that the guest wants. The console is in there, too.
        with Changes(log.path.parent) as changes:
            begin = time.monotonic()
            self.host.write(name, text)
            while not log.spoke():
                if time.monotonic() - begin > patience:
                    raise Hang(f"{name} said nothing in {patience} s")
                changes.wait(1)
            return time.monotonic() - begin

    def end(self, *names):
        for name in names:
            self.host.remove(name)
        for name in names:
            self.host.cli("wait", name, "--for=gone", "--timeout=60s")

    @contextlib.contextmanager
    def pod(self, name, text):
        """The row of `list` of a pod that is ready; behind it, one that is gone."""
        self.host.write(name, text)
        self.host.wait(name)
        yield self.host.list()[name]
        self.end(name)

    def definition(self, name):
        return json.loads(self.host.cli("checkpoint", "show", name, "--json=short").stdout)["definition.msgpack"]["body"]

    def make_template(self):
        """Returns when there is one for TEMPLATE. The first pod starts who keeps it."""
        if self.template_made:
            return
        file = self.host.root / "wanted.pod"
        file.write_text(TEMPLATE)
        with self.pod("first", TEMPLATE):
            self.host.cli("template", "build", file)
        self.template_made = True

    def known_template(self):
        """The row of `template list` of the one that is there."""
        return json.loads(self.host.cli("template", "list", "--json=short").stdout)[0]

    def spares(self):
        """How many wait."""
        return self.known_template().get("spares")

    def fill(self, spares):
        """Returns when all that are to be kept wait, and nobody is busy with making one."""
        until("the spares are there", lambda: self.spares() == spares)

    def keeper(self):
        """The process of podvisor-templates."""
        return next(pid for pid, (program, _) in processes_below(self.host.root).items()
                    if program == "podvisor-templates" and b"--make" not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())

    def cold_floor(self):
        with self.pod("model", HELLO) as model:
            return QemuFloor(model["vmm_pid"], self.definition("model"))

    @contextlib.contextmanager
    def template_floor(self):
        self.make_template()
        shape = self.known_template()["shape"]
        template = Template(self.host.run / "templates.socket", shape | ({"spares": 0} if "spares" in shape else {}))
        with contextlib.closing(template):
            with self.copy("model") as model:
                floor = QemuFloor(model["vmm_pid"], self.definition("model"), template)
            yield floor

    @contextlib.contextmanager
    def copy(self, name):
        with self.pod(name, TEMPLATE) as status:
            if status["started_by"] != "from a template":
                raise RuntimeError(f"{name} was started {status['started_by']}")
            yield status

    def in_turns(self, what, runs, steps):
        """Each step as often, in turns, so that all see the same machine; before each of them comes another one every time, since who comes
        second starts on processors that have just been busy."""
        for i in range(runs):
            self.progress(f"{what}: {i + 1} of {runs}")
            turn = i % len(steps)
            order = steps[turn:] + steps[:turn]
            for step in order if i % 2 == 0 else reversed(order):
                step()
        self.progress("")
