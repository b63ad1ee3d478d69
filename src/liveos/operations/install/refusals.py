# SPDX-License-Identifier: Apache-2.0
"""What is not done to a target, and what is lost if it is done."""

from liveos.errors import (
    LiveosError,
    NoSpaceError,
    NotPermittedError,
    RefusedError,
    UnsupportedError,
    UsageError,
)
from liveos.host import udisks
from liveos.host.target import Target, TargetKind
from liveos.medium.model import Medium
from liveos.operations.install.layout import Layout
from liveos.sizes import format_size

_MIB = 1024 * 1024
_SIGNATURES = 1 * _MIB
"""Every filesystem that blkid knows has its signature within the first MiB."""


def check_target(size: int | None, target: Target, source: Medium, *, erase: bool) -> int:
    """The size that the stick will have, in bytes, if it may be made there.

    :raises LiveosError: it may not; the subclass says for what kind of reason.
    """
    for problem in (_identity(target), _place(target), _size(size, target, source)):
        if problem is not None:
            raise problem
    if target.kind is not TargetKind.MISSING and not erase:
        lost = "; ".join(losses(target))
        raise RefusedError(f"{target.path} exists: {lost}", hint="--erase allows to overwrite it")
    final = target.size if size is None else size
    assert final is not None
    return final


def losses(target: Target) -> tuple[str, ...]:
    """One sentence for each thing that will be lost."""
    if target.kind is TargetKind.MISSING or target.size is None:
        return ()
    maker = "" if target.device is None else f": {target.device.made_by}"
    whole = f"everything on {target.path} ({format_size(target.size)}{maker})"
    return (whole, *(f"{content.description}" for content in target.contents))


def regions_to_wipe(target: Target, layout: Layout) -> tuple[tuple[int, int], ...]:
    """Where boot code, partition tables and signatures are, or will be; (offset, length)."""
    assert target.size is not None
    last = max(0, target.size - _SIGNATURES)
    old = {content.offset for content in target.contents}
    starts = {0, last} | old | {part.offset for part in layout.partitions}
    return tuple(
        (start, min(_SIGNATURES, target.size - start))
        for start in sorted(starts)
        if start < target.size
    )


def _identity(target: Target) -> LiveosError | None:
    """Things that the target must not be."""
    path = target.path
    if target.is_source:
        return RefusedError(
            f"{path} is the source itself", hint="name another file or device as the target"
        )
    if target.kind is TargetKind.OTHER:
        return RefusedError(
            f"{path} is neither a regular file nor a block device",
            hint="where a stick that liveos made is mounted, --add puts an image on it",
        )
    if target.in_use:
        return RefusedError(
            f"{path} is in use: {target.in_use}", hint="unmount or detach it, then try again"
        )
    if "?" in str(path) or "@@" in str(path) or "\n" in str(path):
        return UsageError(
            f"{path}: a path with '?', '@@' or a line break cannot be used with mtools, e2fsprogs",
            hint="choose another name for the target",
        )
    return None


def _place(target: Target) -> LiveosError | None:
    """Whether something can be written there."""
    if not target.parent_exists:
        return UsageError(
            f"{target.path.parent} does not exist", hint="make the directory, or name another"
        )
    if not target.writable:
        hint = udisks.HOW_TO if target.kind is TargetKind.DEVICE else "check the permissions there"
        return NotPermittedError(f"{target.path} cannot be written", hint=hint)
    if target.part is not TargetKind.MISSING and not target.part_is_ours:
        return RefusedError(
            f"{target.part_path} is in the way, and it is not an unfinished stick",
            hint=f"if it is a finished stick without its name, rename it to {target.path.name}",
        )
    if target.sector_size != 512:
        return UnsupportedError(
            f"{target.path} has sectors of {target.sector_size} bytes; only 512 are supported"
        )
    return None


def _size(size: int | None, target: Target, source: Medium) -> LiveosError | None:
    if target.kind is TargetKind.DEVICE and size is not None:
        return UsageError(f"{target.path} is a device: it has its size", hint="leave out --size")
    if size is None and target.size is None:
        return UsageError(f"{target.path} does not exist", hint="--size makes a new image file")
    if size is not None and size % 512:
        return UsageError(f"a disk of {size} bytes does not consist of sectors of 512")
    payload = sum(image.root.stored_size for image in source.images)
    makes_file = size is not None or target.draft is not None
    if makes_file and target.free is not None and target.free < payload:
        place = (target.draft or target.path).parent
        return NoSpaceError(
            f"{place} has {format_size(target.free)} free; the image alone takes "
            f"{format_size(payload)}",
            hint="make room there, or choose another place",
        )
    return None
