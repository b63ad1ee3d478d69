# SPDX-License-Identifier: Apache-2.0
"""GRUB for BIOS, as the host's packages bring it."""

from pathlib import Path

from liveos.host.tools import GRUB_MKIMAGE, Command

DIRECTORY = Path("/usr/lib/grub/i386-pc")
"""Where Fedora and Debian both install the modules and boot.img."""

BOOT_IMAGE = DIRECTORY / "boot.img"

# All that our menus use, and what helps somebody at GRUB's prompt. The core image is complete:
# nothing is loaded from the stick.
_MODULES = (
    "biosdisk", "part_gpt", "part_msdos", "fat", "ext2", "linux", "normal", "configfile",
    "search", "search_fs_uuid", "search_label", "test", "true", "echo", "ls", "cat", "help",
    "all_video", "serial", "terminal", "sleep", "reboot", "halt",
)  # fmt: skip


def build_core() -> Command:
    """Build a core image; add ``-c FILE``, its embedded configuration, and ``-o FILE``."""
    where = ("-O", "i386-pc", "-d", str(DIRECTORY), "-p", "/EFI/BOOT")
    return Command(GRUB_MKIMAGE, (*where, *_MODULES))


def embedded_configuration(esp_uuid: str) -> str:
    """Find the ESP by its serial number; normal mode then reads ``grub.cfg`` there."""
    return f"search.fs_uuid {esp_uuid} root\nset prefix=($root)/EFI/BOOT\n"
