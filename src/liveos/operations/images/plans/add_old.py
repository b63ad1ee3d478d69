# SPDX-License-Identifier: Apache-2.0
"""The plan of ``install --add`` for a stick of livecd-iso-to-disk, which keeps its own layout.

The image gets what ``--multi`` of the old tool gives it (livecd-tools.md 2.6): a directory with
root, overlay and ``syslinux``, a way there from the menu of SYSLINUX, and entries in GRUB's.
"""

from collections.abc import Iterator
from dataclasses import replace

from liveos.errors import UnsupportedError
from liveos.host.target import Target
from liveos.host.tools import DEBUGFS, MTOOLS
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.model import Medium
from liveos.medium.old_stick import OldStick
from liveos.operations.images.deciding import (
    addition_notes,
    check_target,
    decide,
    live_rooms,
    needed_tools,
)
from liveos.operations.images.loaders import verb_of
from liveos.operations.images.names import check_new_name
from liveos.operations.images.old_layout import (
    addition_steps,
    boot_path,
    leading_steps,
    shown_already,
)
from liveos.operations.install.memory import check_memory
from liveos.operations.install.payload import Payload
from liveos.operations.install.stick import InstallRequest
from liveos.operations.plan import Plan


def plan(
    request: InstallRequest,
    source: Medium,
    stick: OldStick,
    target: Target,
    system: LiveSystem | None = None,
) -> Plan:
    """How ``source`` will come to the stick, as the image ``request.name``.

    Where a run was cut off when the image was whole already, what is left to do is done.

    :raises RefusedError: the name is taken, or the stick is in use.
    :raises NoSpaceError: it does not fit; says how much is needed.
    :raises UnsupportedError: the image cannot be installed like that, or a menu cannot be changed.
    """

    def fitted(payload: Payload) -> Payload:
        """With boot files in the image's directory, and the loaders that are there."""
        files = tuple((file, boot_path(request.name, path)) for file, path in payload.boot_files)
        return replace(payload, boot_files=files, loaders=())

    check_target(target)
    check_memory(request)
    if stick.is_marked(request.name) and any(m.leads_to(request.name) for m in stick.menus):
        return _finishing(stick, request.name)
    check_new_name(stick, request.name)
    _require_layout(request, stick)
    addition = decide(request, source, stick, target, system, fitted)
    name = request.name
    return Plan(
        title=f"add {source.label or source.path.name} to {stick.path} as {name}, in the layout of"
        " livecd-iso-to-disk",
        steps=tuple(addition_steps(addition, stick)),
        destroys=_lost(stick, name),
        notes=(*addition_notes(addition), *_notes(stick, name)),
        needs=needed_tools(addition),
        layout=(
            *live_rooms(addition),
            ("free on LIVE: kernel, initramfs", addition.wanted.payload.boot_size),
        ),
        source=source.path,
        when_it_fails=f"{stick.path} starts what it has started; the same command goes on, and"
        f" liveos remove {stick.path}:{name} clears what has been written",
    )


def _finishing(stick: OldStick, name: str) -> Plan:
    shown = shown_already(stick, name, verb_of(stick) or "linux")
    return Plan(
        title=f"let every boot menu of {stick.path} lead to {name}",
        steps=tuple(leading_steps(stick, shown)),
        notes=(f"{name} is whole, and nothing is copied again: a run was cut off at the menus",),
        needs=(DEBUGFS, MTOOLS),
    )


def _require_layout(request: InstallRequest, stick: OldStick) -> None:
    if request.home is not None and request.home.partition:
        raise UnsupportedError(
            f"{stick.path} has no room behind its partitions, as livecd-iso-to-disk leaves it",
            hint="make the home a file: leave out --home-partition",
        )


def _lost(stick: OldStick, name: str) -> tuple[str, ...]:
    if not stick.is_marked(name):
        return ()
    return (f"/{name}, left by a run that was cut off",)


def _notes(stick: OldStick, name: str) -> Iterator[str]:
    if not any(menu.is_syslinux for menu in stick.menus):
        yield f"no menu for BIOS starts an image on this stick: {name} starts on UEFI only"
    if not any(not menu.is_syslinux for menu in stick.menus):
        yield f"no menu for UEFI starts an image on this stick: {name} starts on BIOS only"
    for path in stick.strange:
        yield f"{path} is a menu of the first GRUB: it stays as it is, and does not offer {name}"
