# SPDX-License-Identifier: Apache-2.0
"""``liveos install``: an image onto a new stick, as a plan.

Pure: the machine is known here only by the facts in `Medium` and `Target`, and what differs from
stick to stick (`Identities`) is part of the request.
"""

import re
from dataclasses import dataclass, field

from liveos.errors import NoSpaceError, UnsupportedError, UsageError
from liveos.host import grub
from liveos.host.target import Target
from liveos.host.tools import (
    DEBUGFS,
    E2FSCK,
    GRUB_MKIMAGE,
    MKE2FS,
    MKFS_FAT,
    MTOOLS,
    SFDISK,
    Command,
)
from liveos.host.volumes import (
    CHECKSUM_FEATURES,
    SAFE_FEATURES,
    Ext4Volume,
    FatVolume,
    ext4_capacity,
    ext4_size,
)
from liveos.medium.bootline import Installed, label_problem
from liveos.medium.model import Medium, PersistenceKind
from liveos.operations import menu, refusals
from liveos.operations.layout import Identities, Layout, lay_out, least_size
from liveos.operations.new_overlay import LEAST_SNAPSHOT, choose_kind, snapshot_size
from liveos.operations.payload import Payload, choose_image, menu_entries, payload_of
from liveos.operations.plan import Plan
from liveos.operations.steps import (
    Allocate,
    AwaitCheck,
    CheckSource,
    Copy,
    CreateImage,
    InstallCore,
    MakeDirectories,
    MakeUnbootable,
    Place,
    Publish,
    ReadBack,
    Remove,
    Run,
    Step,
    Sync,
    Write,
    WriteBootCode,
    WriteRecord,
)
from liveos.sizes import Size, format_size

_MIB = 1024 * 1024
_ESP_LABEL = "LIVE-BOOT"
_UNFINISHED = "/LIVEOS-UNFINISHED"
_UNFINISHED_TEXT = "The installation of this stick has not ended. Run it again.\n"
_ROOT_CONTEXT = "system_u:object_r:root_t:s0"
"""The upper directory becomes ``/`` of the live system; SELinux must find it labelled like that."""

_LABEL_LIMIT = 16
_RECORD_SIZE = 64 * 1024
_REST = Size()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRequest:
    """What is wished. ``size`` makes a new file; without it the target keeps its own.

    ``overlay`` None means that changes are not kept; ``overlay_kind`` None lets the image decide.
    ``label`` is that of the LIVE partition, ``name`` the image's directory there. ``timeout`` is
    how many seconds the boot menu waits.
    """

    identities: Identities = field(default_factory=Identities.random)
    size: int | None = None
    erase: bool = False
    overlay: Size | None = _REST
    overlay_kind: PersistenceKind | None = None
    label: str | None = None
    name: str = "LiveOS"
    kernel_arguments: tuple[str, ...] = ()
    bios: bool = True
    verify: bool = True
    timeout: int = 5


@dataclass(frozen=True, slots=True)
class _Stick:
    """Everything that has been decided, for the functions that write down the steps."""

    request: InstallRequest
    source: Medium
    target: Target
    payload: Payload
    layout: Layout
    esp: FatVolume
    live: Ext4Volume
    installed: Installed
    overlay_size: int | None

    @property
    def directory(self) -> str:
        return f"/{self.request.name}"

    @property
    def makes_file(self) -> bool:
        """A new file is made beside the target and renamed; else the target is written in place."""
        return self.request.size is not None


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
        steps=tuple(_steps(stick)),
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
) -> _Stick:
    path = target.part_path if request.size is not None else target.path
    image = payload.image
    return _Stick(
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
    """The volume label as far as ext4 can hold it and an initramfs can use it."""
    label = re.sub(r"[^A-Za-z0-9._+-]+", "-", volume_label or "").strip("-._+")
    return label[:_LABEL_LIMIT].rstrip("-._+") or "LIVE"


def _steps(stick: _Stick) -> list[Step]:
    return [
        *_prepare(stick),
        *_make_filesystems(stick),
        *_fill_live(stick),
        *_fill_esp(stick),
        *_check_contents(stick),
        *_make_bootable(stick),
        *_finish(stick),
    ]


def _prepare(stick: _Stick) -> list[Step]:
    """Up to here nothing has been touched; after it the target is plainly not bootable."""
    path, layout, target = stick.esp.path, stick.layout, stick.target
    steps: list[Step] = []
    if stick.request.verify and stick.source.implanted_md5 is not None:
        md5 = stick.source.implanted_md5.md5
        steps.append(CheckSource(stick.source.path, md5, meanwhile=stick.makes_file))
    if stick.makes_file:
        steps.append(CreateImage(path, layout.size, replaces=target.part_is_ours))
    else:
        regions = refusals.regions_to_wipe(target, layout)
        steps += [MakeUnbootable(path, regions), Sync(path)]
    # The kernel is told once, at the end; udev would start to probe half-made filesystems.
    quiet = ("--quiet", "--no-reread", "--no-tell-kernel")
    keep = ("--wipe", "never", "--wipe-partitions", "never")
    command = Command(SFDISK, (*quiet, *keep, str(path)))
    steps.append(Run("Write the partition table", command, layout.sfdisk_script()))
    return steps


def _make_filesystems(stick: _Stick) -> list[Step]:
    identities = stick.request.identities
    make_esp = stick.esp.make(_ESP_LABEL, identities.esp_serial)
    features = _features(stick.payload)
    make_live = stick.live.make(stick.installed.label, identities.live_filesystem, features)
    return [
        Run("Make the ESP (FAT32)", make_esp),
        Write(Place(stick.esp, _UNFINISHED), _UNFINISHED_TEXT),
        Sync(stick.esp.path),
        Run("Make the LIVE filesystem (ext4)", make_live),
    ]


def _features(payload: Payload) -> str:
    """The image's kernel must mount it read-write; metadata_csum is certain from 4.0 on."""
    match = re.match(r"(\d{1,3})\.\d", payload.kernel_version or "")
    return CHECKSUM_FEATURES if match and int(match[1]) >= 4 else SAFE_FEATURES


def _fill_live(stick: _Stick) -> list[Step]:
    root = Place(stick.live, f"{stick.directory}/{stick.payload.root_name}")
    return [
        MakeDirectories(stick.live, (stick.directory,)),
        Copy(stick.payload.root, root),
        *_overlay_steps(stick),
    ]


def _overlay_steps(stick: _Stick) -> list[Step]:
    overlay = stick.installed.overlay_path
    if stick.overlay_size is not None:
        return [Allocate(Place(stick.live, overlay), stick.overlay_size)]
    if stick.installed.overlay is PersistenceKind.DIRECTORY:
        work = f"{stick.directory}/ovlwork"
        return [MakeDirectories(stick.live, (overlay, work), selinux=_ROOT_CONTEXT)]
    return []


def _fill_esp(stick: _Stick) -> list[Step]:
    request, payload, esp = stick.request, stick.payload, stick.esp
    directories = (menu.DIRECTORY, menu.image_directory(request.name), "/EFI", "/EFI/BOOT")
    entries = menu_entries(payload, stick.installed, request.kernel_arguments)
    image_menu = menu.image_menu(entries, payload.efi_verb)
    identities = request.identities
    stick_menu = menu.stick_menu((request.name,), identities.esp_uuid, request.timeout)
    return [
        MakeDirectories(esp, directories),
        *(Copy(file, Place(esp, path)) for file, path in payload.boot_files),
        WriteRecord(
            Place(stick.live, f"{stick.directory}/image.json"),
            _record(stick, entries[0].options),
        ),
        Write(Place(esp, menu.image_menu_path(request.name)), image_menu),
        Write(Place(esp, menu.MENU), stick_menu),
    ]


def _record(stick: _Stick, options: tuple[str, ...]) -> dict[str, object]:
    """What ``image.json`` says, but for the files, which are known when they are copied."""
    source, payload = stick.source, stick.payload
    md5 = source.implanted_md5.md5 if source.implanted_md5 else None
    overlay = stick.installed.overlay
    return {
        "schema": "liveos/image/1",
        "name": stick.request.name,
        "source": {"label": source.label, "size": source.size, "implanted_md5": md5},
        "kernel": payload.kernel_version,
        "dracut": stick.installed.dracut_version,
        "options": " ".join(options),
        "overlay": None
        if overlay is None
        else {
            "kind": str(overlay),
            "path": stick.installed.overlay_path,
            "size": stick.overlay_size,
        },
    }


def _check_contents(stick: _Stick) -> list[Step]:
    path = stick.esp.path
    waits = stick.makes_file and stick.request.verify and stick.source.implanted_md5 is not None
    return [
        Sync(path),
        ReadBack(path),
        Run("Check the LIVE filesystem", stick.live.check()),
        *([AwaitCheck(stick.source.path)] if waits else []),
    ]


def _make_bootable(stick: _Stick) -> list[Step]:
    """The loaders come when everything that they could start has been read back."""
    path, bios_boot = stick.esp.path, stick.layout.bios_boot
    steps: list[Step] = []
    if stick.request.bios:
        search = grub.embedded_configuration(stick.request.identities.esp_uuid)
        build = grub.build_core()
        steps.append(InstallCore(path, bios_boot.offset, bios_boot.size, build, search))
    loaders = [Copy(file, Place(stick.esp, place)) for file, place in stick.payload.loaders]
    return [*steps, *loaders, Sync(path), ReadBack(path)] if loaders else steps


def _finish(stick: _Stick) -> list[Step]:
    """The notice in the boot code goes last, so that until then anybody can see it."""
    path = stick.esp.path
    boot_image = grub.BOOT_IMAGE if stick.request.bios else None
    steps: list[Step] = [
        Remove(Place(stick.esp, _UNFINISHED)),
        Sync(path),
        WriteBootCode(path, boot_image, stick.layout.bios_boot.offset),
    ]
    if stick.makes_file:
        replaces = stick.target.size is not None
        steps.append(Publish(path, stick.target.path, replaces=replaces))
    return steps


def _notes(stick: _Stick) -> list[str]:
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


def _table(stick: _Stick) -> tuple[tuple[str, int], ...]:
    root = (f"LIVE: {stick.payload.root_name}", stick.payload.root.size)
    overlay = (("LIVE: overlay", stick.overlay_size),) if stick.overlay_size else ()
    boot = ("ESP: kernel, initramfs, loaders", stick.payload.boot_size)
    return (*stick.layout.table(), boot, root, *overlay)


def _blocks(size: int) -> int:
    """Bytes that a file of ``size`` takes on ext4, with what its extent tree may need."""
    return -(-size // 4096) * 4096 + 64 * 1024
