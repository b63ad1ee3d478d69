# SPDX-License-Identifier: Apache-2.0
"""Writing the ISO with the boot records of its era, and implanting the checksum."""

from collections.abc import Callable
from pathlib import Path

from tests.images.programs import Log
from tests.images.recipes import Recipe, Shape
from tests.images.tree import Medium

ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
BASIC_DATA_TYPE = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"


def write_iso(recipe: Recipe, medium: Medium, iso: Path, log: Log) -> None:
    """Write the medium, then the sum over what was written."""
    log.run(COMMANDS[recipe.shape](recipe, medium, iso))
    log.run(["implantisomd5", iso])


def _isolinux(recipe: Recipe, medium: Medium, iso: Path) -> list[str | Path]:
    """El Torito for both firmwares; an MBR and a GPT, so that it starts from a stick too."""
    return [
        "xorriso", "-as", "mkisofs", "-o", iso, "-V", recipe.label, "-R", "-J", "-cache-inodes",
        "-isohybrid-mbr", medium.loaders / "ISOLINUX/isohdpfx.bin",
        "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat",
        "-boot-load-size", "4", "-boot-info-table", "-no-emul-boot",
        "-eltorito-alt-boot", "-e", medium.esp.relative_to(medium.tree), "-no-emul-boot",
        "-isohybrid-gpt-basdat",
        medium.tree,
    ]  # fmt: skip


def _grub2(recipe: Recipe, medium: Medium, iso: Path) -> list[str | Path]:
    """GRUB for BIOS; the ESP is partition 2 behind the ISO's own, and nowhere in the tree."""
    return [
        "xorriso", "-as", "mkisofs", "-o", iso, "-V", recipe.label, "-R", "-J",
        "--grub2-mbr", medium.loaders / "grub/i386-pc/boot_hybrid.img",
        "-partition_offset", "16", "-appended_part_as_gpt",
        "-append_partition", "2", ESP_TYPE, medium.esp,
        "-iso_mbr_part_type", BASIC_DATA_TYPE,
        "-c", "boot.cat", "--boot-catalog-hide",
        "-b", "images/eltorito.img", "-no-emul-boot",
        "-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info",
        "-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::", "-no-emul-boot",
        medium.tree,
    ]  # fmt: skip


def _kiwi(recipe: Recipe, medium: Medium, iso: Path) -> list[str | Path]:
    """As kiwi drives xorriso: its own commands instead of those of mkisofs, and no padding."""
    loader = "/boot/x86_64/loader"
    return [
        "xorriso", "-outdev", iso, "-volid", recipe.label, "-application_id", recipe.label,
        "-padding", "0", "-compliance", "no_emul_toc",
        "-map", medium.tree, "/",
        "-boot_image", "grub", f"bin_path={loader}/eltorito.img",
        "-boot_image", "grub", f"grub2_mbr={medium.loaders / 'grub/i386-pc/boot_hybrid.img'}",
        "-boot_image", "grub", "grub2_boot_info=on",
        "-boot_image", "any", "partition_offset=16",
        "-boot_image", "any", "cat_path=/boot/x86_64/boot.catalog",
        "-boot_image", "any", "cat_hidden=on",
        "-boot_image", "any", "boot_info_table=on",
        "-boot_image", "any", "platform_id=0x00",
        "-boot_image", "any", "emul_type=no_emulation",
        "-boot_image", "any", "load_size=2048",
        "-append_partition", "2", "0xef", medium.esp,
        "-boot_image", "any", "appended_part_as=gpt",
        "-boot_image", "any", "next",
        "-boot_image", "any", "platform_id=0xef",
        "-boot_image", "any", "emul_type=no_emulation",
        "-boot_image", "any", "efi_path=--interval:appended_partition_2:all::",
    ]  # fmt: skip


COMMANDS: dict[Shape, Callable[[Recipe, Medium, Path], list[str | Path]]] = {
    Shape.ISOLINUX: _isolinux,
    Shape.GRUB2: _grub2,
    Shape.KIWI: _kiwi,
}
