# SPDX-License-Identifier: Apache-2.0
"""The ext4 reader against what mke2fs makes, and what dumpe2fs and debugfs say of it."""

import re
import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import ExtentSource, FileSource, FormatError, Window
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.superblock import Superblock
from tests.tools.formats.trees import (
    Listing,
    assert_random_reads_agree,
    digest,
    listing_of_tree,
)

pytestmark = pytest.mark.tools

VARIANTS = {
    "ext4-4K": ["-t", "ext4", "-b", "4096"],
    "ext4-1K": ["-t", "ext4", "-b", "1024", "-L", "a label, 16 long"],
    "ext4-64K": ["-t", "ext4", "-b", "65536", "-N", "4096"],
    "ext4-plain": ["-t", "ext4", "-O", "^has_journal,^64bit,^metadata_csum,^flex_bg"],
    "ext4-lorax": ["-t", "ext4", "-b", "4096", "-L", "Anaconda", "-m", "0"],
    "ext4-groups": ["-t", "ext4", "-b", "1024", "-g", "1024", "-I", "512"],
    "ext4-bigalloc": ["-t", "ext4", "-O", "bigalloc", "-C", "16384"],
    "ext3-4K": ["-t", "ext3", "-b", "4096"],
    "ext3-1K": ["-t", "ext3", "-b", "1024", "-I", "128"],
    "ext2-1K": ["-t", "ext2", "-b", "1024"],
    "ext2-revision-0": ["-t", "ext2", "-b", "1024", "-r", "0"],
}


def make(path: Path, tree: Path, arguments: list[str]) -> Path:
    with path.open("wb") as file:
        file.truncate(256 << 20)
    command: list[str | Path] = ["mke2fs", "-q", "-F", "-d", tree, *arguments, path]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture(params=VARIANTS, scope="module")
def image(
    request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("ext4") / f"{request.param}.img"
    return make(path, tree, VARIANTS[request.param])


def test_the_whole_tree_is_read(image: Path, listing: Listing) -> None:
    with FileSource(image) as source:
        assert listing_of_tree(Ext4(source)) == listing


def test_files_are_read_at_random(image: Path, tree: Path) -> None:
    with FileSource(image) as source:
        for name in ("mixed", "sparse"):
            assert_random_reads_agree(Ext4(source), f"/{name}", tree / name)


def test_extents_are_the_blocks_that_debugfs_names(image: Path) -> None:
    with FileSource(image) as source:
        filesystem = Ext4(source)
        for path in ("/noise", "/sparse", "/many"):
            node = filesystem.lookup(path)
            assert node is not None
            block_size = filesystem.superblock.block_size
            ours = [
                block
                for extent in filesystem.extents(node)
                if extent.offset is not None
                for block in range(
                    extent.offset // block_size, -(-(extent.offset + extent.length) // block_size)
                )
            ]
            assert ours == _blocks(image, path)


def test_what_is_allocated_is_what_debugfs_counts(image: Path) -> None:
    with FileSource(image) as source:
        filesystem = Ext4(source)
        for path in ("/noise", "/sparse", "/many"):
            node = filesystem.lookup(path)
            assert node is not None
            shown = subprocess.run(
                ["debugfs", "-R", f"stat {path}", image], check=True, capture_output=True, text=True
            ).stdout
            (count,) = re.findall(r"Blockcount: (\d+)", shown)
            assert filesystem.allocated(node) == int(count) * 512


def _blocks(image: Path, path: str) -> list[int]:
    """The data blocks of a file, from ``(LOGICAL[-LAST]):PHYSICAL[-LAST]`` of debugfs stat."""
    shown = subprocess.run(
        ["debugfs", "-R", f"stat {path}", image], check=True, capture_output=True, text=True
    ).stdout
    blocks: list[int] = []
    for start, end in re.findall(r"\(\d[-\d]*\):(\d+)(?:-(\d+))?", shown):
        blocks += range(int(start), int(end or start) + 1)
    return blocks


def test_extents_of_a_file_are_its_bytes(image: Path, tree: Path) -> None:
    with FileSource(image) as source, FileSource(tree / "sparse") as original:
        filesystem = Ext4(source)
        node = filesystem.lookup("/sparse")
        assert node is not None
        extents = filesystem.extents(node)
        assert None in {extent.offset for extent in extents}
        assert digest(ExtentSource(source, extents)) == digest(original)


def test_the_superblock_is_what_dumpe2fs_says(image: Path) -> None:
    shown = subprocess.run(
        ["dumpe2fs", "-h", image], check=True, capture_output=True, text=True
    ).stdout
    said = dict(re.findall(r"(?m)^([^:\n]+):\s+(.*)$", shown))
    with FileSource(image) as source:
        superblock = Superblock.checked(source)
    assert superblock.uuid == said["Filesystem UUID"].replace("<none>", superblock.uuid)
    assert superblock.label == said["Filesystem volume name"].replace("<none>", "")
    assert superblock.block_size == int(said["Block size"])
    assert superblock.blocks == int(said["Block count"])
    assert superblock.free_blocks == int(said["Free blocks"])
    assert superblock.inodes_count == int(said["Inode count"])
    assert superblock.free_inodes == int(said["Free inodes"])
    assert superblock.inode_size == int(said.get("Inode size", 128))
    assert superblock.is_clean == (said["Filesystem state"] == "clean")
    features = said["Filesystem features"].replace("(none)", "")
    assert " ".join(superblock.features) == features
    assert superblock.checksum_matches is (True if "Checksum" in said else None)


def test_a_fragmented_file_has_a_deep_extent_tree(tmp_path: Path, tree: Path) -> None:
    fragmented = tmp_path / "fragmented"
    with fragmented.open("wb") as file:
        for offset in range(0, 8 << 20, 4096):
            file.seek(offset)
            file.write(b"%8d" % offset)
    source_tree = tmp_path / "tree"
    source_tree.mkdir()
    fragmented.rename(source_tree / "fragmented")
    image = make(tmp_path / "image", source_tree, VARIANTS["ext4-1K"])
    with FileSource(image) as source, FileSource(source_tree / "fragmented") as original:
        filesystem = Ext4(source)
        node = filesystem.lookup("/fragmented")
        assert node is not None
        assert len(filesystem.extents(node)) == 2 * 2048 - 1  # data and the holes between
        assert node.handle.block[6] >= 1  # the depth of its extent tree
        assert digest(filesystem.open(node)) == digest(original)


def test_preallocated_blocks_read_as_zeros(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    image = make(tmp_path / "image", tmp_path / "tree", VARIANTS["ext4-4K"])
    noise = tmp_path / "noise"
    noise.write_bytes(b"old content " * 10_000)
    for request in (f"write {noise} old", "rm old", "write /dev/null file",
                    "fallocate file 0 19", "sif file size 81920"):  # fmt: skip
        subprocess.run(["debugfs", "-w", "-R", request, image], check=True, capture_output=True)
    with FileSource(image) as source:
        filesystem = Ext4(source)
        node = filesystem.lookup("/file")
        assert node is not None
        assert filesystem.open(node).read_at(0, 81920) == bytes(81920)


def test_a_truncated_image_is_refused(image: Path) -> None:
    with FileSource(image) as source, pytest.raises(FormatError, match="only"):
        Ext4(Window(source, 0, source.size // 2))


def test_features_that_cannot_be_read_are_named(tmp_path: Path, tree: Path) -> None:
    image = make(tmp_path / "image", tree, ["-t", "ext4", "-O", "encrypt"])
    with FileSource(image) as source, pytest.raises(FormatError, match="encrypt"):
        Ext4(source)
