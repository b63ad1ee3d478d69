# SPDX-License-Identifier: Apache-2.0
"""``liveos install``: an image onto a new stick, as a plan.

Pure: the machine is known here only by the facts in `Medium` and `Target`, and what differs from
stick to stick (`Identities`) is part of the request.
"""

import re

from liveos.errors import NoSpaceError, UnsupportedError, UsageError
from liveos.host import grub
from liveos.host.target import Target
from liveos.host.tools import DEBUGFS, E2FSCK, GRUB_MKIMAGE, MKE2FS, MKFS_FAT, MTOOLS, SFDISK
from liveos.host.volumes import Ext4Volume, FatVolume, ext4_capacity, ext4_size
from liveos.medium.bootline import Installed, label_problem
from liveos.medium.model import Medium, PersistenceKind
from liveos.operations.install import refusals
from liveos.operations.install.layout import Identities, Layout, lay_out, least_size
from liveos.operations.install.overlay import LEAST_SNAPSHOT, choose_kind, snapshot_size
from liveos.operations.install.payload import Payload, choose_image, payload_of
from liveos.operations.install.sequence import install_steps
from liveos.operations.install.stick import InstallRequest, Stick
from liveos.operations.plan import Plan
from liveos.sizes import format_size

_MIB = 1024 * 1024
_LABEL_LIMIT = 16
_RECORD_SIZE = 64 * 1024


def plan(request: InstallRequest, source: Medium, target: Target) -> Plan:
    """How ``source`` will be installed on ``target``.

    :raises RefusedError: something would be lost that the request does not name.
    :raises NoSpaceError: it does not fit; the least size is named.
    :raises UnsupportedError: the image cannot be installed like that.
    :raises NotPermittedError: the target cannot be written.
    """
    size = refusals.check_target(request.size, target, source, erase=request.erase)
    _check_words(request)
    image = choose_image(source)
    payload = payload_of(source, image, request.name)
    kind = None if request.overlay is None else choose_kind(image, request.overlay_kind)
    layout = _layout(request, payload, size, kind)
    overlay_size, notes = _overlay(request, payload, layout, kind)
    stick = _stick(request, source, target, payload, layout, kind, overlay_size)
    bios = (GRUB_MKIMAGE,) if request.bios else ()
    return Plan(
        title=f"install {source.label or source.path.name} on {target.path}",
        steps=tuple(install_steps(stick)),
        destroys=refusals.losses(target),
        notes=(*notes, *_notes(stick)),
        needs=(SFDISK, MKFS_FAT, MTOOLS, MKE2FS, DEBUGFS, E2FSCK, *bios),
        needs_files=((grub.BOOT_IMAGE, GRUB_MKIMAGE),) if request.bios else (),
        layout=_table(stick),
        source=source.path,
        target=target,
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


def _layout(
    request: InstallRequest, payload: Payload, size: int, kind: PersistenceKind | None
) -> Layout:
    """The partitions, if LIVE can hold the image and the least overlay that was asked for."""
    wished = request.overlay.bytes or 0 if request.overlay else 0
    if kind is PersistenceKind.SNAPSHOT:
        wished = max(wished, LEAST_SNAPSHOT)
    contents = _contents_size(payload) + wished
    layout = lay_out(size, payload.boot_size, request.identities)
    if layout is not None and ext4_capacity(layout.live.size) >= contents:
        return layout
    table = layout.table() if layout else (("ESP", payload.boot_size),)
    parts = ", ".join(f"{name} {format_size(part)}" for name, part in table)
    overlay = f" and {format_size(wished)} of overlay" if wished else ""
    least = least_size(payload.boot_size, ext4_size(contents))
    raise NoSpaceError(
        f"{format_size(size)} is too small ({parts}): LIVE must hold "
        f"{format_size(payload.root.size)} of image{overlay}",
        hint=f"the least size is {-(-least // _MIB)}M",
    )


def _contents_size(payload: Payload) -> int:
    return _blocks(payload.root.size) + _RECORD_SIZE


def _overlay(
    request: InstallRequest, payload: Payload, layout: Layout, kind: PersistenceKind | None
) -> tuple[int | None, tuple[str, ...]]:
    """The size of the snapshot store, if there is one, and notes."""
    free = ext4_capacity(layout.live.size) - _contents_size(payload)
    if kind is PersistenceKind.SNAPSHOT and request.overlay is not None:
        return snapshot_size(payload.image, request.overlay, free)
    note = f"changes share the {format_size(free)} that are free on LIVE"
    return None, ((note,) if kind else ())


def _stick(  # noqa: PLR0913, PLR0917 - gathers decisions; each has been made on its own
    request: InstallRequest,
    source: Medium,
    target: Target,
    payload: Payload,
    layout: Layout,
    kind: PersistenceKind | None,
    overlay_size: int | None,
) -> Stick:
    path = target.part_path if request.size is not None else target.path
    image = payload.image
    return Stick(
        request=request,
        source=source,
        target=target,
        payload=payload,
        layout=layout,
        esp=FatVolume(path, layout.esp.offset, layout.esp.size),
        live=Ext4Volume(path, layout.live.offset, layout.live.size),
        installed=Installed(
            uuid=str(request.identities.live_filesystem),
            label=request.label or _default_label(source.label),
            directory=request.name,
            image=payload.root_name,
            flat=image.root.is_flat,
            family=image.family,
            dracut_version=payload.initramfs.dracut if payload.initramfs else None,
            overlay=kind,
        ),
        overlay_size=overlay_size,
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
    if stick.source.implanted_md5 is None:
        notes.append("the source has no implanted MD5 sum: it cannot be checked before it is used")
    elif not stick.request.verify:
        notes.append("the source will not be checked against its implanted MD5 sum")
    return notes


def _table(stick: Stick) -> tuple[tuple[str, int], ...]:
    root = (f"LIVE: {stick.payload.root_name}", stick.payload.root.size)
    overlay = (("LIVE: overlay", stick.overlay_size),) if stick.overlay_size else ()
    boot = ("ESP: kernel, initramfs, loaders", stick.payload.boot_size)
    return (*stick.layout.table(), boot, root, *overlay)


def _blocks(size: int) -> int:
    """Bytes that a file of ``size`` takes on ext4, with what its extent tree may need."""
    return -(-size // 4096) * 4096 + 64 * 1024


__all__ = ["Identities", "InstallRequest", "plan"]
