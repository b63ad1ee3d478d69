# SPDX-License-Identifier: Apache-2.0
"""The report on whole overlays: stores of the kernel's model, and overlay directories."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus, UnsupportedError, UsageError
from liveos.formats.binary import MemorySource
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.changes.model import Changes
from liveos.medium.overlay.changes.report import report
from liveos.medium.overlay.locate import OpenOverlay, open_overlay
from liveos.medium.overlay.origin import Origin, origin_of
from liveos.medium.volume import open_directory, open_volume
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.medium.overlay.changes.listings import changes_between
from tests.unit.medium.overlay.changes.test_directories import moves, shown
from tests.unit.medium.overlay.changes.test_states import NAMES, expected, members

CHUNK = 4096
_STORE_SIZE = 2 << 20


def store_of(before: bytes, after: bytes) -> bytes:
    """What the kernel has in a store when the one was changed into the other."""
    model = KernelModel(bytearray(_STORE_SIZE), before)
    for at in range(0, len(before), CHUNK):
        if before[at : at + CHUNK] != after[at : at + CHUNK]:
            assert model.write(at // 512, after[at : at + CHUNK])
    assert model.view() == after
    return bytes(model.device)


def held(before: bytes, after: bytes) -> int:
    """Bytes of the chunks that differ."""
    chunks = range(0, len(before), CHUNK)
    return CHUNK * sum(before[at : at + CHUNK] != after[at : at + CHUNK] for at in chunks)


def both(name: str) -> tuple[bytes, bytes]:
    return members()[f"{name}.before"], members()[f"{name}.after"]


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A directory with a root, a store with changes, and a blank one."""
    before, after = both("ext4-4k")
    (tmp_path / "rootfs.img").write_bytes(before)
    (tmp_path / "store").write_bytes(store_of(before, after))
    (tmp_path / "blank").write_bytes(bytes(_STORE_SIZE))
    return tmp_path


def snapshot(name: str, tmp_path: Path, store: bytes | None = None) -> OpenOverlay:
    before, after = both(name)
    content = store_of(before, after) if store is None else store
    source = MemorySource(content)
    (tmp_path / f"{name}.store").write_bytes(content)
    place = FolderFile(HostFolder(tmp_path), f"{name}.store")
    origin = Origin(f"{name}.img", MemorySource(before), None)
    return OpenOverlay(place, PersistenceKind.SNAPSHOT, source, None, origin)


@pytest.mark.parametrize("name", NAMES)
def test_a_snapshot_store(name: str, tmp_path: Path) -> None:
    facts = report(snapshot(name, tmp_path))
    assert facts.changes == expected(name)
    assert sum(each.size for each in facts.usage) == held(*both(name))
    assert facts.findings == ()


def test_a_blank_store_changes_nothing(tmp_path: Path) -> None:
    facts = report(snapshot("ext4-4k", tmp_path, bytes(_STORE_SIZE)))
    assert facts.changes == Changes()
    assert facts.usage == ()


def test_a_store_against_another(tmp_path: Path) -> None:
    name = "ext4-4k"
    changed = snapshot(name, tmp_path)
    blank = snapshot(name, tmp_path, bytes(_STORE_SIZE))
    assert report(changed, blank).changes == expected(name)
    assert report(changed, changed).changes == Changes()
    back = report(blank, changed).changes
    assert back.renamed == tuple(sorted((new, old) for old, new in expected(name).renamed))


def test_an_invalid_store_is_read_and_named(tmp_path: Path) -> None:
    store = bytearray(store_of(*both("ext4-4k")))
    struct.pack_into("<I", store, 4, 0)
    facts = report(snapshot("ext4-4k", tmp_path, bytes(store)))
    assert facts.changes == expected("ext4-4k")
    assert [each.code for each in facts.findings] == ["H6"]


def test_a_store_of_another_root(tmp_path: Path) -> None:
    other = snapshot("ext4-1k", tmp_path, store_of(*both("ext4-4k")))
    with pytest.raises(UnsupportedError, match="another root"):
        report(other)
    with pytest.raises(UsageError, match="not overlays over one root"):
        report(snapshot("ext4-4k", tmp_path), snapshot("ext4-1k", tmp_path))


def directory(name: str, tmp_path: Path) -> OpenOverlay:
    kind = name.rpartition("-")[2]
    volume = open_volume(MemorySource(members()[f"{name}.upper.ext4"]), Path("stick"))
    node = volume.tree.lookup("/upper")
    assert node is not None
    root = MemorySource(members()[f"{name}.{kind}"])
    origin = origin_of(root, f"{name}.{kind}", Path("stick"))
    place = FolderFile(HostFolder(tmp_path), "upper")
    return OpenOverlay(place, PersistenceKind.DIRECTORY, None, (volume, node), origin)


@pytest.mark.parametrize("name", ["redirect-squashfs", "plain-squashfs", "redirect-erofs"])
def test_a_directory(name: str, tmp_path: Path) -> None:
    facts = report(directory(name, tmp_path))
    told = shown(name)
    assert facts.changes == changes_between(told["before"], told["after"], moves(name))
    assert report(directory(name, tmp_path), directory(name, tmp_path)).changes == Changes()


def test_an_image_file_with_an_upper_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveos.medium.overlay.changes.report.UPPER_IN_IMAGE", "/upper")
    name = "redirect-squashfs"
    inside = directory(name, tmp_path)
    content = MemorySource(members()[f"{name}.upper.ext4"])
    image = OpenOverlay(inside.place, PersistenceKind.IMAGE, content, None, inside.origin)
    assert report(image).changes == report(inside).changes
    assert report(image, inside).changes == Changes()


def test_a_mounted_directory_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("root/etc/conf", "stick/upper/etc/conf"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(path)
    volume = open_directory(tmp_path / "stick")
    node = volume.tree.lookup("/upper")
    assert node is not None
    origin = Origin("root", None, open_directory(tmp_path / "root").tree)
    place = FolderFile(HostFolder(tmp_path / "stick"), "upper")
    overlay = OpenOverlay(place, PersistenceKind.DIRECTORY, None, (volume, node), origin)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    facts = report(overlay)
    assert facts.changes == Changes(modified=("/etc/conf",))
    assert [each.code for each in facts.findings] == ["marks"]
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert report(overlay).findings == ()


def test_a_directory_over_a_root_that_cannot_be_read(tmp_path: Path) -> None:
    overlay = directory("plain-squashfs", tmp_path)
    unread = replace(overlay, origin=Origin("root.xfs", MemorySource(b""), None))
    with pytest.raises(UnsupportedError, match="cannot be read"):
        report(unread)
    with pytest.raises(UsageError, match="not known"):
        report(replace(overlay, origin=None))


def test_overlays_of_two_kinds(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not overlays over one root"):
        report(directory("plain-squashfs", tmp_path), snapshot("ext4-4k", tmp_path))
    with pytest.raises(UnsupportedError, match="not a snapshot store"):
        report(snapshot("ext4-4k", tmp_path), directory("plain-squashfs", tmp_path))


def test_the_verb_for_scripts(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["overlay", "diff", str(stick / "store"), "--origin", str(stick / "rootfs.img")]
    assert main([*words, "--json"]) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    there = expected("ext4-4k")
    assert document["schema"] == "liveos/overlay-diff/1"
    assert document["added"] == list(there.added)
    assert document["removed"] == list(there.removed)
    assert document["modified"] == list(there.modified)
    assert document["renamed"] == [list(pair) for pair in there.renamed]
    assert document["metadata"] == list(there.metadata)
    assert sum(each["size"] for each in document["usage"]) == held(*both("ext4-4k"))
    assert document["against"] is None


def test_the_verb_for_people(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["overlay", "diff", str(stick / "store"), "--origin", str(stick / "rootfs.img")]
    assert main(words) == ExitStatus.DONE
    lines = capsys.readouterr().out.splitlines()
    assert {"A /home/new", "D /usr/lib/deleted", "M /etc/passwd", "m /etc/owner"} <= set(lines)
    assert "R /usr/share/doc -> /usr/share/manuals" in lines
    assert any(line.startswith("What fills the overlay") for line in lines)
    assert main([*words, "--against", str(stick / "blank")]) == ExitStatus.DONE
    assert "M /etc/passwd" in capsys.readouterr().out
    blank = ["overlay", "diff", str(stick / "blank"), "--origin", str(stick / "rootfs.img")]
    assert main(blank) == ExitStatus.DONE
    assert capsys.readouterr().out == "No file is changed.\n"


def test_the_verb_saves_files(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["overlay", "diff", str(stick / "store"), "--origin", str(stick / "rootfs.img")]
    assert main([*words, "--extract", str(stick / "out")]) == ExitStatus.DONE
    assert (stick / "out/files/etc/passwd").read_text() == "something else\n"
    assert "saved in" in capsys.readouterr().out
    assert main([*words, "--extract", str(stick / "out")]) == ExitStatus.REFUSED


def test_a_store_needs_its_root(stick: Path) -> None:
    with open_overlay(str(stick / "store"), None) as found, pytest.raises(UsageError):
        report(found)
