# SPDX-License-Identifier: Apache-2.0
"""The module section of a GRUB image: which modules it has built in, and its prefix.

include/grub/kernel.h of GRUB: a header, then objects with a type and a size each. Modules are
ELF objects whose section ``.modname`` holds the name.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from liveos.formats.binary import ByteSource, FormatError, Window

_MAGIC = b"mimg"
_MOST_OBJECTS = 1000
_MOST_ELF_SECTIONS = 200
_LONGEST_TEXT = 4096
_ELF, _CONFIG, _PREFIX = 0, 2, 3


@dataclass(frozen=True, slots=True)
class GrubContents:
    """What `grub-mkimage` put in: modules in order, prefix, and an early configuration."""

    modules: tuple[str, ...]
    prefix: str | None
    config: str | None


@dataclass(frozen=True, slots=True)
class _ElfLayout:
    """Where numbers lie in ELF headers: (offset, size) of the section table and of its rows."""

    table: tuple[int, int]
    counts: int
    row_offset: tuple[int, int]
    row_size: tuple[int, int]


_ELF_LAYOUTS = {
    1: _ElfLayout(table=(32, 4), counts=46, row_offset=(16, 4), row_size=(20, 4)),
    2: _ElfLayout(table=(40, 8), counts=58, row_offset=(24, 8), row_size=(32, 8)),
}


def read_grub_contents(mods: ByteSource) -> GrubContents:
    """What the section ``mods`` of a GRUB image holds.

    :raises FormatError: its objects do not fit into it.
    """
    modules: list[str] = []
    texts: dict[int, str] = {}
    for kind, data in _objects(mods):
        if kind == _ELF:
            modules.append(_module_name(data))
        elif kind in {_CONFIG, _PREFIX}:
            raw = data.read_at(0, min(data.size, _LONGEST_TEXT))
            texts[kind] = raw.split(b"\0")[0].decode("utf-8", "replace")
    return GrubContents(tuple(modules), texts.get(_PREFIX), texts.get(_CONFIG))


def _objects(mods: ByteSource) -> Iterator[tuple[int, ByteSource]]:
    head = mods.read_at(0, 24)
    if head[:4] != _MAGIC:
        raise FormatError("a GRUB image whose module section has no header")
    # On 64-bit platforms padding follows the magic; a 32-bit offset is never 0.
    first = int.from_bytes(head[4:8], "little")
    is_wide = first == 0
    position = int.from_bytes(head[8:16], "little") if is_wide else first
    size = (
        int.from_bytes(head[16:24], "little") if is_wide else int.from_bytes(head[8:12], "little")
    )
    for _ in range(_MOST_OBJECTS):
        if position >= size:
            return
        header = mods.read_at(position, 8)
        kind, length = int.from_bytes(header[:4], "little"), int.from_bytes(header[4:], "little")
        if length < 8:
            raise FormatError(f"an object of {length} bytes in a GRUB image")
        yield kind, Window(mods, position + 8, length - 8)
        position += length
    raise FormatError("a GRUB image with more objects than can be")


def _module_name(elf: ByteSource) -> str:
    identity = elf.read_at(0, 64)
    layout = _ELF_LAYOUTS.get(identity[4])
    if identity[:4] != b"\x7fELF" or layout is None:
        raise FormatError("a module in a GRUB image is no ELF object")
    table = _number(identity, *layout.table)
    row_size, count, names_index = (_number(identity, layout.counts + at, 2) for at in (0, 2, 4))
    if count > _MOST_ELF_SECTIONS or names_index >= count:
        raise FormatError("a module in a GRUB image has a broken section table")
    raw = elf.read_at(table, row_size * count)
    rows = [raw[row_size * number : row_size * (number + 1)] for number in range(count)]
    names = _read_elf_section(elf, layout, rows[names_index])
    for row in rows:
        if names[_number(row, 0, 4) :].startswith(b".modname\0"):
            text = _read_elf_section(elf, layout, row)
            return text.split(b"\0")[0].decode("ascii", "replace")
    raise FormatError("a module in a GRUB image has no name")


def _read_elf_section(elf: ByteSource, layout: _ElfLayout, row: bytes) -> bytes:
    size = min(_number(row, *layout.row_size), _LONGEST_TEXT)
    return elf.read_at(_number(row, *layout.row_offset), size)


def _number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "little")
