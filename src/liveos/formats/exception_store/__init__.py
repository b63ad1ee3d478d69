# SPDX-License-Identifier: Apache-2.0
"""The device-mapper snapshot's persistent exception store (``DM_snapshot_cow``).

There is no specification but ``drivers/md/dm-snap-persistent.c`` of the kernel; every statement
here was compared with stores that kernels 6.1 and 6.12 made. Words: the *origin* is the
read-only root filesystem, the *store* is the overlay file, an *exception* is one changed chunk.
"""

from liveos.formats.exception_store.errors import (
    AmbiguousStoreError,
    BlankStoreError,
    ChunkSizeError,
    NotAStoreError,
    StoreError,
    StoreFullError,
    UnterminatedStoreError,
    VersionError,
)
from liveos.formats.exception_store.geometry import FIRST_DATA_CHUNK, RECORD, SECTOR, Geometry
from liveos.formats.exception_store.header import MAGIC, VERSION, Header, read_header
from liveos.formats.exception_store.kernel import (
    BEFORE_3_12,
    BEFORE_4_3,
    LINUX_6_1,
    LINUX_6_12,
    Duplicates,
    KernelRules,
)
from liveos.formats.exception_store.packed import PackedStore, is_pack, read_pack, write_pack
from liveos.formats.exception_store.reader import (
    ExceptionStore,
    Tail,
    count_exceptions,
    read_store,
)
from liveos.formats.exception_store.spans import Span, metadata_spans
from liveos.formats.exception_store.status import (
    LIVEOS_CHUNK_SECTORS,
    Usage,
    status_line,
    store_status,
    usage,
)
from liveos.formats.exception_store.view import MergedView, Piece
from liveos.formats.exception_store.writer import (
    StoreWriter,
    create,
    set_valid,
    write_area,
    write_exceptions,
)

__all__ = [
    "BEFORE_3_12",
    "BEFORE_4_3",
    "FIRST_DATA_CHUNK",
    "LINUX_6_1",
    "LINUX_6_12",
    "LIVEOS_CHUNK_SECTORS",
    "MAGIC",
    "RECORD",
    "SECTOR",
    "VERSION",
    "AmbiguousStoreError",
    "BlankStoreError",
    "ChunkSizeError",
    "Duplicates",
    "ExceptionStore",
    "Geometry",
    "Header",
    "KernelRules",
    "MergedView",
    "NotAStoreError",
    "PackedStore",
    "Piece",
    "Span",
    "StoreError",
    "StoreFullError",
    "StoreWriter",
    "Tail",
    "UnterminatedStoreError",
    "Usage",
    "VersionError",
    "count_exceptions",
    "create",
    "is_pack",
    "metadata_spans",
    "read_header",
    "read_pack",
    "read_store",
    "set_valid",
    "status_line",
    "store_status",
    "usage",
    "write_area",
    "write_exceptions",
    "write_pack",
]
