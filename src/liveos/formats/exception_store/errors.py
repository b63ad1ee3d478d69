# SPDX-License-Identifier: Apache-2.0
"""Why a store is none, each with the error that the kernel gives for it on loading."""

from typing import ClassVar

from liveos.formats.binary import FormatError


class StoreError(FormatError):
    """Bytes that the kernel does not load as a store."""

    kernel_error: ClassVar[str] = "EINVAL"


class ChunkSizeError(StoreError):
    """The chunk size is not a power of two, or absurd."""


class VersionError(StoreError):
    """An on-disk version other than 1; there has never been one."""


class NotAStoreError(StoreError):
    """The magic is that of something else."""

    kernel_error = "ENXIO"


class BlankStoreError(StoreError):
    """The magic is zero: the kernel makes a new, empty store of it."""

    kernel_error = "none: it is made a new store"


class UnterminatedStoreError(StoreError):
    """The file ends before the list of records does."""

    kernel_error = "EIO"


class AmbiguousStoreError(FormatError):
    """Two records map one chunk of the origin to different data; kernels differ in their choice."""


class StoreFullError(FormatError):
    """There is no room for a new exception."""
