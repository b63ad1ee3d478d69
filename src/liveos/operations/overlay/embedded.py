# SPDX-License-Identifier: Apache-2.0
"""The filesystem in an overlay image, made in memory; of it, what it uses goes to the stick."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from liveos.host import ext4
from liveos.host.memory_file import MemoryFile, memory_file
from liveos.host.run import run
from liveos.host.volumes import Ext4Volume

_LABEL = "overlay"


@contextmanager
def overlay_filesystem(
    size: int, uuid: UUID, features: str, selinux: str | None
) -> Iterator[MemoryFile]:
    """An ext4 of ``size`` bytes with what the initramfs asks for (boot-contract.md 1.3, step 6)."""
    with memory_file("overlay", size=size) as file:
        volume = Ext4Volume(file.path, 0, size)
        run(volume.make(_LABEL, uuid, features))
        for directory in ("/overlayfs", "/ovlwork"):
            ext4.make_directory(volume, directory, selinux)
        run(volume.check())
        yield file
