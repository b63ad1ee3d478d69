# SPDX-License-Identifier: Apache-2.0
"""Where everything on a new stick lies, and how large it is; or that it does not fit."""

from collections.abc import Iterator
from dataclasses import replace

from liveos.errors import NoSpaceError
from liveos.formats import swap
from liveos.host.volumes import BLOCK
from liveos.medium.home.updates import UpdateFile
from liveos.medium.model import PersistenceKind
from liveos.operations.install.bootloaders import Syslinux
from liveos.operations.install.data import data_size
from liveos.operations.install.filesystems import LiveFilesystem, size_for
from liveos.operations.install.layout import (
    ALIGNMENT,
    Layout,
    Shape,
    lay_out,
    least_size,
    with_home,
)
from liveos.operations.install.overlay import most_useful, store_size
from liveos.operations.install.payload import Payload
from liveos.operations.install.sizes import Shares, Wish, Wishes, least_room, share_out
from liveos.operations.install.stick import InstallRequest, Rooms
from liveos.sizes import Size, format_size

_MIB = 1 << 20
_RECORD_SIZE = 64 * 1024
_EXTENTS = 64 * 1024  # what the extent tree of a file may need
_PIECES = 3  # overlay, home, swap
_BOOT_SPARE = 4 * _MIB  # menus, and an initramfs that grows


def share_rooms(
    request: InstallRequest,
    payload: Payload,
    size: int,
    kind: PersistenceKind | None,
    updates: tuple[UpdateFile, ...] = (),
) -> Rooms:
    """The layout of a stick of ``size`` bytes, and what each piece of memory gets.

    :raises NoSpaceError: it does not fit, or a piece would be of no use; names the least size.
    :raises UsageError: no stick whatever could be divided like this.
    """
    wishes, shape = wishes_of(request, payload, kind), _shape(request)
    boot, filesystem = _boot_size(request, payload), request.filesystem
    contents = contents_size(payload, updates, boot if shape.single else 0)
    needed = contents + least_room(wishes)
    live = size_for(filesystem, needed)
    least = least_size(boot, live, shape)
    if request.data is not None:
        data = data_size(request.data, size, least if _is_exact(wishes) else None)
        shape = replace(shape, data=data, data_type=request.data.filesystem.type)
        least += data
    layout = lay_out(size, boot, request.identities, shape)
    if (
        layout is None
        or layout.live.size < filesystem.least
        or (filesystem.capacity(layout.live.size) < needed)
    ):
        raise _too_small(payload, size, layout, wishes, least)
    room = filesystem.capacity(layout.live.size) - contents
    shares = share_out(room, wishes, largest_file=filesystem.largest_file)
    return rooms_of(request, layout, shares, kind)


def _is_exact(wishes: Wishes) -> bool:
    """Everything that is wished has a size in bytes."""
    all_of_them = (wishes.overlay, wishes.home, wishes.swap)
    return all(
        wish is None or (isinstance(wish, Size) and wish.bytes is not None) for wish in all_of_them
    )


def _shape(request: InstallRequest) -> Shape:
    return Shape(
        table=request.table,
        single=request.single,
        active=isinstance(request.bootloader, Syslinux),
    )


def _boot_size(request: InstallRequest, payload: Payload) -> int:
    """Bytes of the ESP.

    A unified kernel image holds kernel and initramfs a second time, and one with another command
    line lies beside it until it has its name.
    """
    return payload.boot_size + (2 * payload.start_size if request.starts_without_menu else 0)


def room_table(
    payload: Payload, rooms: Rooms, filesystem: LiveFilesystem
) -> tuple[tuple[str, int], ...]:
    """Where the space goes: partitions, and behind ``:`` what lies in one."""
    esp = rooms.layout.esp.name
    home = None if rooms.layout.home else rooms.home
    pieces = (("overlay", rooms.overlay), ("home.img", home), ("swap.img", rooms.swap))
    inner = [(payload.root_name, payload.root_size)]
    inner += [(name, size) for name, size in pieces if size is not None]
    free = filesystem.capacity(rooms.layout.live.size) - sum(_blocks(size) for _, size in inner)
    free -= payload.boot_size if rooms.layout.is_single else 0
    return (
        *rooms.layout.table(),
        (f"{esp}: kernel, initramfs, loaders", payload.boot_size),
        *((f"LIVE: {name}", size) for name, size in inner),
        ("LIVE: free", max(0, free)),
    )


def wishes_of(request: InstallRequest, payload: Payload, kind: PersistenceKind | None) -> Wishes:
    """What is to be shared out beside the image."""
    home = request.home
    has_overlay = kind is not None and kind is not PersistenceKind.DIRECT
    return Wishes(
        overlay=request.overlay if has_overlay else None,
        home=None if home is None else _aligned(home.size) if home.partition else home.size,
        swap=request.swap,
        shared=kind is PersistenceKind.DIRECTORY,
        encrypted=home is not None and home.encrypted,
        overlay_most=most_useful(payload.image, kind),
    )


def _aligned(wish: Wish) -> Wish:
    """A partition has whole units of the alignment; what is asked for is the least."""
    if isinstance(wish, Size) and wish.bytes is not None:
        return Size(bytes=-(-wish.bytes // ALIGNMENT) * ALIGNMENT)
    return wish


def contents_size(payload: Payload, updates: tuple[UpdateFile, ...], boot: int = 0) -> int:
    """Bytes of LIVE that are not memory."""
    texts = sum(_blocks(len(file.text)) for file in updates)
    boot += _BOOT_SPARE if boot else 0
    return _blocks(payload.root_size) + _RECORD_SIZE + texts + _PIECES * _EXTENTS + boot


def _too_small(
    payload: Payload, size: int, layout: Layout | None, wishes: Wishes, least: int
) -> NoSpaceError:
    table = layout.table() if layout else (("ESP", payload.boot_size),)
    parts = ", ".join(f"{name} {format_size(part)}" for name, part in table)
    *first, last = (f"{format_size(payload.root_size)} of image", *_words(wishes))
    contents = f"{', '.join(first)} and {last}" if first else last
    return NoSpaceError(
        f"{format_size(size)} is too small ({parts}): LIVE must hold {contents}",
        hint=f"the least size is {-(-least // _MIB)}M",
    )


def _words(wishes: Wishes) -> Iterator[str]:
    """Sizes in bytes that were asked for; others adapt themselves."""
    wished = (("overlay", wishes.overlay), ("home", wishes.home), ("swap", wishes.swap))
    for name, wish in wished:
        if isinstance(wish, Size) and wish.bytes is not None:
            yield f"{format_size(wish.bytes)} of {name}"
        elif wish is not None:
            yield f"some {name}"


def rooms_of(
    request: InstallRequest, layout: Layout, shares: Shares, kind: PersistenceKind | None
) -> Rooms:
    """Shares as the files and partitions that they become."""
    notes = shares.notes
    overlay, home = shares.overlay, shares.home
    if overlay is not None and kind is PersistenceKind.SNAPSHOT:
        overlay, more = store_size(overlay)
        notes += more
    if home is not None and request.home is not None and request.home.partition:
        home = home // ALIGNMENT * ALIGNMENT
        layout = with_home(layout, home, request.identities.home)
    return Rooms(
        layout,
        overlay=_down(overlay, BLOCK),
        home=_down(home, _MIB),
        swap=_down(shares.swap, swap.PAGE),
        notes=notes,
    )


def _down(size: int | None, unit: int) -> int | None:
    return None if size is None else size // unit * unit


def _blocks(size: int) -> int:
    """Bytes that a file of ``size`` takes on ext4, with what its extent tree may need."""
    return -(-size // BLOCK) * BLOCK + _EXTENTS
