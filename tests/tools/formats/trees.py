# SPDX-License-Identifier: Apache-2.0
"""A directory tree with everything that a filesystem reader can get wrong, and its listing."""

import hashlib
import os
import random
import stat
from pathlib import Path

from liveos.formats.binary import ByteSource
from liveos.formats.tree import FileKind, FileTree, Node

MANY = 1500  # names of 60 bytes: a directory of more than 64 KiB
_PIECE = 1 << 20

Listing = dict[str, tuple[str, int, str]]  # path -> kind, permissions, digest or target


def make_tree(root: Path) -> Path:
    """Fill ``root`` with files, directories and links; returns it."""
    noise = random.Random(7)
    root.mkdir()
    (root / "empty").touch()
    (root / "small").write_bytes(b"small\n")
    (root / "text").write_bytes(b"".join(b"line %d of a text\n" % n for n in range(60_000)))
    (root / "noise").write_bytes(noise.randbytes(1_300_001))
    (root / "mixed").write_bytes(
        b"".join(noise.randbytes(9000) + bytes([n]) * 30_000 for n in range(50))
    )
    (root / "program").write_bytes(Path("/bin/sh").read_bytes())
    (root / "program").chmod(0o4755)
    _make_sparse(root / "sparse")
    deep = root / "Deep" / "er" / "est"
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(noise.randbytes(4096 * 3 + 5))
    (root / "relative").symlink_to("Deep/er/../../small")
    (root / "absolute").symlink_to("/Deep/er")
    (root / "long").symlink_to("x" * 300)
    os.mkfifo(root / "pipe")
    many = root / "many"
    many.mkdir()
    for number in range(MANY):
        (many / f"{number:06}-{'n' * 50}").write_bytes(b"%d" % number if number % 7 else b"")
    (many / "grüße 漢字").write_bytes(b"unicode")
    return root


def _make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(9_000_000)
        for offset in (0, 70_000, 4_000_000, 8_999_990):
            file.seek(offset)
            file.write(b"island %8d" % offset)
        file.truncate(9_000_000)


def listing_of_directory(root: Path) -> Listing:
    """What the host's kernel says of the tree."""
    listing: Listing = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = Path(folder) / name
            status = path.lstat()
            content = ""
            if path.is_symlink():
                content = str(path.readlink())
            elif stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            kind = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
            listing["/" + str(path.relative_to(root))] = (
                kind.get(stat.S_IFMT(status.st_mode), "other"),
                0o777 if path.is_symlink() else stat.S_IMODE(status.st_mode),
                content,
            )
    return listing


def listing_of_tree(tree: FileTree) -> Listing:
    """What our reader says of an image; ext's ``lost+found`` is left out."""
    return {
        node.path: (str(node.kind), stat.S_IMODE(node.mode), _content(tree, node))
        for node in tree.walk()
        if node.path != "/lost+found"
    }


def _content(tree: FileTree, node: Node) -> str:
    if node.kind is FileKind.SYMLINK:
        return tree.readlink(node)
    if node.kind is FileKind.FILE:
        source = tree.open(node)
        assert source.size == node.size
        return digest(source)
    return ""


def digest(source: ByteSource) -> str:
    """SHA-256 of everything in a source."""
    sha256 = hashlib.sha256()
    for offset in range(0, source.size, _PIECE):
        sha256.update(source.read_at(offset, min(_PIECE, source.size - offset)))
    return sha256.hexdigest()


def assert_random_reads_agree(tree: FileTree, path: str, original: Path) -> None:
    """Pieces read at random equal the same pieces of the original."""
    node = tree.lookup(path)
    assert node is not None
    source, expected = tree.open(node), original.read_bytes()
    dice = random.Random(3)
    for _ in range(200):
        offset = dice.randrange(len(expected))
        length = dice.randrange(min(300_000, len(expected) - offset) + 1)
        assert source.read_at(offset, length) == expected[offset : offset + length]
