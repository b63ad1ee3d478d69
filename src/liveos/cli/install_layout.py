# SPDX-License-Identifier: Apache-2.0
"""What ``liveos install`` is told of filesystems and partitions, in the words of the library."""

import re
from typing import TYPE_CHECKING

from liveos.errors import UsageError

if TYPE_CHECKING:
    from liveos.operations.install.bootloaders import Bootloader
    from liveos.operations.install.data import DataRequest
    from liveos.operations.install.filesystems import LiveFilesystem


def live_filesystem(
    name: str | None, f2fs_features: str | None, *, single: bool
) -> "LiveFilesystem":
    """The filesystem of LIVE.

    :raises UsageError: features of F2FS are named, and it is another one; or they are no words.
    """
    from liveos.operations.install import filesystems

    name = name or ("fat32" if single else "ext4")
    if name == "f2fs":
        return filesystems.F2fs(_features(f2fs_features))
    if f2fs_features is not None:
        raise UsageError("--f2fs-features is about F2FS", hint="add --filesystem f2fs")
    others: dict[str, LiveFilesystem] = {
        "ext4": filesystems.Ext4(),
        "btrfs": filesystems.Btrfs(),
        "xfs": filesystems.Xfs(),
        "fat32": filesystems.Fat32(),
    }
    return others[name]


def bootloader_named(name: str) -> "Bootloader":
    """What starts the stick."""
    from liveos.operations.install.bootloaders import EfiStub, Grub, Syslinux

    if name == "syslinux":
        return Syslinux()
    return EfiStub() if name == "efi-stub" else Grub()


def data_request(size: str | None, filesystem: str | None) -> "DataRequest | None":
    """The partition for the owner's files.

    :raises UsageError: it is said what it is to be, but not how large.
    """
    from liveos.operations.install.data import DataFilesystem, DataRequest
    from liveos.sizes import parse_size

    if size is None:
        if filesystem is not None:
            raise UsageError(
                "--data-filesystem is about a partition for data, and none is wished",
                hint="add --data SIZE",
            )
        return None
    return DataRequest(parse_size(size), DataFilesystem(filesystem or "exfat"))


def _features(words: str | None) -> tuple[str, ...]:
    if words is None:
        return ()
    if not re.fullmatch(r"[a-z0-9_]+(?:,[a-z0-9_]+)*", words):
        raise UsageError(
            f"--f2fs-features {words}: these are no names of features",
            hint="write them as mkfs.f2fs does: extra_attr,compression",
        )
    return tuple(words.split(","))
