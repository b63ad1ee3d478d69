# SPDX-License-Identifier: Apache-2.0
"""The partition for the owner's files: how large it is, and the steps that make it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

from liveos.errors import NoSpaceError, UsageError
from liveos.host.mkfs.exfat import MakeExfat
from liveos.host.tools import Tool
from liveos.host.volumes import SAFE_FEATURES, Ext4Volume, FatVolume, StagedVolume
from liveos.operations.install.filesystems import Target
from liveos.operations.install.layout import ALIGNMENT, Identities, PartitionType, PlacedPartition
from liveos.operations.steps.layouts import MakeApart
from liveos.operations.steps.stick import Run, Step
from liveos.sizes import Size, format_size

_LABEL = "DATA"
LEAST = 64 << 20
"""FAT32 wants that many clusters."""


class DataFilesystem(StrEnum):
    """What it can be: the first two are for every system."""

    EXFAT = "exfat"
    FAT32 = "fat32"
    EXT4 = "ext4"

    @property
    def type(self) -> PartitionType:
        """What the partition table says of it."""
        types = {self.FAT32: PartitionType.FAT_DATA, self.EXT4: PartitionType.LINUX}
        return types.get(self, PartitionType.DATA)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The programs that make it, beyond those of every stick."""
        return MakeExfat.tools if self is DataFilesystem.EXFAT else ()


@dataclass(frozen=True, slots=True)
class DataRequest:
    """A wish: a size, a share of the stick, or what LIVE does not need."""

    size: Size
    filesystem: DataFilesystem = DataFilesystem.EXFAT


def data_size(request: DataRequest, stick: int, least_stick: int | None) -> int:
    """Bytes of the partition on a stick of ``stick`` bytes.

    ``least_stick`` is the size of one without it that has just what is asked for; None when that is
    not said in bytes.

    :raises UsageError: ``rest`` of something that is not said.
    :raises NoSpaceError: it would be too small to be of use.
    """
    wish = request.size
    if wish.bytes is not None:
        size = -(-wish.bytes // ALIGNMENT) * ALIGNMENT
    elif wish.percent is not None:
        size = int(stick * wish.percent / 100) // ALIGNMENT * ALIGNMENT
    elif least_stick is None:
        raise UsageError(
            "the rest is for data only when everything else has a size",
            hint="say --overlay, --home and --swap in bytes, or --data with a size",
        )
    else:
        size = max(0, stick - least_stick) // ALIGNMENT * ALIGNMENT
    if size < LEAST:
        raise NoSpaceError(
            f"a partition for data of {format_size(size)} is too small to be of use",
            hint=f"the least is {LEAST >> 20}M: choose a larger target, or leave out --data",
        )
    return size


def data_steps(
    request: DataRequest | None,
    target: Target,
    place: PlacedPartition | None,
    identities: Identities,
) -> Iterator[Step | MakeApart]:
    """The steps that make it."""
    if request is None or place is None:
        return
    path, serial = target.path, crc32(identities.data.bytes) or 1
    title = f"Make the DATA filesystem ({request.filesystem})"
    match request.filesystem:
        case DataFilesystem.EXFAT:
            scratch = target.scratch.with_name(f"{target.scratch.name}.data")
            volume = StagedVolume(path, place.offset, place.size, scratch, blank=target.new)
            yield MakeApart(title, volume, MakeExfat(_LABEL, serial))
        case DataFilesystem.FAT32:
            fat = FatVolume(path, place.offset, place.size, _LABEL)
            yield Run(title, fat.make(_LABEL, serial))
        case DataFilesystem.EXT4:
            ext4 = Ext4Volume(path, place.offset, place.size)
            yield Run(title, ext4.make(_LABEL, identities.data, SAFE_FEATURES))
            # The owner is whoever sits before a machine, under any number.
            yield Run("Open it for all", ext4.edit(), "set_inode_field <2> mode 041777\n")
