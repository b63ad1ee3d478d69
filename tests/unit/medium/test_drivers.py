# SPDX-License-Identifier: Apache-2.0
"""Kernel modules in an initramfs, packed by cpio's own rules (kernel: buffer-format.rst)."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.formats.binary import Extent
from liveos.medium.drivers import drivers_of
from liveos.medium.model import FileRef, Image
from tests.unit.operations.sources import NESTED

FILES = {
    "usr/lib/modules/6.1/kernel/fs/btrfs/btrfs.ko": b"module",
    "lib/modules/6.1/kernel/fs/f2fs/f2fs.ko.xz": b"module",
    "usr/lib/modules/6.1/kernel/drivers/usb/storage/usb-storage.ko.zst": b"module",
    "usr/lib/modules/6.1/modules.builtin": b"kernel/fs/xfs/xfs.ko\nkernel/fs/ext4/ext4.ko\n",
    "etc/fat.ko": b"no module",
}


def archive() -> bytes:
    """A newc archive."""
    data = b""
    for name, content in {**FILES, "TRAILER!!!": b""}.items():
        size = len(name) + 1
        fields = (1, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, size, 0)
        data += b"070701" + b"".join(b"%08X" % field for field in fields)
        data += name.encode() + bytes(1 + -(110 + size) % 4) + content + bytes(-len(content) % 4)
    return data


def image(path: Path, content: bytes) -> Image:
    path.write_bytes(content)
    file = FileRef("/initrd.img", len(content), path, (Extent(0, len(content)),))
    return replace(NESTED, initramfs=(replace(NESTED.initramfs[0], file=file),))


@pytest.mark.parametrize("packed", [False, True])
def test_modules_loadable_and_built_in(tmp_path: Path, *, packed: bool) -> None:
    content = gzip.compress(archive()) if packed else archive()
    found = drivers_of(image(tmp_path / "initrd", content))
    assert found == frozenset({"btrfs", "f2fs", "usb_storage", "xfs", "ext4"})


def test_what_is_no_initramfs_says_nothing(tmp_path: Path) -> None:
    assert drivers_of(image(tmp_path / "initrd", b"\1" * 5000)) is None
