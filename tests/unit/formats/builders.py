# SPDX-License-Identifier: Apache-2.0
"""Small images put together by hand from the specifications, for tests without tools."""

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable

import lz4.frame
import zstandard


def cpio_member(name: str, data: bytes = b"", mode: int = 0o100644) -> bytes:
    """A member in the new ASCII format."""
    raw = name.encode() + b"\0"
    numbers = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
    head = b"070701" + b"".join(b"%08x" % number for number in numbers) + raw
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def cpio(members: dict[str, bytes]) -> bytes:
    """An archive with its trailer."""
    parts = [cpio_member(name, data) for name, data in members.items()]
    return b"".join(parts) + cpio_member("TRAILER!!!")


def pe(sections: dict[str, bytes], machine: int = 0x8664, head: bytes = b"") -> bytes:
    """A PE32+ image whose sections lie one after the other, aligned to 512 bytes.

    ``head`` replaces the beginning of the file behind its first four bytes (a kernel's header).
    """
    start = 0x400
    optional = struct.pack("<H", 0x20B).ljust(108, b"\0") + struct.pack("<I", 16) + bytes(128)
    optional = _placed(optional, {16: 0x1000, 32: 0x1000, 36: 0x200, 56: 0x100000, 60: 0x800})
    coff = struct.pack("<HHIIIHH", machine, len(sections), 0, 0, 0, len(optional), 0x206)
    rows, bodies = b"", b""
    for number, (name, data) in enumerate(sections.items(), start=1):
        padded = data.ljust(-(-len(data) // 512) * 512, b"\0")
        offset = 0x800 + len(bodies)
        rows += name.encode().ljust(8, b"\0")
        rows += struct.pack(
            "<IIIIIIII", len(data), 0x1000 * number, len(padded), offset, 0, 0, 0, 0x40000040
        )
        bodies += padded
    front = (b"MZ\0\0" + head).ljust(start, b"\0")
    front = front[:0x3C] + struct.pack("<I", start) + front[0x40:]
    return (front + b"PE\0\0" + coff + optional + rows).ljust(0x800, b"\0") + bodies


def elf_module(name: str) -> bytes:
    """A 64-bit ELF object with no more than the section that names a GRUB module."""
    names = b"\0.modname\0.shstrtab\0"
    text = name.encode() + b"\0"
    rows = bytes(64)
    rows += struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, 64, len(text), 0, 0, 1, 0)
    rows += struct.pack("<IIQQQQIIQQ", 10, 3, 0, 0, 64 + len(text), len(names), 0, 0, 1, 0)
    table = 64 + len(text) + len(names)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    numbers = (1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)
    return identity + struct.pack("<HHIQQQIHHHHHH", *numbers) + text + names + rows


def grub_mods(modules: list[str], prefix: str) -> bytes:
    """The section ``mods`` of a 64-bit GRUB image."""
    objects = [(0, elf_module(name)) for name in modules] + [(3, prefix.encode() + b"\0")]
    body = b"".join(struct.pack("<II", kind, 8 + len(data)) + data for kind, data in objects)
    return b"mimg" + bytes(4) + struct.pack("<QQ", 24, 24 + len(body)) + body


def bzimage_head(version: str) -> bytes:
    """What the boot protocol has from byte 4 on, for `pe`: it points at the version."""
    head = bytearray(0x400)
    head[0x1F1] = 7
    head[0x202:0x206] = b"HdrS"
    head[0x206:0x208] = b"\x0f\x02"
    head[0x20E:0x210] = struct.pack("<H", 0x300 - 0x200)
    head[0x300 : 0x300 + len(version) + 1] = version.encode() + b"\0"
    return bytes(head[4:])


def _placed(data: bytes, numbers: dict[int, int]) -> bytes:
    raw = bytearray(data)
    for offset, number in numbers.items():
        raw[offset : offset + 4] = struct.pack("<I", number)
    return bytes(raw)


# Each kind of compression that a Python library can write
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
}
