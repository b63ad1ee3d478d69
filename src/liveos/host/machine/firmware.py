# SPDX-License-Identifier: Apache-2.0
"""Which UEFI firmware for virtual machines this host has.

Distributions describe their builds of OVMF in JSON files that follow QEMU's firmware
interoperability specification (``docs/interop/firmware.json`` of QEMU); reading those finds
Debian's, Fedora's and an administrator's own builds alike, without a list of paths here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from liveos.errors import ToolMissingError

# The administrator's directory is read first; a file there hides a packaged one of its name.
DESCRIPTIONS = (Path("/etc/qemu/firmware"), Path("/usr/share/qemu/firmware"))


class FirmwareKind(StrEnum):
    """What starts the machine."""

    BIOS = "bios"
    UEFI = "uefi"
    UEFI_SECURE = "uefi-secure"


@dataclass(frozen=True, slots=True)
class FlashFile:
    """A file for one of the two flash chips, in a format that QEMU knows."""

    path: Path
    format: str = "raw"


@dataclass(frozen=True, slots=True)
class UefiFirmware:
    """A UEFI build: its program, the template of its variables, and what it enforces."""

    code: FlashFile
    variables: FlashFile
    secure_boot: bool = False
    enrolled_keys: bool = False
    requires_smm: bool = False


def find_uefi(
    kind: FirmwareKind, directories: tuple[Path, ...] = DESCRIPTIONS
) -> UefiFirmware | None:
    """The firmware for a kind of boot; None for the BIOS, which QEMU brings along.

    ``UEFI_SECURE`` is firmware with Microsoft's keys enrolled, as machines are sold.

    :raises ToolMissingError: no installed firmware is of that kind.
    """
    if kind is FirmwareKind.BIOS:
        return None
    secure = kind is FirmwareKind.UEFI_SECURE
    for firmware in installed(directories):
        if (firmware.secure_boot and firmware.enrolled_keys) is secure:
            return firmware
    what = "UEFI firmware with Microsoft's Secure Boot keys" if secure else "UEFI firmware"
    raise ToolMissingError(
        f"no {what} for virtual machines is installed",
        hint="install it: dnf install edk2-ovmf, or apt install ovmf",
    )


def installed(directories: tuple[Path, ...] = DESCRIPTIONS) -> Iterator[UefiFirmware]:
    """The x86-64 builds of the host that keep their variables, the plainest of equal ones first."""
    files: dict[str, Path] = {}
    for directory in reversed(directories):
        files |= {path.name: path for path in directory.glob("*.json")}
    found = (_read(files[name]) for name in sorted(files))
    yield from sorted(
        (firmware for firmware in found if firmware and _is_there(firmware)),
        key=lambda firmware: firmware.requires_smm,
    )


def _is_there(firmware: UefiFirmware) -> bool:
    return firmware.code.path.is_file() and firmware.variables.path.is_file()


def _read(path: Path) -> UefiFirmware | None:
    """What a description says; None when it is of another kind, or not a description."""
    try:
        document = json.loads(path.read_text("utf-8"))
        return _parse(document) if _fits(document) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # someone else's broken file must not stop us: the next one may do


def _fits(document: dict[str, Any]) -> bool:
    mapping = document["mapping"]
    machines = [
        machine
        for target in document["targets"]
        if target["architecture"] == "x86_64"
        for machine in target["machines"]
    ]
    return (
        "uefi" in document["interface-types"]
        and mapping["device"] == "flash"
        and mapping.get("mode", "split") == "split"
        and any(machine.startswith("pc-q35") for machine in machines)
    )


def _parse(document: dict[str, Any]) -> UefiFirmware:
    mapping, features = document["mapping"], document["features"]
    return UefiFirmware(
        code=_flash(mapping["executable"]),
        variables=_flash(mapping["nvram-template"]),
        secure_boot="secure-boot" in features,
        enrolled_keys="enrolled-keys" in features,
        requires_smm="requires-smm" in features,
    )


def _flash(part: dict[str, Any]) -> FlashFile:
    return FlashFile(Path(part["filename"]), part["format"])
