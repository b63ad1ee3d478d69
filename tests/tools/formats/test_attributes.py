# SPDX-License-Identifier: Apache-2.0
"""Attributes in images of a tree, against what the host's kernel and debugfs say of them."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource
from liveos.formats.tree import Attributes, FileTree
from liveos.medium.directory_tree import DirectoryTree
from liveos.medium.volume import open_volume

pytestmark = pytest.mark.tools

COMMANDS = {
    "squashfs": "mksquashfs {tree} {image} -noappend -quiet -no-progress -comp {extra}",
    "erofs": "mkfs.erofs --quiet {extra} {image} {tree}",
    "ext4": "mke2fs -q -F {extra} -d {tree} {image} 32M",
}
VARIANTS = [
    ("squashfs", "gzip"),
    ("squashfs", "xz -b 4K"),
    ("squashfs", "zstd -noX -noI"),
    ("erofs", "-x1"),
    ("erofs", "-x100"),
    ("erofs", "-zlz4hc -C65536"),
    ("ext4", "-t ext4 -b 4096"),
    ("ext4", "-t ext4 -b 1024 -I 512"),
    ("ext4", "-t ext4 -b 4096 -O inline_data"),
    ("ext4", "-t ext3 -b 1024 -I 128"),
    ("ext4", "-t ext4 -O ea_inode,^has_journal"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("attributes") / "tree"
    (root / "sub/deep").mkdir(parents=True)
    for number in range(40):
        path = root / "sub" / f"file{number}"
        path.write_bytes(b"%d" % number * number)
        path.chmod(0o600 + number % 8)
        for each in range(number % 5):
            os.setxattr(path, f"user.number {each}", b"value %d " % each * (number % 20))
        os.utime(path, ns=(0, (1_500_000_000 + 86_400 * number) * 10**9))
    (root / "link").symlink_to("sub/file1")
    os.mkfifo(root / "pipe", 0o622)
    os.link(root / "sub/file7", root / "twin")
    os.setxattr(root / "sub/deep", "user.of a directory", bytes(range(200)))
    (root / "sub").chmod(0o1775)
    return root


def facts(attributes: Attributes) -> tuple[object, ...]:
    return (
        attributes.mode,
        attributes.uid,
        attributes.gid,
        attributes.device,
        dict(attributes.xattrs),
        None if stat.S_ISDIR(attributes.mode) else (attributes.links, attributes.mtime_ns),
    )


def all_facts(tree: FileTree) -> dict[str, tuple[object, ...]]:
    return {
        node.path: facts(tree.attributes(node))
        for node in tree.walk()
        if node.path != "/lost+found"
    }


@pytest.mark.parametrize(("kind", "extra"), VARIANTS, ids=lambda words: words.replace(" ", ""))
def test_an_image_has_the_attributes_of_its_tree(
    kind: str, extra: str, tree: Path, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    words = COMMANDS[kind].format(tree=tree, image=image, extra=extra).split()
    subprocess.run(words, check=True, capture_output=True)
    for path in (tree, *tree.rglob("*")):  # links have the time when they were made
        os.utime(path, ns=(0, path.lstat().st_mtime_ns // 10**9 * 10**9), follow_symlinks=False)
    with FileSource(image) as source:
        made = all_facts(open_volume(source, image).tree)
    if kind == "erofs":  # which keeps nanoseconds
        made = {path: _in_seconds(each) for path, each in made.items()}
    assert made == all_facts(DirectoryTree(tree))


def _in_seconds(each: tuple[object, ...]) -> tuple[object, ...]:
    *others, last = each
    if not isinstance(last, tuple):
        return each
    links, mtime = last
    return (*others, (links, mtime // 10**9 * 10**9))


def test_a_directory_of_the_host_is_as_its_kernel_says(tree: Path) -> None:
    for path, (mode, uid, gid, _, xattrs, _) in all_facts(DirectoryTree(tree)).items():
        status = (tree / path[1:]).lstat()
        assert (mode, uid, gid) == (status.st_mode, status.st_uid, status.st_gid)
        names = os.listxattr(tree / path[1:], follow_symlinks=False)
        assert isinstance(xattrs, dict)
        assert sorted(names) == sorted(xattrs)


def debugfs(image: Path, *requests: str) -> str:
    script = "\n".join(requests)
    done = subprocess.run(
        ["debugfs", "-w", "-f", "-", str(image)],
        input=script, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


def test_what_debugfs_sets_is_read(tmp_path: Path, tree: Path) -> None:
    image = tmp_path / "image"
    words = COMMANDS["ext4"].format(tree=tree, image=image, extra="-t ext4 -I 256").split()
    subprocess.run(words, check=True, capture_output=True)
    value = tmp_path / "value"
    value.write_bytes(bytes(range(20)))
    told = debugfs(
        image,
        f"ea_set -f {value} /sub/file1 security.capability",
        "ea_set /sub/file1 trusted.overlay.opaque y",
        "set_inode_field /sub/file1 uid 3000000000",
        "set_inode_field /sub/file1 gid 70000",
        "set_inode_field /sub/file1 generation 0x12345678",
        "mknod new_disk b 300 65000",
        "mknod old_disk c 4 65",
        "stat /sub/file1",
    )
    with FileSource(image) as source:
        files = open_volume(source, image).tree
        node, new, old = (files.lookup(each) for each in ("/sub/file1", "/new_disk", "/old_disk"))
        assert node is not None
        assert new is not None
        assert old is not None
        found = files.attributes(node)
        assert files.attributes(new).device == (300, 65000)
        assert files.attributes(old).device == (4, 65)
    assert found.xattrs["security.capability"] == bytes(range(20))
    assert found.xattrs["trusted.overlay.opaque"] == b"y"
    assert (found.uid, found.gid, found.generation) == (3_000_000_000, 70_000, 0x12345678)
    generation = re.search(r"Generation: (\d+)", told)
    assert generation is not None
    assert int(generation[1]) == found.generation
