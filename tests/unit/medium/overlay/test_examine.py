# SPDX-License-Identifier: Apache-2.0
"""Overlays of every kind, looked at as a whole."""

from pathlib import Path

import pytest

from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import Level, StoreState
from liveos.medium.overlay.examine import examine
from liveos.medium.overlay.locate import OpenOverlay, open_overlay
from liveos.medium.volume import open_directory
from tests.unit.medium.overlay.test_check import healthy
from tests.unit.medium.overlay.test_pairing import OTHER, superblock

CHUNK = 512


def codes(overlay: OpenOverlay, level: Level = Level.RECORDS) -> set[str]:
    return {finding.code for finding in examine(overlay, level).findings}


def test_a_store_with_its_root(tmp_path: Path) -> None:
    """R3, S3 and P1 are looked for as soon as the root is known."""
    store, root = tmp_path / "store", tmp_path / "rootfs.img"
    content = healthy()
    content[2 * CHUNK : 3 * CHUNK] = superblock(uuid_bytes=OTHER.bytes)[1024:1536]
    content[CHUNK : CHUNK + 8] = (2).to_bytes(8, "little")  # entry 0 is for sector 2
    store.write_bytes(content)
    root.write_bytes(superblock(hash_seed=OTHER.bytes).ljust(60 * CHUNK, b"\0"))
    with open_overlay(str(store)) as bare:
        assert codes(bare) == set()
    with open_overlay(str(store), root) as paired:
        assert codes(paired) == {"R3", "S3", "P1"}
        assert codes(paired, Level.LIST) == set()


def overlay_directory(tmp_path: Path, *, filesystem: str = "ext4") -> OpenOverlay:
    (tmp_path / "LiveOS" / "overlay-X-1").mkdir(parents=True)
    volume = open_directory(tmp_path)
    node = volume.tree.lookup("/LiveOS/overlay-X-1")
    assert node is not None
    named = type(volume)(volume.tree, filesystem, volume.container)
    place = FolderFile(HostFolder(tmp_path / "LiveOS"), "overlay-X-1")
    return OpenOverlay(place, PersistenceKind.DIRECTORY, None, (named, node), None)


def test_a_directory_without_its_work_directory(tmp_path: Path) -> None:
    overlay = overlay_directory(tmp_path)
    assert codes(overlay) == {"D0", "D2"}
    (tmp_path / "LiveOS" / "ovlwork").mkdir()
    check = examine(overlay)
    assert [finding.code for finding in check.findings] == ["D0"]
    assert (check.state, check.is_clean) == (StoreState.VALID, True)


def test_a_directory_on_fat(tmp_path: Path) -> None:
    overlay = overlay_directory(tmp_path, filesystem="vfat")
    (tmp_path / "LiveOS" / "ovlwork").touch()  # a file does not do
    assert codes(overlay) == {"D0", "D1", "D2"}


def test_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    store.write_bytes(healthy())
    asked: list[Path] = []

    def use_of(path: Path) -> str:
        asked.append(path)
        return "it is attached to /dev/loop7"

    monkeypatch.setattr("liveos.medium.overlay.pairing.use_of", use_of)
    with open_overlay(str(store)) as overlay:
        check = examine(overlay)
    (finding,) = check.findings
    assert finding.code == "P2"
    assert "/dev/loop7" in finding.message
    assert check.is_clean
    assert asked == [store]
