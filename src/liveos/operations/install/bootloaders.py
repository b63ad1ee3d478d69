# SPDX-License-Identifier: Apache-2.0
"""What starts a stick: GRUB, SYSLINUX for BIOS, or a kernel that UEFI starts by itself."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from liveos.host import grub, syslinux, unified
from liveos.host.syslinux import SyslinuxFiles
from liveos.host.tools import GRUB_MKIMAGE, OBJCOPY, SYSLINUX, Tool

_File = tuple[Path, Tool]
"""A file of the host, and what brings it."""


@dataclass(frozen=True, slots=True)
class Grub:
    """Our GRUB for BIOS, the image's own signed chain for UEFI.

    ``bios`` and ``uefi`` are the programs and files of the host that each needs.
    """

    bios: ClassVar[Tool] = GRUB_MKIMAGE
    uefi: ClassVar[Tool | None] = None
    uefi_files: ClassVar[tuple[_File, ...]] = ()

    @property
    def bios_files(self) -> tuple[_File, ...]:
        return _grub_files()


@dataclass(frozen=True, slots=True)
class Syslinux:
    """SYSLINUX for BIOS; UEFI as with GRUB."""

    files: SyslinuxFiles = field(default_factory=syslinux.installed)
    bios: ClassVar[Tool] = SYSLINUX
    uefi: ClassVar[Tool | None] = None
    uefi_files: ClassVar[tuple[_File, ...]] = ()

    @property
    def bios_files(self) -> tuple[_File, ...]:
        codes = (self.files.master_boot_record(gpt=gpt) for gpt in (False, True))
        return tuple((path, SYSLINUX) for path in (*codes, *self.files.menu))


@dataclass(frozen=True, slots=True)
class EfiStub:
    """UEFI starts one unified kernel image; BIOS as with GRUB."""

    stub: Path = unified.STUB
    bios: ClassVar[Tool] = GRUB_MKIMAGE
    uefi: ClassVar[Tool | None] = OBJCOPY

    @property
    def bios_files(self) -> tuple[_File, ...]:
        return _grub_files()

    @property
    def uefi_files(self) -> tuple[_File, ...]:
        return ((self.stub, OBJCOPY),)


Bootloader = Grub | Syslinux | EfiStub


def needed_tools(loader: Bootloader, *, bios: bool) -> tuple[Tool, ...]:
    """The programs that install it."""
    found = (loader.bios if bios else None, loader.uefi)
    return tuple(tool for tool in found if tool is not None)


def needed_files(loader: Bootloader, *, bios: bool) -> tuple[_File, ...]:
    """The files that it consists of."""
    return (*(loader.bios_files if bios else ()), *loader.uefi_files)


def _grub_files() -> tuple[_File, ...]:
    return ((grub.BOOT_IMAGE, GRUB_MKIMAGE),)
