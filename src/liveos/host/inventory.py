# SPDX-License-Identifier: Apache-2.0
"""Which of the declared programs this machine has, and how old they are."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from liveos.errors import ToolMissingError
from liveos.host import grub
from liveos.host.machine.firmware import FirmwareKind, find_uefi
from liveos.host.run import find, run
from liveos.host.tools import Command, Tool

_VERSION = re.compile(r"\d+(?:\.\d+)+")
_ANY_STATUS = frozenset(range(256))


class Distribution(StrEnum):
    """A family of distributions, by the names that its packages have."""

    DEBIAN = "debian"
    FEDORA = "fedora"


@dataclass(frozen=True, slots=True)
class Presence:
    """A declared program as it is found here; ``path`` is None when it is missing."""

    tool: Tool
    path: str | None
    version: str | None

    @property
    def is_recent(self) -> bool | None:
        """At least the declared minimum; None when either version is unknown."""
        if self.version is None or self.tool.minimum is None:
            return None
        return _numbers(self.version) >= _numbers(self.tool.minimum)

    @property
    def is_usable(self) -> bool:
        """Installed, and not known to be too old."""
        return self.path is not None and self.is_recent is not False


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that a package brings and a verb reads; ``path`` is None when it is missing."""

    name: str
    verbs: tuple[str, ...]
    fedora: str
    debian: str
    path: Path | None


def look_for(tool: Tool) -> Presence:
    """Find a program and ask it for its version: the first dotted number that it prints."""
    path = find(tool)
    if path is None or not tool.version_arguments:
        return Presence(tool, path, None)
    done = run(Command(tool, tool.version_arguments, _ANY_STATUS))
    match = _VERSION.search((done.stdout + done.stderr).decode("utf-8", "replace"))
    return Presence(tool, path, match[0] if match else None)


def look_for_files() -> tuple[DataFile, ...]:
    """The loader that is installed for BIOS, and the firmware of virtual machines."""
    loader = grub.BOOT_IMAGE if grub.BOOT_IMAGE.exists() else None
    machines = ("boot", "prove")
    return (
        DataFile("GRUB for BIOS", ("install",), "grub2-pc-modules", "grub-pc-bin", loader),
        DataFile("UEFI firmware", machines, "edk2-ovmf", "ovmf", _uefi(FirmwareKind.UEFI)),
        DataFile(
            "UEFI firmware, Secure Boot",
            machines,
            "edk2-ovmf",
            "ovmf",
            _uefi(FirmwareKind.UEFI_SECURE),
        ),
    )


def _uefi(kind: FirmwareKind) -> Path | None:
    try:
        firmware = find_uefi(kind)
    except ToolMissingError:
        return None
    return firmware.code.path if firmware else None


def distribution(os_release: Path = Path("/etc/os-release")) -> Distribution | None:
    """The family this machine belongs to, from ``ID`` and ``ID_LIKE`` (os-release(5))."""
    try:
        lines = os_release.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    names: set[str] = set()
    for line in lines:
        key, _, value = line.partition("=")
        if key in {"ID", "ID_LIKE"}:
            names.update(value.strip("\"'").split())
    return next((family for family in Distribution if family in names), None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
