# SPDX-License-Identifier: Apache-2.0
"""Media made by the real programs: ISOs, and sticks with partitions."""

from collections.abc import Mapping
from pathlib import Path

from tests.tools.formats.isos import run

MIB = 1 << 20
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


def make_fat(image: Path, tree: Path, label: str, size: int = 34 * MIB) -> Path:
    """A FAT filesystem with a tree of files; names that differ only in case become one."""
    run("mkfs.fat", "-C", "-n", label, image, str(size // 1024))
    for path in sorted(tree.iterdir()):
        run("mcopy", "-s", "-o", "-Q", "-i", image, path, "::/")
    return image


def make_ext4(image: Path, tree: Path, label: str, size: int = 32 * MIB) -> Path:
    run("mke2fs", "-q", "-t", "ext4", "-L", label, "-d", tree, image, f"{size // MIB}M")
    return image


def make_iso(tree: Path, iso: Path, label: str) -> Path:
    """An ISO with boot images for both firmwares and an implanted sum."""
    (tree / "boot").mkdir(exist_ok=True)
    (tree / "boot/bios.img").write_bytes(b"\xf4" * 2048)
    esp = tree.parent / "esp"
    (esp / "EFI").mkdir(parents=True)
    (esp / "EFI/empty").touch()
    make_fat(tree / "boot/esp.img", esp, "ANACONDA", MIB)
    run(
        "xorriso", "-as", "mkisofs", "-quiet", "-o", iso, "-V", label, "-R", "-J",
        "-b", "boot/bios.img", "-c", "boot/catalog", "-no-emul-boot", "-boot-load-size", "4",
        "-eltorito-alt-boot", "-e", "boot/esp.img", "-no-emul-boot", tree,
    )  # fmt: skip
    run("implantisomd5", iso)
    return iso


def make_disk(disk: Path, scheme: str, partitions: Mapping[Path, str]) -> Path:
    """A disk with partitions that hold these images, each of the type named."""
    lines = [f"label: {scheme}"]
    start = MIB
    places = []
    for image, kind in partitions.items():
        size = image.stat().st_size
        lines.append(f"start={start // 512}, size={size // 512}, type={kind}")
        places.append((image, start))
        start += -(-size // MIB) * MIB
    with disk.open("wb") as file:
        file.truncate(start + MIB)
        for image, offset in places:
            file.seek(offset)
            file.write(image.read_bytes())
    script = disk.with_suffix(".sfdisk")
    script.write_text("\n".join(lines) + "\n")
    run("sh", "-c", f"sfdisk -q --no-reread --no-tell-kernel {disk} < {script}")
    return disk
