# SPDX-License-Identifier: Apache-2.0
"""The first 16 bytes of a store."""

from dataclasses import dataclass

from liveos.formats.binary import ByteSource, Record, u32
from liveos.formats.exception_store.errors import BlankStoreError, NotAStoreError, VersionError
from liveos.formats.exception_store.geometry import Geometry

MAGIC = int.from_bytes(b"SnAp", "little")
VERSION = 1


@dataclass(frozen=True)
class Header(Record):
    """What chunk 0 says. ``valid``: 0 is dead, anything else is alive; the kernel writes 1."""

    magic: u32
    valid: u32
    version: u32
    chunk_sectors: u32

    @classmethod
    def new(cls, geometry: Geometry, *, valid: bool = True) -> "Header":
        """The header that the kernel writes."""
        return cls(MAGIC, int(valid), VERSION, geometry.chunk_sectors)

    @property
    def is_blank(self) -> bool:
        """Whether the kernel would make a new store here, whatever follows."""
        return self.magic == 0

    def geometry(self) -> Geometry:
        """The layout, after the checks that the kernel makes, in its order.

        :raises StoreError: the kernel would not load it.
        """
        if self.is_blank:
            raise BlankStoreError("the store is blank: it has not been used yet")
        if self.magic != MAGIC:
            raise NotAStoreError(f"not a snapshot store: the magic is {self.magic:#010x}")
        geometry = Geometry(self.chunk_sectors)
        if self.version != VERSION:
            raise VersionError(f"a snapshot store of version {self.version}, which does not exist")
        return geometry


def read_header(source: ByteSource) -> Header:
    """The header as it lies there, unchecked; `TruncatedError` when there are no 16 bytes."""
    return Header.read(source, 0)
