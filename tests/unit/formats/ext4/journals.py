# SPDX-License-Identifier: Apache-2.0
"""The recorded crashed filesystems, and parts of them by name."""

import json
import tarfile
from functools import cache
from typing import Any

from liveos.formats.binary import ByteSource, MemorySource
from liveos.formats.ext4.journal import MAGIC_BYTES, BlockHeader, BlockType
from liveos.formats.ext4.journal_file import JournalFile, open_journal
from liveos.formats.ext4.superblock import Superblock
from tests.data.make_journal_fixtures import CASES, CLEAN, FIXTURES, PENDING

CRASHED = tuple(name for name in CASES if name not in CLEAN + PENDING)
NO_BLOCK_SUMS = ("ext3", "ext4-wide", "sums-v1")  # what is damaged there is believed


@cache
def _members() -> dict[str, bytes]:
    with tarfile.open(FIXTURES) as tar:
        found = {}
        for member in tar:
            file = tar.extractfile(member)
            assert file
            found[member.name] = file.read()
        return found


def image(name: str) -> bytes:
    return _members()[name]


@cache
def facts(name: str) -> dict[str, Any]:
    """What e2fsck made of an image."""
    found: dict[str, Any] = json.loads(_members()["facts.json"])[name]
    return found


def journal_of(data: bytes | ByteSource) -> JournalFile:
    source = MemorySource(data) if isinstance(data, bytes) else data
    journal = open_journal(source, Superblock.checked(source))
    assert journal
    return journal


def log_blocks(data: bytes) -> list[tuple[int, BlockHeader]]:
    """Headers of the log's blocks in the order of the log, with their byte offsets in the image.

    They are found by the magic alone: a block that is a copy never begins with it.
    """
    journal = journal_of(data)
    superblock = journal.superblock
    ring = superblock.end - superblock.first
    found = []
    for step in range(ring):
        place = superblock.first + (superblock.start - superblock.first + step) % ring
        offset = journal.offset_of(place)
        if data[offset : offset + 4] == MAGIC_BYTES:
            header = BlockHeader.unpack(data, offset)
            if header.sequence >= superblock.start_sequence:
                found.append((offset, header))
    return found


def offsets(data: bytes, kind: BlockType) -> list[int]:
    return [offset for offset, header in log_blocks(data) if header.kind == kind]
