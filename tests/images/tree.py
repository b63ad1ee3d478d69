# SPDX-License-Identifier: Apache-2.0
"""The ISO's tree as the media of each era have it, with its EFI system partition."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.images import menus
from tests.images.programs import Log
from tests.images.recipes import Recipe, Shape
from tests.images.root import Parts

# Fedora's GRUB reads the menu beside itself. So does Debian's before 2.12; from then on shim leaves
# it without knowing its own directory, and it finds only this file, on the ISO or on the ESP.
DEBIAN_MENU = "boot/grub/grub.cfg"
DEBIAN_MENU_TEXT = "source ($root)/EFI/BOOT/grub.cfg\n"

ISOLINUX_MODULES = ("vesamenu.c32", "ldlinux.c32", "libcom32.c32", "libutil.c32")


@dataclass(frozen=True, slots=True)
class Medium:
    """What xorriso is given."""

    tree: Path
    esp: Path
    """FAT image of the EFI system partition; a file of the tree in the isolinux years."""
    loaders: Path
    """Where the boot records for the first sectors are."""


def lay_out_tree(recipe: Recipe, parts: Parts, work: Path, log: Log) -> Medium:
    """Make the tree of the recipe's shape, and its EFI system partition."""
    medium = Medium(work / "tree", work / ESP_PLACES[recipe.shape], parts.loaders)
    _link(parts.squashfs, medium.tree / "LiveOS/squashfs.img")
    LAYOUTS[recipe.shape](recipe, parts, medium, log)
    return medium


def _lay_out_isolinux(recipe: Recipe, parts: Parts, medium: Medium, log: Log) -> None:
    """livemedia-creator, Fedora 24 to 36: isolinux, its kernel a second name of the other one."""
    tree = medium.tree
    _link(parts.kernel, tree / "images/pxeboot/vmlinuz")
    _link(parts.initramfs, tree / "images/pxeboot/initrd.img")
    _link(parts.kernel, tree / "isolinux/vmlinuz")
    _link(parts.initramfs, tree / "isolinux/initrd.img")
    # xorriso writes the boot information table into this file.
    _copy(parts.loaders / "ISOLINUX/isolinux.bin", tree / "isolinux/isolinux.bin")
    for module in ISOLINUX_MODULES:
        _link(parts.loaders / "syslinux/modules/bios" / module, tree / "isolinux" / module)
    _write(tree / "isolinux/isolinux.cfg", menus.render(recipe, "isolinux.cfg"))
    _write(tree / "isolinux/boot.msg", menus.render(recipe, "boot.msg"))
    _lay_out_lorax_efi(recipe, parts, tree)
    _make_esp(medium, "ANACONDA", log)


def _lay_out_grub2(recipe: Recipe, parts: Parts, medium: Medium, log: Log) -> None:
    """livemedia-creator, Fedora 37 to 41: GRUB 2 for BIOS."""
    tree = medium.tree
    _link(parts.kernel, tree / "images/pxeboot/vmlinuz")
    _link(parts.initramfs, tree / "images/pxeboot/initrd.img")
    _copy(parts.loaders / "eltorito.img", tree / "images/eltorito.img")
    _copy_tree(parts.loaders / "grub/i386-pc", tree / "boot/grub2/i386-pc")
    _write(tree / "boot/grub2/grub.cfg", menus.render(recipe, "bios-grub.cfg"))
    _lay_out_lorax_efi(recipe, parts, tree)
    _write(tree / DEBIAN_MENU, DEBIAN_MENU_TEXT)
    _make_esp(medium, "ANACONDA", log)


def _lay_out_kiwi(recipe: Recipe, parts: Parts, medium: Medium, log: Log) -> None:
    """kiwi, Fedora 42 and later: /boot/x86_64/loader, and a stub for a menu under UEFI."""
    tree = medium.tree
    mbr_id = menus.mbr_id(recipe)
    loader = tree / "boot/x86_64/loader"
    _link(parts.kernel, loader / "linux")
    _link(parts.initramfs, loader / "initrd")
    _copy(parts.loaders / "eltorito.img", loader / "eltorito.img")
    _link(parts.loaders / "grub/i386-pc/boot_hybrid.img", loader / "boot_hybrid.img")
    _link(parts.loaders / "unicode.pf2", loader / "grub2/fonts/unicode.pf2")
    _write(tree / "boot" / mbr_id, mbr_id + "\n")
    _write(tree / "boot/mbrid", mbr_id + "\n")
    _copy_tree(parts.loaders / "grub/i386-pc", tree / "boot/grub2/i386-pc")
    _write(tree / "boot/grub2/grub.cfg", menus.render(recipe, "grub.cfg"))
    _write(tree / "boot/grub2/earlyboot.cfg", menus.render(recipe, "early.cfg"))
    _write(tree / "boot/grub2/loopback.cfg", menus.render(recipe, "loopback.cfg"))
    _write(tree / "EFI/BOOT/grub.cfg", menus.render(recipe, "efi-grub.cfg"))
    _lay_out_signed_chain(parts, tree / "EFI/BOOT")
    _write(tree / DEBIAN_MENU, DEBIAN_MENU_TEXT)
    _make_esp(medium, "BOOT", log, mebibytes=30)
    # Only now: these are in the ISO's tree alone.
    _link(parts.loaders / "shim/shimx64.efi.signed", tree / "EFI/BOOT/bootx64.efi")
    _link(parts.loaders / "shim/fbx64.efi.signed", tree / "EFI/BOOT/fbx64.efi")
    _lay_out_vendor_directory(parts, tree / "EFI/fedora")


LAYOUTS: dict[Shape, Callable[[Recipe, Parts, Medium, Log], None]] = {
    Shape.ISOLINUX: _lay_out_isolinux,
    Shape.GRUB2: _lay_out_grub2,
    Shape.KIWI: _lay_out_kiwi,
}
ESP_PLACES = {
    Shape.ISOLINUX: "tree/images/efiboot.img",
    Shape.GRUB2: "efiboot.img",
    Shape.KIWI: "efiboot.img",
}


def _lay_out_lorax_efi(recipe: Recipe, parts: Parts, tree: Path) -> None:
    _lay_out_signed_chain(parts, tree / "EFI/BOOT")
    _link(parts.loaders / "unicode.pf2", tree / "EFI/BOOT/fonts/unicode.pf2")
    menu = menus.render(recipe, "efi-grub.cfg")
    _write(tree / "EFI/BOOT/grub.cfg", menu)
    # The same menu under the name that 32-bit firmware's GRUB reads.
    _write(tree / "EFI/BOOT/BOOT.conf", menu)


def _lay_out_signed_chain(parts: Parts, directory: Path) -> None:
    """Shim, the GRUB that finds its menu beside itself, and shim's key manager."""
    _link(parts.loaders / "shim/shimx64.efi.signed", directory / "BOOTX64.EFI")
    _link(parts.loaders / "grub/x86_64-efi-signed/gcdx64.efi.signed", directory / "grubx64.efi")
    _link(parts.loaders / "shim/mmx64.efi.signed", directory / "mmx64.efi")


def _lay_out_vendor_directory(parts: Parts, vendor: Path) -> None:
    """What kiwi leaves on the ISO of the vendor's own EFI directory; nothing boots from it."""
    _link(parts.loaders / "shim/shimx64.efi.signed", vendor / "shimx64.efi")
    _link(parts.loaders / "shim/shimx64.efi.signed", vendor / "shim.efi")
    _link(parts.loaders / "shim/mmx64.efi.signed", vendor / "mmx64.efi")
    _link(parts.loaders / "grub/x86_64-efi-signed/gcdx64.efi.signed", vendor / "gcdx64.efi")
    _link(parts.loaders / "grub/x86_64-efi-signed/grubx64.efi.signed", vendor / "grubx64.efi")
    entry = "shimx64.efi,Debian,,This is the boot entry for Debian\r\n"
    (vendor / "BOOTX64.CSV").write_text(entry, encoding="utf-16")


def _make_esp(medium: Medium, label: str, log: Log, mebibytes: int | None = None) -> None:
    """Write a FAT image of the tree's UEFI files as they are now; just large enough unless told."""
    source = medium.tree / "EFI"
    if mebibytes is None:
        content = sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
        mebibytes = (content >> 20) + 3
    log.run(["mkfs.fat", "-n", label, "-C", medium.esp, str(mebibytes << 10)])
    log.run(["mcopy", "-s", "-i", medium.esp, source, "::/"])
    menu = medium.tree / DEBIAN_MENU
    if menu.exists():
        log.run(["mmd", "-i", medium.esp, "::/boot", "::/boot/grub"])
        log.run(["mcopy", "-i", medium.esp, menu, "::/boot/grub"])


def _link(source: Path, target: Path) -> None:
    """Put a file into the tree without doubling it on disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _copy_tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=os.link)


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
