# SPDX-License-Identifier: Apache-2.0
"""Free blocks and inodes in use as dumpe2fs and e2fsck's bitmaps have them."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from liveos.formats.binary import FileSource, FormatError
from liveos.formats.ext4.groups import free_map, used_inodes
from liveos.formats.ext4.reader import Ext4
from tests.tools.formats.trees import Listing, listing_of_tree

pytestmark = pytest.mark.tools

# Name: arguments of mke2fs, and the size in KiB; most sizes leave a short last group.
VARIANTS = {
    "ext4-4K": ("-t ext4 -b 4096", 300_000),
    "ext4-1K": ("-t ext4 -b 1024", 100_001),
    "ext4-2K": ("-t ext4 -b 2048", 77_778),
    "ext4-narrow": ("-t ext4 -b 1024 -O ^64bit", 60_000),
    "ext4-no-flex": ("-t ext4 -b 1024 -O ^flex_bg", 60_000),
    "ext4-meta": ("-t ext4 -b 1024 -O meta_bg,^resize_inode", 200_000),
    "ext4-meta-no-flex": ("-t ext4 -b 1024 -g 512 -O meta_bg,^resize_inode,^flex_bg", 60_000),
    "ext4-meta-narrow": ("-t ext4 -b 1024 -O meta_bg,^resize_inode,^64bit", 300_000),
    "ext4-uninit": ("-t ext4 -b 1024 -O ^metadata_csum,uninit_bg", 90_000),
    "ext4-uninit-narrow": ("-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^64bit,^flex_bg", 90_000),
    "ext4-no-checksums": ("-t ext4 -b 4096 -O ^metadata_csum,^uninit_bg", 200_000),
    "ext4-sparse2": ("-t ext4 -b 1024 -O sparse_super2,^resize_inode", 150_000),
    "ext4-sparse2-one": (
        "-t ext4 -b 1024 -O sparse_super2,^resize_inode -E num_backup_sb=1", 70_000
    ),
    "ext4-dense": ("-t ext4 -b 1024 -O ^sparse_super,^resize_inode", 60_000),
    "ext4-seed": ("-t ext4 -b 4096 -O metadata_csum_seed,orphan_file,quota,project", 200_000),
    "ext4-groups": ("-t ext4 -b 1024 -g 1024 -I 512", 50_000),
    "ext4-resize": ("-t ext4 -b 1024 -E resize=4000000", 60_000),
    "ext4-no-journal": ("-t ext4 -b 4096 -O ^has_journal", 150_000),
    "ext4-mmp": ("-t ext4 -b 4096", 150_000),  # see `protect`
    "ext4-64K": ("-t ext4 -b 65536 -N 4096", 200_000),
    "ext3-4K": ("-t ext3 -b 4096", 150_000),
    "ext3-1K": ("-t ext3 -b 1024 -I 128", 60_000),
    "ext2-1K": ("-t ext2 -b 1024", 50_000),
    "ext2-meta": ("-t ext2 -b 1024 -O meta_bg,^resize_inode", 300_000),
    "ext2-revision-0": ("-t ext2 -b 1024 -r 0", 50_000),
    "ext2-one-group": ("-t ext2 -b 4096", 60_000),
}  # fmt: skip


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def make(path: Path, tree: Path, arguments: str, kilobytes: int) -> Path:
    with path.open("wb") as file:
        file.truncate(kilobytes << 10)
    run("mke2fs", "-q", "-F", "-d", tree, *arguments.split(), path)
    return path


@pytest.fixture(params=VARIANTS, scope="module")
def image(
    request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A filled filesystem with gaps where files were removed."""
    path = tmp_path_factory.mktemp("groups") / f"{request.param}.img"
    make(path, tree, *VARIANTS[request.param])
    script = path.with_suffix(".commands")
    script.write_text("".join(f"rm {name}\n" for name in ("mixed", "Deep/er/est/file", "long")))
    run("debugfs", "-w", "-f", script, path)
    protect(path, request.param)
    return path


def protect(image: Path, variant: str) -> None:
    """Turn multiple mount protection on, last of all.

    Whoever opens such a filesystem to write waits for eleven seconds whether somebody else does.
    """
    if variant == "ext4-mmp":
        run("tune2fs", "-O", "mmp", image)


def ranges(text: str) -> list[int]:
    """The numbers of ``3-5, 9`` as dumpe2fs writes them."""
    numbers: list[int] = []
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", text):
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def listed(image: Path, what: str) -> list[int]:
    shown = run("dumpe2fs", image)
    return [n for found in re.findall(rf"(?m)^  Free {what}: (.*)$", shown) for n in ranges(found)]


def test_free_blocks_are_those_of_dumpe2fs(image: Path) -> None:
    with FileSource(image) as source:
        fs = Ext4(source)
        free = free_map(fs)
        assert len(free) == fs.superblock.blocks
        assert int(free.sum()) == fs.superblock.free_blocks
    assert np.flatnonzero(free).tolist() == listed(image, "blocks")


def test_inodes_in_use_are_those_of_dumpe2fs(image: Path) -> None:
    with FileSource(image) as source:
        used = used_inodes(Ext4(source))
    assert (np.flatnonzero(~used) + 1).tolist() == listed(image, "inodes")


def test_the_tree_is_read_through_these_descriptors(image: Path, listing: Listing) -> None:
    gone = {"/mixed", "/Deep/er/est/file", "/long"}
    with FileSource(image) as source:
        found = listing_of_tree(Ext4(source))
    assert found == {path: entry for path, entry in listing.items() if path not in gone}


def test_bigalloc_is_refused(tree: Path, tmp_path: Path) -> None:
    image = make(tmp_path / "image", tree, "-t ext4 -b 4096 -O bigalloc -C 16384", 200_000)
    with FileSource(image) as source, pytest.raises(FormatError, match="bigalloc"):
        free_map(Ext4(source))
