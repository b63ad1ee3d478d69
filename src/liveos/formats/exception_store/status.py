# SPDX-License-Identifier: Apache-2.0
"""What ``dmsetup status`` prints for a store, computed without a kernel (reference 1.9)."""

from dataclasses import dataclass

from liveos.formats.binary import ByteSource, TruncatedError
from liveos.formats.exception_store.errors import UnterminatedStoreError
from liveos.formats.exception_store.geometry import FIRST_DATA_CHUNK, SECTOR, Geometry
from liveos.formats.exception_store.header import read_header
from liveos.formats.exception_store.kernel import LINUX_6_12, KernelRules
from liveos.formats.exception_store.reader import ExceptionStore, read_store

LIVEOS_CHUNK_SECTORS = 8
_SECTOR_MASK = (1 << 64) - 1  # sector_t


@dataclass(frozen=True, slots=True)
class Usage:
    """The three numbers of a status line, in sectors."""

    allocated: int
    total: int
    metadata: int

    def __str__(self) -> str:
        return f"{self.allocated}/{self.total} {self.metadata}"


def usage(store: ExceptionStore, kernel: KernelRules = LINUX_6_12) -> Usage:
    """How full a store is, right after loading.

    :raises UnterminatedStoreError: the kernel cannot load it, so there is no status.
    """
    if not store.terminated:
        raise UnterminatedStoreError("the file ends before the list of exceptions does")
    chunk = store.geometry.chunk_sectors
    return Usage(
        allocated=store.next_free(kernel) * chunk & _SECTOR_MASK,
        total=store.sectors,
        metadata=store.metadata_chunks * chunk,
    )


def store_status(store: ExceptionStore, kernel: KernelRules = LINUX_6_12) -> str:
    """``status_line`` of a store that has been read already."""
    return str(usage(store, kernel)) if store.is_valid else "Invalid"


def status_line(
    source: ByteSource,
    *,
    table_chunk_sectors: int = LIVEOS_CHUNK_SECTORS,
    kernel: KernelRules = LINUX_6_12,
) -> str:
    """What follows the target's name in ``dmsetup status`` once the kernel has loaded the store.

    ``table_chunk_sectors`` is the chunk size of the table line; it counts for a blank store only.

    :raises FormatError: the kernel could not make the device; its errors carry ``kernel_error``.
    """
    header = read_header(source)
    if header.is_blank:
        return str(_fresh_usage(source, Geometry(table_chunk_sectors)))
    header.geometry()
    if not header.valid:
        return "Invalid"
    return store_status(read_store(source), kernel)


def _fresh_usage(source: ByteSource, geometry: Geometry) -> Usage:
    if geometry.chunks_in(source.size) < FIRST_DATA_CHUNK:
        raise TruncatedError(f"{source.size} bytes have no room for a header and an area")
    fresh = FIRST_DATA_CHUNK * geometry.chunk_sectors
    return Usage(fresh, source.size // SECTOR, fresh)
