# SPDX-License-Identifier: Apache-2.0
"""The steps that make a stick start: menus, loaders, and at last the boot code."""

from collections.abc import Iterator

from liveos.host import grub, syslinux
from liveos.operations.install.bootloaders import EfiStub, Syslinux
from liveos.operations.install.layout import Table
from liveos.operations.install.payload import LOADER_DIRECTORY
from liveos.operations.install.stick import Stick
from liveos.operations.menus import syslinux_text
from liveos.operations.menus.text import MenuEntry
from liveos.operations.plan import AnyStep
from liveos.operations.steps.loaders import CopyHostFile, MakeUnified, WriteWholeBootCode
from liveos.operations.steps.stick import (
    Copy,
    InstallCore,
    MakeDirectories,
    Place,
    Run,
    Write,
    WriteBootCode,
)

_UNIFIED = f"{LOADER_DIRECTORY}/BOOTX64.EFI"


def bios_menu_steps(stick: Stick, entries: tuple[MenuEntry, ...]) -> Iterator[AnyStep]:
    """What BIOS needs beside the menu that GRUB has for both."""
    request, loader = stick.request, stick.request.bootloader
    if not (request.bios and isinstance(loader, Syslinux)):
        return
    yield MakeDirectories(stick.esp, (syslinux.DIRECTORY,))
    for path in loader.files.menu:
        yield CopyHostFile(path, Place(stick.esp, f"{syslinux.DIRECTORY}/{path.name}"))
    own = syslinux_text.image_menu(request.name, entries)
    yield Write(Place(stick.esp, syslinux_text.image_menu_path(request.name)), own)
    whole = syslinux_text.stick_menu((request.name,), request.timeout)
    yield Write(Place(stick.esp, syslinux_text.MENU), whole)


def loader_steps(stick: Stick, entries: tuple[MenuEntry, ...]) -> Iterator[AnyStep]:
    """The loaders of both firmwares; what the firmware starts comes last."""
    if stick.request.bios:
        yield _bios_loader(stick)
    if isinstance(stick.request.bootloader, EfiStub):
        yield _unified(stick, stick.request.bootloader, entries[0])
        return
    for file, place in stick.payload.loaders:
        yield Copy(file, Place(stick.esp, place))


def boot_code(stick: Stick) -> AnyStep:
    """The code in the first sector."""
    loader, path = stick.request.bootloader, stick.esp.path
    if stick.request.bios and isinstance(loader, Syslinux):
        gpt = stick.layout.table_kind is Table.GPT
        return WriteWholeBootCode(path, loader.files.master_boot_record(gpt=gpt))
    boot_image = grub.BOOT_IMAGE if stick.request.bios else None
    return WriteBootCode(path, boot_image, stick.layout.core[0])


def _bios_loader(stick: Stick) -> AnyStep:
    if isinstance(stick.request.bootloader, Syslinux):
        return Run("Install SYSLINUX", syslinux.install(stick.esp))
    offset, size = stick.layout.core
    search = grub.embedded_configuration(stick.esp_uuid)
    return InstallCore(stick.esp.path, offset, size, grub.build_core(), search)


def _unified(stick: Stick, loader: EfiStub, entry: MenuEntry) -> MakeUnified:
    kernel, *initramfs = (file for file, _ in stick.payload.boot_files)
    line = " ".join(entry.options)
    return MakeUnified(loader.stub, kernel, tuple(initramfs), line, Place(stick.esp, _UNIFIED))
