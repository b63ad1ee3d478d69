# SPDX-License-Identifier: Apache-2.0
"""A medium opened for looking: its filesystems, and which of them each firmware starts from."""

from dataclasses import dataclass
from pathlib import Path

from liveos.formats.tree import Node
from liveos.medium.menus.find import find_menu
from liveos.medium.menus.unified import read_unified
from liveos.medium.model import Firmware, MediumKind, Menu, Partition
from liveos.medium.volume import Volume
from liveos.report import Finding

UNREAD_LIVE = ("btrfs", "xfs", "f2fs")
"""Filesystems of LIVE that are made, and read where they are mounted only."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is there to be looked into.

    ``volumes`` are the readable filesystems; ``esp`` is among them where there is one. On an ISO
    the ESP is an image inside, which UEFI sees beside the ISO's own filesystem. ``findings`` are
    what was noticed on opening. ``mounted`` is the number of a partition whose files are read where
    it is mounted.
    """

    path: Path
    kind: MediumKind
    label: str | None
    size: int | None
    volumes: tuple[Volume, ...] = ()
    esp: Volume | None = None
    partitions: tuple[Partition, ...] = ()
    findings: tuple[Finding, ...] = ()
    mounted: int | None = None

    @property
    def data_volumes(self) -> tuple[Volume, ...]:
        """Where images may lie: the other filesystems first, then the ESP.

        A squashfs or EROFS file is not a medium but a part of one, and an ISO's ESP is a copy.
        """
        if self.kind in {MediumKind.SQUASHFS, MediumKind.EROFS}:
            return ()
        others = tuple(volume for volume in self.volumes if volume is not self.esp)
        return others if self.esp is None or self.kind is MediumKind.ISO else (*others, self.esp)

    @property
    def unread_filesystems(self) -> tuple[str, ...]:
        """What kinds of filesystems there are that an image may lie on, and nobody here reads."""
        others = (part for part in self.partitions if part.number != self.mounted)
        kinds = (partition.filesystem for partition in others)
        return tuple(dict.fromkeys(kind for kind in kinds if kind in UNREAD_LIVE))

    def volumes_for(self, firmware: Firmware) -> tuple[Volume, ...]:
        """The filesystems in the order in which a firmware's loader comes to see them."""
        if self.esp is None:
            return self.volumes
        others = tuple(volume for volume in self.volumes if volume is not self.esp)
        if firmware is Firmware.UEFI or self.kind is MediumKind.DISK:
            return (self.esp, *others)
        return others

    def menu(self, firmware: Firmware) -> Menu | None:
        """The boot menu of a firmware; None when it has none here."""
        if firmware is Firmware.UEFI and self.esp is not None and self.kind is MediumKind.DISK:
            unified = read_unified(self.esp)
            if unified is not None:
                return unified
        return find_menu(
            firmware,
            [volume.tree for volume in self.volumes_for(firmware)],
            # A stick of ours has one menu for both, on the ESP.
            shared=self.kind is MediumKind.DISK,
        )

    def find_file(self, path: str, firmware: Firmware) -> tuple[Volume, Node] | None:
        """The file that a boot menu means by a path."""
        for volume in self.volumes_for(firmware):
            node = volume.find_file(path)
            if node is not None:
                return volume, node
        return None
