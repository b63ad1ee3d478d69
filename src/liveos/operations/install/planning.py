# SPDX-License-Identifier: Apache-2.0
"""``liveos install``: an image onto a new stick, as a plan.

Pure: the machine is known here only by the facts in `Medium` and `Target`, and what differs from
stick to stick (`Identities`) is part of the request.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from liveos.errors import UnsupportedError, UsageError
from liveos.host.target import Target, TargetKind
from liveos.host.tools import (
    CRYPTSETUP,
    DEBUGFS,
    E2FSCK,
    MKE2FS,
    MKFS_FAT,
    MTOOLS,
    SFDISK,
    Tool,
)
from liveos.host.volumes import FatVolume
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.installed import Installed, label_problem, refuse
from liveos.medium.model import Image, Medium, PersistenceKind
from liveos.operations.carry import planning as carry
from liveos.operations.carry.facts import Carried
from liveos.operations.install import refusals
from liveos.operations.install.bootloaders import needed_files, needed_tools
from liveos.operations.install.device_refusals import check_device
from liveos.operations.install.filesystems import LiveFilesystem
from liveos.operations.install.filesystems import Target as LivePlace
from liveos.operations.install.layout import Identities
from liveos.operations.install.layout_checks import check_filesystem, check_partitions, check_usual
from liveos.operations.install.memory import at_boot, check_memory
from liveos.operations.install.overlay import choose_kind
from liveos.operations.install.payload import Payload, choose_image, payload_of
from liveos.operations.install.rooms import room_table, share_rooms
from liveos.operations.install.scratch import scratch_notes
from liveos.operations.install.sequence import install_steps
from liveos.operations.install.stick import InstallRequest, Stick, UsedAtBoot
from liveos.operations.plan import Plan

_MIB = 1024 * 1024


def plan(
    request: InstallRequest,
    source: Medium,
    target: Target,
    system: LiveSystem | None = None,
    carried: Carried | None = None,
    *,
    drivers: frozenset[str] | None = None,
) -> Plan:
    """How ``source`` will be installed on ``target``.

    ``system`` is what the source's root holds that matters for home and swap; without them nobody
    needs to look. ``carried`` is what comes along from an installed image. ``drivers`` are the
    kernel modules in its initramfs, where that matters.

    :raises RefusedError: something would be lost that the request does not name.
    :raises NoSpaceError: it does not fit; the least size is named.
    :raises UnsupportedError: the image cannot be installed like that.
    :raises NotPermittedError: the target cannot be written.
    """
    check_device(target, request.serials, allow_fixed=request.allow_fixed)
    size = refusals.check_target(request.size, target, source, erase=request.erase)
    _check_words(request)
    check_memory(request)
    check_partitions(request, size)
    if target.draft is not None:
        check_usual(request, "a stick that udisks2 lends")
    if carried is not None:
        if carried.overlay is not None or carried.home is not None:
            check_usual(request, "a stick with the overlay or the home of another")
        request = carry.with_memory(request, carried)
    image = choose_image(source)
    used = at_boot(request, image, system)
    kind = _kind(request, image, used)
    uncompressed = request.uncompressed or kind is PersistenceKind.DIRECT
    payload = payload_of(source, image, request.name, uncompressed=uncompressed)
    check_filesystem(request, payload, drivers)
    label = request.label or _default_label(source.label, request.filesystem)
    filesystem = request.filesystem
    tags = Tags(filesystem.uuid(request.identities), label, filesystem.name)
    installed = installed_image(request, payload, kind, used, tags)
    refuse(installed)
    rooms = share_rooms(request, payload, size, kind, used.updates)
    if carried is not None:
        rooms = carry.with_sizes(rooms, carried)
    path = target.part_path if request.size is not None else target.draft or target.path
    place, esp = _place(request, target, path), rooms.layout.esp
    stick = Stick(
        request=request,
        source=source,
        target=target,
        payload=payload,
        rooms=rooms,
        esp=FatVolume(path, esp.offset, esp.size, esp.name),
        live=request.filesystem.volume(place, rooms.layout.live),
        installed=installed,
        at_boot=used,
        place=place,
        carried=carried,
    )
    return Plan(
        title=f"install {source.label or source.path.name} on {target.path}",
        steps=tuple(install_steps(stick)),
        destroys=refusals.losses(target),
        notes=(*rooms.notes, *scratch_notes(stick), *_notes(stick)),
        needs=_tools(request),
        needs_files=needed_files(request.bootloader, bios=request.bios),
        layout=room_table(payload, rooms, request.filesystem),
        source=source.path,
        target=target,
    )


def _tools(request: InstallRequest) -> tuple[Tool, ...]:
    encrypted = request.home is not None and request.home.encrypted
    return (
        *(SFDISK, MKFS_FAT, MTOOLS, MKE2FS, DEBUGFS, E2FSCK),
        *((CRYPTSETUP,) if encrypted else ()),
        *needed_tools(request.bootloader, bios=request.bios),
        *request.filesystem.tools,
        *(request.data.filesystem.tools if request.data else ()),
    )


def _kind(request: InstallRequest, image: Image, used: UsedAtBoot) -> PersistenceKind | None:
    if request.overlay is None:
        return None
    return choose_kind(image, request.overlay_kind, request.filesystem, targeted=used.targeted)


def _place(request: InstallRequest, target: Target, path: Path) -> LivePlace:
    """Scratch space is beside a file, and never on a device that is being written."""
    scratch = path.with_name(f"{path.name}.tree")
    if target.kind is TargetKind.DEVICE:
        # A directory of a name that nobody can guess, made exclusively: gathered.py.
        scratch = Path("/var/tmp", f"liveos-{request.identities.live_filesystem}")  # noqa: S108 - see above
    return LivePlace(path, new=request.size is not None, scratch=scratch)


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
    filesystem = request.filesystem
    wrong = not re.fullmatch(_signs(filesystem), label) or len(label) > filesystem.label_limit
    if wrong:
        signs = "capital letters, digits" if filesystem.label_upper else "letters, digits, '.'"
        article = "an" if filesystem.name == "ext4" else "a"
        raise UsageError(
            f"{label!r} cannot be the label of {article} {filesystem.name} filesystem on a stick",
            hint=f"use at most {filesystem.label_limit} {signs}, '-' and '_'",
        )


def _signs(filesystem: LiveFilesystem) -> str:
    return "[A-Z0-9][A-Z0-9_-]*" if filesystem.label_upper else "[A-Za-z0-9][A-Za-z0-9._+-]*"


@dataclass(frozen=True, slots=True)
class Tags:
    """By what a kernel and its initramfs know a filesystem: UUID, label, and the kernel's name."""

    uuid: str
    label: str
    filesystem: str = "ext4"


def installed_image(
    request: InstallRequest,
    payload: Payload,
    kind: PersistenceKind | None,
    used: UsedAtBoot,
    tags: Tags,
) -> Installed:
    """The image as it will lie on a filesystem with these tags."""
    image = payload.image
    return Installed(
        uuid=tags.uuid,
        label=tags.label,
        filesystem=tags.filesystem,
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


def _default_label(volume_label: str | None, filesystem: LiveFilesystem) -> str:
    """The volume label as far as the filesystem can hold it and an initramfs can use it.

    One that is too long ends with a whole word: half a version number would be a wrong one.
    """
    label, limit = volume_label or "", filesystem.label_limit
    if filesystem.label_upper:
        label = label.upper().replace(".", "-").replace("+", "-")
    label = re.sub(r"[^A-Za-z0-9._+-]+", "-", label).strip("-._+")
    if len(label) > limit:
        whole = re.match(rf".{{1,{limit}}}(?=[-_+])", label)
        label = whole[0] if whole else label[:limit]
    return label.rstrip("-._+") or "LIVE"


def _notes(stick: Stick) -> list[str]:
    notes = []
    if stick.request.starts_without_menu:
        notes.append("UEFI starts the kernel by itself: no menu, and no Secure Boot")
    elif not stick.payload.loaders:
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
    notes.extend(_source_notes(stick))
    return notes + [f"at boot: {reason}" for reason in stick.at_boot.reasons]


def _source_notes(stick: Stick) -> list[str]:
    """Whether the source can be checked, and will be."""
    notes = []
    if stick.carried is not None and stick.carried.noted:
        notes.append("the source has no implanted MD5 sum: its record of sums stands in for it")
    elif stick.source.implanted_md5 is None:
        notes.append("the source has no implanted MD5 sum: it cannot be checked before it is used")
    elif not stick.request.verify:
        notes.append("the source will not be checked against its implanted MD5 sum")
    return notes


__all__ = ["Identities", "InstallRequest", "plan"]
