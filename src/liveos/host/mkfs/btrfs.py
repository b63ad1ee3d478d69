# SPDX-License-Identifier: Apache-2.0
"""A Btrfs with a tree of files in it, made by mkfs.btrfs in a file of its own."""

import os
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from liveos.errors import LiveosError
from liveos.formats.binary import FileSource, FormatError
from liveos.formats.btrfs import blocks_of_root
from liveos.host import disk
from liveos.host.mkfs.window import Progress, create_image, data_ranges, put_image
from liveos.host.run import run
from liveos.host.tools import BTRFS, MKFS_BTRFS, Command, Tool
from liveos.host.volumes import StagedVolume


@dataclass(frozen=True, slots=True)
class MakeBtrfs:
    """Label and UUID of the filesystem."""

    label: str
    uuid: UUID
    tools: ClassVar[tuple[Tool, ...]] = (MKFS_BTRFS, BTRFS)

    def commands(self, volume: StagedVolume) -> tuple[Command, ...]:
        """What makes and what checks it."""
        names = ("-L", self.label, "-U", str(self.uuid))
        shape = ("-n", "16384", "-s", "4096", "-K")
        tree = ("--rootdir", str(volume.tree), str(volume.image))
        return (
            Command(MKFS_BTRFS, ("-q", "-f", *shape, *names, *tree)),
            Command(BTRFS, ("check", "--readonly", str(volume.image))),
        )

    def build(self, volume: StagedVolume, progress: Progress) -> None:
        """Make it, give its files to root, check it, and put it in its place."""
        create_image(volume)
        make, check = self.commands(volume)
        run(make)
        _give_to_root(volume)
        run(check)
        put_image(volume, progress)


def _give_to_root(volume: StagedVolume) -> None:
    """mkfs.btrfs takes owners over as they are, and an ordinary user's files are that user's."""
    try:
        with FileSource(volume.image) as image:
            blocks = list(blocks_of_root(image, data_ranges(volume.image)))
    except FormatError as error:
        raise LiveosError(f"{MKFS_BTRFS.name}: {error}") from error
    with disk.opened(volume.image) as descriptor:
        for offset, block in blocks:
            disk.write_all(descriptor, offset, block)
        os.fsync(descriptor)
