# SPDX-License-Identifier: Apache-2.0
"""ISO images made by xorriso, for the tests of everything that reads ISOs."""

import random
import subprocess
from pathlib import Path

BIOS_BOOT_CODE = Path("/usr/lib/grub/i386-pc/boot_hybrid.img")


def run(*command: str | Path) -> str:
    """What a program says; the test fails when it does not end well."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout.decode("utf-8", "surrogateescape")


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress and are the same in every run."""
    return random.Random(seed).randbytes(size)


def make_tree(where: Path) -> Path:
    """A tree shaped like a live image, with the names that trouble ISO 9660."""
    tree = where / "tree"
    for directory in ("LiveOS", "EFI/BOOT", "boot/grub2", "images/pxeboot", "a/b/c/d/e/f/g/h/i/j"):
        (tree / directory).mkdir(parents=True)
    (tree / "LiveOS/squashfs.img").write_bytes(noise(2_000_003))
    (tree / "EFI/BOOT/BOOTX64.EFI").write_bytes(noise(5000, 2))
    (tree / "EFI/BOOT/bootx64.efi").write_bytes(noise(5000, 2))
    (tree / "images/eltorito.img").write_bytes(noise(30_000, 3))
    (tree / "images/efiboot.img").write_bytes(noise(1_440 * 1024, 4))
    (tree / "a/b/c/d/e/f/g/h/i/j/deep").write_text("deep")
    (tree / ("a/" + "long" * 60)).write_text("long")
    (tree / "a/ünï côde .with.dots").write_text("name")
    (tree / "a/empty").touch()
    (tree / "a/absolute").symlink_to("/EFI/BOOT")
    (tree / "a/up").symlink_to("../boot/./grub2/../grub2")
    (tree / "a/far").symlink_to("/".join(["component" * 10] * 9))
    (tree / "images/executable").write_text("x")
    (tree / "images/executable").chmod(0o751)
    for number in range(300):
        (tree / f"boot/grub2/module_{number}.mod").write_bytes(b"m" * number)
    return tree


def make_iso(tree: Path, iso: Path, *options: str | Path) -> Path:
    """An ISO of a tree, written by xorriso's mkisofs emulation."""
    run("xorriso", "-as", "mkisofs", "-V", "LiveOS-Test-1", *options, "-o", iso, tree)
    return iso


def make_boot_iso(tree: Path, iso: Path) -> Path:
    """An ISO as lorax makes them since Fedora 37: GRUB for BIOS, an appended ESP for UEFI."""
    options = (
        "-R", "-J", "--grub2-mbr", BIOS_BOOT_CODE, "-partition_offset", "16",
        "-appended_part_as_gpt", "-append_partition", "2",
        "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", tree / "images/efiboot.img",
        "-iso_mbr_part_type", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
        "-c", "boot.cat", "--boot-catalog-hide",
        "-b", "images/eltorito.img", "-no-emul-boot", "-boot-load-size", "4",
        "-boot-info-table", "--grub2-boot-info",
        "-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::", "-no-emul-boot",
    )  # fmt: skip
    return make_iso(tree, iso, *options)
