# SPDX-License-Identifier: Apache-2.0
"""The ISO's tree, as the media of each era have it, and the EFI system partition that goes with it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.images import menus
from tests.images.programs import Log
from tests.images.recipes import Recipe, Shape
from tests.images.root import Parts

ISOLINUX_MODULES = ("vesamenu.c32", "ldlinux.c32", "libcom32.c32", "libutil.c32")


@dataclass(frozen=True, slots=True)
class Medium:
    """What xorriso is given."""

    tree: Path
    esp: Path
    """FAT image of the EFI system partition."""
    loaders: Path
    """Where the boot records for the first sectors are."""


def lay_out_tree(recipe: Recipe, parts: Parts, work: Path, log: Log) -> Medium:
    """Make the tree of the recipe's shape, and its EFI system partition."""
    tree = work / "tree"
    _link(parts.squashfs, tree / "LiveOS/squashfs.img")
    match recipe.shape:
        case Shape.ISOLINUX:
            esp = _lay_out_isolinux(recipe, parts, tree, log)
        case Shape.GRUB2:
            esp = _lay_out_grub2(recipe, parts, tree, work, log)
        case Shape.KIWI:
            esp = _lay_out_kiwi(recipe, parts, tree, work, log)
    return Medium(tree, esp, parts.loaders)


def _lay_out_isolinux(recipe: Recipe, parts: Parts, tree: Path, log: Log) -> Path:
    """livemedia-creator, Fedora 24 to 36: isolinux, and efiboot.img in the tree."""
    _link(parts.kernel, tree / "images/pxeboot/vmlinuz")
    _link(parts.initramfs, tree / "images/pxeboot/initrd.img")
    _link(tree / "images/pxeboot/vmlinuz", tree / "isolinux/vmlinuz")
    _link(tree / "images/pxeboot/initrd.img", tree / "isolinux/initrd.img")
    # isolinux.bin is changed in place when the ISO is written.
    _copy(parts.loaders / "ISOLINUX/isolinux.bin", tree / "isolinux/isolinux.bin")
    for module in ISOLINUX_MODULES:
        _link(parts.loaders / "syslinux/modules/bios" / module, tree / "isolinux" / module)
    _write(tree / "isolinux/isolinux.cfg", menus.render(recipe, "isolinux.cfg"))
    _write(tree / "isolinux/boot.msg", menus.render(recipe, "boot.msg"))
    _lay_out_lorax_efi(recipe, parts, tree)
    esp = tree / "images/efiboot.img"
    _make_esp(esp, "ANACONDA", [tree / "EFI"], log)
    return esp


def _lay_out_grub2(recipe: Recipe, parts: Parts, tree: Path, work: Path, log: Log) -> Path:
    """livemedia-creator, Fedora 37 to 41: GRUB 2 for BIOS, the ESP only as an appended partition."""
    _link(parts.kernel, tree / "images/pxeboot/vmlinuz")
    _link(parts.initramfs, tree / "images/pxeboot/initrd.img")
    _copy(parts.loaders / "eltorito.img", tree / "images/eltorito.img")
    _copy_tree(parts.loaders / "grub/i386-pc", tree / "boot/grub2/i386-pc")
    _write(tree / "boot/grub2/grub.cfg", menus.render(recipe, "bios-grub.cfg"))
    _lay_out_lorax_efi(recipe, parts, tree)
    esp = work / "efiboot.img"
    _make_esp(esp, "ANACONDA", [tree / "EFI"], log)
    return esp


def _lay_out_lorax_efi(recipe: Recipe, parts: Parts, tree: Path) -> None:
    _lay_out_signed_chain(parts, tree / "EFI/BOOT")
    _link(parts.loaders / "unicode.pf2", tree / "EFI/BOOT/fonts/unicode.pf2")
    menu = menus.render(recipe, "efi-grub.cfg")
    _write(tree / "EFI/BOOT/grub.cfg", menu)
    # The same menu under the name that 32-bit firmware's GRUB reads.
    _write(tree / "EFI/BOOT/BOOT.conf", menu)


def _lay_out_kiwi(recipe: Recipe, parts: Parts, tree: Path, work: Path, log: Log) -> Path:
    """kiwi, Fedora 42 and later: everything below /boot/x86_64/loader, a stub menu for UEFI, each shim twice."""
    mbr_id = menus.mbr_id(recipe)
    loader = tree / "boot/x86_64/loader"
    _link(parts.kernel, loader / "linux")
    _link(parts.initramfs, loader / "initrd")
    _copy(parts.loaders / "eltorito.img", loader / "eltorito.img")
    _copy(parts.loaders / "grub/i386-pc/boot_hybrid.img", loader / "boot_hybrid.img")
    _link(parts.loaders / "unicode.pf2", loader / "grub2/fonts/unicode.pf2")
    _write(tree / "boot" / mbr_id, mbr_id + "\n")
    _write(tree / "boot/mbrid", mbr_id + "\n")
    _copy_tree(parts.loaders / "grub/i386-pc", tree / "boot/grub2/i386-pc")
    _write(tree / "boot/grub2/grub.cfg", menus.render(recipe, "grub.cfg"))
    _write(tree / "boot/grub2/earlyboot.cfg", menus.render(recipe, "early.cfg"))
    _write(tree / "boot/grub2/loopback.cfg", menus.render(recipe, "loopback.cfg"))
    _write(tree / "EFI/BOOT/grub.cfg", menus.render(recipe, "efi-grub.cfg"))
    _lay_out_signed_chain(parts, tree / "EFI/BOOT")
    # The partition gets what is there so far: the ISO's tree alone has the second spelling and the fallback program.
    esp = work / "efiboot.img"
    _make_esp(esp, "BOOT", [tree / "EFI"], log, mebibytes=30)
    _link(parts.loaders / "shim/shimx64.efi.signed", tree / "EFI/BOOT/bootx64.efi")
    _link(parts.loaders / "shim/fbx64.efi.signed", tree / "EFI/BOOT/fbx64.efi")
    _lay_out_vendor_directory(parts, tree / "EFI/fedora")
    return esp


def _lay_out_vendor_directory(parts: Parts, vendor: Path) -> None:
    """The vendor's own EFI directory, as kiwi leaves it on the ISO; nothing on a medium boots from it."""
    _link(parts.loaders / "shim/shimx64.efi.signed", vendor / "shimx64.efi")
    _link(parts.loaders / "shim/shimx64.efi.signed", vendor / "shim.efi")
    _link(parts.loaders / "shim/mmx64.efi.signed", vendor / "mmx64.efi")
    _link(parts.loaders / "grub/x86_64-efi-signed/gcdx64.efi.signed", vendor / "gcdx64.efi")
    _link(parts.loaders / "grub/x86_64-efi-signed/grubx64.efi.signed", vendor / "grubx64.efi")
    (vendor / "BOOTX64.CSV").write_text("shimx64.efi,Debian,,This is the boot entry for Debian\r\n", encoding="utf-16")


def _lay_out_signed_chain(parts: Parts, directory: Path) -> None:
    """Shim, the GRUB that reads its menu from its own directory, and shim's key manager."""
    _link(parts.loaders / "shim/shimx64.efi.signed", directory / "BOOTX64.EFI")
    _link(parts.loaders / "grub/x86_64-efi-signed/gcdx64.efi.signed", directory / "grubx64.efi")
    _link(parts.loaders / "shim/mmx64.efi.signed", directory / "mmx64.efi")


def _make_esp(path: Path, label: str, sources: list[Path], log: Log, mebibytes: int | None = None) -> None:
    """Write a FAT image that holds the given directories; of the right size unless one is given."""
    if mebibytes is None:
        content = sum(file.stat().st_size for source in sources for file in source.rglob("*") if file.is_file())
        mebibytes = (content >> 20) + 3
    log.run(["mkfs.fat", "-n", label, "-C", path, str(mebibytes << 10)])
    log.run(["mcopy", "-s", "-Q", "-i", path, *sources, "::/"])


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
