# SPDX-License-Identifier: Apache-2.0
"""``liveos install``: an image onto a new stick, as a plan.

Pure: the machine is known here only by the facts in `Medium` and `Target`, and what differs from
stick to stick (`Identities`) is part of the request.
"""

import re

from liveos.errors import UnsupportedError, UsageError
from liveos.host import grub
from liveos.host.target import Target
from liveos.host.tools import (
    CRYPTSETUP,
    DEBUGFS,
    E2FSCK,
    GRUB_MKIMAGE,
    MKE2FS,
    MKFS_FAT,
    MTOOLS,
    SFDISK,
    Tool,
)
from liveos.host.volumes import Ext4Volume, FatVolume
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.installed import Installed, label_problem, refuse
from liveos.medium.model import Medium, PersistenceKind
from liveos.operations.carry import planning as carry
from liveos.operations.carry.facts import Carried
from liveos.operations.install import refusals
from liveos.operations.install.device_refusals import check_device
from liveos.operations.install.layout import Identities
from liveos.operations.install.memory import at_boot, check_memory
from liveos.operations.install.overlay import choose_kind
from liveos.operations.install.payload import Payload, choose_image, payload_of
from liveos.operations.install.rooms import room_table, share_rooms
from liveos.operations.install.sequence import install_steps
from liveos.operations.install.stick import InstallRequest, Stick, UsedAtBoot
from liveos.operations.plan import Plan

_MIB = 1024 * 1024
_LABEL_LIMIT = 16


def plan(
    request: InstallRequest,
    source: Medium,
    target: Target,
    system: LiveSystem | None = None,
    carried: Carried | None = None,
) -> Plan:
    """How ``source`` will be installed on ``target``.

    ``system`` is what the source's root holds that matters for home and swap; without them nobody
    needs to look. ``carried`` is what comes along from an installed image.

    :raises RefusedError: something would be lost that the request does not name.
    :raises NoSpaceError: it does not fit; the least size is named.
    :raises UnsupportedError: the image cannot be installed like that.
    :raises NotPermittedError: the target cannot be written.
    """
    check_device(target, request.serials, allow_fixed=request.allow_fixed)
    size = refusals.check_target(request.size, target, source, erase=request.erase)
    _check_words(request)
    check_memory(request)
    if carried is not None:
        request = carry.with_memory(request, carried)
    image = choose_image(source)
    kind = None if request.overlay is None else choose_kind(image, request.overlay_kind)
    uncompressed = request.uncompressed or kind is PersistenceKind.DIRECT
    payload = payload_of(source, image, request.name, uncompressed=uncompressed)
    used = at_boot(request, image, system)
    label = request.label or _default_label(source.label)
    uuid = str(request.identities.live_filesystem)
    installed = installed_image(request, payload, kind, used, uuid=uuid, label=label)
    refuse(installed)
    rooms = share_rooms(request, payload, size, kind, used.updates)
    if carried is not None:
        rooms = carry.with_sizes(rooms, carried)
    path = target.part_path if request.size is not None else target.draft or target.path
    stick = Stick(
        request=request,
        source=source,
        target=target,
        payload=payload,
        rooms=rooms,
        esp=FatVolume(path, rooms.layout.esp.offset, rooms.layout.esp.size),
        live=Ext4Volume(path, rooms.layout.live.offset, rooms.layout.live.size),
        installed=installed,
        at_boot=used,
        carried=carried,
    )
    return Plan(
        title=f"install {source.label or source.path.name} on {target.path}",
        steps=tuple(install_steps(stick)),
        destroys=refusals.losses(target),
        notes=(*rooms.notes, *_notes(stick)),
        needs=_tools(request),
        needs_files=((grub.BOOT_IMAGE, GRUB_MKIMAGE),) if request.bios else (),
        layout=room_table(payload, rooms),
        source=source.path,
        target=target,
    )


def _tools(request: InstallRequest) -> tuple[Tool, ...]:
    encrypted = request.home is not None and request.home.encrypted
    return (
        *(SFDISK, MKFS_FAT, MTOOLS, MKE2FS, DEBUGFS, E2FSCK),
        *((CRYPTSETUP,) if encrypted else ()),
        *((GRUB_MKIMAGE,) if request.bios else ()),
    )


def _check_words(request: InstallRequest) -> None:
    """The name becomes a directory on FAT and ext4 and a word of the boot line."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", request.name):
        raise UsageError(
            f"{request.name!r} cannot be the name of an image",
            hint="use letters, digits, '.', '-' and '_', and begin with a letter or digit",
        )
    label = request.label
    if label is None:
        return
    if problem := label_problem(label):
        raise UsageError(problem, hint="use letters, digits, - and _")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", label) or len(label) > _LABEL_LIMIT:
        raise UsageError(
            f"{label!r} cannot be the label of an ext4 filesystem on a stick",
            hint=f"use at most {_LABEL_LIMIT} letters, digits, '.', '-' and '_'",
        )


def installed_image(
    request: InstallRequest,
    payload: Payload,
    kind: PersistenceKind | None,
    used: UsedAtBoot,
    *,
    uuid: str,
    label: str,
) -> Installed:
    """The image as it will lie on a filesystem of this UUID and label."""
    image = payload.image
    return Installed(
        uuid=uuid,
        label=label,
        directory=request.name,
        image=payload.root_name,
        flat=image.root.is_flat,
        family=image.family,
        dracut_version=payload.initramfs.dracut if payload.initramfs else None,
        overlay=kind,
        readonly=request.readonly,
        temporary=None if request.temporary is None else request.temporary // _MIB,
        words=used.words,
    )


def _default_label(volume_label: str | None) -> str:
    """The volume label as far as ext4 can hold it and an initramfs can use it.

    One that is too long ends with a whole word: half a version number would be a wrong one.
    """
    label = re.sub(r"[^A-Za-z0-9._+-]+", "-", volume_label or "").strip("-._+")
    if len(label) > _LABEL_LIMIT:
        whole = re.match(rf".{{1,{_LABEL_LIMIT}}}(?=[-_+])", label)
        label = whole[0] if whole else label[:_LABEL_LIMIT]
    return label.rstrip("-._+") or "LIVE"


def _notes(stick: Stick) -> list[str]:
    notes = []
    if not stick.payload.loaders:
        notes.append("the source has no EFI boot loader that can be copied: BIOS only")
        if not stick.request.bios:
            raise UnsupportedError(
                "the source has no EFI boot loader, and BIOS is not wished: nothing would boot",
                hint="leave out --no-bios",
            )
    if not stick.request.bios:
        notes.append("no boot loader for BIOS: this stick starts on UEFI only")
    if stick.carried is not None:
        notes.extend(carry.notes(stick.carried))
    if stick.carried is not None and stick.carried.noted:
        notes.append("the source has no implanted MD5 sum: its record of sums stands in for it")
    elif stick.source.implanted_md5 is None:
        notes.append("the source has no implanted MD5 sum: it cannot be checked before it is used")
    elif not stick.request.verify:
        notes.append("the source will not be checked against its implanted MD5 sum")
    return notes + [f"at boot: {reason}" for reason in stick.at_boot.reasons]


__all__ = ["Identities", "InstallRequest", "plan"]
