# SPDX-License-Identifier: Apache-2.0
"""The ISO reader against xorriso, blkid and the tree that the ISO was made of."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pycdlib
import pytest

from liveos.formats.binary import FileSource
from liveos.formats.iso9660.el_torito import HybridCode, read_catalogue, read_hybrid_code
from liveos.formats.iso9660.reader import Iso9660
from liveos.formats.tree import FileKind
from tests.tools.formats.isos import make_boot_iso, make_iso, make_tree, run

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("iso"))


@pytest.fixture(scope="module")
def boot_iso(tree: Path) -> Path:
    return make_boot_iso(tree, tree.parent / "boot.iso")


@pytest.mark.parametrize("options", [("-R",), ("-R", "-J"), ("-R", "-D"), ("-R", "-d", "-N")])
def test_tree_is_the_one_that_was_written(
    tree: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    iso = Iso9660(FileSource(make_iso(tree, tmp_path / "test.iso", *options)))
    found = {node.path for node in iso.walk()}
    expected = set()
    for parent, directories, files in os.walk(tree):
        for name in directories + files:
            expected.add("/" + str((Path(parent) / name).relative_to(tree)))
    assert found == expected
    for path in expected:
        original = tree / path[1:]
        node = iso.lookup(path)
        assert node is not None
        if original.is_symlink():
            assert iso.readlink(node) == os.readlink(original)  # noqa: PTH115 - pathlib drops "."
        elif original.is_dir():
            assert node.kind is FileKind.DIRECTORY
        else:
            assert node.size == original.stat().st_size
            assert iso.open(node).read_at(0, node.size) == original.read_bytes()
            assert stat.S_IMODE(node.mode) == stat.S_IMODE(original.stat().st_mode)


def test_relocated_directories_are_where_they_belong(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "deep.iso"
    relocate = ("-compliance", "deep_paths_off", "-rr_reloc_dir", "moved")
    run("xorriso", *relocate, "-outdev", path, "-map", tree / "a", "/a", "-commit")
    assert b"CL\x0c\x01" in path.read_bytes()
    iso = Iso9660(FileSource(path))
    node = iso.lookup("/a/b/c/d/e/f/g/h/i/j/deep")
    assert node is not None
    assert iso.open(node).read_at(0, 4) == b"deep"
    paths = [node.path for node in iso.walk() if node.name == "deep"]
    assert paths == ["/a/b/c/d/e/f/g/h/i/j/deep"]


def test_joliet_names_are_used_when_there_is_no_rock_ridge(tree: Path, tmp_path: Path) -> None:
    path = make_iso(tree, tmp_path / "test.iso", "-U", "-J", "--norock")
    iso = Iso9660(FileSource(path))
    oracle = pycdlib.PyCdlib()
    oracle.open(str(path))
    names = [
        child.file_identifier().decode("utf-16-be")
        for child in oracle.list_children(joliet_path="/a")
        if not child.is_dot() and not child.is_dotdot()
    ]
    assert sorted(iso.listdir("/a")) == sorted(name.partition(";")[0] for name in names)
    assert "ünï côde .with.dots" in iso.listdir("/a")


def test_extents_are_where_xorriso_says(boot_iso: Path) -> None:
    iso = Iso9660(FileSource(boot_iso))
    report = run("xorriso", "-indev", boot_iso, "-find", "/", "-type", "f", "-exec", "report_lba")
    lines = re.findall(r"File data lba: +0 , +(\d+) , +\d+ , +(\d+) , '(.*)'", report)
    assert len(lines) > 300
    for lba, size, path in lines:
        node = iso.lookup(path)
        assert node is not None
        extents = iso.extents(node)
        assert extents is not None
        expected = [(int(lba) * 2048, int(size))] if int(size) else []
        assert [(extent.offset, extent.length) for extent in extents] == expected


def test_volume_is_what_blkid_and_xorriso_say(boot_iso: Path) -> None:
    volume = Iso9660(FileSource(boot_iso)).volume
    assert volume.uuid == run("blkid", "-p", "-o", "value", "-s", "UUID", boot_iso).strip()
    assert volume.label == run("blkid", "-p", "-o", "value", "-s", "LABEL", boot_iso).strip()
    report = run("xorriso", "-indev", boot_iso, "-pvd_info")
    facts = dict(re.findall(r"(?m)^(.*?) *: *(.*?) *$", report))
    assert volume.label == facts["Volume Id"]
    assert volume.publisher == facts["Publisher Id"]
    assert volume.application == facts["App Id"]
    assert volume.system == facts["System Id"]
    assert volume.created is not None
    assert volume.created.strftime("%Y%m%d%H%M%S") == facts["Creation Time"][:14]
    assert volume.size == boot_iso.stat().st_size


def test_catalogue_is_what_xorriso_reports(boot_iso: Path) -> None:
    report = run("xorriso", "-indev", boot_iso, "-report_el_torito", "plain")
    row = r"El Torito boot img : +\d+ +(\w+) +(\w) +(\w+) +\S+ +\S+ +(\d+) +(\d+)"
    platforms = {"BIOS": 0, "UEFI": 0xEF}
    expected = [
        (platforms[platform], bootable == "y", int(sectors) * 512, int(lba))
        for platform, bootable, _emulation, sectors, lba in re.findall(row, report)
    ]
    found = [
        (int(image.platform), image.bootable, image.size, image.lba)
        for image in read_catalogue(FileSource(boot_iso))
    ]
    assert len(expected) == 2
    assert found == expected


def test_hybrid_code_is_recognized(boot_iso: Path, tree: Path, tmp_path: Path) -> None:
    assert read_hybrid_code(FileSource(boot_iso)) is HybridCode.GRUB
    plain = make_iso(tree, tmp_path / "plain.iso", "-R")
    assert read_hybrid_code(FileSource(plain)) is None


def test_a_file_past_4_gib_has_all_its_sections(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    size = (4 << 30) + 12345
    (tree / "squashfs.img").touch()
    os.truncate(tree / "squashfs.img", size)
    path = tmp_path / "big.iso"
    # The metadata comes first: it alone is kept, so that no 4 GiB of zeros are written.
    command = ("xorriso", "-as", "mkisofs", "-R", "-iso-level", "3", str(tree))
    with (
        path.open("wb") as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer,
    ):
        assert writer.stdout is not None
        file.write(writer.stdout.read(1 << 20))
        writer.kill()
    os.truncate(path, size + (2 << 20))
    iso = Iso9660(FileSource(path))
    node = iso.lookup("/squashfs.img")
    assert node is not None
    assert node.size == size
    report = run("xorriso", "-indev", path, "-find", "/squashfs.img", "-exec", "report_lba")
    lines = re.findall(r"File data lba: +\d+ , +(\d+) , +\d+ , +(\d+) ,", report)
    extents = iso.extents(node)
    assert extents is not None
    assert len(extents) == len(lines) > 1
    assert [extent.offset for extent in extents] == [int(lba) * 2048 for lba, _ in lines]
