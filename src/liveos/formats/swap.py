# SPDX-License-Identifier: Apache-2.0
"""The header of swap space: the kernel's ``union swap_header`` (include/linux/swap.h), version 1.

It fills the first page. Numbers have the byte order of the machine that made it, and pages are
those of the machine that shall use it; here both are those of x86 and of most others. What lies
behind the header means nothing until something has been swapped out.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from liveos.formats.binary import ByteSource, FormatError, Record, TruncatedError, u32

PAGE = 4096
LEAST_SIZE = 10 * PAGE
"""mkswap(8) makes nothing smaller."""

_MAGIC = b"SWAPSPACE2"
_BOOT_BITS = 1024
_VERSION = 1
_LABEL_SIZE = 16


@dataclass(frozen=True)
class _Fields(Record):
    version: u32
    last_page: u32
    bad_pages: u32
    uuid: Annotated[bytes, "16s"]
    label: Annotated[bytes, "16s"]


@dataclass(frozen=True, slots=True)
class SwapHeader:
    """Swap space of ``size`` bytes, the header's own page included."""

    size: int
    uuid: UUID
    label: str = ""

    def pack(self) -> bytes:
        """The first page.

        :raises FormatError: the size or the label is none that a header can hold.
        """
        label = self.label.encode()
        pages = self.size // PAGE
        if self.size < LEAST_SIZE or self.size % PAGE or pages > 1 << 32:
            raise FormatError(f"there is no swap space of {self.size} bytes")
        if len(label) > _LABEL_SIZE:
            raise FormatError(f"a label has at most {_LABEL_SIZE} bytes: {self.label!r}")
        fields = _Fields(_VERSION, pages - 1, 0, self.uuid.bytes, label)
        start = bytes(_BOOT_BITS) + fields.pack()
        return start.ljust(PAGE - len(_MAGIC), b"\0") + _MAGIC


def read_swap(source: ByteSource) -> SwapHeader:
    """The header of swap space.

    :raises FormatError: it is none, or one that the kernel would refuse for this source.
    """
    page = source.read_at(0, PAGE)
    if page[-len(_MAGIC) :] != _MAGIC:
        raise FormatError("this is no swap space")
    fields = _Fields.unpack(page, _BOOT_BITS)
    if fields.version != _VERSION:
        raise FormatError(f"this is swap space of the unknown version {fields.version}")
    size = (fields.last_page + 1) * PAGE
    if size < LEAST_SIZE:
        raise FormatError(f"its header tells of {size} bytes, too few")
    if size > source.size:
        raise TruncatedError(f"its header tells of {size} bytes, and there are {source.size}")
    label = fields.label.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return SwapHeader(size, UUID(bytes=fields.uuid), label)
