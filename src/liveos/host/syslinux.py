# SPDX-License-Identifier: Apache-2.0
"""SYSLINUX for BIOS, as the host's packages bring it."""

from dataclasses import dataclass
from pathlib import Path

from liveos.host.tools import SYSLINUX, Command
from liveos.host.volumes import FatVolume

DIRECTORY = "/syslinux"
"""Where it lies on the stick, as on the sticks of livecd-iso-to-disk."""

_MODULES = ("menu.c32", "libutil.c32", "libcom32.c32")
# What `syslinux` itself writes beside ldlinux.sys is not among them.


@dataclass(frozen=True, slots=True)
class SyslinuxFiles:
    """Where a distribution has its boot code, and its modules for BIOS."""

    boot_code: Path
    modules: Path

    def master_boot_record(self, *, gpt: bool) -> Path:
        """The code that starts the active partition of an MBR, or the marked one of a GPT."""
        return self.boot_code / ("gptmbr.bin" if gpt else "mbr.bin")

    @property
    def menu(self) -> tuple[Path, ...]:
        """What the menu consists of."""
        return tuple(self.modules / name for name in _MODULES)


DEBIAN = SyslinuxFiles(Path("/usr/lib/syslinux/mbr"), Path("/usr/lib/syslinux/modules/bios"))
FEDORA = SyslinuxFiles(Path("/usr/share/syslinux"), Path("/usr/share/syslinux"))


def installed() -> SyslinuxFiles:
    """Where this machine has them, or would have them if they were installed."""
    return FEDORA if (FEDORA.boot_code / "mbr.bin").exists() else DEBIAN


def install(volume: FatVolume) -> Command:
    """Boot sector and loader into an unmounted FAT; it uses mtools, which wants no such FAT."""
    where = ("--directory", DIRECTORY, "--offset", str(volume.offset))
    relaxed = (("MTOOLS_SKIP_CHECK", "1"),)
    return Command(SYSLINUX, ("--install", *where, str(volume.path)), environment=relaxed)
