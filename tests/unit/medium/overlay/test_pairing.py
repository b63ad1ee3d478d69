# SPDX-License-Identifier: Apache-2.0
"""Stores over the right root and over others, by the superblocks that mke2fs would write."""

import struct
import uuid
from dataclasses import replace

import pytest

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import read_store
from liveos.formats.ext4.superblock import MAGIC, Superblock
from liveos.medium.overlay.pairing import pairing_fault
from liveos.report import Severity
from tests.unit.formats.exception_store.kernel_model import KernelModel

SIZE = 1 << 20
BIRTH = uuid.UUID("11111111-2222-3333-4444-555555555555")
OTHER = uuid.UUID("99999999-2222-3333-4444-555555555555")


def superblock(**changes: object) -> bytes:
    """A superblock of 1 MiB, as bytes at their place."""
    blank = Superblock.unpack(bytes(1024))
    facts = {
        "magic": MAGIC, "blocks_count_low": 1024, "inodes_count": 128, "inodes_per_group": 128,
        "blocks_per_group": 8192, "first_data_block": 1, "revision": 1, "inode_size_field": 256,
        "first_inode": 11, "uuid_bytes": BIRTH.bytes, "hash_seed": BIRTH.bytes, "mkfs_time": 5,
    }  # fmt: skip
    return bytes(1024) + replace(blank, **(facts | changes)).pack()  # type: ignore[arg-type]


def fault(origin: bytes, written: bytes, chunk_sectors: int = 8) -> str | None:
    """What is found when ``written`` was written to the beginning of the view, sector by sector."""
    origin = origin.ljust(SIZE, b"\0")
    model = KernelModel(bytearray(SIZE), origin, chunk_sectors)
    model.write(200, b"d" * 4096)
    for sector in range(len(written) // 512):
        model.write(sector, written[512 * sector : 512 * sector + 512])
    source = MemorySource(bytes(model.device))
    found = pairing_fault(read_store(source), source, MemorySource(origin))
    assert found is None or (found.code, found.severity) == ("P1", Severity.FATAL)
    return None if found is None else found.message


@pytest.mark.parametrize("chunk_sectors", [1, 2, 8, 32])
def test_the_same_filesystem_after_use(chunk_sectors: int) -> None:
    used = superblock(mount_count=7, write_time=99, free_blocks_low=3, state=1)
    assert fault(superblock(), used, chunk_sectors) is None


def test_a_store_that_never_changed_the_superblock_says_nothing() -> None:
    assert fault(superblock(), b"") is None


@pytest.mark.parametrize("chunk_sectors", [1, 2, 8, 32])
def test_another_filesystem(chunk_sectors: int) -> None:
    other = superblock(uuid_bytes=OTHER.bytes, hash_seed=OTHER.bytes, mkfs_time=9)
    message = fault(superblock(), other, chunk_sectors)
    assert message is not None
    assert str(OTHER) in message
    assert str(BIRTH) in message


def test_a_uuid_that_the_owner_changed_is_the_same_filesystem() -> None:
    assert fault(superblock(), superblock(uuid_bytes=OTHER.bytes)) is None


@pytest.mark.parametrize(
    "change", [{"blocks_count_low": 1000}, {"inodes_count": 64}, {"first_inode": 12}]
)
def test_a_rebuilt_image_with_the_same_uuid(change: dict[str, int]) -> None:
    assert fault(superblock(), superblock(**change)) is not None


def test_something_else_than_ext4_in_its_place() -> None:
    assert "other bytes" in str(fault(superblock(), b"x" * 4096))


def test_a_root_that_is_not_ext4_cannot_be_compared() -> None:
    assert fault(b"hsqs" * 1000, superblock()) is None


def test_records_that_lead_nowhere_are_not_its_business() -> None:
    model = KernelModel(bytearray(SIZE), superblock().ljust(SIZE, b"\0"), 8)
    model.write(0, b"d" * 4096)
    struct.pack_into("<QQ", model.device, 4096, 0, 10000)
    source = MemorySource(bytes(model.device))
    origin = MemorySource(superblock().ljust(SIZE, b"\0"))
    assert pairing_fault(read_store(source), source, origin) is None
