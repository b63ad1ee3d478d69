# SPDX-License-Identifier: Apache-2.0
"""Letting disks go; how one is claimed needs a device: tests/tools/operations/test_devices.py."""

import os
from pathlib import Path

from liveos.host.block.claim import detach, disk_sequence, drop_buffers, reread_partitions
from tests.unit.host.block.machines import MMC, USB, Forge


def test_a_usb_stick_is_detached(forge: Forge) -> None:
    stick = forge.disk("sdb", USB, delete="")
    assert detach(stick)
    assert (stick / "device/delete").read_text().split() == ["1"]


def test_a_card_cannot_be_and_no_file_is_made(forge: Forge) -> None:
    card = forge.disk("mmcblk0", MMC)
    assert not detach(card)
    assert not (card / "device/delete").exists()
    assert not detach(None)


def test_what_only_devices_know_is_no_error_of_files(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    reread_partitions(descriptor)
    drop_buffers(descriptor)
    assert disk_sequence(descriptor) is None
    os.close(descriptor)
