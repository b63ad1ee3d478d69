# SPDX-License-Identifier: Apache-2.0
"""A stick image made by an ordinary user, looked at by other programs."""

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from liveos.medium.model import PersistenceKind
from liveos.operations.execute import execute
from tests.tools.operations.tiny import FILES, MIB, SIZE, contents, make_plan, run
from tests.unit.operations.sources import IDENTITIES

pytestmark = pytest.mark.tools

ESP_FILES = {
    "/EFI/BOOT/BOOTX64.EFI": "/EFI/BOOT/BOOTX64.EFI",
    "/EFI/BOOT/GRUBX64.EFI": "/EFI/BOOT/grubx64.efi",
    "/EFI/BOOT/MMX64.EFI": "/EFI/BOOT/mmx64.efi",
    "/liveos/LiveOS/vmlinuz": "/images/pxeboot/vmlinuz",
    "/liveos/LiveOS/initrd.img": "/images/pxeboot/initrd.img",
}
TEXTS = {"/EFI/BOOT/grub.cfg", "/boot/grub/grub.cfg", "/liveos/LiveOS/menu.cfg"}
UUID = str(IDENTITIES.live_filesystem)
OVERLAY = f"/LiveOS/overlay-TINY-LIVE-{UUID}"


class Stick:
    """A finished stick, cut into its partitions with sfdisk and dd alone."""

    def __init__(self, path: Path, directory: Path) -> None:
        self.path = path
        table = json.loads(run("sfdisk", "--json", path))["partitiontable"]
        self.table = table
        self.windows = {part["name"]: part for part in table["partitions"]}
        self.esp = self.cut("ESP", directory / "esp.fat")
        self.live = self.cut("LIVE", directory / "live.ext4")

    def cut(self, name: str, to: Path) -> Path:
        part = self.windows[name]
        numbers = (f"skip={part['start']}", f"count={part['size']}")
        run("dd", f"if={self.path}", f"of={to}", "bs=512", *numbers, "conv=sparse", "status=none")
        os.truncate(to, part["size"] * 512)
        return to

    def debugfs(self, command: str) -> bytes:
        return run("debugfs", "-R", command, self.live)


@pytest.fixture(scope="module")
def stick(iso: Path, tmp_path_factory: pytest.TempPathFactory) -> Stick:
    directory = tmp_path_factory.mktemp("stick")
    made = directory / "stick.img"
    execute(make_plan(iso, made))
    assert sorted(path.name for path in directory.iterdir()) == ["stick.img"]
    return Stick(made, directory)


def test_the_partition_table(stick: Stick) -> None:
    assert stick.path.stat().st_size == SIZE
    run("sfdisk", "--verify", stick.path)
    assert b"No problems found" in run("sgdisk", "-v", stick.path)
    assert stick.table["id"] == str(IDENTITIES.disk).upper()
    assert [part["uuid"].lower() for part in stick.table["partitions"]] == [
        str(IDENTITIES.bios_boot),
        str(IDENTITIES.esp),
        str(IDENTITIES.live),
    ]
    assert all(part["start"] % (4 * MIB // 512) == 0 for part in stick.table["partitions"])


def test_the_filesystems_are_clean(stick: Stick) -> None:
    run("fsck.fat", "-n", stick.esp)
    run("e2fsck", "-f", "-n", stick.live)
    esp = run("blkid", "-p", "-o", "export", stick.esp).decode()
    live = run("blkid", "-p", "-o", "export", stick.live).decode()
    assert "UUID=1A2B-3C4D\n" in esp
    assert "VERSION=FAT32\n" in esp
    assert f"UUID={UUID}\n" in live
    assert "LABEL=TINY-LIVE\n" in live


def test_what_lies_on_the_esp(stick: Stick) -> None:
    listing = run("mdir", "-i", stick.esp, "-/", "-b", "::").decode().splitlines()
    files = {line.removeprefix("::") for line in listing if not line.endswith("/")}
    assert files == {*ESP_FILES, *TEXTS}  # neither shim's fallback nor the unfinished mark


@pytest.mark.parametrize("path", ESP_FILES)
def test_files_of_the_esp_are_those_of_the_iso(stick: Stick, path: str) -> None:
    assert run("mcopy", "-i", stick.esp, f"::{path}", "-") == contents(ESP_FILES[path])


def test_the_root_is_that_of_the_iso(stick: Stick) -> None:
    assert stick.debugfs("cat /LiveOS/squashfs.img") == contents("/LiveOS/squashfs.img")
    inode = stick.debugfs("stat /LiveOS/squashfs.img").decode()
    assert re.search(r"Mode: +0644 .*User: +0 +Group: +0 ", inode, re.DOTALL)
    assert "[u]" not in inode  # no extent is left unwritten


def test_the_snapshot_store_is_blank_and_has_its_blocks(stick: Stick) -> None:
    assert not any(stick.debugfs(f"cat {OVERLAY}"))
    inode = stick.debugfs(f"stat {OVERLAY}").decode()
    size = re.search(r"Size: (\d+)", inode)
    blocks = re.search(r"Blockcount: (\d+)", inode)
    assert size is not None
    assert blocks is not None
    assert int(size[1]) == 20 * MIB
    assert int(blocks[1]) * 512 >= 20 * MIB


def test_the_menus_are_grub_scripts(stick: Stick) -> None:
    for path in TEXTS:
        text = run("mcopy", "-i", stick.esp, f"::{path}", "-")
        run("grub-script-check", "/dev/stdin", stdin=text)


def test_the_record_tells_the_sums(stick: Stick) -> None:
    record = json.loads(stick.debugfs("cat /LiveOS/image.json"))
    assert record["source"]["label"] == "TINY-LIVE"
    sums = {item["path"]: item["sha256"] for item in record["files"]}
    expected = hashlib.sha256(contents("/LiveOS/squashfs.img")).hexdigest()
    assert sums["/LiveOS/squashfs.img"] == expected
    assert f"UUID={UUID}:{OVERLAY}" in record["options"]


def test_the_boot_code_leads_to_the_core_image(stick: Stick) -> None:
    """Places and meanings are those of GRUB's ``boot.S`` and ``diskboot.S``."""
    first = stick.windows["BIOS boot"]["start"]
    disk = stick.path.read_bytes()
    original = Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()
    assert disk[:0x5C] == original[:0x5C]
    assert int.from_bytes(disk[0x5C:0x64], "little") == first
    assert disk[0x68:440] == original[0x68:440]
    core = disk[first * 512 :][:MIB]
    block_list = core[500:512]
    assert int.from_bytes(block_list[:8], "little") == first + 1
    sectors = int.from_bytes(block_list[8:10], "little")
    assert any(core[sectors * 512 : (sectors + 1) * 512])
    assert not any(core[(sectors + 1) * 512 :])


def test_a_directory_overlay(iso: Path, tmp_path: Path) -> None:
    target = tmp_path / "stick.img"
    execute(make_plan(iso, target, overlay_kind=PersistenceKind.DIRECTORY))
    stick = Stick(target, tmp_path)
    run("e2fsck", "-f", "-n", stick.live)
    for path in (OVERLAY, "/LiveOS/ovlwork"):
        inode = stick.debugfs(f"stat {path}").decode()
        assert "Type: directory" in inode
        assert re.search(r"Mode: +0755 ", inode)
        assert re.search(r"User: +0 +Group: +0 ", inode)
        label = 'security.selinux (28) = "system_u:object_r:root_t:s0\\000"'
        assert label in inode


def test_an_existing_file_is_written_in_place(iso: Path, tmp_path: Path) -> None:
    target = tmp_path / "old.img"
    target.write_bytes(b"\xa5" * SIZE)
    run("sfdisk", "-q", target, stdin=b"label: gpt\nsize=64MiB, name=mine\n")
    inode = target.stat().st_ino
    made = make_plan(iso, target, size=None, erase=True)
    assert any('partition 1 "mine", 64 MiB' in sentence for sentence in made.destroys)
    execute(made)
    assert target.stat().st_ino == inode
    stick = Stick(target, tmp_path)
    run("fsck.fat", "-n", stick.esp)
    run("e2fsck", "-f", "-n", stick.live)
    assert stick.debugfs("cat /LiveOS/squashfs.img") == contents("/LiveOS/squashfs.img")
    assert not any(stick.debugfs(f"cat {OVERLAY}"))  # nothing of the old bytes shows


def test_hidden_remains_of_the_old_disk_are_wiped(iso: Path, tmp_path: Path) -> None:
    """An ISO that was written with dd leaves a volume descriptor at 32 KiB."""
    target = tmp_path / "old.img"
    target.write_bytes(iso.read_bytes().ljust(SIZE, b"\0"))
    assert b"iso9660" in run("blkid", "-p", target)
    execute(make_plan(iso, target, size=None, erase=True))
    assert b"iso9660" not in run("blkid", "-p", target)


def test_a_file_replaced_by_a_larger_one(iso: Path, tmp_path: Path) -> None:
    target = tmp_path / "old.img"
    target.write_bytes(b"old")
    execute(make_plan(iso, target, erase=True))
    assert target.stat().st_size == SIZE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.img"]


def test_hardly_anything_is_written_beside_the_payload(iso: Path, tmp_path: Path) -> None:
    target = tmp_path / "stick.img"
    execute(make_plan(iso, target))
    payload = sum(FILES.values())
    assert target.stat().st_blocks * 512 < payload + 16 * MIB
