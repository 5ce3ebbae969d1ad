# SPDX-License-Identifier: Apache-2.0
"""The uncompressed ELF kernel inside a bzImage."""
import lzma
import struct

import elf
from failure import Failure, run

# The note by which QEMU starts an ELF kernel directly (XEN_ELFNOTE_PHYS32_ENTRY).
PVH_ENTRY = (b"Xen\0", 18)


def through(command):
    return lambda data: run(command, "cannot unpack the kernel", input=data)


# How a bzImage may be packed: its first bytes, and what unpacks it. Debian packs its cloud kernel with lz4, in the
# format that lz4 calls legacy.
UNPACKERS = {
    b"\x02\x21\x4c\x18": through(["lz4", "-dcq"]),
    b"\x28\xb5\x2f\xfd": through(["zstd", "-dcq"]),
    b"\xfd7zXZ\x00": lambda data: lzma.decompress(data, lzma.FORMAT_XZ),
}


def payload_of(image):
    """(packed kernel, its unpacked size). Offsets are those of the x86 boot protocol 2.08 and later; the kernel's
    build appends the size to the packed bytes."""
    if image[0x202:0x206] != b"HdrS":
        raise Failure("vmlinuz is no x86 bzImage")
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    if length < 4 or start + length > len(image):
        raise Failure("vmlinuz is cut short")
    size, = struct.unpack_from("<I", image, start + length - 4)
    return image[start:start + length - 4], size


def unpack(image):
    """The ELF file inside a bzImage, which QEMU can start directly."""
    packed, size = payload_of(image)
    unpacker = next((u for magic, u in UNPACKERS.items() if packed.startswith(magic)), None)
    if unpacker is None:
        raise Failure(f"vmlinuz is packed in an unknown way (first bytes {packed[:6].hex()})")
    kernel = unpacker(packed)
    if len(kernel) != size or not kernel.startswith(elf.MAGIC):
        raise Failure(f"vmlinuz unpacks to {len(kernel)} bytes that are not the ELF file of {size} bytes it promises")
    if PVH_ENTRY not in elf.notes(kernel):
        raise Failure("the kernel has no PVH entry: QEMU cannot start it as an ELF file")
    return kernel
