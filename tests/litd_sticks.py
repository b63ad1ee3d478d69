# SPDX-License-Identifier: Apache-2.0
"""Sticks laid out as livecd-iso-to-disk leaves them, made by other programs.

The layout is the one that the reference documents (livecd-tools.md 2.1-2.6): partitions by sfdisk
(it uses parted), filesystems by mkfs.fat and mke2fs, files by mtools and ``mke2fs -d``, SYSLINUX
from its own package, kernel lines with the words of 2.5 in their order.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1 << 20
LABEL = "LIVE"
FAT_UUID = "5A17-C0DE"
EXT_UUID = "6c697464-0000-4000-8000-00000000002a"
_START = 4 * MIB  # the tool's unit where the device tells none (2.1)
_ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_MODULES = Path("/usr/lib/syslinux/modules/bios")
_BOOT_RECORDS = Path("/usr/lib/syslinux/mbr")


@dataclass(frozen=True, slots=True)
class Old:
    """What is asked of the old tool: ``--format --msdos``, or ``--format ext4 --efi``.

    ``overlay`` is the kind, ``size`` that of the partition in MiB. ``embedded`` are MiB of a file
    with a filesystem. ``home`` is in MiB, and not encrypted.
    """

    filesystem: str = "vfat"
    efi: bool = False
    overlay: str | None = "snapshot"
    overlay_mib: int = 8
    home_mib: int = 0
    size_mib: int = 64
    directories: tuple[str, ...] = ("LiveOS",)
    words: tuple[str, ...] = ()

    @property
    def is_fat(self) -> bool:
        return self.filesystem == "vfat"

    @property
    def uuid(self) -> str:
        return FAT_UUID if self.is_fat else EXT_UUID

    @property
    def config(self) -> str:
        """What the SYSLINUX configuration is called (2.2)."""
        return "syslinux.cfg" if self.is_fat else "extlinux.conf"

    @property
    def overlay_name(self) -> str:
        return f"overlay-{LABEL}-{self.uuid}"


@dataclass(frozen=True, slots=True)
class OldStick:
    """A stick's file, and what other programs see on its first partition, and on the ESP."""

    path: Path
    old: Old
    offset: int = _START
    esp_offset: int | None = None
    hashes: dict[str, str] = field(default_factory=dict)

    def read(self, path: str, *, esp: bool = False) -> bytes:
        """A file's content, by mtools or debugfs."""
        if esp or self.old.is_fat:
            offset = self.esp_offset if esp else self.offset
            return run("mtype", "-i", f"{self.path}@@{offset}", f"::{path}")
        return run("debugfs", "-R", f"cat {path}", f"{self.path}?offset={self.offset}")

    def names(self, directory: str) -> set[str]:
        if self.old.is_fat:
            listed = run("mdir", "-b", "-a", "-i", f"{self.path}@@{self.offset}", f"::{directory}")
            rows = listed.decode().splitlines()
            return {row.rstrip("/").rpartition("/")[2] for row in rows if row}
        where = f"{self.path}?offset={self.offset}"
        rows = run("debugfs", "-R", f"ls -p {directory}", where).decode().splitlines()
        return {row.split("/")[5] for row in rows if row} - {".", ".."}

    def check(self) -> None:
        """fsck finds nothing wrong."""
        part = self.path.with_suffix(".part")
        with self.path.open("rb") as file, part.open("wb") as copy:
            file.seek(self.offset)
            left = self.old.size_mib * MIB
            while left:
                copy.write(file.read(MIB))
                left -= MIB
        run(*(("fsck.fat", "-n") if self.old.is_fat else ("e2fsck", "-fn")), part)
        part.unlink()


def run(*words: str | Path, stdin: bytes = b"") -> bytes:
    """What a program prints; the test fails when it does not end well."""
    done = subprocess.run(
        [str(word) for word in words], input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def make_old_stick(scratch: Path, source: Path, old: Old | None = None) -> OldStick:
    """A stick with the image of ``source``, the unpacked files of an ISO of the isolinux years."""
    old = old or Old()
    tree = scratch / "p1"
    for number, directory in enumerate(old.directories):
        _lay_out(tree, source, old, directory, first=number == 0)
    _memory(scratch, tree / old.directories[0], old)
    esp_mib = 36 if old.efi else 0
    stick = scratch / "litd.img"
    offset = _START + (old.size_mib + 1) * MIB  # 1 MiB gap when an ESP follows (2.1)
    with stick.open("wb") as file:
        file.truncate(offset + (esp_mib + 4) * MIB)
    _partition(stick, old, offset, esp_mib)
    _fill(stick, tree, old)
    if not old.efi:
        return OldStick(stick, old)
    run(
        "mkfs.fat",
        "-F",
        "16",
        "-n",
        "ESP",
        "--offset",
        str(offset // 512),
        stick,
        str(esp_mib * 1024),
    )
    run("mcopy", "-s", "-Q", "-i", f"{stick}@@{offset}", tree / "EFI", "::/")
    return OldStick(stick, old, esp_offset=offset)


def _partition(stick: Path, old: Old, esp: int, esp_mib: int) -> None:
    """2.1: msdos unless ``--efi``; on GPT parted's ``boot`` is the type of an ESP, on ext4, too."""
    start, size = _START // 512, old.size_mib * MIB // 512
    place = f"start={start}, size={size}"
    esp_place = f"start={esp // 512}, size={esp_mib * MIB // 512}"
    if old.efi:
        lines = [
            "label: gpt",
            f'{place}, type={_ESP_TYPE}, name="{LABEL}", attrs=LegacyBIOSBootable',
            f'{esp_place}, type={_ESP_TYPE}, name="EFI System Partition"',
        ]
    else:
        kind = "c" if old.is_fat else "83"
        lines = ["label: dos", f"{place}, type={kind}, bootable"]
    script = "".join(f"{line}\n" for line in lines).encode()
    run("sfdisk", "-q", "--no-reread", "--no-tell-kernel", stick, stdin=script)
    record = _BOOT_RECORDS / ("gptmbr.bin" if old.efi else "mbr.bin")
    with stick.open("r+b") as file:
        file.write(record.read_bytes())


def _fill(stick: Path, tree: Path, old: Old) -> None:
    if not old.is_fat:
        run(
            "mke2fs", "-q", "-F", "-t", "ext4", "-L", LABEL, "-U", old.uuid,
            "-E", f"offset={_START},root_owner=0:0", "-d", tree, stick, f"{old.size_mib}M",
        )  # fmt: skip
        return
    run(
        "mkfs.fat", "-F", "32", "-n", LABEL, "-i", old.uuid.replace("-", ""),
        "--offset", str(_START // 512), stick, str(old.size_mib * 1024),
    )  # fmt: skip
    where = f"{stick}@@{_START}"
    for path in sorted(tree.iterdir()):
        run("mcopy", "-s", "-Q", "-i", where, path, "::/")
    run("syslinux", "-i", "-d", "syslinux", "-t", str(_START), stick)


def _lay_out(tree: Path, source: Path, old: Old, directory: str, *, first: bool) -> None:
    """2.2 and 2.6: the first image has ``/syslinux``, each further one a directory of its own."""
    image = tree / directory
    image.mkdir(parents=True)
    shutil.copy(source / "LiveOS/squashfs.img", image / "squashfs.img")
    (image / "livecd-iso-to-disk").write_text("#!/bin/bash\n")
    boot = tree / "syslinux" if first else image / "syslinux"
    boot.mkdir()
    for file in (source / "isolinux").iterdir():
        if file.name not in {"isolinux.bin", "boot.cat", "isolinux.cfg"}:
            shutil.copy(file, boot / file.name)
    original = (source / "isolinux/isolinux.cfg").read_text()
    prefix = "" if first else f"/{directory}/syslinux/"
    text = _syslinux_menu(original, old, directory, prefix)
    grub = _grub_menu((source / "EFI/BOOT/grub.cfg").read_text(), old, directory, first=first)
    if first:
        (boot / f"{old.config}.prev").write_text(original)
        (boot / old.config).write_text(text)
        for module in ("vesamenu.c32", "ldlinux.c32", "libcom32.c32", "libutil.c32"):
            shutil.copy(_MODULES / module, boot)
        shutil.copytree(source / "EFI", tree / "EFI")
        shutil.copytree(source / "images", tree / "images")
    else:
        (boot / old.config).write_text(_with_return(text, old))
        _join(tree / "syslinux" / old.config, directory, old)
        grub = _joined_grub(grub, (tree / "EFI/BOOT/grub.cfg").read_text(), directory)
    for name in ("grub.cfg", "BOOT.conf"):
        (tree / "EFI/BOOT" / name).write_text(grub)


def _words(line: str, old: Old, directory: str) -> str:
    """2.5: the words of a kernel line, in the order that they get."""
    place = f"root=live:UUID={old.uuid} rootfstype={old.filesystem}"
    line = re.sub(r"root=live:CDLABEL=\S+", place, line)
    line = re.sub(r" ro(?=\s|$)", "", line)
    live = ["rw", "rd.live.image"]
    if directory != "LiveOS":
        live.append(f"rd.live.dir={directory}")
    if old.overlay is not None and directory == old.directories[0]:
        live.append(f"rd.live.overlay=UUID={old.uuid}")
        live += ["rd.live.overlay.overlayfs"] if old.overlay != "snapshot" else []
    return line.replace("rd.live.image", " ".join([*live, *old.words]))


def _syslinux_menu(text: str, old: Old, directory: str, prefix: str) -> str:
    lines = []
    for line in text.splitlines():
        if line.strip().startswith("append") and "rd.live.image" in line:
            words = _words(line, old, directory)
            lines.append(words.replace("initrd=", f"initrd={prefix}"))
        elif line.strip() == "kernel vmlinuz":
            lines.append(line.replace("vmlinuz", f"{prefix}vmlinuz"))
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _with_return(text: str, old: Old) -> str:
    back = (
        "label multimain\n  menu label Return to Multi Live Image Boot Menu\n"
        f"  kernel vesamenu.c32\n  append /syslinux/{old.config}\n"
    )
    return text + back


def _join(main: Path, directory: str, old: Old) -> None:
    """2.6: an entry before the first label that loads the sub-config through the menu's module."""
    entry = (
        f"label {directory}\n  menu label ^Go to {directory} ~Nested menu\n"
        f"  kernel vesamenu.c32\n  append /{directory}/syslinux/{old.config}\n\n"
    )
    text = re.sub(r"menu title .*", "menu title Multi Live Image Boot Menu", main.read_text())
    main.write_text(re.sub(r"(?m)^label ", f"{entry}label ", text, count=1))


def _grub_menu(text: str, old: Old, directory: str, *, first: bool) -> str:
    boot = "/syslinux/" if first else f"/{directory}/syslinux/"
    search = f"search --no-floppy --set=root -u '{old.uuid}'"
    text = re.sub(r"search --no-floppy --set=root -l .*", search, text)
    text = text.replace("/images/pxeboot/", boot)
    lines = [
        _words(line, old, directory) if "linux" in line and "rd.live.image" in line else line
        for line in text.splitlines()
    ]
    return "\n".join(lines) + "\n"


def _joined_grub(new: str, there: str, directory: str) -> str:
    """2.6: one flat menu, the new image's entries first with its name on their titles."""
    titled = re.sub(r"menuentry '", f"menuentry '{directory} ~", new)
    entries = there[there.index("menuentry ") :]
    return titled + entries


def _memory(scratch: Path, image: Path, old: Old) -> None:
    """2.3 and 2.4."""
    overlay = image / old.overlay_name
    match old.overlay:
        case "snapshot":
            with overlay.open("wb") as file:
                file.truncate(old.overlay_mib * MIB)
        case "directory":
            overlay.mkdir()
            (image / "ovlwork").mkdir()
        case "image":
            inner = scratch / "inner"
            for name in ("overlayfs", "ovlwork"):
                (inner / name).mkdir(parents=True)
            run(
                "mke2fs", "-q", "-t", "ext4", "-L", "OVERLAY", "-d", inner, overlay,
                f"{old.overlay_mib}M",
            )  # fmt: skip
        case _:
            pass
    if old.home_mib:
        home = image / "home.img"
        run("mke2fs", "-q", "-t", "ext4", "-L", "HOME", home, f"{old.home_mib}M")
        home.chmod(0o600)
