# SPDX-License-Identifier: Apache-2.0
"""Headers and entries of a GPT (UEFI 5.3), in logical blocks of the disk."""

import uuid
import zlib
from dataclasses import dataclass
from typing import Annotated

from liveos.formats.binary import ByteSource, Record, TruncatedError, u32, u64

_GUID = Annotated[bytes, "16s"]
_UNUSED = bytes(16)
_LARGEST_ARRAY = 1 << 20  # 128 entries of 128 bytes are usual


@dataclass(frozen=True)
class GptHeader(Record):
    """A GPT header (UEFI 5.3.2), in logical blocks."""

    signature: Annotated[bytes, "8s"]
    revision: u32
    header_size: u32
    header_crc: u32
    _reserved: u32
    my_lba: u64
    alternate_lba: u64
    first_usable: u64
    last_usable: u64
    disk_guid: _GUID
    entries_lba: u64
    entry_count: u32
    entry_size: u32
    entries_crc: u32


@dataclass(frozen=True)
class GptEntry(Record):
    """A GPT partition entry (UEFI 5.3.3); the last block belongs to the partition."""

    type_guid: _GUID
    guid: _GUID
    first: u64
    last: u64
    attributes: u64
    name: Annotated[bytes, "72s"]

    @property
    def is_used(self) -> bool:
        """Whether there is such a partition."""
        return self.type_guid != _UNUSED and self.last >= self.first


def read_header(source: ByteSource, sector_size: int, lba: int) -> tuple[GptHeader, bytes] | None:
    """A header and its array of entries; None when a sum or a size in them is wrong."""
    try:
        sector = source.read_at(lba * sector_size, sector_size)
        header = GptHeader.unpack(sector)
        array_size = header.entry_count * header.entry_size
        if (
            header.signature != b"EFI PART"
            or not GptHeader.layout().size <= header.header_size <= sector_size
            or header.my_lba != lba
            or header.entry_size < GptEntry.layout().size
            or array_size > _LARGEST_ARRAY
        ):
            return None
        summed = sector[:16] + bytes(4) + sector[20 : header.header_size]
        entries = source.read_at(header.entries_lba * sector_size, array_size)
    except TruncatedError:
        return None
    if zlib.crc32(summed) != header.header_crc or zlib.crc32(entries) != header.entries_crc:
        return None
    return header, entries


def guid(raw: bytes) -> str:
    """A GUID as people write it."""
    return str(uuid.UUID(bytes_le=raw)).upper()
