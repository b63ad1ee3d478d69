# SPDX-License-Identifier: Apache-2.0
"""The steps that make a stick, in the order that keeps it either untouched or plainly unfinished.

First the target is made unbootable and marked; then it is filled, synced and read back; then come
the loaders; the mark and the notice in the boot code go last.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from liveos.host.tools import SFDISK, Command
from liveos.host.volumes import CHECKSUM_FEATURES, SAFE_FEATURES, Ext4Volume, StagedVolume
from liveos.operations.carry.planning import sum_steps
from liveos.operations.install import refusals
from liveos.operations.install.boot_steps import bios_menu_steps, boot_code, loader_steps
from liveos.operations.install.data import data_steps
from liveos.operations.install.filesystems import Making, Naming
from liveos.operations.install.live_contents import (
    home_steps,
    memory_record,
    overlay_steps,
    private_steps,
    root_step,
    swap_steps,
    update_steps,
)
from liveos.operations.install.payload import Payload
from liveos.operations.install.stick import Stick
from liveos.operations.menus import text as menu
from liveos.operations.plan import AnyStep
from liveos.operations.steps.layouts import LayoutStep
from liveos.operations.steps.stick import (
    AwaitCheck,
    CheckSource,
    ClaimDevice,
    Copy,
    CreateImage,
    Detach,
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
    WriteDevice,
    WriteRecord,
)

_ESP_LABEL = "LIVE-BOOT"
_UNFINISHED = "/LIVEOS-UNFINISHED"
_UNFINISHED_TEXT = "The installation of this stick has not ended. Run it again.\n"


def install_steps(stick: Stick) -> list[AnyStep]:
    """Everything that is done to the target, in order."""
    return [
        *_prepare(stick),
        *_make_filesystems(stick),
        *_fill_live(stick),
        *_fill_esp(stick),
        *_check_contents(stick),
        *_make_bootable(stick),
        *_finish(stick),
    ]


def _prepare(stick: Stick) -> list[Step]:
    """Up to here nothing has been touched; after it the target is plainly not bootable."""
    path, layout, target = stick.esp.path, stick.layout, stick.target
    steps: list[Step] = []
    if stick.checks_source and stick.source.implanted_md5 is not None:
        md5 = stick.source.implanted_md5.md5
        steps.append(CheckSource(stick.source.path, md5, meanwhile=stick.makes_file))
    if target.device is not None:
        steps.append(ClaimDevice(target.path, target.device, lent=target.draft is not None))
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


def _make_filesystems(stick: Stick) -> list[AnyStep]:
    identities = stick.request.identities
    make_live: tuple[Step | LayoutStep, ...] = (
        *data_steps(stick.request.data, stick.place, stick.layout.data, identities),
        *_making(stick).before,
    )
    if stick.target.draft is not None:
        make_live = tuple(map(_without_holes, make_live))
    marks = (Write(Place(stick.esp, _UNFINISHED), _UNFINISHED_TEXT), Sync(stick.esp.path))
    if stick.layout.is_single:
        return [*make_live, *marks]
    make_esp = stick.esp.make(_ESP_LABEL, identities.esp_serial)
    return [Run("Make the ESP (FAT32)", make_esp), *marks, *make_live]


def _without_holes(step: Step | LayoutStep) -> Step | LayoutStep:
    """What is a hole in the draft is not written, so that zeros must not become holes."""
    if not isinstance(step, Run):
        return step
    command = replace(step.command, environment=(("UNIX_IO_NOZEROOUT", "1"),))
    return replace(step, command=command)


def _making(stick: Stick) -> Making:
    naming = Naming(stick.installed.label, stick.request.identities, features(stick.payload))
    return stick.request.filesystem.steps(stick.live, naming)


def features(payload: Payload) -> str:
    """The image's kernel must mount it read-write; metadata_csum is certain from 4.0 on."""
    match = re.match(r"(\d{1,3})\.\d", payload.kernel_version or "")
    return CHECKSUM_FEATURES if match and int(match[1]) >= 4 else SAFE_FEATURES


def _fill_live(stick: Stick) -> list[AnyStep]:
    return [
        MakeDirectories(stick.live, (stick.directory,)),
        root_step(stick),
        *overlay_steps(stick, features(stick.payload)),
        *home_steps(stick),
        *swap_steps(stick),
        *private_steps(stick),
        *update_steps(stick),
    ]


def _fill_esp(stick: Stick) -> list[AnyStep]:
    request, payload, esp = stick.request, stick.payload, stick.esp
    own = (menu.DIRECTORY, menu.image_directory(request.name))
    directories = tuple(
        # On a single FAT, "/liveos" may be there already: it is "/LiveOS".
        path
        for path in (*own, "/EFI", "/EFI/BOOT", "/boot", "/boot/grub")
        if not (stick.layout.is_single and path.casefold() == stick.directory.casefold())
    )
    entries = stick.entries
    image_menu = menu.image_menu(entries, payload.efi_verb)
    stick_menu = menu.stick_menu((request.name,), stick.esp_uuid, request.timeout)
    return [
        MakeDirectories(esp, directories),
        *(Copy(file, Place(esp, path)) for file, path in payload.boot_files),
        *sum_steps(stick),
        *_records(stick, image_record(stick, entries[0].options)),
        Write(Place(esp, menu.image_menu_path(request.name)), image_menu),
        Write(Place(esp, menu.MENU), stick_menu),
        Write(Place(esp, menu.DEBIAN_MENU), menu.DEBIAN_MENU_TEXT),
        *bios_menu_steps(stick, entries),
    ]


def _records(stick: Stick, record: dict[str, object]) -> Iterator[WriteRecord]:
    """Beside the image; and beside its kernel, where nobody reads LIVE without mounting it."""
    yield WriteRecord(Place(stick.live, f"{stick.directory}/image.json"), record)
    if isinstance(stick.live, StagedVolume):
        directory = menu.image_directory(stick.request.name)
        yield WriteRecord(Place(stick.esp, f"{directory}/image.json"), record)


def image_record(stick: Stick, options: tuple[str, ...]) -> dict[str, object]:
    """What ``image.json`` says, but for the files, which are known when they are copied."""
    source, payload = stick.source, stick.payload
    md5 = source.implanted_md5.md5 if source.implanted_md5 else None
    return {
        "schema": "liveos/image/1",
        "name": stick.request.name,
        "source": {"label": source.label, "size": source.size, "implanted_md5": md5},
        "kernel": payload.kernel_version,
        "dracut": stick.installed.dracut_version,
        "options": " ".join(options),
        **memory_record(stick),
    }


def _check_contents(stick: Stick) -> list[AnyStep]:
    path, live = stick.esp.path, stick.live
    waits = stick.makes_file and stick.checks_source
    return [
        *_making(stick).after,
        Sync(path),
        ReadBack(path),
        *([Run("Check the LIVE filesystem", live.check())] if isinstance(live, Ext4Volume) else []),
        *([AwaitCheck(stick.source.path)] if waits else []),
    ]


def _make_bootable(stick: Stick) -> list[AnyStep]:
    """The loaders come when everything that they could start has been read back."""
    path, steps = stick.esp.path, list(loader_steps(stick, stick.entries))
    return [*steps, Sync(path), ReadBack(path)] if steps else []


def _finish(stick: Stick) -> list[AnyStep]:
    """The notice in the boot code goes last, so that until then anybody can see it."""
    path = stick.esp.path
    steps: list[AnyStep] = [
        Remove(Place(stick.esp, _UNFINISHED)),
        Sync(path),
        boot_code(stick),
    ]
    if stick.target.draft is not None:
        regions = refusals.regions_to_wipe(stick.target, stick.layout)
        steps.append(WriteDevice(path, stick.target.path, regions))
    elif stick.makes_file:
        replaces = stick.target.size is not None
        steps.append(Publish(path, stick.target.path, replaces=replaces))
    device = stick.target.device
    if device is not None and device.is_removable and stick.request.eject:
        steps.append(Detach(stick.target.path))
    return steps
