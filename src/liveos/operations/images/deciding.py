# SPDX-License-Identifier: Apache-2.0
"""What is decided about an image that a stick gets beside others, whatever the stick's layout."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from liveos.errors import NotPermittedError, RefusedError
from liveos.host.folders.partition import PartitionFolder
from liveos.host.luks import HEADER_SIZE
from liveos.host.target import Target
from liveos.host.tools import CRYPTSETUP, DEBUGFS, E2FSCK, MKE2FS, MTOOLS, SFDISK, Tool
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.installed import refuse
from liveos.medium.model import Medium, PersistenceKind
from liveos.medium.old_stick import AnyStick
from liveos.operations.home.plans.partition import choose_partition
from liveos.operations.images.addition import Addition
from liveos.operations.images.loaders import efi_verb, loader_notes
from liveos.operations.images.room import free_on_live, require_size, share_live
from liveos.operations.install.filesystems import Target as LivePlace
from liveos.operations.install.filesystems import filesystem_called
from liveos.operations.install.memory import at_boot
from liveos.operations.install.overlay import choose_kind
from liveos.operations.install.payload import Payload, choose_image, payload_of
from liveos.operations.install.planning import Tags, installed_image
from liveos.operations.install.sizes import AUTO, LEAST_HOME
from liveos.operations.install.stick import InstallRequest, Stick
from liveos.operations.steps.stick import Run
from liveos.sizes import Size


def check_target(target: Target) -> None:
    """:raises LiveosError: a stick that must not, or cannot, be written."""
    if target.is_source:
        raise RefusedError(f"{target.path} is the source itself", hint="name another stick")
    if target.in_use:
        raise RefusedError(
            f"{target.path} is in use: {target.in_use}",
            hint="unmount or detach it, then try again",
        )
    if not target.writable:
        raise NotPermittedError(f"{target.path} cannot be written", hint="check its permissions")


def decide(
    request: InstallRequest,
    source: Medium,
    stick: AnyStick,
    target: Target,
    system: LiveSystem | None,
    fitted: Callable[[Payload], Payload],
) -> Addition:
    """Everything that the steps need; ``fitted`` is the payload as this stick takes it.

    :raises NoSpaceError: it does not fit on LIVE.
    :raises UnsupportedError: the image cannot be installed like that.
    """
    image, filesystem = choose_image(source), filesystem_called(stick.filesystem)
    kind = None
    if request.overlay is not None:
        kind = choose_kind(image, request.overlay_kind, filesystem)
    uncompressed = request.uncompressed or kind is PersistenceKind.DIRECT
    payload = fitted(payload_of(source, image, request.name, uncompressed=uncompressed))
    payload = replace(payload, efi_verb=efi_verb(stick, payload))
    require_size(payload, stick)
    used = at_boot(request, image, system)
    tags = Tags(stick.live.uuid or "", stick.live.label or "", stick.filesystem)
    installed = installed_image(request, payload, kind, used, tags)
    refuse(installed)
    rooms = share_live(request, stick, payload, kind, used.updates)
    partition, additions = _partition(request, stick)
    if partition is not None:
        rooms = replace(rooms, home=partition.size)
    wanted = Stick(
        request=request,
        source=source,
        target=target,
        payload=payload,
        rooms=rooms,
        esp=stick.esp_volume,
        live=stick.live_volume,
        installed=installed,
        at_boot=used,
        place=LivePlace(target.path, new=False, scratch=target.path.parent),
    )
    return Addition(wanted, stick, partition, additions)


def addition_notes(addition: Addition) -> Iterator[str]:
    """What the owner of the stick should know before anything is written."""
    wanted = addition.wanted
    yield from wanted.rooms.notes
    yield from loader_notes(addition.stick, wanted.payload, addition.name)
    if wanted.source.implanted_md5 is None:
        yield "the source has no implanted MD5 sum: it cannot be checked before it is used"
    elif not wanted.request.verify:
        yield "the source will not be checked against its implanted MD5 sum"
    yield from (f"at boot: {reason}" for reason in wanted.at_boot.reasons)


def left_on_live(addition: Addition) -> int:
    """Bytes of LIVE that nothing takes."""
    rooms, free = addition.wanted.rooms, free_on_live(addition.stick, addition.name)
    memory = sum(filter(None, (rooms.overlay, rooms.home, rooms.swap)))
    return max(0, free - addition.wanted.payload.root_size - memory)


def live_rooms(addition: Addition) -> Iterator[tuple[str, int]]:
    """Of what is free on LIVE now, what each piece takes."""
    wanted = addition.wanted
    payload, rooms = wanted.payload, wanted.rooms
    home = rooms.home if addition.partition is None else None
    pieces = [(payload.root_name, payload.root_size), ("overlay", rooms.overlay)]
    pieces += [("home.img", home), ("swap.img", rooms.swap)]
    taken = [(name, size) for name, size in pieces if size is not None]
    yield "free on LIVE", free_on_live(addition.stick, addition.name)
    yield from ((f"free on LIVE: {name}", size) for name, size in taken)


def needed_tools(addition: Addition) -> tuple[Tool, ...]:
    """The programs that the steps start."""
    wanted = addition.wanted
    home = wanted.request.home
    makes = home is not None or wanted.installed.overlay is PersistenceKind.IMAGE
    return (
        *(MTOOLS, DEBUGFS, E2FSCK),
        *((MKE2FS,) if makes else ()),
        *((CRYPTSETUP,) if home is not None and home.encrypted else ()),
        *((SFDISK,) if addition.additions else ()),
    )


def _partition(
    request: InstallRequest, stick: AnyStick
) -> tuple[PartitionFolder | None, tuple[Run, ...]]:
    """Where a home in a partition goes: only behind what is there, or where one waits."""
    home = request.home
    if home is None or not home.partition:
        return None, ()
    size = Size() if home.size is AUTO else home.size
    assert isinstance(size, Size)
    least = LEAST_HOME + (HEADER_SIZE if home.encrypted else 0)
    folder, additions = choose_partition(stick.scene, size, request.identities.home, least)
    if folder.filled:
        raise RefusedError(
            f"partition {folder.number} of {stick.path} is the home of another image",
            hint="make this one a file: leave out --home-partition",
        )
    return folder, additions
