# SPDX-License-Identifier: Apache-2.0
"""Made-up programs, modules and kernels, as small as they can be; and the modules under test on the path."""
import pathlib
import struct
import sys

sys.dont_write_bytecode = True
TOP = pathlib.Path(__file__).resolve().parents[3]
for folder in ("common", "kernel", "image"):
    sys.path.insert(0, str(TOP / "guest" / folder))

MAGIC = b"\x7fELF\x02\x01"


def header(segments_at, segments, sections_at, sections, names_index):
    return MAGIC.ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, segments_at, sections_at, 0, 64, 56,
                                                segments, 64, sections, names_index)


def program(segments=()):
    """An ELF file with nothing but program headers: [(type, content)]."""
    table, at = b"", 64 + 56 * len(segments)
    for kind, content in segments:
        table += struct.pack("<IIQQQQQQ", kind, 4, at, 0, 0, len(content), len(content), 4)
        at += len(content)
    return header(64, len(segments), 0, 0, 0) + table + b"".join(content for _, content in segments)


def module(*modinfo):
    """An ELF file with a .modinfo section of these entries."""
    names, info = b"\0.modinfo\0.shstrtab\0", b"\0".join(entry.encode() for entry in modinfo) + b"\0"
    at = 64 + 3 * 64
    rows = [(0, 0, 0, 0), (1, 1, at, len(info)), (10, 3, at + len(info), len(names))]
    table = b"".join(struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, 0, 0, 1, 0)
                     for name, kind, offset, size in rows)
    return header(0, 0, 64, len(rows), 2) + table + info + names


def note(name, kind):
    """The content of a note segment with one note."""
    return struct.pack("<III", len(name), 4, kind) + name + b"\0" * (-len(name) % 4) + b"\0\0\0\0"


def bzimage(packed, size):
    """A kernel image whose payload is `packed`, said to unpack to `size` bytes."""
    payload = packed + struct.pack("<I", size)
    setup = bytearray(2 * 512)
    setup[0x1F1] = 1
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", setup, 0x248, 16, len(payload))
    return bytes(setup) + b"\0" * 16 + payload
