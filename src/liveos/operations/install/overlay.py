# SPDX-License-Identifier: Apache-2.0
"""Which kind of overlay a new stick gets, and what its size must be like."""

from liveos.errors import UnsupportedError
from liveos.formats.exception_store.geometry import Geometry
from liveos.medium.model import Image, PersistenceKind
from liveos.operations.install.filesystems import Ext4, LiveFilesystem
from liveos.sizes import format_size

_CHUNKS = Geometry(8)


def choose_kind(
    image: Image,
    wanted: PersistenceKind | None,
    filesystem: LiveFilesystem | None = None,
    *,
    targeted: bool = False,
) -> PersistenceKind:
    """The kind that was asked for, or the one that suits the image and the filesystem of LIVE.

    ``targeted`` means that directories need the labels of SELinux's targeted policy.

    :raises UnsupportedError: one of them cannot use it; says why.
    """
    filesystem = filesystem or Ext4()
    options = {option.kind: option for option in image.persistence}
    reasons = []
    for kind in (wanted,) if wanted else filesystem.kinds:
        if kind not in options:
            continue
        reason = None if options[kind].usable else options[kind].reason
        reason = reason or _not_on(filesystem, kind, targeted=targeted)
        if reason is None:
            return kind
        reasons.append(f"{kind}: {reason}")
    why = "; ".join(reasons) or "nothing is known of its initramfs"
    raise UnsupportedError(
        f"{image.name} cannot keep changes this way ({why})",
        hint="choose another --overlay-kind, or --overlay none",
    )


def _not_on(filesystem: LiveFilesystem, kind: PersistenceKind, *, targeted: bool) -> str | None:
    """Why a filesystem of LIVE cannot hold an overlay of a kind."""
    if kind is not PersistenceKind.DIRECTORY:
        return None
    if kind not in filesystem.kinds:
        return f"{filesystem.name} keeps neither owners nor attributes"
    if filesystem.copies and targeted:
        return (
            f"the image goes by SELinux, and only a mounted {filesystem.name} can get the label"
            " that a directory needs"
        )
    return None


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
