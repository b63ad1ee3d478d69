# SPDX-License-Identifier: Apache-2.0
"""Which kind of overlay a new stick gets, and of what size."""

from liveos.errors import NoSpaceError, UnsupportedError
from liveos.formats.exception_store.geometry import Geometry
from liveos.medium.model import Image, PersistenceKind
from liveos.sizes import Size, format_size

_MIB = 1024 * 1024
_CHUNKS = Geometry(8)
LEAST_SNAPSHOT = 16 * _MIB
"""Less would be full before the system has started."""


def choose_kind(image: Image, wanted: PersistenceKind | None) -> PersistenceKind:
    """The kind that was asked for, or the one that suits the image: snapshot, else directory.

    :raises UnsupportedError: the image cannot use it; says why.
    """
    options = {option.kind: option for option in image.persistence}
    candidates = (wanted,) if wanted else (PersistenceKind.SNAPSHOT, PersistenceKind.DIRECTORY)
    for kind in candidates:
        if kind in options and options[kind].usable:
            return kind
    reasons = [f"{kind}: {options[kind].reason}" for kind in candidates if kind in options]
    why = "; ".join(reasons) or "nothing is known of its initramfs"
    raise UnsupportedError(
        f"{image.name} cannot keep changes this way ({why})",
        hint="choose another --overlay-kind, or --overlay none",
    )


def snapshot_size(image: Image, wanted: Size, free: int) -> tuple[int, tuple[str, ...]]:
    """Bytes of a snapshot store where ``free`` are left, and notes on why they are not others.

    A share is one of the free space. No store is made larger than a full copy of the root needs,
    and none of a size that the kernel invalidates when it is full (snapshot-store.md fact 5).

    :raises NoSpaceError: there is not that much, or too little to be of use.
    """
    size = wanted.of(free, left=free) // _CHUNKS.chunk_size * _CHUNKS.chunk_size
    if size > free or size < LEAST_SNAPSHOT:
        raise NoSpaceError(
            f"an overlay of {format_size(size)}: {format_size(free)} are free beside the image, "
            f"and it must have at least {format_size(LEAST_SNAPSHOT)}",
            hint="choose a larger target, a smaller --overlay, or --overlay none",
        )
    notes = []
    useful = _full_copy(image)
    if wanted.bytes is None and useful is not None and size > useful:
        notes.append(f"overlay limited to {format_size(useful)}: more could never be used")
        size = useful
    chunks = size // _CHUNKS.chunk_size
    if _CHUNKS.is_boundary(chunks):
        size -= _CHUNKS.chunk_size
        notes.append(
            f"overlay made one chunk smaller ({size} bytes): of {chunks} chunks it would become "
            "invalid when full"
        )
    return size, tuple(notes)


def _full_copy(image: Image) -> int | None:
    """The store that holds every chunk of the root once, with an area to spare."""
    if image.root.apparent_size is None:
        return None
    records = -(-image.root.apparent_size // _CHUNKS.chunk_size)
    return (_CHUNKS.chunks_for(records) + _CHUNKS.stride) * _CHUNKS.chunk_size
