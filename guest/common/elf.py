# SPDX-License-Identifier: Apache-2.0
"""As much of 64-bit little-endian ELF as tells what a program, a kernel or a module is."""
import struct

PT_INTERP = 3
PT_NOTE = 4
MAGIC = b"\x7fELF\x02\x01"


def segments(data):
    """Yields (type, offset, size) of each program header."""
    table, = struct.unpack_from("<Q", data, 32)
    entry_size, count = struct.unpack_from("<HH", data, 54)
    for i in range(count):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", data, table + i * entry_size)
        yield kind, offset, size


def section(data, name):
    """The bytes of the section of this name; empty if there is none."""
    table, = struct.unpack_from("<Q", data, 40)
    entry_size, count, names_index = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, table + i * entry_size) for i in range(count)]
    names_at = headers[names_index][4]
    for name_at, _, _, _, offset, size in headers:
        start = names_at + name_at
        if data[start:data.index(b"\0", start)] == name:
            return data[offset:offset + size]
    return b""


def notes(data):
    """Yields (name, type) of each note in the file's note segments."""
    for kind, offset, size in segments(data):
        at, end = offset, offset + size
        while kind == PT_NOTE and at + 12 <= end:
            name_size, value_size, note_type = struct.unpack_from("<III", data, at)
            yield data[at + 12:at + 12 + name_size], note_type
            at += 12 + (name_size + 3 & ~3) + (value_size + 3 & ~3)
