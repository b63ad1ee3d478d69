# SPDX-License-Identifier: Apache-2.0
"""Menus in a throw-away layer, read back by QEMU, mtools and xorriso."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource
from liveos.operations.guests.layer import make_layer
from liveos.operations.guests.menu_edits import edit_menus, is_iso

pytestmark = pytest.mark.tools

WORDS = ("mark",)
MENU = "set timeout=60\n" + "".join(
    f"menuentry '{n}' {{\n  linux /vmlinuz root=live:LABEL=X quiet\n  initrd /i\n}}\n"
    for n in range(40)
)
EDITED = MENU.replace("root=", "mark root=").replace(" quiet", "").replace("=60", "=1")
MIB = 1 << 20


def run(*command: str | Path, stdin: bytes = b"") -> bytes:
    words = [str(word) for word in command]
    return subprocess.run(words, input=stdin, check=True, capture_output=True).stdout


def make_fat(path: Path, offset: int = 0, size: int = 8 * MIB) -> None:
    """A FAT filesystem at an offset, with a menu as on an ESP, and one without kernel lines."""
    with path.open("ab") as file:
        file.truncate(offset + size)
    run("mkfs.fat", "--offset", str(offset // 512), path, str(size // 1024))
    image = f"{path}@@{offset}"
    run("mmd", "-i", image, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", image, "-", "::/EFI/BOOT/grub.cfg", stdin=MENU.encode())
    run("mcopy", "-i", image, "-", "::/EFI/BOOT/stub.cfg", stdin=b"configfile /x\n")


def edited_copy(medium: Path, tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    """What a guest would see of a medium, as a raw file; and the menus that were edited."""
    before = hashlib.sha256(medium.read_bytes()).digest()
    edits = edit_menus(medium, tmp_path, WORDS)
    layer, raw = tmp_path / "layer.qcow2", tmp_path / "seen.raw"
    make_layer(medium, layer, edits.patches)
    run("qemu-img", "convert", "-O", "raw", layer, raw)
    assert hashlib.sha256(medium.read_bytes()).digest() == before
    return raw, edits.menus


def read_menu(fat: str) -> str:
    return run("mcopy", "-i", fat, "::/EFI/BOOT/grub.cfg", "-").decode()


def test_a_bare_fat_filesystem(tmp_path: Path) -> None:
    medium = tmp_path / "fat.img"
    make_fat(medium)
    seen, menus = edited_copy(medium, tmp_path)
    assert menus == ("/EFI/BOOT/grub.cfg",)
    assert read_menu(str(seen)) == EDITED
    run("fsck.fat", "-n", seen)


def test_an_esp_in_a_partition_table(tmp_path: Path) -> None:
    medium = tmp_path / "stick.img"
    medium.write_bytes(b"")
    make_fat(medium, 4 * MIB)
    with medium.open("ab") as file:
        file.truncate(16 * MIB)
    run("sfdisk", "-q", medium, stdin=b"label: gpt\nstart=8192, size=16384, type=U\n")
    seen, _ = edited_copy(medium, tmp_path)
    assert read_menu(f"{seen}@@{4 * MIB}") == EDITED
    run("sfdisk", "--verify", seen)


def test_only_blocks_that_changed_are_written(tmp_path: Path) -> None:
    medium = tmp_path / "fat.img"
    make_fat(medium)
    patches = edit_menus(medium, tmp_path, WORDS).patches
    assert 0 < sum(len(patch.data) for patch in patches) < 64 * 1024


def make_iso(tmp_path: Path) -> Path:
    """An ISO with a menu in its tree (twice, by a hard link) and one in its El Torito image."""
    tree = tmp_path / "tree"
    (tree / "EFI" / "BOOT").mkdir(parents=True)
    (tree / "images").mkdir()
    (tree / "EFI/BOOT/grub.cfg").write_text(MENU)
    (tree / "EFI/BOOT/BOOT.conf").hardlink_to(tree / "EFI/BOOT/grub.cfg")
    (tree / "isolinux").mkdir()
    (tree / "isolinux/isolinux.cfg").write_text("timeout 600\nappend root=live:X quiet\n")
    make_fat(tree / "images/efiboot.img")
    iso = tmp_path / "live.iso"
    run(
        *("xorrisofs", "-quiet", "-o", iso, "-R", "-J", "-V", "LIVE", "--hardlinks"),
        *("-e", "images/efiboot.img", "-no-emul-boot", tree),
    )
    return iso


def extract(iso: Path, path: str, tmp_path: Path) -> bytes:
    target = tmp_path / f"extracted-{path.replace('/', '-')}"
    run("xorriso", "-osirrox", "on", "-indev", iso, "-extract", path, target)
    return target.read_bytes()


def test_every_menu_of_an_iso(tmp_path: Path) -> None:
    iso = make_iso(tmp_path)
    with FileSource(iso) as source:
        assert is_iso(source)
    seen, menus = edited_copy(iso, tmp_path)
    assert "/isolinux/isolinux.cfg" in menus
    for path in ("/EFI/BOOT/grub.cfg", "/EFI/BOOT/BOOT.conf"):
        assert extract(seen, path, tmp_path).decode() == EDITED
    syslinux = extract(seen, "/isolinux/isolinux.cfg", tmp_path)
    assert syslinux == b"timeout 1\nappend mark root=live:X\n"
    boot_image = tmp_path / "efiboot.img"
    boot_image.write_bytes(extract(seen, "/images/efiboot.img", tmp_path))
    assert read_menu(str(boot_image)) == EDITED


def test_a_menu_that_outgrows_its_sectors_moves_within_the_volume(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "boot").mkdir(parents=True)
    lines = "linux /k root=live:X\n" * 90
    assert len(lines) < 2048 < len(lines) + 90 * len("mark ")
    for name in ("grub.cfg", "other.cfg"):
        (tree / "boot" / name).write_text(f"# {name}\n{lines}")
    iso = tmp_path / "live.iso"
    run("xorrisofs", "-quiet", "-o", iso, "-R", "-V", "LIVE", tree)
    seen, menus = edited_copy(iso, tmp_path)
    assert len(menus) == 2
    assert seen.stat().st_size == iso.stat().st_size
    for name in ("grub.cfg", "other.cfg"):
        edited = extract(seen, f"/boot/{name}", tmp_path).decode()
        assert edited == f"# {name}\n{lines.replace('root=', 'mark root=')}"


def test_a_menu_on_ext4(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "syslinux").mkdir(parents=True)
    (tree / "syslinux" / "extlinux.conf").write_text("timeout 600\nappend root=live:X quiet\n")
    # What a persistent overlay holds is no menu, whatever it looks like.
    (tree / "LiveOS" / "overlay" / "etc").mkdir(parents=True)
    (tree / "LiveOS" / "overlay" / "etc" / "some.conf").write_text("timeout 600\n")
    medium = tmp_path / "ext4.img"
    run("mke2fs", "-q", "-t", "ext4", "-d", tree, medium, "8M")
    seen, menus = edited_copy(medium, tmp_path)
    assert menus == ("/syslinux/extlinux.conf",)
    edited = run("debugfs", "-R", "cat /syslinux/extlinux.conf", seen)
    assert edited == b"timeout 1\nappend mark root=live:X\n"
    assert run("debugfs", "-R", "cat /LiveOS/overlay/etc/some.conf", seen) == b"timeout 600\n"
    run("e2fsck", "-f", "-n", seen)


def test_a_full_filesystem_keeps_its_menus(tmp_path: Path) -> None:
    medium = tmp_path / "fat.img"
    medium.write_bytes(b"")
    make_fat(medium, size=2 * MIB)
    words = tuple(f"word{number}" for number in range(20_000))
    assert edit_menus(medium, tmp_path, words).menus == ()
