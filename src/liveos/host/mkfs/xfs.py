# SPDX-License-Identifier: Apache-2.0
"""An XFS with a tree of files in it: its structure made in memory, the files written in place.

mkfs.xfs makes names, inodes and reserved space from a prototype; xfs_db then tells where the space
lies, and turns it from reserved into written. So a payload is neither copied nor read into memory
by mkfs.xfs, which takes files of less than 2 GiB only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from liveos.errors import NoSpaceError, ToolFailedError
from liveos.host.memory_file import MemoryFile, memory_file
from liveos.host.mkfs.window import Move, Progress, data_ranges, put
from liveos.host.run import run
from liveos.host.tools import MKFS_XFS, XFS_DB, XFS_REPAIR, Command, Tool
from liveos.host.volumes import BLOCK, StagedVolume

LOG_SIZE = 64 << 20
"""Bytes; the least that current versions of mkfs.xfs make."""

# What every kernel since 3.16 can write: v5, without what came later.
_METADATA = "crc=1,finobt=1,rmapbt=0,reflink=0,bigtime=0,inobtcount=0"
_INODE = "size=512,sparse=0,nrext64=0"
# xfs_db's bmap: place in the file, in allocation groups, length; all in blocks.
_RUN = re.compile(r"(?m)^data offset (\d+) startblock \d+ \((\d+)/(\d+)\) count (\d+) flag ")
_MOST_RUNS = 19  # that an inode holds itself
_NAME = re.compile(r"[^\s:$][^\s]*")


@dataclass(frozen=True, slots=True)
class _Run:
    """``length`` bytes of a file from ``start``, at ``offset`` of the filesystem."""

    start: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class MakeXfs:
    """Label and UUID of the filesystem."""

    label: str
    uuid: UUID
    tools: ClassVar[tuple[Tool, ...]] = (MKFS_XFS, XFS_DB, XFS_REPAIR)

    def commands(self, volume: StagedVolume) -> tuple[Command, ...]:
        """What makes it and what checks it, as if the image were a file with a name."""
        return self._make(volume, volume.image), _check(volume.image)

    def _make(self, volume: StagedVolume, image: Path) -> Command:
        metadata = ("-m", f"{_METADATA},uuid={self.uuid}", "-i", _INODE)
        shape = ("-b", f"size={BLOCK}", "-d", "agcount=4", "-l", f"size={LOG_SIZE >> 20}m")
        names = ("-L", self.label, "-p", str(_prototype(volume)))
        return Command(MKFS_XFS, ("-q", "-f", *metadata, *shape, *names, str(image)))

    def build(self, volume: StagedVolume, progress: Progress) -> None:
        """Make it, and put it and the files in their places."""
        _prototype(volume).write_text("\n".join(("-", "0 0", *_directory(volume.tree), "$", "")))
        files = [path for path in volume.tree.rglob("*") if path.is_file()]
        with memory_file("xfs", size=volume.size) as image:
            run(self._make(volume, image.path))
            group = _group_size(image)
            places = {path: _runs(image, volume, path, group) for path in files}
            for path, runs in places.items():
                _mark(image, volume, path, runs)
            run(_check(image.path))
            put(volume, _moves(image, volume, places), progress)


def _prototype(volume: StagedVolume) -> Path:
    return volume.scratch / "prototype"


def _check(image: Path) -> Command:
    return Command(XFS_REPAIR, ("-n", str(image)))


def _directory(path: Path) -> Iterator[str]:
    """Lines of mkfs.xfs(8) for a directory and all in it; everything is root's."""
    yield f"d--{path.stat().st_mode & 0o777:03o} 0 0"
    for child in sorted(path.iterdir()):
        name = child.name
        if not _NAME.fullmatch(name):
            raise ToolFailedError(f"{name!r} cannot be the name of a file made by mkfs.xfs")
        if child.is_dir():
            first, *inner = _directory(child)
            yield f"{name} {first}"
            yield from inner
            yield "$"
        else:
            facts = child.stat()
            yield f"{name} r--{facts.st_mode & 0o777:03o} 0 0 {facts.st_size}"


def _group_size(image: MemoryFile) -> int:
    """Blocks of an allocation group."""
    said = _xfs_db(image, "sb 0", "print agblocks")
    return int(said.rpartition("=")[2])


def _runs(image: MemoryFile, volume: StagedVolume, path: Path, group: int) -> tuple[_Run, ...]:
    """Where the space lies that is reserved for a file."""
    inside = f"/{path.relative_to(volume.tree)}"
    found = _RUN.findall(_xfs_db(image, f"path {inside}", "bmap"))
    runs = tuple(
        _Run(int(start) * BLOCK, (int(ag) * group + int(block)) * BLOCK, int(count) * BLOCK)
        for start, ag, block, count in found
    )
    size = path.stat().st_size
    if sum(each.length for each in runs) < size:
        raise NoSpaceError(f"{inside} of {size} bytes does not fit into the LIVE filesystem")
    if len(runs) > _MOST_RUNS:
        raise ToolFailedError(f"{MKFS_XFS.name} has made {len(runs)} pieces of {inside}")
    return runs


def _mark(image: MemoryFile, volume: StagedVolume, path: Path, runs: tuple[_Run, ...]) -> None:
    """Give a file its size; where it has data, what is reserved becomes what was written.

    A file of zeros alone stays reserved, and reads as zeros.
    """
    lines = [f"path /{path.relative_to(volume.tree)}", f"write core.size {path.stat().st_size}"]
    if data_ranges(path):
        lines += (f"write u3.bmx[{index}].extentflag 0" for index in range(len(runs)))
    _xfs_db(image, *lines, writable=True)


def _moves(
    image: MemoryFile, volume: StagedVolume, places: dict[Path, tuple[_Run, ...]]
) -> Iterator[Move]:
    for start, length in data_ranges(image.path):
        yield Move(image.path, start, start, length)
    for path, runs in places.items():
        ranges = data_ranges(path)
        if ranges and not volume.blank:  # holes must be overwritten, too
            ranges = [(0, -(-path.stat().st_size // BLOCK) * BLOCK)]
        for each in runs:
            for start, length in ranges:
                first = max(start, each.start)
                last = min(start + length, each.start + each.length)
                if first < last:
                    yield Move(path, first, each.offset + first - each.start, last - first)


def _xfs_db(image: MemoryFile, *lines: str, writable: bool = False) -> str:
    """What xfs_db prints; its exit status does not tell whether a command has failed."""
    commands = [word for line in lines for word in ("-c", line)]
    done = run(Command(XFS_DB, ("-x" if writable else "-r", *commands, str(image.path))))
    if done.stderr:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1]
        raise ToolFailedError(f"{XFS_DB.name} could not do it: {said}")
    return done.text
