# SPDX-License-Identifier: Apache-2.0
"""Which kernel modules to load, and in which order: what a module needs is written in the module."""
import struct

import elf
from failure import Failure

SIGNATURE_END = b"~Module signature appended~\n"


def wanted(list_file):
    """The names in modules.list, in its order: (those for all pods, those on demand). A line is a name, with a + where it is
    on demand, and, after #, the reason."""
    names = (line.split("#")[0].strip() for line in list_file.read_text().splitlines())
    names = [name for name in names if name]
    return [name for name in names if name[0] != "+"], [name[1:] for name in names if name[0] == "+"]


def plain(name):
    """The kernel takes - and _ in a module's name for the same."""
    return name.replace("-", "_")


def needs(module):
    """What a module file says must be there before it: ([modules], [modules, or algorithms, if there are such])."""
    hard, soft = [], []
    for entry in elf.section(module.read_bytes(), b".modinfo").decode().split("\0"):
        key, _, value = entry.partition("=")
        if key == "depends":
            hard += [name for name in value.split(",") if name]
        elif key == "softdep" and value.startswith("pre:"):
            soft += value.removeprefix("pre:").split("post:")[0].split()
    return hard, soft


def builtin_names(tree):
    return {plain(line.rsplit("/", 1)[-1].removesuffix(".ko"))
            for line in (tree / "modules.builtin").read_text().split()}


def in_load_order(tree, names, list_name="modules.list"):
    """The files of `names` and of all that they need, each after what it needs. `tree` is lib/modules/RELEASE; `list_name`
    is where the names are from."""
    files = {plain(path.stem): path for path in sorted(tree.rglob("*.ko"))}
    builtin = builtin_names(tree)
    order = []

    def add(name, asked_by):
        if plain(name) in builtin:
            return
        path = files.get(plain(name))
        if path is None:
            raise Failure(f"the kernel has no module {name}, which {asked_by} asks for")
        if path in order:
            return
        hard, soft = needs(path)
        for need in hard + [n for n in soft if plain(n) in files]:
            add(need, name)
        order.append(path)

    for name in names:
        add(name, list_name)
    return order


def without_signature(module):
    """A module's bytes less Debian's signature. The host gives the guest kernel and modules together, so the guest
    gains nothing by checking; under emulation the checks are a twentieth of its start."""
    if not module.endswith(SIGNATURE_END):
        return module
    at = len(module) - len(SIGNATURE_END) - 4
    size, = struct.unpack_from(">I", module, at)
    return module[:at - 8 - size]
