# SPDX-License-Identifier: Apache-2.0
"""The FAT reader against mkfs.fat, mtools, fsck.fat and blkid."""

import os
import re
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource
from liveos.formats.fat.reader import Fat
from liveos.formats.tree import FileKind
from tests.tools.formats.isos import noise, run

pytestmark = pytest.mark.tools

_KINDS = {
    12: (2 << 20, ("-F", "12")),
    16: (40 << 20, ("-F", "16")),
    32: (80 << 20, ("-F", "32")),
    # A sector of 4096 bytes, one FAT only
    1632: (300 << 20, ("-F", "32", "-S", "4096", "-f", "1")),
}


def _make(where: Path, kind: int) -> Path:
    size, options = _KINDS[kind]
    path = where / "fat.img"
    path.touch()
    os.truncate(path, size)
    run("/usr/sbin/mkfs.fat", *options, "-i", "1234ABCD", "-n", "LIVE ESP", path)
    return path


@pytest.fixture(params=_KINDS)
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return _make(tmp_path, request.param)


def _copy(image: Path, name: str, data: bytes) -> None:
    source = image.parent / "data"
    source.write_bytes(data)
    run("mcopy", "-o", "-i", image, source, f"::{name}")


def _read(fat: Fat, path: str) -> bytes:
    node = fat.lookup(path)
    assert node is not None
    assert node.kind is FileKind.FILE
    return fat.open(node).read_at(0, node.size)


def _forget_next_free(image: Path) -> None:
    """Let mtools fill the holes of a FAT32, not go on where it wrote last."""
    with image.open("r+b") as file:
        position = file.read(1 << 16).index(b"rrAa")
        file.seek(position + 8)
        file.write(b"\xff" * 4)


def test_identity_is_what_blkid_says(image: Path) -> None:
    with FileSource(image) as source:
        fat = Fat(source)
        assert fat.geometry.serial == run("blkid", "-p", "-o", "value", "-s", "UUID", image).strip()
        assert fat.label == run("blkid", "-p", "-o", "value", "-s", "LABEL", image).strip()
        version = run("blkid", "-p", "-o", "value", "-s", "VERSION", image).strip()
        assert version == f"FAT{fat.geometry.bits}"
    run("mlabel", "-i", image, "::NEWER")
    assert Fat(FileSource(image)).label == "NEWER"


def test_a_filesystem_without_a_label_has_none(tmp_path: Path) -> None:
    image = tmp_path / "fat.img"
    run("/usr/sbin/mkfs.fat", "-C", image, "2048")
    assert Fat(FileSource(image)).label is None


def test_files_and_names_are_what_mtools_wrote(image: Path) -> None:
    files = {
        "/EFI/BOOT/BOOTX64.EFI": noise(3000, 1),
        "/EFI/BOOT/grub.cfg": b"set default=0\n",
        "/lower.txt": b"",
        "/A name with spaces, ümlauts and more than one piece.conf": noise(123_457, 2),
        f"/{'x' * 200}": b"long",
        "/Mixed.Case": b"mixed",
        "/UPPER": noise(1, 3),
    }
    run("mmd", "-i", image, "::EFI", "::EFI/BOOT")
    for path, data in files.items():
        _copy(image, path, data)
    fat = Fat(FileSource(image))
    found = {node.path for node in fat.walk() if node.kind is FileKind.FILE}
    assert found == set(files)
    for path, data in files.items():
        assert _read(fat, path) == data
        assert _read(fat, path.swapcase()) == data
    assert fat.lookup("/efi/boot/none") is None


def test_fragmented_files_are_put_together(image: Path) -> None:
    size = 20_000
    for number in range(12):
        _copy(image, f"part{number}", noise(size, number))
    for number in range(0, 12, 2):
        run("mdel", "-i", image, f"::part{number}")
    if Fat(FileSource(image)).geometry.bits == 32:
        _forget_next_free(image)
    whole = noise(300_000, 99)
    _copy(image, "whole", whole)
    fat = Fat(FileSource(image))
    node = fat.lookup("whole")
    assert node is not None
    assert len(fat.extents(node)) > 3
    assert fat.open(node).read_at(0, node.size) == whole
    for number in range(1, 12, 2):
        assert _read(fat, f"part{number}") == noise(size, number)


def test_a_large_directory_is_read_whole(tmp_path: Path) -> None:
    image = _make(tmp_path, 32)
    directory = tmp_path / "many"
    directory.mkdir()
    names = {f"a longer name for number {number}.mod" for number in range(200)}
    for name in names:
        (directory / name).touch()
    run("mcopy", "-s", "-i", image, directory, "::")
    assert set(Fat(FileSource(image)).listdir("/many")) == names


def test_free_size_is_what_fsck_counts(image: Path) -> None:
    _copy(image, "file", noise(300_000))
    said = run("/usr/sbin/fsck.fat", "-n", "-v", image)
    counted = re.search(r"(\d+)/(\d+) clusters", said)
    assert counted is not None
    used, clusters = map(int, counted.groups())
    cluster_size = re.search(r"(\d+) bytes per cluster", said)
    assert cluster_size is not None
    fat = Fat(FileSource(image))
    assert fat.geometry.clusters == clusters
    assert fat.geometry.cluster_size == int(cluster_size[1])
    assert fat.free_size == (clusters - used) * int(cluster_size[1])


def test_deleted_files_are_gone(image: Path) -> None:
    _copy(image, "a long name that goes.txt", b"x")
    _copy(image, "stays", b"y")
    run("mdel", "-i", image, "::a long name that goes.txt")
    assert Fat(FileSource(image)).listdir("/") == ["stays"]
