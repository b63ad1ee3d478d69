# SPDX-License-Identifier: Apache-2.0
"""An empty exFAT, made by mkfs.exfat in a file of its own: it knows no offsets."""

from dataclasses import dataclass
from typing import ClassVar

from liveos.host.mkfs.window import Progress, create_image, put_image
from liveos.host.run import run
from liveos.host.tools import EXFATLABEL, FSCK_EXFAT, MKFS_EXFAT, Command, Tool
from liveos.host.volumes import StagedVolume


@dataclass(frozen=True, slots=True)
class MakeExfat:
    """Label and 32-bit volume serial number of the filesystem."""

    label: str
    serial: int
    tools: ClassVar[tuple[Tool, ...]] = (MKFS_EXFAT, EXFATLABEL, FSCK_EXFAT)

    def commands(self, volume: StagedVolume) -> tuple[Command, ...]:
        """What makes it, gives it its number, and checks it."""
        image = str(volume.image)
        return (
            Command(MKFS_EXFAT, ("-L", self.label, image)),
            Command(EXFATLABEL, ("-i", image, f"{self.serial:#x}")),
            Command(FSCK_EXFAT, ("-n", image)),
        )

    def build(self, volume: StagedVolume, progress: Progress) -> None:
        """Make it, and put it in its place."""
        create_image(volume)
        for command in self.commands(volume):
            run(command)
        put_image(volume, progress)
