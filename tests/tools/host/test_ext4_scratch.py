# SPDX-License-Identifier: Apache-2.0
"""Changes made on a scratch that has only what they need."""

from pathlib import Path

import pytest

from liveos.errors import NoSpaceError, UnsupportedError
from liveos.formats.ext4.reader import Ext4
from liveos.host.folders import ext4_scratch
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.ext4_scratch import Change
from liveos.host.folders.ext4_window import window
from tests.tools.host.test_ext4_folder import check, debugfs, make, put

pytestmark = pytest.mark.tools

INODES_PER_BLOCK = 16  # 4096 bytes of 256 each


@pytest.fixture
def folder(tmp_path: Path) -> Ext4Folder:
    folder = Ext4Folder(make(tmp_path / "stick.img"), "/LiveOS")
    put(folder, "a", b"abc")
    return folder


def apply(folder: Ext4Folder, change: Change) -> str:
    with window(folder.volume) as found:
        fs = Ext4(found)
        nodes = [node for path in ("/", "/LiveOS") if (node := fs.lookup(path))]
        return ext4_scratch.apply(change, found, nodes)


def test_what_the_scratch_does_not_have_cannot_be_changed(folder: Ext4Folder) -> None:
    """An inode in a block that was not copied: its neighbours would become zeros."""
    debugfs(folder.volume, *(f"write /dev/null /f{n}" for n in range(4 * INODES_PER_BLOCK)))
    before = folder.volume.path.read_bytes()
    far = next(f"/f{n}" for n in range(2 * INODES_PER_BLOCK, 4 * INODES_PER_BLOCK))
    with pytest.raises(UnsupportedError, match="unknown use"):
        apply(folder, Change([f"set_inode_field {far} mode 0100600"]))
    assert folder.volume.path.read_bytes() == before
    check(folder.volume)


def test_a_change_that_is_judged_wrong_is_not_made(folder: Ext4Folder) -> None:
    def judge(said: str) -> None:
        assert "Free blocks" in said
        raise NoSpaceError("as the judge says")

    before = folder.volume.path.read_bytes()
    with pytest.raises(NoSpaceError, match="judge"):
        apply(folder, Change(["mkdir /LiveOS/d", "stats -h"], judge=judge))
    assert folder.volume.path.read_bytes() == before


def test_blocks_of_the_callers_choice_change_with_it(folder: Ext4Folder) -> None:
    with window(folder.volume) as found:
        fs = Ext4(found)
        node = fs.lookup("/LiveOS/a")
        assert node is not None
        offset = fs.extents(node)[0].offset
    assert offset is not None
    block = b"xyz".ljust(4096, b"\0")
    apply(folder, Change(["mkdir /LiveOS/d"], also={offset // 4096: block}))
    with folder.open("a") as file:
        assert file.read_at(0, 3) == b"xyz"
    assert "Type: directory" in debugfs(folder.volume, "stat /LiveOS/d")
    check(folder.volume)


def test_a_change_leaves_nothing_open_and_nothing_on_the_disk(
    folder: Ext4Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    apply(folder, Change(["mkdir /LiveOS/d"]))
    assert len(list(descriptors.iterdir())) == before
    assert list(tmp_path.iterdir()) == [folder.volume.path]
