# SPDX-License-Identifier: Apache-2.0
"""The steps that make filesystems which are made with their files in them: a closed union."""

from dataclasses import dataclass

from liveos.host.mkfs.btrfs import MakeBtrfs
from liveos.host.mkfs.exfat import MakeExfat
from liveos.host.mkfs.f2fs import MakeF2fs
from liveos.host.mkfs.xfs import MakeXfs
from liveos.host.volumes import StagedVolume

Maker = MakeBtrfs | MakeF2fs | MakeXfs


@dataclass(frozen=True, slots=True)
class StartTree:
    """A directory of this machine in which the files of LIVE are gathered."""

    volume: StagedVolume

    @property
    def title(self) -> str:
        return "Gather the files of LIVE"

    def __str__(self) -> str:
        return f"gather the files of LIVE below {self.volume.tree}"


@dataclass(frozen=True, slots=True)
class MakeWithFiles:
    """Make LIVE with what was gathered, check it, and put it in its place; the rest goes."""

    volume: StagedVolume
    maker: Maker

    @property
    def title(self) -> str:
        return "Make the LIVE filesystem with its files"

    def __str__(self) -> str:
        lines = "; ".join(map(str, self.maker.commands(self.volume)))
        volume = self.volume
        return (
            f"run: {lines}; write what is used of it to byte {volume.offset} of {volume.path}, read"
            f" that back, and remove {volume.scratch}"
        )


@dataclass(frozen=True, slots=True)
class MakeApart:
    """Make an empty filesystem in a file of its own, and put it in its place."""

    title: str
    volume: StagedVolume
    maker: MakeExfat

    def __str__(self) -> str:
        lines = "; ".join(map(str, self.maker.commands(self.volume)))
        return (
            f"run: {lines}; write what is used of it to byte {self.volume.offset} of"
            f" {self.volume.path}, read that back, and remove {self.volume.scratch}"
        )


LayoutStep = StartTree | MakeWithFiles | MakeApart
