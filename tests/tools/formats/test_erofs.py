# SPDX-License-Identifier: Apache-2.0
"""The EROFS reader against what mkfs.erofs packs and dump.erofs says.

Which compressors and features mkfs.erofs has depends on its version and build; those that it
does not offer are skipped, by what its own help says.
"""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource, FormatError, Window
from liveos.formats.erofs.reader import EroFs
from tests.tools.formats.trees import Listing, assert_random_reads_agree, listing_of_tree

pytestmark = pytest.mark.tools

# Name: arguments, and a word that must be in the help where the feature is not in all versions.
VARIANTS = {
    "plain": ([], ""),
    "force-extended": (["-Eforce-inode-extended"], ""),
    "noinline": (["-Enoinline_data"], ""),
    "chunks": (["--chunksize=8192"], "--chunksize"),
    "chunk-blockmap": (["--chunksize=4096", "-Eforce-chunk-blockmap"], "--chunksize"),
    "lz4": (["-zlz4"], "lz4"),
    "lz4hc": (["-zlz4hc,9"], "lz4hc"),
    "lz4hc-1M": (["-zlz4hc", "-C1048576"], "lz4hc"),
    "lz4hc-64K-full-index": (["-zlz4hc", "-C65536", "-Elegacy-compress"], "lz4hc"),
    "lz4-ztailpacking": (["-zlz4hc", "-Eztailpacking"], "lz4hc"),
    "lz4-fragments": (["-zlz4hc", "-Efragments", "-C65536"], "lz4hc"),
    "lz4-both-tails": (["-zlz4hc", "-Efragments,ztailpacking"], "lz4hc"),
    "lz4-all-fragments": (["-zlz4hc", "-Eall-fragments"], "lz4hc"),
    "lz4-dedupe": (["-zlz4hc", "-Ededupe"], "lz4hc"),
    "lz4-extent-limit": (["-zlz4", "--max-extent-bytes=16384"], "lz4"),
    "lzma-fedora": (["-zlzma,level=6", "-Efragments", "-C1048576"], "lzma"),
    "lzma-dedupe": (["-zlzma,level=6", "-Eall-fragments,dedupe", "-C65536"], "lzma"),
    "lzma-4K": (["-zlzma"], "lzma"),
    "deflate": (["-zdeflate,9", "-C65536", "-Eztailpacking"], "deflate"),
    "zstd": (["-zzstd,level=5", "-C65536", "-Efragments"], "zstd"),
    "zstd-dedupe": (["-zzstd", "-Ededupe"], "zstd"),
    "two-algorithms": (["-zlz4hc:zstd,level=3", "-C16384"], "zstd"),
    "directories": (["-zlz4", "--zD=1"], "--zD"),
    "block-1K": (["-b1024", "-zlz4hc", "-C16384"], "set block size"),
    "block-512": (["-b512"], "set block size"),
}


@cache
def help_text() -> str:
    shown = subprocess.run(["mkfs.erofs", "--help"], check=False, capture_output=True, text=True)
    return shown.stdout + shown.stderr


def make(path: Path, tree: Path, arguments: list[str]) -> Path:
    command: list[str | Path] = ["mkfs.erofs", "--quiet", "-x-1", *arguments, path, tree]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mkfs.erofs: {done.stderr.strip()[:200]}")
    return path


@pytest.fixture(params=VARIANTS, scope="module")
def image(
    request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    arguments, word = VARIANTS[request.param]
    if word not in help_text():
        pytest.skip(f"this mkfs.erofs has no {word}")
    path = tmp_path_factory.mktemp("erofs") / f"{request.param}.img"
    return make(path, tree, arguments)


def test_the_whole_tree_is_read(image: Path, listing: Listing) -> None:
    with FileSource(image) as source:
        assert listing_of_tree(EroFs(source)) == listing


def test_files_are_read_at_random(image: Path, tree: Path) -> None:
    with FileSource(image) as source:
        for name in ("mixed", "sparse"):
            assert_random_reads_agree(EroFs(source), f"/{name}", tree / name)


def test_the_superblock_is_what_dump_erofs_says(image: Path) -> None:
    shown = subprocess.run(
        ["dump.erofs", "-s", image], check=True, capture_output=True, text=True
    ).stdout
    said: dict[str, str] = dict(re.findall(r"(?m)^Filesystem ([^:\n]+):[ \t]*(.*)$", shown))
    with FileSource(image) as source:
        filesystem = EroFs(source)
    superblock = filesystem.superblock
    assert superblock.uuid == said["UUID"]
    assert superblock.blocks == int(said["blocks"])
    assert superblock.root_nid == int(said["root nid"])
    assert superblock.inodes == int(said["inode count"])
    assert superblock.metadata_block == int(said["inode metadata start block"])
    ours = set(superblock.features)
    if "features" in said:  # erofs-utils before 1.7, which does not know all of them by name
        assert set(said["features"].replace(" 0padding", " lz4_0padding").split()) <= ours
    else:
        said_features = f"{said['compatible features']} {said['incompatible features']}"
        assert set(said_features.split()) == ours
    if "compr_algs" in said:
        assert (filesystem.compression or "") == said["compr_algs"]


def test_a_bare_file_is_found_by_its_extents(tmp_path: Path, tree: Path) -> None:
    image = make(tmp_path / "image", tree, [])
    data = image.read_bytes()
    with FileSource(image) as source:
        filesystem = EroFs(source)
        for name in ("noise", "small", "text"):
            node = filesystem.lookup(f"/{name}")
            assert node is not None
            pieces = []
            for extent in filesystem.extents(node) or ():
                assert extent.offset is not None
                pieces.append(data[extent.offset : extent.offset + extent.length])
            assert b"".join(pieces) == (tree / name).read_bytes()


def test_a_changed_superblock_is_noticed(tmp_path: Path, tree: Path) -> None:
    image = make(tmp_path / "image", tree, [])
    data = bytearray(image.read_bytes())
    data[1024 + 64] ^= 1  # the volume name
    image.write_bytes(data)
    with FileSource(image) as source, pytest.raises(FormatError, match="checksum"):
        EroFs(source)


def test_a_truncated_image_is_refused(image: Path) -> None:
    with FileSource(image) as source, pytest.raises(FormatError, match="only"):
        EroFs(Window(source, 0, source.size // 2))
