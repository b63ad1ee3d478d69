# SPDX-License-Identifier: Apache-2.0
"""The plan of ``install --add``: an image more on a stick, whose other images stay as they are.

Everything of it lies in directories of its own, and nothing looks there until, as the last write
of all, the menu of the stick gets its line. A cut before leaves what the next run removes.
"""

from collections.abc import Iterator
from dataclasses import replace

from liveos.errors import NotPermittedError, RefusedError
from liveos.host.folders.partition import PartitionFolder
from liveos.host.luks import HEADER_SIZE
from liveos.host.target import Target
from liveos.host.tools import CRYPTSETUP, DEBUGFS, E2FSCK, MKE2FS, MTOOLS, SFDISK, Tool
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.installed import refuse
from liveos.medium.model import Medium, PersistenceKind
from liveos.medium.stick import OpenStick
from liveos.operations.home.plans.partition import choose_partition
from liveos.operations.images.addition import Addition, addition_steps
from liveos.operations.images.loaders import added_loaders, efi_verb, loader_notes
from liveos.operations.images.names import check_new_name
from liveos.operations.images.plans.rubbish import lost_rubbish
from liveos.operations.images.room import (
    free_on_live,
    require_esp,
    share_live,
    size_of_boot_files,
)
from liveos.operations.images.running import check_addition, running_notes, tools
from liveos.operations.images.titles import told_apart
from liveos.operations.install.filesystems import Target as LivePlace
from liveos.operations.install.memory import at_boot, check_memory
from liveos.operations.install.overlay import choose_kind
from liveos.operations.install.payload import choose_image, payload_of
from liveos.operations.install.planning import Tags, installed_image
from liveos.operations.install.sizes import AUTO, LEAST_HOME
from liveos.operations.install.stick import InstallRequest, Stick
from liveos.operations.plan import Plan
from liveos.operations.steps.stick import Run
from liveos.sizes import Size


def plan(
    request: InstallRequest,
    source: Medium,
    stick: OpenStick,
    target: Target,
    system: LiveSystem | None = None,
) -> Plan:
    """How ``source`` will come to the stick, as the image ``request.name``.

    :raises RefusedError: the name is taken, or the stick is in use.
    :raises NoSpaceError: it does not fit; says how much is needed where.
    :raises UnsupportedError: the image cannot be installed like that.
    """
    check_target(target)
    check_addition(request, source, stick)
    check_memory(request)
    check_new_name(stick, request.name)
    addition = _decide(request, source, stick, target, system)
    wanted, name = addition.wanted, request.name
    files = [file for file, _ in (*wanted.payload.boot_files, *wanted.payload.loaders)]
    esp_free = require_esp(stick, files, name, freed=_left_on_esp(stick, name))
    return Plan(
        title=f"add {source.label or source.path.name} to {stick.path} as {name}",
        steps=tuple(addition_steps(addition)),
        destroys=lost_rubbish(stick, name),
        notes=(*wanted.rooms.notes, *_notes(addition), *running_notes(stick, _left(addition))),
        needs=_tools(addition),
        layout=tuple(_rooms(addition, esp_free)),
        source=source.path,
        when_it_fails=f"{stick.path} starts as before; the same command goes on, and liveos remove"
        f" {stick.path}:{name} clears what has been written",
    )


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


def _decide(
    request: InstallRequest,
    source: Medium,
    stick: OpenStick,
    target: Target,
    system: LiveSystem | None,
) -> Addition:
    image = choose_image(source)
    kind = None if request.overlay is None else choose_kind(image, request.overlay_kind)
    uncompressed = request.uncompressed or kind is PersistenceKind.DIRECT
    payload = payload_of(source, image, request.name, uncompressed=uncompressed)
    payload = told_apart(payload, stick.entries, request.name)
    loaders = added_loaders(stick, source, payload)
    payload = replace(payload, loaders=loaders, efi_verb=efi_verb(stick, payload))
    used = at_boot(request, image, system)
    tags = Tags(stick.live.uuid or "", stick.live.label or "")
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


def _partition(
    request: InstallRequest, stick: OpenStick
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


def _notes(addition: Addition) -> Iterator[str]:
    wanted = addition.wanted
    yield from loader_notes(addition.stick, wanted.payload)
    if wanted.source.implanted_md5 is None:
        yield "the source has no implanted MD5 sum: it cannot be checked before it is used"
    elif not wanted.request.verify:
        yield "the source will not be checked against its implanted MD5 sum"
    yield from (f"at boot: {reason}" for reason in wanted.at_boot.reasons)


def _left_on_esp(stick: OpenStick, name: str) -> int:
    return size_of_boot_files(stick, name) if name in stick.leftovers else 0


def _left(addition: Addition) -> int:
    """Bytes of LIVE that nothing takes."""
    rooms, free = addition.wanted.rooms, free_on_live(addition.stick, addition.name)
    memory = sum(filter(None, (rooms.overlay, rooms.home, rooms.swap)))
    return max(0, free - addition.wanted.payload.root_size - memory)


def _rooms(addition: Addition, esp_free: int) -> Iterator[tuple[str, int]]:
    """Of what is free now, what each piece takes."""
    wanted = addition.wanted
    payload, rooms = wanted.payload, wanted.rooms
    live_free = free_on_live(addition.stick, addition.name)
    home = rooms.home if addition.partition is None else None
    pieces = [(payload.root_name, payload.root_size), ("overlay", rooms.overlay)]
    pieces += [("home.img", home), ("swap.img", rooms.swap)]
    taken = [(name, size) for name, size in pieces if size is not None]
    yield "free on the ESP", esp_free
    yield "free on the ESP: kernel, initramfs, loaders", payload.boot_size
    yield "free on LIVE", live_free
    yield from ((f"free on LIVE: {name}", size) for name, size in taken)


def _tools(addition: Addition) -> tuple[Tool, ...]:
    wanted = addition.wanted
    home = wanted.request.home
    makes = home is not None or wanted.installed.overlay is PersistenceKind.IMAGE
    return (
        *(MTOOLS, DEBUGFS, E2FSCK),
        *tools(addition.stick),
        *((MKE2FS,) if makes else ()),
        *((CRYPTSETUP,) if home is not None and home.encrypted else ()),
        *((SFDISK,) if addition.additions else ()),
    )
