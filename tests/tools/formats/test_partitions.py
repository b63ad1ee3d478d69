# SPDX-License-Identifier: Apache-2.0
"""Partition tables against sfdisk."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from liveos.formats.binary import FileSource
from liveos.formats.partitions import Damage, PartitionTable, Scheme, read_table
from tests.tools.formats.isos import make_boot_iso, make_tree, run

pytestmark = pytest.mark.tools

_STICK = """label: gpt
label-id: 11111111-2222-3333-4444-555555555555
start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, name="BIOS boot"
start=4096, size=20480, type=U, name="ESP"
size=30000, type=L, name="Zwölf ☂"
"""
_LOGICAL = """label: dos
label-id: 0xdeadbeef
start=2048, size=4096, type=c, bootable
start=8192, size=50000, type=5
start=10240, size=2048, type=83
start=16384, size=2048, type=82
start=20480, size=4096, type=7
"""


def _disk(where: Path, script: str, size: int = 64 << 20) -> Path:
    path = where / "disk.img"
    path.touch()
    os.truncate(path, size)
    subprocess.run(["/usr/sbin/sfdisk", "-q", path], input=script.encode(), check=True)
    return path


def _read(path: Path) -> PartitionTable:
    with FileSource(path) as source:
        table = read_table(source)
    assert table is not None
    return table


def _agrees_with_sfdisk(path: Path) -> None:
    told: dict[str, Any] = json.loads(run("/usr/sbin/sfdisk", "-J", path))["partitiontable"]
    table = _read(path)
    assert table.scheme is (Scheme.GPT if told["label"] == "gpt" else Scheme.MBR)
    assert table.id == told["id"]
    assert table.sector_size == told["sectorsize"]
    expected = [
        (
            int(partition["node"].removeprefix(f"{path}")),
            partition["type"],
            partition["start"] * told["sectorsize"],
            partition["size"] * told["sectorsize"],
            partition.get("name"),
            partition.get("bootable", False),
        )
        for partition in told["partitions"]
    ]
    found = [
        (entry.number, entry.type, entry.offset, entry.size, entry.name, entry.bootable)
        for entry in table.partitions
    ]
    assert found == expected
    uuids = [partition["uuid"] for partition in told["partitions"] if "uuid" in partition]
    if uuids:
        assert [entry.uuid for entry in table.partitions] == uuids


@pytest.mark.parametrize("script", [_STICK, _LOGICAL])
def test_tables_are_what_sfdisk_says(tmp_path: Path, script: str) -> None:
    path = _disk(tmp_path, script)
    assert _read(path).damage is None
    _agrees_with_sfdisk(path)


def test_the_iso_of_a_hybrid_is_what_sfdisk_says(tmp_path: Path) -> None:
    path = make_boot_iso(make_tree(tmp_path), tmp_path / "boot.iso")
    _agrees_with_sfdisk(path)


def test_the_isohybrid_of_isolinux_is_what_sfdisk_says(tmp_path: Path) -> None:
    # Its first partition starts at sector 0, has type 0 and covers everything.
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(4 << 20))
    places = (Path("/usr/lib/ISOLINUX/isohdpfx.bin"), Path("/usr/share/syslinux/isohdpfx.bin"))
    code = next(place for place in places if place.exists()).read_bytes()
    entry = bytes.fromhex("80000000 00ffffff 00000000 00200000")
    with path.open("r+b") as file:
        file.write(code.ljust(440, b"\0")[:440] + b"\x78\x56\x34\x12\0\0" + entry)
        file.seek(510)
        file.write(b"\x55\xaa")
    _agrees_with_sfdisk(path)


def _zero(path: Path, offset: int, length: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(length))


def test_the_backup_serves_when_the_primary_is_damaged(tmp_path: Path) -> None:
    path = _disk(tmp_path, _STICK)
    good = _read(path)
    _zero(path, 512 + 56, 4)  # in the disk's GUID: the header's sum fails
    damaged = _read(path)
    assert damaged.damage is Damage.PRIMARY_GPT
    assert damaged.partitions == good.partitions
    _agrees_with_sfdisk(path)


def test_a_damaged_array_of_entries_is_noticed(tmp_path: Path) -> None:
    path = _disk(tmp_path, _STICK)
    _zero(path, 1024 + 128 + 40)
    assert _read(path).damage is Damage.PRIMARY_GPT
    _agrees_with_sfdisk(path)


def test_a_missing_backup_is_noticed(tmp_path: Path) -> None:
    path = _disk(tmp_path, _STICK)
    os.truncate(path, 32 << 20)
    assert _read(path).damage is Damage.BACKUP_GPT


def test_a_hybrid_mbr_is_noticed(tmp_path: Path) -> None:
    path = _disk(tmp_path, _STICK)
    assert not _read(path).is_hybrid
    with path.open("r+b") as file:
        file.seek(446 + 16)
        file.write(bytes.fromhex("80000000 0cffffff 00100000 00500000"))
    assert _read(path).is_hybrid


@pytest.mark.parametrize("command", [("mkfs.fat", "-F", "32"), ("mkfs.fat", "-F", "16")])
def test_the_boot_sector_of_a_filesystem_is_no_table(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = tmp_path / "fat.img"
    path.touch()
    os.truncate(path, 64 << 20)
    run(f"/usr/sbin/{command[0]}", *command[1:], path)
    with FileSource(path) as source:
        assert read_table(source) is None
