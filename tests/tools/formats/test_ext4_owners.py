# SPDX-License-Identifier: Apache-2.0
"""Owners of blocks and paths of inodes as debugfs and dumpe2fs have them."""

import random
import re
from pathlib import Path

import numpy as np
import pytest

from liveos.formats.binary import FileSource, MemorySource
from liveos.formats.exception_store import MergedView, read_store
from liveos.formats.ext4.groups import free_map, used_inodes
from liveos.formats.ext4.owners import BlockUse, Owners, owners, paths
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import recover
from tests.data.snapshot_cases import recordings
from tests.tools.formats.test_ext4_groups import VARIANTS as GROUPS
from tests.tools.formats.test_ext4_groups import make, protect, ranges, run

pytestmark = pytest.mark.tools

VARIANTS = {
    **{
        name: (arguments, kilobytes)
        for name, (arguments, kilobytes) in GROUPS.items()
        if name not in {"ext4-64K", "ext2-revision-0"}  # neither has room for what is added
    },
    "ext4-inline": ("-t ext4 -b 4096 -O inline_data", 100_000),
    "ext4-large-values": ("-t ext4 -b 1024 -O ea_inode", 100_000),
}
JOURNAL, RESIZE = 8, 7
SAMPLES = 400


@pytest.fixture(scope="module")
def crowded(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With files whose blocks need every level of extent trees and indirect blocks."""
    root = tmp_path_factory.mktemp("crowded") / "root"
    run("cp", "-a", tree, root)
    for name, step, end in (("fragmented", 4096, 8 << 20), ("islands", 3_000_000, 80 << 20)):
        with (root / name).open("wb") as file:
            for offset in range(0, end, step):
                file.seek(offset)
                file.write(b"%8d" % offset)
    (root / "again").hardlink_to(root / "small")
    return root


@pytest.fixture(params=VARIANTS, scope="module")
def image(
    request: pytest.FixtureRequest, crowded: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A filesystem with blocks of attributes, and with a file that lost its name while open."""
    folder = tmp_path_factory.mktemp("owners")
    path = make(folder / "image", crowded, *VARIANTS[request.param])
    (folder / "value").write_bytes(b"v" * 700)
    (folder / "large").write_bytes(b"V" * 5000)
    edit(
        path,
        f"ea_set small user.v -f {folder}/value",
        f"ea_set many user.v -f {folder}/value",
        *([f"ea_set text user.V -f {folder}/large"] if "values" in request.param else []),
        "sif mixed links_count 0",
        "unlink mixed",
    )
    protect(path, request.param)
    return path


def edit(image: Path, *requests: str) -> None:
    script = image.with_suffix(".requests")
    script.write_text("\n".join(requests) + "\n")
    run("debugfs", "-w", "-f", script, image)


def ask(image: Path, *requests: str) -> list[str]:
    """What debugfs answers to each request."""
    script = image.with_suffix(".requests")
    script.write_text("\n".join(requests) + "\n")
    return re.split(r"(?m)^debugfs: .*\n", run("debugfs", "-f", script, image))[1:]


def found(image: Path) -> Owners:
    with FileSource(image) as source:
        return owners(Ext4(source))


def in_use(image: Path) -> list[int]:
    with FileSource(image) as source:
        return (np.flatnonzero(used_inodes(Ext4(source))) + 1).tolist()


def assert_blocks_are_those_of_debugfs(image: Path) -> None:
    """Blocks with content and blocks of trees; those of attributes are told by ``stat``."""
    inodes = in_use(image)
    blocks = ask(image, *(f"blocks <{inode}>" for inode in inodes))
    stats = ask(image, *(f"stat <{inode}>" for inode in inodes))
    expected: dict[int, int] = {}
    for inode, numbers, told in zip(inodes, blocks, stats, strict=True):
        attributes = re.search(r"File ACL: (\d+)", told)
        assert attributes
        no_blocks = re.search("Fast link dest|Type: FIFO|inline data", told)
        for block in [*ranges("" if no_blocks else numbers), int(attributes[1])]:
            expected[block] = inode
    expected.pop(0, None)
    ours = found(image).inode
    blocks_owned = np.flatnonzero(ours)
    assert dict(zip(blocks_owned.tolist(), ours[blocks_owned].tolist(), strict=True)) == expected


def test_blocks_of_every_inode_are_those_of_debugfs(image: Path) -> None:
    assert_blocks_are_those_of_debugfs(image)


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@pytest.mark.parametrize("name", ["ext4-clean", "ext4-crashed"])
def test_owners_in_what_kernels_wrote(suite: str, name: str, tmp_path: Path) -> None:
    """Recorded snapshots that were mounted and written to, after the replay."""
    one = recordings()[suite, name]
    source = MemorySource(one.store)
    view = MergedView(MemorySource(one.files["origin"]), read_store(source), source)
    image = tmp_path / "image"
    image.write_bytes(recover(view).read_at(0, view.size))
    assert_blocks_are_those_of_debugfs(image)
    assert_system_blocks_are_those_of_dumpe2fs(image)
    with FileSource(image) as written:
        free = np.flatnonzero(free_map(Ext4(written)))
    lists = re.findall(r"(?m)^  Free blocks: (.*)$", run("dumpe2fs", image))
    assert free.tolist() == [n for text in lists for n in ranges(text)]


def test_samples_are_those_of_icheck(image: Path) -> None:
    """Except that debugfs does not look at inodes without a name."""
    ours = found(image)
    dice = random.Random(5)
    orphan = orphan_of(ours, image)
    samples = dice.sample(range(1, len(ours.inode)), SAMPLES)
    for line in ask(image, "icheck " + " ".join(map(str, samples)))[0].splitlines()[1:]:
        block, _, owner = line.partition("\t")
        if int(ours.inode[int(block)]) != orphan:
            assert int(ours.inode[int(block)]) == (int(owner) if owner.isdigit() else 0), block


def orphan_of(ours: Owners, image: Path) -> int:
    """The one owner that has no name and is not hidden by design."""
    with FileSource(image) as source:
        fs = Ext4(source)
        owning = set(np.unique(ours.inode[ours.use == BlockUse.FILE]).tolist())
        (orphan,) = owning - paths(fs, owning).keys()
    return int(orphan)


def test_files_without_a_name_have_their_blocks(image: Path) -> None:
    ours = found(image)
    orphan = orphan_of(ours, image)
    size = re.search(r"Size: (\d+)", ask(image, f"stat <{orphan}>")[0])
    assert size
    assert int(size[1]) == 50 * 39_000  # `mixed` of the tree


def assert_system_blocks_are_those_of_dumpe2fs(image: Path) -> None:
    shown = run("dumpe2fs", image)
    uses = {
        BlockUse.SUPERBLOCK: r"superblock at (\d+)",
        BlockUse.DESCRIPTORS: r"Group descriptors? at (\d+(?:-\d+)?)",
        BlockUse.BITMAP: r"(?:Block|Inode) bitmap at (\d+)",
        BlockUse.INODE_TABLE: r"Inode table at (\d+-\d+)",
    }
    ours = found(image).use
    for use, pattern in uses.items():
        expected = sorted(n for text in re.findall(pattern, shown) for n in ranges(text))
        assert np.flatnonzero(ours == use).tolist() == expected, use.name
    rooms = re.findall(r"Reserved GDT blocks at (\d+-\d+)", shown)
    assert {BlockUse.RESERVED} >= {BlockUse(ours[n]) for text in rooms for n in ranges(text)}


def test_blocks_of_the_filesystem_are_those_of_dumpe2fs(image: Path) -> None:
    assert_system_blocks_are_those_of_dumpe2fs(image)


def test_uses_of_inodes(image: Path) -> None:
    ours = found(image)
    with FileSource(image) as source:
        fs = Ext4(source)
        assert np.array_equal(ours.use == BlockUse.FREE, free_map(fs))
        for path, use in (("/noise", BlockUse.FILE), ("/many", BlockUse.DIRECTORY)):
            node = fs.lookup(path)
            assert node
            uses = set(ours.use[ours.inode == node.number].tolist())
            assert use in uses
            assert uses <= {use, BlockUse.EXTENT_TREE, BlockUse.XATTR}
            assert ours.is_directory(node.number) == (use is BlockUse.DIRECTORY)
        has_journal = "has_journal" in fs.superblock.features
    journal = set(ours.use[ours.inode == JOURNAL].tolist())
    assert (BlockUse.JOURNAL in journal) == has_journal
    assert BlockUse.XATTR in ours.use
    assert BlockUse.EXTENT_TREE in ours.use


def test_paths_are_those_of_ncheck(image: Path) -> None:
    inodes = set(in_use(image))
    listing = ask(image, "ncheck " + " ".join(map(str, sorted(inodes))))[0]
    names: dict[int, set[str]] = {}
    for number, path in re.findall(r"(?m)^(\d+)\t(.*)$", listing):
        names.setdefault(int(number), set()).add(path.replace("//", "/"))
    with FileSource(image) as source:
        ours = paths(Ext4(source), inodes)
    assert ours.pop(2) == "/"
    names.pop(2, None)
    assert ours.keys() == names.keys()
    assert all(path in names[number] for number, path in ours.items())
