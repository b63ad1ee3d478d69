# SPDX-License-Identifier: Apache-2.0
"""The filesystems that LIVE can have: what each can hold, and the steps that make it."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from liveos.host.folders.fat_folder import LARGEST_FILE
from liveos.host.mkfs.btrfs import MakeBtrfs
from liveos.host.mkfs.f2fs import MakeF2fs
from liveos.host.mkfs.xfs import LOG_SIZE, MakeXfs
from liveos.host.tools import Tool
from liveos.host.volumes import (
    Ext4Volume,
    FatVolume,
    StagedVolume,
    Volume,
    ext4_capacity,
    fat_capacity,
)
from liveos.medium.model import PersistenceKind
from liveos.operations.install.layout import Identities, PlacedPartition, serial_text
from liveos.operations.steps.layouts import Maker, MakeWithFiles, StartTree
from liveos.operations.steps.stick import Run, Step

_MIB = 1 << 20
_SNAPSHOT, _DIRECTORY = PersistenceKind.SNAPSHOT, PersistenceKind.DIRECTORY
_IMAGE = PersistenceKind.IMAGE


@dataclass(frozen=True, slots=True)
class Target:
    """Where LIVE will be: the file or device, whether it is a ``new`` file, room for scratch."""

    path: Path
    new: bool
    scratch: Path


class LiveFilesystem(Protocol):
    """A filesystem of LIVE.

    ``name`` is the kernel's for it. A label has at most ``label_limit`` characters, all in upper
    case if ``label_upper``. ``kinds`` are overlays in the order of preference; ``largest_file`` is
    in bytes, and ``least`` the least size of the filesystem. ``copies`` is how often the contents
    lie in scratch space while it is made.
    """

    name: ClassVar[str]
    label_limit: ClassVar[int]
    label_upper: ClassVar[bool]
    kinds: ClassVar[tuple[PersistenceKind, ...]]
    largest_file: ClassVar[int | None]
    least: ClassVar[int]
    copies: ClassVar[int]

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The programs that make it."""

    def uuid(self, identities: Identities) -> str:
        """As the boot line names it."""

    def capacity(self, size: int) -> int:
        """Bytes that files can surely have in a filesystem of ``size`` bytes."""

    def volume(self, target: Target, place: PlacedPartition) -> Volume:
        """The filesystem in its partition."""

    def steps(self, volume: Volume, naming: "Naming") -> "Making":
        """The steps before files are put in, and those when all files are in."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What a filesystem is called, and the features that an ext4 may have, as mke2fs says them."""

    label: str
    identities: Identities
    ext4_features: str


@dataclass(frozen=True, slots=True)
class Making:
    """The steps around putting files in."""

    before: tuple[Step | StartTree, ...]
    after: tuple[MakeWithFiles, ...] = ()


def size_for(filesystem: LiveFilesystem, contents: int) -> int:
    """The size of a filesystem whose capacity is at least ``contents`` bytes."""
    size = max(filesystem.least, contents + 8 * _MIB)
    while filesystem.capacity(size) < contents:
        size += max(_MIB, contents - filesystem.capacity(size))
    return size


@dataclass(frozen=True, slots=True)
class Ext4:
    """The usual one: written in its place, changed and checked without being mounted."""

    name: ClassVar[str] = "ext4"
    label_limit: ClassVar[int] = 16
    label_upper: ClassVar[bool] = False
    kinds: ClassVar[tuple[PersistenceKind, ...]] = (_SNAPSHOT, _DIRECTORY)
    largest_file: ClassVar[int | None] = None
    least: ClassVar[int] = 0
    copies: ClassVar[int] = 0

    @property
    def tools(self) -> tuple[Tool, ...]:
        return ()

    def uuid(self, identities: Identities) -> str:
        return str(identities.live_filesystem)

    def capacity(self, size: int) -> int:
        return ext4_capacity(size)

    def volume(self, target: Target, place: PlacedPartition) -> Ext4Volume:
        return Ext4Volume(target.path, place.offset, place.size)

    def steps(self, volume: Volume, naming: Naming) -> Making:
        assert isinstance(volume, Ext4Volume)
        make = volume.make(naming.label, naming.identities.live_filesystem, naming.ext4_features)
        return Making((Run("Make the LIVE filesystem (ext4)", make),))


@dataclass(frozen=True, slots=True)
class Fat32:
    """What every system reads: files of less than 4 GiB, without owners and attributes."""

    name: ClassVar[str] = "vfat"
    label_limit: ClassVar[int] = 11
    label_upper: ClassVar[bool] = True
    kinds: ClassVar[tuple[PersistenceKind, ...]] = (_SNAPSHOT, _IMAGE)
    largest_file: ClassVar[int | None] = LARGEST_FILE
    least: ClassVar[int] = 64 * _MIB
    copies: ClassVar[int] = 0

    @property
    def tools(self) -> tuple[Tool, ...]:
        return ()

    def uuid(self, identities: Identities) -> str:
        return serial_text(identities.live_serial)

    def capacity(self, size: int) -> int:
        return fat_capacity(size)

    def volume(self, target: Target, place: PlacedPartition) -> FatVolume:
        return FatVolume(target.path, place.offset, place.size, "LIVE")

    def steps(self, volume: Volume, naming: Naming) -> Making:
        assert isinstance(volume, FatVolume)
        make = volume.make(naming.label, naming.identities.live_serial)
        return Making((Run("Make the LIVE filesystem (FAT32)", make),))


class _Gathered:
    """A filesystem that is made with its files in it."""

    def uuid(self, identities: Identities) -> str:
        return str(identities.live_filesystem)

    def volume(self, target: Target, place: PlacedPartition) -> StagedVolume:
        return StagedVolume(target.path, place.offset, place.size, target.scratch, blank=target.new)

    def steps(self, volume: Volume, naming: Naming) -> Making:
        assert isinstance(volume, StagedVolume)
        return Making((StartTree(volume),), (MakeWithFiles(volume, self._maker(naming)),))

    def _maker(self, naming: Naming) -> Maker:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Btrfs(_Gathered):
    """Checksums of all that is on it."""

    name: ClassVar[str] = "btrfs"
    label_limit: ClassVar[int] = 64
    label_upper: ClassVar[bool] = False
    kinds: ClassVar[tuple[PersistenceKind, ...]] = (_DIRECTORY, _SNAPSHOT, _IMAGE)
    largest_file: ClassVar[int | None] = None
    least: ClassVar[int] = 256 * _MIB
    copies: ClassVar[int] = 2

    @property
    def tools(self) -> tuple[Tool, ...]:
        return MakeBtrfs.tools

    def capacity(self, size: int) -> int:
        """mkfs.btrfs asks for an eighth of the files' size for metadata, which lie there twice.

        Measured with mkfs.btrfs 6.2 and 20 MiB to 20 GiB of files: a quarter and 45 to 104 MiB.
        """
        return max(0, (size - 112 * _MIB) * 4 // 5)

    def _maker(self, naming: Naming) -> Maker:
        return MakeBtrfs(naming.label, naming.identities.live_filesystem)


@dataclass(frozen=True, slots=True)
class F2fs(_Gathered):
    """For flash. ``features`` are those of mkfs.f2fs beyond what GRUB can read."""

    features: tuple[str, ...] = ()
    name: ClassVar[str] = "f2fs"
    label_limit: ClassVar[int] = 64
    label_upper: ClassVar[bool] = False
    kinds: ClassVar[tuple[PersistenceKind, ...]] = (_DIRECTORY, _SNAPSHOT, _IMAGE)
    largest_file: ClassVar[int | None] = None
    least: ClassVar[int] = 128 * _MIB
    copies: ClassVar[int] = 2

    @property
    def tools(self) -> tuple[Tool, ...]:
        return MakeF2fs.tools

    def capacity(self, size: int) -> int:
        """It keeps whole sections back, for its cleaner."""
        return max(0, size - size // 8 - 48 * _MIB)

    def _maker(self, naming: Naming) -> Maker:
        return MakeF2fs(naming.label, naming.identities.live_filesystem, self.features)


@dataclass(frozen=True, slots=True)
class Xfs(_Gathered):
    """Its structure is made in memory, so that the contents lie in scratch space once."""

    name: ClassVar[str] = "xfs"
    label_limit: ClassVar[int] = 12
    label_upper: ClassVar[bool] = False
    kinds: ClassVar[tuple[PersistenceKind, ...]] = (_SNAPSHOT, _DIRECTORY, _IMAGE)
    largest_file: ClassVar[int | None] = None
    least: ClassVar[int] = 320 * _MIB
    copies: ClassVar[int] = 1

    @property
    def tools(self) -> tuple[Tool, ...]:
        return MakeXfs.tools

    def capacity(self, size: int) -> int:
        return max(0, size - LOG_SIZE - size // 64 - 16 * _MIB)

    def _maker(self, naming: Naming) -> Maker:
        return MakeXfs(naming.label, naming.identities.live_filesystem)


def filesystem_called(name: str) -> LiveFilesystem:
    """The one that the kernel calls so; its relatives are what ext4 is."""
    known: tuple[LiveFilesystem, ...] = (Btrfs(), F2fs(), Xfs(), Fat32())
    return next((each for each in known if each.name == name), Ext4())
