# SPDX-License-Identifier: Apache-2.0
"""An F2FS with a tree of files in it, made by mkfs.f2fs and sload.f2fs in a file of its own."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from liveos.host.mkfs.window import Progress, create_image, put_image
from liveos.host.run import run
from liveos.host.tools import FSCK_F2FS, MKFS_F2FS, SLOAD_F2FS, Command, Tool
from liveos.host.volumes import StagedVolume


@dataclass(frozen=True, slots=True)
class MakeF2fs:
    """Label, UUID, and features beyond those that GRUB can read, in the words of mkfs.f2fs."""

    label: str
    uuid: UUID
    features: tuple[str, ...] = ()
    tools: ClassVar[tuple[Tool, ...]] = (MKFS_F2FS, SLOAD_F2FS, FSCK_F2FS)

    def commands(self, volume: StagedVolume) -> tuple[Command, ...]:
        """What makes it, what fills it, and what checks it; files that are put in are root's."""
        names = ("-l", self.label, "-U", str(self.uuid))
        features = ("-O", ",".join(self.features)) if self.features else ()
        image = str(volume.image)
        return (
            Command(MKFS_F2FS, ("-q", "-f", "-R", "0:0", *features, *names, image)),
            Command(SLOAD_F2FS, ("-f", str(volume.tree), image)),
            Command(FSCK_F2FS, ("--dry-run", image)),
        )

    def build(self, volume: StagedVolume, progress: Progress) -> None:
        """Make it, and put it in its place."""
        create_image(volume)
        for command in self.commands(volume):
            run(command)
        put_image(volume, progress)
