# SPDX-License-Identifier: Apache-2.0
"""ISO 9660 (ECMA-119): the tree of files, with Rock Ridge or Joliet names.

Directories are read when they are asked for, so looking at an ISO costs a few sectors. Damage
elsewhere in the image does not matter; a truncated file is found when its bytes are read.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from liveos.formats.binary import (
    ByteSource,
    Extent,
    FormatError,
    MemorySource,
    MeteredSource,
    Record,
    TruncatedError,
    u8,
    u16,
    u32,
)
from liveos.formats.iso9660 import rock_ridge
from liveos.formats.iso9660.descriptors import SECTOR_SIZE, DescriptorType, read_descriptors
from liveos.formats.tree import FileKind, FileTree, Node, entry_name, kind_of

_MOST_METADATA = 16 << 20  # of directories in all, near 100 000 files; bounds what a liar can cost
_MOST_SECTIONS = 1024  # 4 TiB in one file

_IS_DIRECTORY = 0x02
_IS_ASSOCIATED = 0x04
_HAS_MORE_SECTIONS = 0x80


@dataclass(frozen=True)
class _DirectoryRecord(Record):
    """A directory record up to its name (ECMA-119 9.1), little-endian halves only."""

    length: u8
    attribute_blocks: u8
    block: u32
    _block_big: u32
    size: u32
    _size_big: u32
    _date_high: u32
    _date_middle: u16
    _date_low: u8
    flags: u8
    unit_size: u8
    gap_size: u8
    _volume: u16
    _volume_big: u16
    name_length: u8


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file: its sections (directory records of the same name) and its Rock Ridge facts."""

    position: int
    sections: tuple[_DirectoryRecord, ...]
    facts: rock_ridge.Facts


class Iso9660(FileTree):
    """The files of an ISO, named as Rock Ridge spells them, else Joliet, else ISO 9660.

    :raises FormatError: there is no primary volume descriptor, or it makes no sense.
    """

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.descriptors = tuple(read_descriptors(source))
        primary = [d for d in self.descriptors if d.type == DescriptorType.PRIMARY]
        if not primary:
            raise FormatError("no ISO 9660 filesystem: no primary volume descriptor")
        self.volume = primary[0]
        if self.volume.block_size not in {512, 1024, SECTOR_SIZE}:
            raise FormatError(f"ISO 9660 blocks of {self.volume.block_size} bytes")
        self._skip = self._rock_ridge_skip()
        joliet = [d for d in self.descriptors if d.is_joliet]
        self._is_joliet = self._skip is None and bool(joliet)
        self._names = joliet[0] if self._is_joliet else self.volume
        self._metadata = MeteredSource(source, _MOST_METADATA)
        self._listings: dict[int, tuple[tuple[str, _Entry], ...]] = {}

    @cached_property
    def root(self) -> Node:
        record = _DirectoryRecord.unpack(self._names.data, 156)
        entry = _Entry(self._names.offset + 156, (record,), rock_ridge.Facts())
        return self._node("/", entry, is_directory=True)

    def scan(self, directory: Node) -> Iterator[tuple[str, _Entry]]:
        listing = self._listings.get(directory.number)
        if listing is None:
            listing = tuple(self._entries(directory.handle))
            self._listings[directory.number] = listing
        return iter(listing)

    def load(self, path: str, reference: _Entry) -> Node:
        if reference.facts.child_block is not None:
            return self._node(path, self._relocated(reference.facts.child_block), is_directory=True)
        is_directory = bool(reference.sections[0].flags & _IS_DIRECTORY)
        return self._node(path, reference, is_directory=is_directory)

    def extents(self, node: Node) -> tuple[Extent, ...] | None:
        entry: _Entry = node.handle
        if node.kind is FileKind.SYMLINK or entry.facts.is_compressed:
            return None
        return self._extents(entry)

    def open(self, node: Node) -> ByteSource:
        entry: _Entry = node.handle
        if node.kind is FileKind.SYMLINK and entry.facts.target is not None:
            return MemorySource(entry.facts.target)
        return super().open(node)

    def _rock_ridge_skip(self) -> int | None:
        """How many bytes precede the Rock Ridge entries of each record; None without them."""
        record = _DirectoryRecord.unpack(self.volume.data, 156)
        offset = (record.block + record.attribute_blocks) * self.volume.block_size
        try:
            length = self.source.read_at(offset, 1)[0]
            return rock_ridge.find_skip(self.source.read_at(offset, length)[34:])
        except TruncatedError:
            return None

    def _node(self, path: str, entry: _Entry, *, is_directory: bool) -> Node:
        facts = entry.facts
        size = sum(section.size for section in entry.sections)
        mode = facts.mode
        if is_directory or mode is None or stat.S_ISDIR(mode):
            # The record's flag decides what can be listed; Rock Ridge adds the permissions.
            kind = stat.S_IFDIR if is_directory else stat.S_IFREG
            mode = kind | (stat.S_IMODE(mode) if mode is not None else 0o555)
        if stat.S_ISLNK(mode):
            size = len(facts.target or b"")
        number = self._offset(entry.sections[0]) if is_directory else entry.position
        return Node(path, kind_of(mode), size, number, mode, entry)

    def _relocated(self, block: int) -> _Entry:
        """The entry of a directory that Rock Ridge has moved away from where it belongs."""
        position = block * self.volume.block_size
        record = _DirectoryRecord.read(self.source, position)
        if not record.flags & _IS_DIRECTORY or record.block != block:
            raise FormatError(f"a relocated directory should be at block {block}")
        data = self.source.read_at(position, record.length)
        facts = rock_ridge.read_facts(self.source, self.volume.block_size, data[34:], self._skip)
        return _Entry(position, (record,), facts)

    def _entries(self, directory: _Entry) -> Iterator[tuple[str, _Entry]]:
        sections: list[_DirectoryRecord] = []
        for position, record, data in self._records(directory):
            sections.append(record)
            if record.flags & _HAS_MORE_SECTIONS:
                if len(sections) > _MOST_SECTIONS:
                    raise FormatError("a file in more pieces than can be")
                continue
            raw = data[33 : 33 + record.name_length]
            system_use = data[33 + record.name_length + (record.name_length + 1) % 2 :]
            facts = self._facts(system_use)
            name = facts.name or self._plain_name(raw)
            is_itself_or_parent = raw in {b"\0", b"\1"}
            if not (is_itself_or_parent or facts.is_relocated or record.flags & _IS_ASSOCIATED):
                yield entry_name(name), _Entry(position, tuple(sections), facts)
            sections = []

    def _records(self, directory: _Entry) -> Iterator[tuple[int, _DirectoryRecord, bytes]]:
        extents = self._extents(directory)
        if len(extents) > 1:
            raise FormatError("a directory in several pieces")
        extent = extents[0] if extents else Extent(0, 0)
        assert extent.offset is not None
        # No record crosses a sector's end; what follows the last record of a sector is zero.
        for start in range(0, extent.length, SECTOR_SIZE):
            offset = extent.offset + start
            sector = self._metadata.read_at(offset, min(SECTOR_SIZE, extent.length - start))
            position = 0
            while position < len(sector) and sector[position]:
                record = _DirectoryRecord.unpack(sector, position)
                end = position + record.length
                if 33 + record.name_length > record.length or end > len(sector):
                    raise FormatError("a directory record is longer than its place")
                yield offset + position, record, sector[position:end]
                position = end

    def _facts(self, system_use: bytes) -> rock_ridge.Facts:
        if self._skip is None:
            return rock_ridge.Facts()
        return rock_ridge.read_facts(self._metadata, self.volume.block_size, system_use, self._skip)

    def _plain_name(self, raw: bytes) -> bytes:
        if self._is_joliet:
            raw = raw.decode("utf-16-be", "replace").encode("utf-8", "surrogateescape")
        name = raw.partition(b";")[0]
        return name.removesuffix(b".") or name

    def _extents(self, entry: _Entry) -> tuple[Extent, ...]:
        if any(section.unit_size or section.gap_size for section in entry.sections):
            raise FormatError("an interleaved file, which no LiveOS medium has")
        return tuple(
            Extent(self._offset(section), section.size)
            for section in entry.sections
            if section.size
        )

    def _offset(self, section: _DirectoryRecord) -> int:
        return (section.block + section.attribute_blocks) * self.volume.block_size
