# SPDX-License-Identifier: Apache-2.0
"""Which kind of overlay a new stick gets, and what its size must be like."""

from liveos.errors import UnsupportedError
from liveos.formats.exception_store.geometry import Geometry
from liveos.medium.model import Image, PersistenceKind
from liveos.sizes import format_size

_CHUNKS = Geometry(8)


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


def most_useful(image: Image, kind: PersistenceKind | None) -> int | None:
    """The size of a store that holds every chunk of the root once, with an area to spare.

    More could never be used. None where there is no such bound.
    """
    if kind is not PersistenceKind.SNAPSHOT or image.root.apparent_size is None:
        return None
    records = -(-image.root.apparent_size // _CHUNKS.chunk_size)
    return (_CHUNKS.chunks_for(records) + _CHUNKS.stride) * _CHUNKS.chunk_size


def store_size(size: int) -> tuple[int, tuple[str, ...]]:
    """At most ``size`` bytes, and a note where it is less by more than a part of a chunk.

    No store is made of a size that the kernel invalidates when it is full (snapshot-store.md
    fact 5).
    """
    chunks = size // _CHUNKS.chunk_size
    if not _CHUNKS.is_boundary(chunks):
        return chunks * _CHUNKS.chunk_size, ()
    less = (chunks - 1) * _CHUNKS.chunk_size
    note = (
        f"overlay made one chunk smaller ({less} bytes, {format_size(less)}): of {chunks} chunks it"
        " would become invalid when full"
    )
    return less, (note,)
