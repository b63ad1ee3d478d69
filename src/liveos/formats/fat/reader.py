# SPDX-License-Identifier: Apache-2.0
"""FAT12, FAT16 and FAT32 (Microsoft's specification 1.03): the filesystem and its files."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import (
    ByteSource,
    Extent,
    FormatError,
    MeteredSource,
    Record,
    u8,
    u16,
    u32,
)
from liveos.formats.fat.directory import DirectoryEntry, decode_name, read_directory
from liveos.formats.tree import FileKind, FileTree, Node, entry_name

_MOST_METADATA = 16 << 20  # of directories in all, near 100 000 files; bounds a liar's cost
_MOST_RUNS = 500_000  # pieces of one file
_LARGEST_DIRECTORY = 65536 * 32
_FIRST_CLUSTER = 2
_MOST_FAT12_CLUSTERS = 0xFF4  # Linux: fs/fat/fat.h
_PAGE_ENTRIES = 1 << 14  # FAT entries looked at in one go; even, for FAT12
_PAGES_KEPT = 64


@dataclass(frozen=True)
class _BootSector(Record):
    """The BIOS parameter block, up to where FAT32 differs."""

    _jump: Annotated[bytes, "3s"]
    _oem: Annotated[bytes, "8s"]
    sector_size: u16
    sectors_per_cluster: u8
    reserved_sectors: u16
    fats: u8
    root_entries: u16
    sectors_16: u16
    media: u8
    fat_sectors_16: u16
    _track: u16
    _heads: u16
    _hidden: u32
    sectors_32: u32


@dataclass(frozen=True)
class _Identity(Record):
    """The extended part: at byte 36, of FAT32 at byte 64."""

    _drive: u8
    _reserved: u8
    signature: u8
    serial: u32
    label: Annotated[bytes, "11s"]


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where things lie in a FAT filesystem, in bytes; ``bits`` is 12, 16 or 32."""

    bits: int
    size: int
    fat_offset: int
    fat_size: int
    root_offset: int
    root_size: int
    root_cluster: int
    data_offset: int
    cluster_size: int
    clusters: int
    serial: str
    boot_label: str | None


def read_geometry(source: ByteSource) -> Geometry:
    """What the boot sector says.

    :raises FormatError: this is no FAT filesystem, or its parameters contradict each other.
    """
    sector = source.read_at(0, 512)
    boot = _BootSector.unpack(sector)
    _check(boot, sector)
    is_fat32 = boot.fat_sectors_16 == 0
    fat_sectors = int.from_bytes(sector[36:40], "little") if is_fat32 else boot.fat_sectors_16
    root_offset = (boot.reserved_sectors + boot.fats * fat_sectors) * boot.sector_size
    root_size = boot.root_entries * 32
    data_offset = -(-(root_offset + root_size) // boot.sector_size) * boot.sector_size
    size = (boot.sectors_16 or boot.sectors_32) * boot.sector_size
    cluster_size = boot.sectors_per_cluster * boot.sector_size
    clusters = (size - data_offset) // cluster_size
    bits = 32 if is_fat32 else 16 if clusters > _MOST_FAT12_CLUSTERS else 12
    entries = fat_sectors * boot.sector_size * 8 // bits
    if clusters < 1 or entries <= _FIRST_CLUSTER:
        raise FormatError("a FAT filesystem without room for a cluster")
    identity = _Identity.unpack(sector, 64 if is_fat32 else 36)
    return Geometry(
        bits=bits,
        size=size,
        fat_offset=boot.reserved_sectors * boot.sector_size,
        fat_size=fat_sectors * boot.sector_size,
        root_offset=root_offset,
        root_size=root_size,
        root_cluster=int.from_bytes(sector[44:48], "little") if is_fat32 else 0,
        data_offset=data_offset,
        cluster_size=cluster_size,
        # Like Linux, believe no cluster that the table has no entry for.
        clusters=min(clusters, entries - _FIRST_CLUSTER),
        serial=f"{identity.serial >> 16:04X}-{identity.serial & 0xFFFF:04X}",
        boot_label=_label(identity.label) if identity.signature == 0x29 else None,
    )


def _check(boot: _BootSector, sector: bytes) -> None:
    if sector[510:] != b"\x55\xaa" or not (boot.media == 0xF0 or boot.media >= 0xF8):
        raise FormatError("no FAT filesystem: no boot sector signature")
    if boot.sector_size not in {512, 1024, 2048, 4096}:
        raise FormatError(f"FAT sectors of {boot.sector_size} bytes")
    per_cluster = boot.sectors_per_cluster
    if not per_cluster or per_cluster & (per_cluster - 1):
        raise FormatError(f"FAT clusters of {per_cluster} sectors")
    if not boot.reserved_sectors or not boot.fats:
        raise FormatError("no FAT filesystem: no allocation table")


def _label(raw: bytes) -> str | None:
    label = decode_name(raw.rstrip(b" \0"))
    return None if label in {"", "NO NAME"} else label


class Fat(FileTree):
    """The files of a FAT filesystem. Names are found whatever their case, as FAT has it.

    :raises FormatError: see `read_geometry`.
    """

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.geometry = read_geometry(source)
        self._metadata = MeteredSource(source, _MOST_METADATA)
        self._listings: dict[int, tuple[DirectoryEntry, ...]] = {}
        self._page = lru_cache(_PAGES_KEPT)(self._read_page)

    @property
    def root(self) -> Node:
        entry = DirectoryEntry("", 0, is_directory=True, cluster=self.geometry.root_cluster)
        return self._node("/", entry)

    @cached_property
    def label(self) -> str | None:
        """The volume label: the root directory's, as blkid has it, else the boot sector's."""
        for entry in self._listing(self.root):
            if entry.is_label:
                return _label(entry.short)
        return self.geometry.boot_label

    @cached_property
    def free_size(self) -> int:
        """Bytes in free clusters, counted in the allocation table itself."""
        free = 0
        end = self.geometry.clusters + _FIRST_CLUSTER
        for start in range(0, end, _PAGE_ENTRIES):
            entries = self._read_entries(start)
            # The first two entries belong to no cluster.
            free += int(np.count_nonzero(entries[_FIRST_CLUSTER if start == 0 else 0 :] == 0))
        return free * self.geometry.cluster_size

    def scan(self, directory: Node) -> Iterator[tuple[str, DirectoryEntry]]:
        for entry in self._listing(directory):
            if not entry.is_label:
                yield entry_name(entry.name.encode("utf-8", "surrogatepass")), entry

    def load(self, path: str, reference: DirectoryEntry) -> Node:
        return self._node(path, reference)

    def lookup(self, path: str, *, ignore_case: bool = True) -> Node | None:
        return super().lookup(path, ignore_case=ignore_case)

    def resolve(self, path: str, *, ignore_case: bool = True) -> Node | None:
        return super().resolve(path, ignore_case=ignore_case)

    def extents(self, node: Node) -> tuple[Extent, ...]:
        entry: DirectoryEntry = node.handle
        if not entry.size or entry.is_directory:
            return ()
        wanted = -(-entry.size // self.geometry.cluster_size)
        runs = self._runs(entry.cluster, wanted)
        found = sum(length for _, length in runs)
        if found < wanted:
            raise FormatError(f"{node.path}: has {found} clusters, its size needs {wanted}")
        return self._as_extents(runs, entry.size)

    def is_whole(self, node: Node) -> bool:
        """Whether a chain of clusters comes to an end, not to free or other clusters.

        An empty file has none; a directory always has one, unless it is the root of FAT12 or FAT16.
        """
        entry: DirectoryEntry = node.handle
        if not entry.cluster:
            return not entry.size and not (entry.is_directory and node.path)
        try:
            runs = self._runs(entry.cluster, self.geometry.clusters + 1)
        except FormatError:
            return False
        return sum(length for _, length in runs) <= self.geometry.clusters

    def is_lost(self, node: Node) -> bool:
        """Whether the first cluster of a file or directory is free: nothing of it is left."""
        cluster = node.handle.cluster
        if not _FIRST_CLUSTER <= cluster < self.geometry.clusters + _FIRST_CLUSTER:
            return False
        page, index = divmod(cluster, _PAGE_ENTRIES)
        return int(self._page(page)[0][index]) == 0

    def _node(self, path: str, entry: DirectoryEntry) -> Node:
        if entry.is_directory:
            number = self._cluster_offset(entry.cluster) if entry.cluster else 0
            return Node(path, kind=FileKind.DIRECTORY, size=0, number=number,
                        mode=stat.S_IFDIR | 0o755, handle=entry)  # fmt: skip
        return Node(path, FileKind.FILE, entry.size, entry.position, stat.S_IFREG | 0o644, entry)

    def _listing(self, directory: Node) -> tuple[DirectoryEntry, ...]:
        listing = self._listings.get(directory.number)
        if listing is None:
            extents = self._directory_extents(directory.handle)
            listing = tuple(read_directory(self._metadata, extents))
            self._listings[directory.number] = listing
        return listing

    def _directory_extents(self, entry: DirectoryEntry) -> tuple[Extent, ...]:
        geometry = self.geometry
        if not entry.cluster:  # only the root of FAT12 and FAT16, where it has its own place
            return (Extent(geometry.root_offset, geometry.root_size),)
        most = -(-_LARGEST_DIRECTORY // geometry.cluster_size)
        runs = self._runs(entry.cluster, most)
        return self._as_extents(runs, sum(n for _, n in runs) * geometry.cluster_size)

    def _as_extents(self, runs: Sequence[tuple[int, int]], size: int) -> tuple[Extent, ...]:
        extents = []
        for cluster, length in runs:
            taken = min(length * self.geometry.cluster_size, size)
            extents.append(Extent(self._cluster_offset(cluster), taken))
            size -= taken
        return tuple(extents)

    def _cluster_offset(self, cluster: int) -> int:
        geometry = self.geometry
        return geometry.data_offset + (cluster - _FIRST_CLUSTER) * geometry.cluster_size

    def _runs(self, cluster: int, most: int) -> list[tuple[int, int]]:
        """The chain from a cluster on, as runs of adjacent clusters; no more than ``most``.

        :raises FormatError: the chain leaves the filesystem or meets itself.
        """
        runs: list[tuple[int, int]] = []
        left = min(most, self.geometry.clusters + 1)  # a longer one meets itself
        while left and cluster < self._end_mark:
            length, following = self._run_from(cluster)
            if runs and sum(runs[-1]) == cluster:
                cluster, before = runs.pop()
                length += before
                left += before
            length = min(length, left)
            runs.append((cluster, length))
            if len(runs) > _MOST_RUNS:
                raise FormatError(f"a chain of clusters in more than {_MOST_RUNS} pieces")
            left -= length
            cluster = following
        if any(start + length > after for (start, length), (after, _) in pairwise(sorted(runs))):
            raise FormatError("a chain of clusters meets itself")
        return runs

    def _run_from(self, cluster: int) -> tuple[int, int]:
        """How many adjacent clusters the chain has from here, in this page, and the next one."""
        end = self.geometry.clusters + _FIRST_CLUSTER
        if not _FIRST_CLUSTER <= cluster < end:
            raise FormatError(f"a chain of clusters leads to {cluster}, of {end - 1}")
        number, index = divmod(cluster, _PAGE_ENTRIES)
        entries, breaks = self._page(number)
        found = int(np.searchsorted(breaks, index))
        last = int(breaks[found]) if found < len(breaks) else len(entries) - 1
        return last - index + 1, int(entries[last])

    def _read_page(self, number: int) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
        """Some entries of the allocation table, and which of them do not lead to the next."""
        start = number * _PAGE_ENTRIES
        entries = self._read_entries(start)
        following = np.arange(start + 1, start + 1 + len(entries), dtype=np.uint32)
        return entries, np.flatnonzero(entries != following)

    @property
    def _end_mark(self) -> int:
        """Values from here on end a chain."""
        return (1 << min(self.geometry.bits, 28)) - 8

    def _read_entries(self, start: int) -> NDArray[np.uint32]:
        """At most a page of entries of the first allocation table."""
        geometry = self.geometry
        count = min(_PAGE_ENTRIES, geometry.clusters + _FIRST_CLUSTER - start)
        offset = geometry.fat_offset + start * geometry.bits // 8
        raw = self.source.read_at(offset, -(-count * geometry.bits // 8))
        if geometry.bits == 32:
            return np.frombuffer(raw, "<u4") & np.uint32(0x0FFFFFFF)
        if geometry.bits == 16:
            return np.frombuffer(raw, "<u2").astype(np.uint32)
        triples = np.frombuffer(raw.ljust(-(-len(raw) // 3) * 3, b"\0"), np.uint8)
        low, middle, high = triples.reshape(-1, 3).T.astype(np.uint32)
        pairs = np.stack((low | (middle & 15) << 8, middle >> 4 | high << 4), axis=1)
        return pairs.reshape(-1)[:count]
