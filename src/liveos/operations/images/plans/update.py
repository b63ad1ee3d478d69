# SPDX-License-Identifier: Apache-2.0
"""The plan of ``update``: a newer ISO takes an image's place, in the same directory.

The new root, kernel and initramfs lie beside the old ones first, under names that nothing knows;
then the image's menu changes, all at once; then the old ones go. Home and swap stay where they
are. An overlay that is set aside is so when no entry uses it: in between, the menu keeps nothing.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID

from liveos.errors import UnsupportedError
from liveos.formats.binary import FormatError
from liveos.host.folders.folder import FolderFile
from liveos.host.target import Target
from liveos.host.tools import DEBUGFS, E2FSCK, MKE2FS, MTOOLS
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.home.updates import find_updates
from liveos.medium.image_menu import find_image_menu
from liveos.medium.installation import Record, read_record
from liveos.medium.installed import Installed, refuse
from liveos.medium.memory_warnings import is_read_only
from liveos.medium.model import Image, Medium
from liveos.medium.record import RECORD_NAME
from liveos.medium.stick import OpenStick, require_image
from liveos.operations.images.deciding import check_target
from liveos.operations.images.kept_memory import (
    KeptOverlay,
    OverlayFate,
    embedded,
    making,
    overlay_after,
    size_of_new,
    use_of_memory,
)
from liveos.operations.images.loaders import efi_verb, loader_notes
from liveos.operations.images.mounted import check_change, check_own, opening, record_on_esp, tools
from liveos.operations.images.old_files import OldFiles, beside, old_files
from liveos.operations.images.room import require_esp, require_live, require_size
from liveos.operations.images.titles import told_apart
from liveos.operations.install.filesystems import filesystem_called
from liveos.operations.install.layout_checks import check_driver
from liveos.operations.install.payload import Payload, choose_image, menu_entries, payload_of
from liveos.operations.install.planning import Tags, installed_image
from liveos.operations.install.sequence import features
from liveos.operations.install.stick import InstallRequest, UsedAtBoot
from liveos.operations.menus import syslinux_text
from liveos.operations.menus.everywhere import in_step
from liveos.operations.menus.text import image_menu, image_menu_path
from liveos.operations.plan import AnyStep, Plan
from liveos.operations.steps.home import WriteUpdate
from liveos.operations.steps.images import AddFile, AddRecord, RemoveFile, SetAside
from liveos.operations.steps.menus import ReplaceMenu
from liveos.operations.steps.stick import CheckSource, Place, ReadBack, Sync


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRequest:
    """What is wished. ``overlay`` None leaves it open, which is good where there is none.

    ``uuid`` is for an overlay of the kind image that is made anew.
    """

    uuid: UUID
    overlay: OverlayFate | None = None
    kernel_arguments: tuple[str, ...] = ()
    verify: bool = True


@dataclass(frozen=True, slots=True)
class _Update:
    """What has been decided."""

    request: UpdateRequest
    source: Medium
    stick: OpenStick
    name: str
    old: Image
    old_files: OldFiles
    record: Record | None
    payload: Payload
    installed: Installed
    used: UsedAtBoot
    overlay: KeptOverlay
    overlay_size: int | None

    @property
    def overlay_place(self) -> FolderFile:
        return FolderFile(
            self.stick.folder(self.name), self.installed.overlay_path.rpartition("/")[2]
        )

    def menus(self, installed: Installed) -> Iterator[ReplaceMenu]:
        """The steps by which the image starts as ``installed`` says."""
        entries = menu_entries(self.payload, installed, self.request.kernel_arguments)
        folder = self.stick.boot_folder(self.name)
        text = image_menu(entries, self.payload.efi_verb)
        yield ReplaceMenu(FolderFile(folder, image_menu_path(self.name).rpartition("/")[2]), text)
        if self.stick.syslinux is not None:
            file = FolderFile(folder, syslinux_text.image_menu_path(self.name).rpartition("/")[2])
            yield ReplaceMenu(file, syslinux_text.image_menu(self.name, entries))


def plan(  # noqa: PLR0913 - each is known by itself
    request: UpdateRequest,
    source: Medium,
    stick: OpenStick,
    name: str | None,
    target: Target,
    system: LiveSystem | None = None,
    *,
    drivers: frozenset[str] | None = None,
) -> Plan:
    """Put ``source`` in the place of an image; ``drivers`` are those of its initramfs.

    :raises UsageError: the image has an overlay, and nobody said what shall become of it.
    :raises RefusedError: what was said would destroy it.
    :raises NoSpaceError: there is no room for the new files beside the old ones.
    :raises UnsupportedError: the new image could not use what is there.
    """
    name = require_image(stick, name)
    check_target(target)
    check_change(stick, name)
    check_own(stick, name)
    check_driver(filesystem_called(stick.filesystem), choose_image(source), drivers)
    update = _decide(request, source, stick, name, system)
    overlay = update.overlay
    return Plan(
        title=f"update {name} on {stick.path} to {source.label or source.path.name}",
        steps=(*opening(stick), *_steps(update)),
        destroys=tuple(_losses(update)),
        notes=(*overlay.notes, *_notes(update)),
        needs=(MTOOLS, DEBUGFS, E2FSCK, *((MKE2FS,) if overlay.making else ()), *tools(stick)),
        source=source.path,
        when_it_fails=f"{name} starts as before or as it should; the same command goes on",
    )


def _decide(
    request: UpdateRequest, source: Medium, stick: OpenStick, name: str, system: LiveSystem | None
) -> _Update:
    old = stick.image(name)
    if old is None or old.root.file is None:
        raise UnsupportedError(
            f"{stick.path} has no root of {name} that could be replaced",
            hint=f"liveos remove {stick.path}:{name}, then liveos install --add",
        )
    record = read_record(stick.live, name)
    image = choose_image(source)
    files = old_files(stick, name, old)
    others = [entry for entry in stick.entries if entry not in old.entries]
    payload = told_apart(payload_of(source, image, name), others, name)
    payload = replace(payload, loaders=(), efi_verb=efi_verb(stick, payload))
    payload = beside(payload, name, files)
    overlay = overlay_after(old, record, image, request.overlay)
    used = use_of_memory(old, image, system, name)
    wanted = InstallRequest(name=name, readonly=is_read_only(old.entries))
    tags = Tags(stick.live.uuid or "", stick.live.label or "", stick.filesystem)
    installed = installed_image(wanted, payload, overlay.kind, used, tags)
    refuse(installed)
    require_size(payload, stick)
    room = require_live(stick, payload, used.updates, name, _freed(files.stale_roots))
    boot_files = [file for file, _ in payload.boot_files]
    require_esp(stick, boot_files, name, _freed(files.stale_boot))
    # The old root goes before a new overlay is made.
    size = (
        size_of_new(overlay, image, room + old.root.file.size) if overlay.making else overlay.size
    )
    return _Update(
        request, source, stick, name, old, files, record, payload, installed, used, overlay, size
    )


def _steps(update: _Update) -> Iterator[AnyStep]:
    stick, source = update.stick, update.source
    if update.request.verify and source.implanted_md5 is not None:
        yield CheckSource(source.path, source.implanted_md5.md5, meanwhile=False)
    # What an earlier run has left is told from GRUB's menu.
    yield from in_step(find_image_menu(stick.scene, update.name))
    yield from (RemoveFile(file) for file in update.old_files.stale)
    yield from _new_files(update)
    yield Sync(stick.device)
    yield ReadBack(stick.path)
    if update.used.updates:
        stored = find_updates(stick.live)
        yield from (
            WriteUpdate(each.place, each.file.text) for each in stored if not each.is_current
        )
    forgets = replace(update.installed, overlay=None, readonly=False)
    yield from update.menus(forgets if update.overlay.making else update.installed)
    yield RemoveFile(FolderFile(stick.folder(update.name), update.old_files.root))
    yield from (RemoveFile(file) for file in update.old_files.boot)
    if update.overlay.making:
        yield from _exchange_overlay(update)
    facts = _facts(update)
    yield AddRecord(Place(stick.live_volume, f"/{update.name}/{RECORD_NAME}"), facts)
    yield from record_on_esp(stick, update.name, facts)


def _new_files(update: _Update) -> Iterator[AddFile]:
    stick, payload = update.stick, update.payload
    yield AddFile(payload.root, Place(stick.live_volume, f"/{update.name}/{payload.root_name}"))
    for file, path in payload.boot_files:
        yield AddFile(file, Place(stick.esp_volume, path))


def _exchange_overlay(update: _Update) -> Iterator[AnyStep]:
    """The old overlay gets a name that nothing looks for, and an empty one takes its place."""
    aside, folder = update.overlay.aside, update.stick.folder(update.name)
    if aside is not None:
        name = aside.path.rpartition("/")[2]
        yield SetAside(folder, name, _name_aside(update, name))
    filesystem = embedded(
        update.request.uuid, features(update.payload), targeted=update.used.targeted
    )
    yield making(update.installed.overlay, update.overlay_place, update.overlay_size, filesystem)
    yield from update.menus(update.installed)


def _name_aside(update: _Update, name: str) -> str:
    there = update.stick.live.list_names(f"/{update.name}")
    number, aside = 1, f"old-{name}"
    while aside in there:
        number += 1
        aside = f"old-{number}-{name}"
    return aside


def _facts(update: _Update) -> dict[str, object]:
    """The record as it was, with what is new; the sums are added when it is written."""
    source, installed = update.source, update.installed
    entries = menu_entries(update.payload, installed, update.request.kernel_arguments)
    md5 = source.implanted_md5.md5 if source.implanted_md5 else None
    overlay = installed.overlay and {
        "kind": str(installed.overlay),
        "path": installed.overlay_path,
        "size": update.overlay_size,
        "readonly": installed.readonly,
    }
    return {
        "schema": "liveos/image/1",
        "name": update.name,
        **(update.record.facts if update.record is not None else {}),
        "source": {"label": source.label, "size": source.size, "implanted_md5": md5},
        "kernel": update.payload.kernel_version,
        "dracut": installed.dracut_version,
        "options": " ".join(entries[0].options),
        "overlay": overlay,
        "words": list(installed.words),
    }


def _losses(update: _Update) -> Iterator[str]:
    yield f"the root, the kernel and the initramfs that {update.name} has now"
    for file in update.old_files.stale:
        yield f"{file}, left by a run that was cut off"


def _notes(update: _Update) -> Iterator[str]:
    yield from loader_notes(update.stick, update.payload, update.name)
    if update.old.home is not None:
        yield f"the home {update.old.home.path} stays as it is"
    aside = update.overlay.aside
    if aside is not None:
        name = _name_aside(update, aside.path.rpartition("/")[2])
        yield f"{aside.path} is set aside as /{update.name}/{name}; nothing uses or removes it"
    if update.source.implanted_md5 is None:
        yield "the source has no implanted MD5 sum: it cannot be checked before it is used"
    old = {word for entry in update.old.entries[:1] for word in entry.options}
    new = set(
        menu_entries(update.payload, update.installed, update.request.kernel_arguments)[0].options
    )
    gone = sorted(word for word in old - new if not word.startswith("rd.live."))
    if gone:
        words = " ".join(gone)
        yield f"the kernel line has had these words and will not have them: {words}"
    yield from (f"at boot: {reason}" for reason in update.used.reasons)


def _freed(files: tuple[FolderFile, ...]) -> int:
    """Bytes that are given back before anything is written; at least so many.

    A file whose removal was cut off may have lost its clusters already.
    """
    freed = 0
    for file in files:
        with suppress(FormatError), file.open() as content:
            freed += content.size
    return freed
