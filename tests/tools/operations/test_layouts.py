# SPDX-License-Identifier: Apache-2.0
"""Sticks of other tables and filesystems, made by an ordinary user and judged by other programs."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from liveos.errors import NoSpaceError, ToolFailedError, UnsupportedError
from liveos.host import syslinux, tools
from liveos.host.mkfs import f2fs
from liveos.host.target import look_at
from liveos.medium.inspect import inspect
from liveos.medium.listing import list_images
from liveos.medium.model import Family, PersistenceKind
from liveos.medium.overlay.locate import open_overlay
from liveos.operations.execute import execute
from liveos.operations.guests.menu_edits import edit_menus
from liveos.operations.install.bootloaders import EfiStub, Syslinux
from liveos.operations.install.data import DataFilesystem, DataRequest
from liveos.operations.install.filesystems import Btrfs, F2fs, Fat32, LiveFilesystem, Xfs
from liveos.operations.install.layout import Table, serial_text
from liveos.operations.install.planning import InstallRequest, plan
from liveos.sizes import Size
from tests.tools.operations.layouts import (
    SIZE,
    cut,
    made,
    partitions,
    planned,
    read_fat,
    section,
)
from tests.tools.operations.tiny import MIB, contents, facts, run
from tests.unit.operations.sources import IDENTITIES

pytestmark = pytest.mark.tools

UUID = str(IDENTITIES.live_filesystem)
SERIAL = serial_text(IDENTITIES.live_serial)
ROOT = "/LiveOS/squashfs.img"


def read_btrfs(live: Path, path: str) -> bytes:
    to = live.with_suffix(".restored")
    to.mkdir(exist_ok=True)
    run("btrfs", "restore", live, to)
    return (to / path.lstrip("/")).read_bytes()


def read_xfs(live: Path, path: str) -> bytes:
    """By the places that xfs_db tells; what it calls reserved reads as zeros."""
    said = run("xfs_db", "-r", "-c", f"path {path}", "-c", "print core.size", "-c", "bmap", live)
    size = int(re.search(rb"core.size = (\d+)", said)[1])  # type: ignore[index]
    group = int(run("xfs_db", "-r", "-c", "sb 0", "-c", "print agblocks", live).split()[-1])
    rows = re.findall(rb"offset (\d+) startblock \d+ \((\d+)/(\d+)\) count (\d+) flag (\d)", said)
    disk, data = live.read_bytes(), b""
    for row in rows:
        _, ag, block, count, reserved = map(int, row)
        place = (ag * group + block) * 4096
        data += bytes(count * 4096) if reserved else disk[place : place + count * 4096]
    return data[:size]


CHECKS = {
    "btrfs": ("btrfs", "check", "--readonly", "--check-data-csum"),
    "xfs": ("xfs_repair", "-n"),
    "f2fs": ("fsck.f2fs", "--dry-run"),
    "vfat": ("fsck.fat", "-n"),
}
CASES: dict[str, tuple[LiveFilesystem, Table, Callable[[Path, str], bytes] | None]] = {
    "btrfs": (Btrfs(), Table.GPT, read_btrfs),
    "xfs": (Xfs(), Table.MSDOS, read_xfs),
    "f2fs": (F2fs(), Table.GPT, None),
    "f2fs-features": (F2fs(("extra_attr", "compression")), Table.MSDOS, None),
    "fat32": (Fat32(), Table.GPT, read_fat),
}


@pytest.mark.parametrize("name", CASES)
def test_other_programs_find_what_was_put_there(name: str, iso: Path, tmp_path: Path) -> None:
    filesystem, table, read = CASES[name]
    stick = made(iso, tmp_path / "stick.img", filesystem=filesystem, table=table)
    assert [path.name for path in tmp_path.iterdir()] == ["stick.img"]
    *_, esp, live = partitions(stick)
    run("fsck.fat", "-n", cut(stick, esp, tmp_path / "esp"))
    inside = cut(stick, live, tmp_path / "live")
    run(*CHECKS[filesystem.name], inside)
    facts_of = run("blkid", "-p", "-o", "export", inside).decode()
    assert f"TYPE={filesystem.name}\n" in facts_of
    assert f"UUID={SERIAL if name == 'fat32' else UUID}\n" in facts_of
    assert "LABEL=TINY-LIVE\n" in facts_of
    if read is not None:
        assert read(inside, ROOT) == contents(ROOT)
        record = json.loads(read(inside, "/LiveOS/image.json"))
        assert record["overlay"]["kind"] == filesystem.kinds[0]


@pytest.mark.parametrize("filesystem", [Xfs(), Fat32()])
def test_a_snapshot_store_is_blank(filesystem: LiveFilesystem, iso: Path, tmp_path: Path) -> None:
    stick = made(iso, tmp_path / "stick.img", filesystem=filesystem)
    inside = cut(stick, partitions(stick)[-1], tmp_path / "live")
    name = f"/LiveOS/overlay-TINY-LIVE-{SERIAL if filesystem.name == 'vfat' else UUID}"
    read = read_xfs if filesystem.name == "xfs" else read_fat
    assert read(inside, name) == bytes(20 * MIB)


def test_btrfs_of_a_user_belongs_to_root(iso: Path, tmp_path: Path) -> None:
    """mkfs.btrfs takes over the owner of the files that it is given."""
    stick = made(iso, tmp_path / "stick.img", filesystem=Btrfs(), overlay=None)
    inside = cut(stick, partitions(stick)[-1], tmp_path / "live")
    dump = run("btrfs", "inspect-internal", "dump-tree", "-t", "5", inside).decode()
    owners = set(re.findall(r"uid (\d+) gid (\d+)", dump))
    assert owners == {("0", "0")}


def test_old_bytes_do_not_show(iso: Path, tmp_path: Path) -> None:
    target = tmp_path / "old.img"
    target.write_bytes(b"\xa5" * SIZE)
    stick = made(iso, target, filesystem=Xfs(), size=None, erase=True)
    inside = cut(stick, partitions(stick)[-1], tmp_path / "live")
    run("xfs_repair", "-n", inside)
    assert read_xfs(inside, f"/LiveOS/overlay-TINY-LIVE-{UUID}") == bytes(20 * MIB)
    assert read_xfs(inside, ROOT) == contents(ROOT)


def test_a_single_partition_holds_everything(iso: Path, tmp_path: Path) -> None:
    stick = made(
        iso, tmp_path / "s.img", size=96 * MIB, single=True, filesystem=Fat32(), table=Table.MSDOS
    )
    (only,) = partitions(stick)
    assert only["type"] == "c"
    assert only["bootable"]
    inside = cut(stick, only, tmp_path / "live")
    run("fsck.fat", "-n", inside)
    assert read_fat(inside, ROOT) == contents(ROOT)
    assert read_fat(inside, "/liveos/LiveOS/vmlinuz") == contents("/images/pxeboot/vmlinuz")
    assert f"--set=root {SERIAL}" in read_fat(inside, "/EFI/BOOT/grub.cfg").decode()
    assert f"root=live:UUID={SERIAL}" in read_fat(inside, "/liveos/LiveOS/menu.cfg").decode()


def test_an_msdos_table_has_grub_before_its_first_partition(iso: Path, tmp_path: Path) -> None:
    stick = made(iso, tmp_path / "stick.img", table=Table.MSDOS)
    esp, live = partitions(stick)
    assert (esp["type"], live["type"]) == ("ef", "83")
    assert esp["bootable"]
    disk = stick.read_bytes()
    assert int.from_bytes(disk[0x5C:0x64], "little") == 1  # GRUB's boot.S: where its core begins
    sectors = int.from_bytes(disk[512 + 508 : 512 + 510], "little")
    assert any(disk[512 * sectors : 512 * (sectors + 1)])
    assert sectors < int(str(esp["start"]))


def test_the_least_size_of_each_filesystem_is_enough(iso: Path, tmp_path: Path) -> None:
    for filesystem in (Btrfs(), F2fs()):
        with pytest.raises(NoSpaceError) as error:
            planned(iso, tmp_path / "stick.img", filesystem=filesystem, size=64 * MIB)
        least = int(re.search(r"(\d+)M", str(error.value.hint))[1])  # type: ignore[index]
        stick = made(iso, tmp_path / "stick.img", filesystem=filesystem, size=least * MIB)
        run(*CHECKS[filesystem.name], cut(stick, partitions(stick)[-1], tmp_path / "live"))
        stick.unlink()
        (tmp_path / "live").unlink()


@pytest.mark.parametrize("size", [SIZE, 1024 * MIB])
def test_a_full_btrfs_fits_into_its_partition(size: int, iso: Path, tmp_path: Path) -> None:
    """mkfs.btrfs makes an image larger that is too small for the files, and says nothing."""
    wishes = {"overlay": Size(), "overlay_kind": PersistenceKind.IMAGE, "size": size}
    stick = made(iso, tmp_path / "stick.img", filesystem=Btrfs(), **wishes)
    live = partitions(stick)[-1]
    inside = cut(stick, live, tmp_path / "live")
    facts = run("btrfs", "inspect-internal", "dump-super", inside).decode()
    total = int(re.search(r"total_bytes\s+(\d+)", facts)[1])  # type: ignore[index]
    room = int(str(live["size"])) * 512
    assert total <= room
    overlay = inspect(stick).images[0].overlay
    assert overlay is not None
    assert overlay.size is not None
    assert overlay.size > room // 2


def test_a_btrfs_that_grew_is_not_written(
    iso: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Btrfs, "capacity", lambda _, size: size - 16 * MIB)
    wishes = {"overlay": Size(), "overlay_kind": PersistenceKind.IMAGE}
    with pytest.raises(NoSpaceError, match="the files need a filesystem of"):
        made(iso, tmp_path / "stick.img", filesystem=Btrfs(), **wishes)
    assert list(tmp_path.iterdir()) == []


def test_selinux_keeps_a_directory_off_what_cannot_be_labelled(iso: Path, tmp_path: Path) -> None:
    request = InstallRequest(size=SIZE, filesystem=Xfs(), overlay_kind=PersistenceKind.DIRECTORY)
    with pytest.raises(UnsupportedError, match="SELinux"):
        plan(request, facts(iso), look_at(tmp_path / "stick.img", iso), None)


@pytest.mark.parametrize("table", Table)
def test_syslinux_starts_the_marked_partition(table: Table, iso: Path, tmp_path: Path) -> None:
    stick = made(iso, tmp_path / "stick.img", size=192 * MIB, table=table, bootloader=Syslinux())
    parts = partitions(stick)
    esp, disk = parts[-2], stick.read_bytes()
    name = "gptmbr.bin" if table is Table.GPT else "mbr.bin"
    code = (syslinux.installed().boot_code / name).read_bytes()
    assert disk[: len(code)] == code
    assert esp["attrs"] == "LegacyBIOSBootable" if table is Table.GPT else esp["bootable"]
    inside = cut(stick, esp, tmp_path / "esp")
    run("fsck.fat", "-n", inside)
    boot_sector = inside.read_bytes()[:512]
    assert boot_sector[3:11] == b"SYSLINUX"  # its name in the BIOS parameter block
    assert b"ldlinux.sys" in run("mdir", "-b", "-a", "-i", inside, "::/syslinux")
    assert read_fat(inside, "/syslinux/ldlinux.c32")
    menu = read_fat(inside, "/syslinux/syslinux.cfg").decode()
    assert "INCLUDE /liveos/LiveOS/syslinux.cfg" in menu
    entries = read_fat(inside, "/liveos/LiveOS/syslinux.cfg").decode()
    assert f"APPEND root=live:UUID={UUID} " in entries
    assert "LINUX /liveos/LiveOS/vmlinuz\n  INITRD /liveos/LiveOS/initrd.img\n" in entries


def test_a_unified_kernel_image_has_everything_in_it(iso: Path, tmp_path: Path) -> None:
    stick = made(iso, tmp_path / "stick.img", bootloader=EfiStub(), kernel_arguments=("extra=1",))
    inside = cut(stick, partitions(stick)[-2], tmp_path / "esp")
    programs = run("mdir", "-b", "-i", inside, "::/EFI/BOOT").decode().split()
    assert [path for path in programs if path.endswith(".EFI")] == ["::/EFI/BOOT/BOOTX64.EFI"]
    image = tmp_path / "image.efi"
    image.write_bytes(read_fat(inside, "/EFI/BOOT/BOOTX64.EFI"))
    assert section(image, ".linux").startswith(contents("/images/pxeboot/vmlinuz"))
    assert section(image, ".initrd").startswith(contents("/images/pxeboot/initrd.img"))
    line = section(image, ".cmdline")
    assert len(line) == 4096
    assert line.rstrip(b"\0").decode().startswith(f"root=live:UUID={UUID} ")
    assert line.rstrip(b"\0").endswith(b" extra=1")
    # Sections that overlap would be overwritten when the firmware loads them.
    rows = re.findall(
        r"^ +\d+ \S+ +(\w+)  (\w+)", run("objdump", "-h", image).decode(), re.MULTILINE
    )
    places = sorted((int(address, 16), int(size, 16)) for size, address in rows)
    assert all(a + size <= b for (a, size), (b, _) in pairwise(places))


def give_words(stick: Path, scratch: Path) -> tuple[str, ...]:
    """Edit a stick's menus as for a proof; the paths of those that start a kernel."""
    edits = edit_menus(stick, scratch, ("console=ttyS0",))
    with stick.open("r+b") as disk:
        for patch in edits.patches:
            disk.seek(patch.offset)
            disk.write(patch.data)
    return edits.menus


def test_a_proof_gives_words_to_a_unified_kernel_image(iso: Path, tmp_path: Path) -> None:
    stick = made(iso, tmp_path / "stick.img", bootloader=EfiStub())
    assert "/EFI/BOOT/BOOTX64.EFI" in give_words(stick, tmp_path)
    inside = cut(stick, partitions(stick)[-2], tmp_path / "esp")
    run("fsck.fat", "-n", inside)
    image = tmp_path / "image.efi"
    image.write_bytes(read_fat(inside, "/EFI/BOOT/BOOTX64.EFI"))
    line = section(image, ".cmdline").rstrip(b"\0").decode()
    assert line.startswith(f"console=ttyS0 root=live:UUID={UUID} ")
    assert section(image, ".linux").startswith(contents("/images/pxeboot/vmlinuz"))


def test_a_proof_gives_words_to_syslinux_on_a_single_partition(iso: Path, tmp_path: Path) -> None:
    """FAT knows no capitals: there the menus lie in the directory of the images."""
    shape = {"single": True, "filesystem": Fat32(), "table": Table.MSDOS}
    stick = made(iso, tmp_path / "stick.img", bootloader=Syslinux(), **shape)
    give_words(stick, tmp_path)
    inside = cut(stick, partitions(stick)[-1], tmp_path / "live")
    run("fsck.fat", "-n", inside)
    for menu in ("syslinux.cfg", "menu.cfg"):
        text = read_fat(inside, f"/liveos/LiveOS/{menu}").decode()
        assert re.search(rf"(APPEND|linux .*) console=ttyS0 root=live:UUID={SERIAL}", text)


@pytest.mark.parametrize(
    ("filesystem", "table", "kind"),
    [
        (DataFilesystem.EXFAT, Table.GPT, "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"),
        (DataFilesystem.FAT32, Table.MSDOS, "c"),
        (DataFilesystem.EXT4, Table.MSDOS, "83"),
    ],
)
def test_a_partition_for_data(
    filesystem: DataFilesystem, table: Table, kind: str, iso: Path, tmp_path: Path
) -> None:
    target = tmp_path / "stick.img"
    target.write_bytes(b"\xa5" * (320 * MIB))
    wish = DataRequest(Size(), filesystem)
    stick = made(iso, target, size=None, erase=True, table=table, data=wish)
    assert [path.name for path in tmp_path.iterdir()] == ["stick.img"]
    *_, live, data = partitions(stick)
    assert data["type"] == kind
    assert int(str(data["size"])) * 512 > 64 * MIB
    inside = cut(stick, data, tmp_path / "data")
    checks = {"exfat": ("fsck.exfat", "-n"), "fat32": ("fsck.fat", "-n"), "ext4": ("e2fsck", "-fn")}
    run(*checks[filesystem], inside)
    said = run("blkid", "-p", "-o", "export", inside).decode()
    assert f"TYPE={'vfat' if filesystem == 'fat32' else filesystem}\n" in said
    assert "LABEL=DATA\n" in said
    if filesystem is DataFilesystem.EXT4:
        assert b"Mode:  01777" in run("debugfs", "-R", "stat <2>", inside)
    run("e2fsck", "-f", "-n", cut(stick, live, tmp_path / "live"))


def test_inspect_tells_what_was_noted_of_a_filesystem_that_is_not_read(
    iso: Path, tmp_path: Path
) -> None:
    stick = made(iso, tmp_path / "stick.img", filesystem=Btrfs())
    found = inspect(stick)
    assert found.label == "TINY-LIVE"
    (image,) = found.images
    assert (image.name, image.family) == ("LiveOS", Family.DMSQUASH)
    assert image.overlay is not None
    assert image.overlay.kind is PersistenceKind.DIRECTORY
    assert image.overlay.path == f"/LiveOS/overlay-TINY-LIVE-{UUID}"
    assert image.root.file is not None
    assert (image.root.file.path, image.root.file.size) == (ROOT, len(contents(ROOT)))
    assert {entry.live_source for entry in image.entries} == {f"live:UUID={UUID}"}
    assert {kernel.file.path for kernel in image.kernels} == {"/liveos/LiveOS/vmlinuz"}
    assert [each.image.name for each in list_images(stick).images] == ["LiveOS"]
    assert "unread-filesystem" in {finding.code for finding in found.warnings}


def test_verbs_say_why_they_cannot_look_into_an_image(iso: Path, tmp_path: Path) -> None:
    stick = made(iso, tmp_path / "stick.img", filesystem=F2fs())
    with (
        pytest.raises(UnsupportedError, match="on f2fs, which is not read"),
        open_overlay(str(stick)),
    ):
        pass


def test_nothing_is_left_when_a_program_fails(
    iso: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_ = planned(iso, tmp_path / "stick.img", filesystem=F2fs())
    monkeypatch.setattr(f2fs, "SLOAD_F2FS", replace(tools.SLOAD_F2FS, programs=("false",)))
    with pytest.raises(ToolFailedError):
        execute(plan_)
    assert list(tmp_path.iterdir()) == []
