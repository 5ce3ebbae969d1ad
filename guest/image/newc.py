# SPDX-License-Identifier: Apache-2.0
"""Writes the archive format that Linux unpacks as its initial root: cpio, "newc".

Nothing of the machine that builds gets in: owner and group are 0, times are 0, inodes are numbered in the
order of names. Device nodes are only written down, so no privilege is needed.
"""
import dataclasses
import stat

TRAILER = "TRAILER!!!"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One file: `name` without a leading slash, `mode` with the type's bits, `device` as (major, minor)."""
    name: str
    mode: int
    data: bytes = b""
    device: tuple = (0, 0)


def padded(data):
    return data + b"\0" * (-len(data) % 4)


def record(entry, inode, links):
    name = entry.name.encode() + b"\0"
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return padded(header + name) + padded(entry.data)


def archive(entries):
    """The whole archive. Sorted by name, so a directory stands before what is in it."""
    records = [record(entry, inode, 2 if stat.S_ISDIR(entry.mode) else 1)
               for inode, entry in enumerate(sorted(entries, key=lambda e: e.name), start=1)]
    return b"".join(records) + record(Entry(TRAILER, 0), 0, 1)
