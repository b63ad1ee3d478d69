# SPDX-License-Identifier: Apache-2.0
"""EFI programs of a medium: what each is, and whether they hang together for Secure Boot."""

import re
from collections.abc import Iterable

from liveos.formats.binary import ByteSource
from liveos.medium.model import FileRef, Firmware, Loader

EFI_DIRECTORY = "/EFI/BOOT"
"""Where firmware looks on a removable medium (UEFI 3.5.1.1)."""

_FIRST = re.compile(r"(?i)boot(x64|ia32|aa64|arm|riscv64|loongarch64)?\.efi")
_ARCHES = re.compile(r"(?i)(x64|ia32|aa64|riscv64|loongarch64)\.efi$")
_ROLES = (
    (re.compile(r"(?i)fb.*\.efi"), "fallback"),
    (re.compile(r"(?i)(mm.*|mokmanager)\.efi"), "mokmanager"),
    (re.compile(r"(?i)(grub|gcd).*\.efi"), "grub"),
    (re.compile(r"(?i)shim.*\.efi"), "shim"),
)


def read_efi_loader(file: FileRef, source: ByteSource) -> Loader:
    """What an EFI program is."""
    name = file.path.rpartition("/")[2]
    arch = _ARCHES.search(name)
    return Loader(
        file.path, Firmware.UEFI, arch[1].lower() if arch else None, _role(name), file=file
    )


def first_loaders(loaders: Iterable[Loader]) -> list[Loader]:
    """Those that firmware starts by itself."""
    return [each for each in loaders if _FIRST.fullmatch(each.path.rpartition("/")[2])]


def is_chain_signed(loaders: Iterable[Loader]) -> bool:
    """Whether every program on the way is signed."""
    return all(each.signers for each in first_loaders(loaders)) and bool(first_loaders(loaders))


def _role(name: str) -> str:
    for pattern, role in _ROLES:
        if pattern.fullmatch(name):
            return role
    return "efi"
