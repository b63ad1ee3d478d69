# SPDX-License-Identifier: Apache-2.0
"""The squashfs reader against what mksquashfs packs and unsquashfs says."""

import re
import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource
from liveos.formats.squashfs.reader import SquashFs
from liveos.formats.squashfs.records import SquashFlag, XzOptions
from liveos.formats.tree import FileKind
from tests.tools.formats.trees import Listing, assert_random_reads_agree, listing_of_tree

pytestmark = pytest.mark.tools

VARIANTS = {
    "gzip": ["-comp", "gzip"],
    "gzip-4K": ["-comp", "gzip", "-b", "4K"],
    "gzip-1M-always-fragments": ["-comp", "gzip", "-b", "1M", "-always-use-fragments"],
    "gzip-no-fragments": ["-comp", "gzip", "-no-fragments"],
    "gzip-not-exportable": ["-comp", "gzip", "-no-exports", "-no-duplicates"],
    "lzo": ["-comp", "lzo"],
    "lzo-options": ["-comp", "lzo", "-Xalgorithm", "lzo1x_1", "-b", "64K"],
    "xz": ["-comp", "xz"],
    "xz-x86": ["-comp", "xz", "-Xbcj", "x86", "-b", "1M"],
    "lz4": ["-comp", "lz4"],
    "lz4-hc-4K": ["-comp", "lz4", "-Xhc", "-b", "4K"],
    "zstd": ["-comp", "zstd"],
    "zstd-1": ["-comp", "zstd", "-Xcompression-level", "1", "-b", "1M"],
    "stored": ["-noI", "-noD", "-noF", "-noX"],
    "stored-data": ["-noD", "-no-fragments", "-no-sparse"],
}


@pytest.fixture(params=VARIANTS, scope="module")
def image(
    request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("squashfs") / f"{request.param}.img"
    arguments = ["-noappend", "-quiet", "-no-progress", "-no-xattrs", *VARIANTS[request.param]]
    subprocess.run(["mksquashfs", tree, path, *arguments], check=True, capture_output=True)
    return path


def test_the_whole_tree_is_read(image: Path, listing: Listing) -> None:
    with FileSource(image) as source:
        assert listing_of_tree(SquashFs(source)) == listing


def test_files_are_read_at_random(image: Path, tree: Path) -> None:
    with FileSource(image) as source:
        for name in ("mixed", "sparse"):
            assert_random_reads_agree(SquashFs(source), f"/{name}", tree / name)


def test_the_superblock_is_what_unsquashfs_says(image: Path) -> None:
    shown = subprocess.run(
        ["unsquashfs", "-s", image], check=True, capture_output=True, text=True
    ).stdout
    said = dict(re.findall(r"(?m)^(Compression|Block size|Number of \w+) (\S+)", shown))
    with FileSource(image) as source:
        image_ = SquashFs(source)
    superblock = image_.superblock
    assert said == {
        "Compression": image_.compression,
        "Block size": str(superblock.block_size),
        "Number of fragments": str(superblock.fragments),
        "Number of inodes": str(superblock.inodes),
        "Number of ids": str(superblock.ids),
    }
    bytes_used = re.search(r"Filesystem size (\d+) bytes", shown)
    assert bytes_used
    assert int(bytes_used[1]) == superblock.bytes_used
    assert ("Duplicates are removed" in shown) == bool(
        superblock.flags & SquashFlag.DUPLICATES_REMOVED
    )
    exportable = bool(superblock.flags & SquashFlag.EXPORTABLE)
    assert ("Filesystem is exportable via NFS" in shown) == exportable
    assert ("Xattrs are not stored" in shown) == bool(superblock.flags & SquashFlag.NO_XATTRS)


def test_compressor_options_are_read(image: Path) -> None:
    with FileSource(image) as source:
        options = SquashFs(source).options
    expected = {
        "xz-x86": XzOptions(dictionary_size=1 << 20, filters=1),
        "gzip": None,
        "xz": None,
    }
    if image.stem in expected:
        assert options == expected[image.stem]


def test_links_are_followed_inside_the_image(image: Path) -> None:
    with FileSource(image) as source:
        filesystem = SquashFs(source)
        link = filesystem.lookup("/absolute")
        target = filesystem.resolve("/absolute/est/file")
        assert link is not None
        assert link.kind is FileKind.SYMLINK
        assert target is not None
        assert target.path == "/Deep/er/est/file"
        assert filesystem.lookup("/absolute/est/file") is None
        assert filesystem.lookup("/deep/ER/est", ignore_case=True) == filesystem.lookup(
            "/Deep/er/est"
        )
