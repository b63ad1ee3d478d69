# SPDX-License-Identifier: Apache-2.0
"""A directory of the host as a tree: its own files, and nothing of the host's."""

from pathlib import Path

import pytest

from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind
from liveos.medium.directory_tree import DirectoryTree


def test_files_and_links_inside(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    (tmp_path / "A/file").write_bytes(b"0123456789")
    (tmp_path / "link").symlink_to("/A/file")
    tree = DirectoryTree(tmp_path)
    node = tree.resolve("/link")
    assert node is not None
    assert (node.path, node.size, node.kind) == ("/A/file", 10, FileKind.FILE)
    assert tree.open(node).read_at(3, 4) == b"3456"
    assert tree.resolve("/a/FILE", ignore_case=True) == node
    assert {each.path for each in tree.walk()} == {"/A", "/A/file", "/link"}


def test_a_file_that_became_shorter_or_a_link(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(10))
    tree = DirectoryTree(tmp_path)
    node = tree.lookup("/file")
    assert node is not None
    source = tree.open(node)
    path.write_bytes(bytes(5))
    with pytest.raises(FormatError):
        source.read_at(0, 10)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(FormatError):
        source.read_at(0, 5)


def test_a_directory_that_may_not_be_read(tmp_path: Path) -> None:
    tree = DirectoryTree(tmp_path)
    root = tree.root
    tmp_path.rmdir()
    with pytest.raises(FormatError):
        list(tree.scan(root))
    tmp_path.mkdir()
