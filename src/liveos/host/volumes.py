# SPDX-License-Identifier: Apache-2.0
"""Filesystems inside a file or device, and the commands that make and change them.

Everything here is a value: nothing is run, so planners may use it. mtools and e2fsprogs both
address a filesystem by its byte offset; neither root nor a loop device is needed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from liveos.host.tools import DEBUGFS, E2FSCK, MKE2FS, MKFS_FAT, MTOOLS, Command

SECTOR = 512
BLOCK = 4096
"""Block size of the ext4 filesystems that we make."""

_KIB = 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FatVolume:
    """A FAT32 filesystem of ``size`` bytes at byte ``offset`` of a file or device.

    ``name`` is that of its partition.
    """

    path: Path
    offset: int
    size: int
    name: str = "ESP"

    def __str__(self) -> str:
        return f"{self.path}@@{self.offset}"

    def make(self, label: str, serial: int) -> Command:
        """``serial`` is the 32-bit volume serial number, which Linux shows as the UUID.

        Without hidden sectors and a block count, the tools take the file for one whole disk. By
        then udev has told the kernel of the partitions, which mkfs.fat minds without ``-I``.
        """
        sectors = str(self.offset // SECTOR)
        cluster = str(fat_cluster(self.size) // SECTOR)
        arguments = ("-I", "-F", "32", "-s", cluster, "-n", label, "-i", f"{serial:08X}")
        place = ("--offset", sectors, "-h", sectors, str(self.path), str(self.size // _KIB))
        return Command(MKFS_FAT, (*arguments, *place))

    def make_directories(self, paths: tuple[str, ...]) -> Command:
        return self._mtools("mmd", *(f"::{path}" for path in paths))

    def write(self, path: str) -> Command:
        """Standard input becomes the file ``path``."""
        return self._mtools("mcopy", "-o", "-", f"::{path}")

    def read(self, path: str) -> Command:
        """The file ``path`` goes to standard output."""
        return self._mtools("mcopy", f"::{path}", "-")

    def remove(self, path: str) -> Command:
        return self._mtools("mdel", f"::{path}")

    def remove_directory(self, path: str) -> Command:
        """The directory ``path``, which is empty, goes."""
        return self._mtools("mrd", f"::{path}")

    def rename(self, old: str, new: str) -> Command:
        """The file ``old`` gets the path ``new``, which nothing has."""
        return self._mtools("mren", f"::{old}", f"::{new}")

    def _mtools(self, program: str, *arguments: str) -> Command:
        # mtools refuses geometries that DOS would not like; nobody else looks at them.
        relaxed = (("MTOOLS_SKIP_CHECK", "1"),)
        return Command(MTOOLS, ("-c", program, "-i", str(self), *arguments), environment=relaxed)


SAFE_FEATURES = (
    "none,has_journal,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,"
    "huge_file,uninit_bg,dir_nlink,extra_isize"
)
"""What every kernel since 2.6.28 can write (images.md 2.5)."""

CHECKSUM_FEATURES = SAFE_FEATURES.replace("uninit_bg", "metadata_csum,64bit")
"""The same, with checksums of all metadata; for kernels that are known to have them."""


@dataclass(frozen=True, slots=True)
class Ext4Volume:
    """An ext4 filesystem of ``size`` bytes at byte ``offset`` of a file or device."""

    path: Path
    offset: int
    size: int
    name: ClassVar[str] = "LIVE"

    def __str__(self) -> str:
        return f"{self.path}?offset={self.offset}"

    def make(
        self, label: str, uuid: UUID, features: str, *, journal_first: bool = False
    ) -> Command:
        """Explicit in everything that mke2fs.conf could change; inode tables stay unwritten.

        ``journal_first`` puts the journal at the beginning: in the middle, where mke2fs would
        have it, it is in the way when the filesystem becomes smaller.
        """
        extended = f"offset={self.offset},root_owner=0:0,lazy_itable_init=1,nodiscard"
        names = ("-L", label, "-U", str(uuid), "-E", f"{extended},hash_seed={uuid}")
        shape = ("-b", str(BLOCK), "-I", "256", "-i", "16384", "-m", "0")
        place = ",location=1" if journal_first else ""
        journal = ("-J", f"size={journal_size(self.size) // _MIB}{place}")
        size = f"{self.size // _KIB}k"
        options = ("-q", "-F", "-t", "ext4", "-O", features, *shape, *journal, *names)
        return Command(MKE2FS, (*options, str(self.path), size))

    def edit(self) -> Command:
        """Open with debugfs, whose commands come from standard input."""
        return Command(DEBUGFS, ("-w", "-f", "-", str(self)))

    def show(self) -> Command:
        """The same without leave to write."""
        return Command(DEBUGFS, ("-f", "-", str(self)))

    def check(self) -> Command:
        return Command(E2FSCK, ("-f", "-n", str(self)))


@dataclass(frozen=True, slots=True)
class StagedVolume:
    """A filesystem that no program changes without mounting it, so it is made with its files.

    The files are gathered below ``tree``; then the whole is made and put in its place. ``blank``
    says that what nobody has written to the target reads as zeros.
    """

    path: Path
    offset: int
    size: int
    scratch: Path
    blank: bool
    name: ClassVar[str] = "LIVE"

    @property
    def tree(self) -> Path:
        """What the root of the filesystem will hold, as a directory of this machine."""
        return self.scratch / "tree"

    @property
    def image(self) -> Path:
        """Where a program makes a filesystem that it cannot make in its place."""
        return self.scratch / "image"

    def at(self, path: str) -> Path:
        """Where a file of the volume is gathered; ``path`` is absolute there."""
        return self.tree / path.lstrip("/")


@dataclass(frozen=True, slots=True)
class MountedVolume:
    """A filesystem of ``size`` bytes that is mounted, and written as its kernel lets us.

    ``path`` is the directory of this machine where it is mounted.
    """

    path: Path
    size: int
    name: ClassVar[str] = "LIVE"

    def at(self, path: str) -> Path:
        """Where a file of the volume is in this machine; ``path`` is absolute there."""
        return self.path / path.lstrip("/")


Volume = FatVolume | Ext4Volume | StagedVolume | MountedVolume


def fat_cluster(volume_size: int) -> int:
    """Bytes of a cluster: few enough that FAT32 is FAT32, many enough that its table is small."""
    for limit, cluster in ((256 * _MIB, 512), (2048 * _MIB, 2048), (16384 * _MIB, 8192)):
        if volume_size < limit:
            return cluster
    return 32768


def fat_capacity(volume_size: int) -> int:
    """Bytes that files can surely have on a FAT32 made by `FatVolume.make`: it has two tables."""
    clusters = volume_size // fat_cluster(volume_size)
    return max(0, clusters * fat_cluster(volume_size) - clusters * 8 - _MIB)


def journal_size(volume_size: int) -> int:
    """4 MiB is the least that the kernel takes; more only helps where there is space."""
    return 16 * _MIB if volume_size >= 512 * _MIB else 4 * _MIB


def ext4_capacity(volume_size: int) -> int:
    """Bytes that files can surely have on an ext4 of ``volume_size`` made by `Ext4Volume.make`.

    Per block group of 128 MiB: two bitmaps and 8192 inodes of 256 bytes; a copy of the superblock
    and of the group descriptors in few of them, counted in all. What is left over is for
    directories and extent trees.
    """
    blocks = volume_size // BLOCK
    groups = -(-blocks // 32768)
    descriptors = -(-groups * 64 // BLOCK)
    per_group = 512 + 2 + 1 + 1 + descriptors
    used = groups * per_group + journal_size(volume_size) // BLOCK
    spare = 256 + blocks // 1000
    return max(0, blocks - used - spare) * BLOCK


def ext4_size(contents: int) -> int:
    """The size of a volume whose capacity is at least ``contents`` bytes."""
    size = contents + 8 * _MIB
    while ext4_capacity(size) < contents:
        size += max(_MIB, contents - ext4_capacity(size))
    return size
