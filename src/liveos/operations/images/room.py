# SPDX-License-Identifier: Apache-2.0
"""Room for an image more: on LIVE for the image and its memory, on the ESP for its boot files."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from liveos.errors import NoSpaceError, UnsupportedError
from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, FileTree, Node
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.volumes import MountedVolume
from liveos.medium.home.updates import UpdateFile
from liveos.medium.model import FileRef, PersistenceKind
from liveos.medium.old_stick import AnyStick, OldStick
from liveos.medium.stick import OpenStick
from liveos.operations.install.layout import (
    BIOS_BOOT_SIZE,
    Identities,
    Layout,
    PlacedPartition,
    Table,
)
from liveos.operations.install.payload import Payload
from liveos.operations.install.rooms import contents_size, rooms_of, wishes_of
from liveos.operations.install.sizes import least_room, share_out
from liveos.operations.install.stick import InstallRequest, Rooms
from liveos.sizes import format_size

_ESP_SPARE = 256 << 10  # directories, the image's menu, and a second copy of the stick's menu


def share_live(
    request: InstallRequest,
    stick: AnyStick,
    payload: Payload,
    kind: PersistenceKind | None,
    updates: tuple[UpdateFile, ...] = (),
) -> Rooms:
    """What each piece of an added image's memory gets of what is free on LIVE.

    A home in a partition is none of these; see `operations.home.plans.partition`.

    :raises NoSpaceError: it does not fit; says what is free, and what is needed.
    """
    beside = request
    if request.home is not None and request.home.partition:
        beside = replace(request, home=None)
    boot = payload.boot_size if isinstance(stick, OldStick) else 0
    wishes, contents = wishes_of(beside, payload, kind), contents_size(payload, updates, boot)
    free = free_on_live(stick, request.name)
    needed = contents + least_room(wishes)
    if free < needed:
        raise NoSpaceError(
            f"{stick.path} has {format_size(free)} free on LIVE, and {request.name} needs"
            f" {format_size(needed)}: {format_size(payload.root_size)} of image, and its memory",
            hint=_room_hint(stick),
        )
    largest = stick.folder(request.name).limit()
    shares = share_out(free - contents, wishes, largest_file=largest)
    return rooms_of(beside, _layout(stick, request.identities), shares, kind)


def require_size(payload: Payload, stick: AnyStick) -> None:
    """:raises UnsupportedError: a root is larger than a file can be there."""
    largest = stick.folder("").limit()
    if largest is not None and payload.root_size > largest:
        raise UnsupportedError(
            f"{payload.root_name} has {payload.root_size} bytes, and {stick.path} is FAT, which"
            f" takes files of up to {largest} bytes",
            hint="leave out --uncompressed, or install it on a stick of its own",
        )


def require_live(
    stick: OpenStick, payload: Payload, updates: tuple[UpdateFile, ...], name: str, freed: int
) -> int:
    """The bytes that LIVE has left when an image without memory is there.

    :param freed: bytes that are given back before.
    :raises NoSpaceError: it does not fit.
    """
    free = stick.folder("").free() + freed
    needed = contents_size(payload, updates)
    if free < needed:
        raise NoSpaceError(
            f"{stick.path} has {format_size(free)} free on LIVE, and the new root of {name} needs"
            f" {format_size(needed)}, beside the old one",
            hint=_room_hint(stick),
        )
    return free - needed


def free_on_live(stick: AnyStick, name: str) -> int:
    """Bytes for an image of this name: what a run that was cut off has left of it goes first."""
    return stick.folder("").free() + _left_on_live(stick, name)


def require_esp(stick: OpenStick, files: Iterable[FileRef], name: str, freed: int = 0) -> int:
    """The bytes that the ESP has free.

    :param freed: bytes that are given back before.
    :raises NoSpaceError: they are too few; says how many there are, and who has the others.
    """
    needed = sum(file.size for file in files) + _ESP_SPARE
    free = FatFolder(stick.esp_volume, "/").free() + freed
    if free < needed:
        total = format_size(stick.esp_volume.size)
        raise NoSpaceError(
            f"the ESP of {stick.path} has {format_size(free)} of {total} free, and the kernel and"
            f" the initramfs of {name} need {format_size(needed)}; there are {_users(stick)}",
            hint=f"{_room_hint(stick)}; the ESP of a new stick is a tenth of it, at most 1 GiB",
        )
    return free


def size_of_boot_files(stick: OpenStick, name: str) -> int:
    """Bytes that an image has on the ESP."""
    return sum(node.size for node in stick.boot_files(name))


def _left_on_live(stick: AnyStick, name: str) -> int:
    """At least so many bytes: those of files at the top of what is left."""
    if name not in stick.leftovers:
        return 0
    tree, directory = stick.live.tree, stick.live.tree.lookup(f"/{name}")
    if directory is None or directory.kind is not FileKind.DIRECTORY:
        return 0
    nodes = (tree.load(f"/{name}/{each}", found) for each, found in tree.scan(directory))
    files = (node for node in nodes if node.kind is FileKind.FILE)
    return sum(_allocated(tree, node) for node in files)


def _allocated(tree: FileTree, node: Node) -> int:
    known = tree.allocated(node)
    if known is not None:
        return known
    with suppress(FormatError):  # of a file that was cut off, nothing is sure
        return sum(extent.length for extent in tree.extents(node) or ())
    return 0


def _users(stick: OpenStick) -> str:
    names = (*stick.menu.names, *stick.leftovers)
    taken = (f"{format_size(size_of_boot_files(stick, name))} of {name}" for name in names)
    return ", ".join(taken) or "other files"


def _room_hint(stick: AnyStick) -> str:
    return f"liveos remove {stick.path}:NAME makes room"


def _layout(stick: AnyStick, identities: Identities) -> Layout:
    """The partitions that are there, in the words of those that install a new stick.

    The numbers of a new table are the request's: nothing is made of them here.
    """
    esp, live = stick.esp_volume, stick.live_volume
    start = 0 if isinstance(live, MountedVolume) else live.offset

    def part(name: str, offset: int, size: int, guid: UUID) -> PlacedPartition:
        return PlacedPartition(name, offset, size, guid)

    return Layout(
        size=stick.scene.size or 0,
        table_kind=Table.GPT,
        disk=identities.disk,
        signature=0,
        bios_boot=part("BIOS boot", 0, BIOS_BOOT_SIZE, identities.bios_boot),
        esp=part("ESP", esp.offset, esp.size, identities.esp),
        live=part("LIVE", start, live.size, identities.live),
    )
