# SPDX-License-Identifier: Apache-2.0
"""Our own kernel out of a source package: unpacked, configured by fragments, compiled, checked. Each step leaves all or nothing, and
one that was done is not done again, so whoever is killed at any moment is followed by one who goes on there."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

import elf
import fragments
import kconfig
from failure import Failure, run
from progress import Progress
from vmlinux import PVH_ENTRY

SOURCE = pathlib.Path("/usr/src/linux-source-6.1.tar.xz")
RESULTS_KEPT = 4
FILES_ABOUT = 1450  # that are compiled from nothing with the fragments as they are: only to show how far it is
UNFINISHED = ".unfinished-"
STEP = re.compile(r"^  ([A-Z]+) +\S")
COMPILES = ("CC", "AS", "HOSTCC")
# The same kernel, whoever builds it, where and when.
SAME_FOR_ALL = {"KBUILD_BUILD_USER": "podvisor", "KBUILD_BUILD_HOST": "podvisor", "KBUILD_BUILD_TIMESTAMP": "@0", "KBUILD_BUILD_VERSION": "1",
                "LOCALVERSION": "", "LC_ALL": "C"}
# Words for the compiler and make that a caller's environment may have would make another kernel of it.
NOT_FROM_OUTSIDE = ("ARCH", "CROSS_COMPILE", "KCFLAGS", "KCPPFLAGS", "MAKEFLAGS", "MAKELEVEL", "KBUILD_OUTPUT", "KCONFIG_CONFIG",
                    "KCONFIG_ALLCONFIG", "INSTALL_MOD_PATH", "LLVM")


def first_line(command, what):
    return run(command, what).decode(errors="replace").partition("\n")[0]


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def alone(path, note):
    """One builder at a time below a cache; who comes second finds the result. Children are to inherit the descriptor that this gives: when
    a builder is killed, its compilers still write for a moment."""
    with open(path, "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("waiting for another one that builds a kernel")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


class Build:
    """One kernel: what it is made of, and where. `cache` and `config` are directories; `compiler` are the words of CC; `note` says a line."""

    def __init__(self, cache, source, config, compiler, note):
        self.source, self.compiler, self.note = source, compiler, note
        self.lock = -1
        self.options = fragments.read(config)
        if not source.is_file():
            raise Failure(f"there is no {source}: tools/bootstrap installs the package linux-source-6.1")
        words = compiler[1:] if pathlib.Path(compiler[0]).name == "ccache" else compiler
        self.made_from = (f"{sha256_of(source)} {source.name}\n{shlex.join(words)}\n"
                          f"{first_line([*compiler, '--version'], 'cannot ask the compiler for its version')}\n"
                          f"{first_line(['ld', '--version'], 'cannot ask the linker for its version')}\n"
                          f"{fragments.as_kconfig(self.options)}")
        self.digest = hashlib.sha256(self.made_from.encode()).hexdigest()
        self.top = cache / "own-kernel"
        self.result = self.top / self.digest[:32]
        self.work = self.top / f"work-{hashlib.sha256(self.made_from.splitlines()[0].encode()).hexdigest()[:32]}"

    def is_done(self):
        return (self.result / "vmlinux").is_file()

    def run_child(self, command, what, **options):
        return run(command, what, pass_fds=[self.lock], **options)

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if name not in NOT_FROM_OUTSIDE}
        return kept | SAME_FOR_ALL

    def make(self, *words):
        return ["make", "-C", str(self.tree()), f"CC={' '.join(self.compiler)}", *words]

    def tree(self):
        """The unpacked source: the one directory that the archive holds."""
        return next((self.work / "source").iterdir())

    def unpack(self):
        if (self.work / "source").is_dir():
            return
        self.note(f"unpacking {self.source}")
        self.work.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work, prefix=UNFINISHED) as place:
            fresh = pathlib.Path(place, "source")
            fresh.mkdir()
            self.run_child(["tar", "-xf", str(self.source), "-C", str(fresh)], f"cannot unpack {self.source}")
            if len(list(fresh.iterdir())) != 1:
                raise Failure(f"{self.source} does not hold one directory")
            fresh.rename(self.work / "source")

    def configure(self):
        """A .config of the fragments and of nothing else; every option asked for is in there, or the failure names it."""
        tree = self.tree()
        asked = self.work / "asked.config"
        asked.write_text(fragments.as_kconfig(self.options))
        self.run_child(["scripts/kconfig/merge_config.sh", "-n", str(asked)], "cannot configure the kernel", cwd=tree,
                       env=self.environment() | {"CC": " ".join(self.compiler)})
        config = (tree / ".config").read_text()
        missing = fragments.not_in(self.options, config)
        if missing:
            reader = kconfig.Reader(tree)
            raise Failure("\n".join(f"{option.place}: {option.name}={option.value} is not in the kernel's configuration: "
                                    f"{kconfig.why_not(option, reader, config)}" for option in missing))
        (self.top / "known-options").write_text("\n".join(sorted(kconfig.Reader(tree).definitions)) + "\n")

    def doubt(self):
        """An object that was half written when its compiler was killed is made again: what the kernel's build notes of each when it is done
        is missing. Not so where an object of another configuration had been in its place, so then nothing is believed."""
        last, changing = self.work / "last", self.work / "changing"
        if changing.exists():
            self.run_child(self.make("clean"), "cannot clean the kernel's source", env=self.environment())
            changing.unlink()
        elif last.exists() and last.read_text() != self.digest:
            changing.touch()
        last.write_text(self.digest)

    def compile(self, jobs):
        self.doubt()
        log = self.work / "make.log"
        from_nothing = not (self.tree() / "init/main.o").exists()
        progress = Progress(self.note, "compiled", FILES_ABOUT if from_nothing else None)
        with open(log, "w", encoding="utf-8") as out, subprocess.Popen(
                self.make(f"-j{jobs}", "vmlinux"), env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, pass_fds=[self.lock], text=True, errors="replace") as make:
            for line in make.stdout:
                out.write(line)
                step = STEP.match(line)
                if step and step[1] in COMPILES:
                    progress.one_more()
        progress.end()
        if make.returncode != 0:
            said = [line for line in log.read_text(errors="replace").splitlines() if not STEP.match(line)]
            raise Failure("\n".join(["the kernel does not compile:", *said[-15:], f"(all that was said is in {log})"]))
        (self.work / "changing").unlink(missing_ok=True)

    def take(self):
        """The kernel to where results are: without its symbols, which QEMU would read at each start, and these beside it."""
        tree = self.tree()
        with tempfile.TemporaryDirectory(dir=self.top, prefix=UNFINISHED) as place:
            fresh = pathlib.Path(place, "result")
            fresh.mkdir()
            run(["objcopy", "--strip-all", str(tree / "vmlinux"), str(fresh / "vmlinux")], "cannot strip the kernel")
            check_kernel(fresh / "vmlinux")
            shutil.copy(tree / "System.map", fresh / "System.map")
            shutil.copy(tree / ".config", fresh / "config")
            (fresh / "made-from").write_text(self.made_from)
            if self.result.exists():  # half of one, of somebody's hand
                self.result.rename(pathlib.Path(place, "old"))
            fresh.rename(self.result)

    def forget_old(self):
        results = sorted((path for path in self.top.iterdir() if (path / "made-from").is_file()),
                         key=lambda path: (path / "made-from").stat().st_mtime, reverse=True)
        for path in results[RESULTS_KEPT:]:
            shutil.rmtree(path)

    def run(self, jobs, keep):
        """Makes the result if there is none. `keep`: the source stays unpacked and compiled, for who changes fragments."""
        self.top.mkdir(parents=True, exist_ok=True)
        with alone(self.top / "lock", self.note) as self.lock:
            if self.is_done():
                self.note(f"made before, from the same: {self.result}")
                return
            for left in [*self.top.glob(f"{UNFINISHED}*"), *self.work.glob(f"{UNFINISHED}*")]:
                shutil.rmtree(left)  # of one who was killed
            self.unpack()
            self.configure()
            self.compile(jobs)
            self.take()
            self.forget_old()
            if not keep:
                shutil.rmtree(self.work)


def check_kernel(path):
    data = path.read_bytes()
    if not data.startswith(elf.MAGIC) or PVH_ENTRY not in elf.notes(data):
        raise Failure("what was compiled is no ELF file with a PVH entry: QEMU cannot start it")
