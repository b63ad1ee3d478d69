# SPDX-License-Identifier: Apache-2.0
"""What ``overlay convert`` does not do, and says so before anything is written; sticks with FAT."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus, UnsupportedError
from liveos.formats.binary import FileSource, MemorySource
from liveos.formats.exception_store import MergedView, read_store
from liveos.formats.ext4.reader import Ext4
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.host.volumes import FatVolume
from liveos.medium.overlay.changes.snapshot_upper import snapshot_upper
from liveos.medium.overlay.locate import open_overlay
from liveos.operations.overlay.perform.convert_store import different_chunks, fill_store
from liveos.operations.overlay.perform.convert_upper import write_image
from liveos.operations.overlay.upper.changed_root import ChangedRoot, require_changeable_root
from liveos.report import NullReporter
from tests.tools.medium.media import make_disk, make_fat
from tests.tools.operations.overlay import lived_in
from tests.tools.operations.overlay.lived_in import OVERLAY, facts_of
from tests.tools.operations.overlay.sticks import NAME, VERSION, make_stick
from tests.tools.operations.overlay.stores import run
from tests.unit.medium.eras import MODERN, initramfs, kernel

pytestmark = pytest.mark.tools

MIB = 1 << 20
CHUNK = 4096


def convert(stick: Path, to: str, *words: str) -> int:
    return main(["overlay", "convert", str(stick), "--to", to, "--yes", *words])


def upper(scratch: Path, name: str = "file") -> Path:
    beside = scratch / "more"
    (beside / OVERLAY).mkdir(parents=True)
    (beside / OVERLAY / name).write_text("x")
    (beside / "ovlwork").mkdir()
    return beside


def test_what_the_image_cannot_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    word = f"rd.live.overlay=UUID=6c697665-6f73-4000-8000-00000000002a:/{NAME}/{OVERLAY}"
    stick = make_stick(tmp_path, flat=True, beside=upper(tmp_path), words=(word,))
    before = stick.path.read_bytes()
    assert convert(stick.path, "snapshot") == ExitStatus.UNSUPPORTED
    said = capsys.readouterr().err
    assert "holds the root directly" in said
    assert "it can as directory or image" in said
    assert stick.path.read_bytes() == before


def test_what_makes_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick = lived_in.make(tmp_path).stick
    before = stick.path.read_bytes()
    assert convert(stick.path, "magic") == ExitStatus.USAGE
    assert "snapshot, directory, image" in capsys.readouterr().err
    assert convert(stick.path, "directory", "--size", "16M") == ExitStatus.USAGE
    assert convert(stick.path, "image", "--size", "1G") == ExitStatus.NO_SPACE
    assert convert(stick.path, "snapshot") == ExitStatus.DONE
    assert main(["overlay", "convert", str(tmp_path / "live"), "--to", "image", "--yes"]) in {
        ExitStatus.REFUSED,
        ExitStatus.UNSUPPORTED,
    }
    assert "unmount it" in capsys.readouterr().err
    assert stick.path.read_bytes() == before


def test_a_dry_run_tells_the_order_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a snapshot, the menu gets the word for OverlayFS when the directory has its name."""
    stick = lived_in.make(tmp_path).stick
    before = stick.path.read_bytes()
    words = ["overlay", "convert", str(stick.path), "--to", "directory", "--dry-run", "--json"]
    assert main(words) == ExitStatus.DONE
    plan = json.loads(capsys.readouterr().out)
    order = ["MakeConverted", "TakePlace", "ReplaceMenu", "ReplaceRecord", "RemoveConverted"]
    assert [step["action"] for step in plan["steps"]] == order
    assert plan["destroys"] == []
    assert stick.path.read_bytes() == before
    assert convert(stick.path, "directory") == ExitStatus.DONE
    capsys.readouterr()
    words[4] = "snapshot"
    assert main(words) == ExitStatus.DONE
    plan = json.loads(capsys.readouterr().out)
    order = ["MakeConverted", "ReplaceMenu", "TakePlace", "ReplaceRecord", "RemoveConverted"]
    assert [step["action"] for step in plan["steps"]] == order


def test_a_store_that_does_not_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick = lived_in.make(tmp_path).stick
    stick.debugfs("stat /")
    store = tmp_path / "store"
    stick.debugfs(f"dump /{NAME}/{OVERLAY} {store}")
    content = bytearray(store.read_bytes())
    content[4] = 0  # snapshot-store.md 1.1: invalid
    store.write_bytes(content)
    requests = f"rm /{NAME}/{OVERLAY}\nwrite {store} /{NAME}/{OVERLAY}\n"
    run("debugfs", "-w", "-f", "-", str(stick.live), stdin=requests.encode())
    before = stick.path.read_bytes()
    assert convert(stick.path, "directory") == ExitStatus.REFUSED
    assert "liveos overlay repair" in capsys.readouterr().err
    assert stick.path.read_bytes() == before


def test_names_and_marks_that_cannot_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    word = f"rd.live.overlay=UUID=6c697665-6f73-4000-8000-00000000002a:/{NAME}/{OVERLAY}"
    beside = upper(tmp_path, "line\nfeed")
    stick = make_stick(tmp_path / "one", beside=beside, words=(word,))
    before = stick.path.read_bytes()
    assert convert(stick.path, "image", "--size", "16M") == ExitStatus.REFUSED
    assert "line feed" in capsys.readouterr().err
    assert stick.path.read_bytes() == before
    marked = lived_in.make(tmp_path / "two", more=["cd /etc", "mknod mark c 0 0"]).stick
    before = marked.path.read_bytes()
    assert convert(marked.path, "directory") == ExitStatus.UNSUPPORTED
    assert "/etc/mark is a mark of an OverlayFS" in capsys.readouterr().err
    assert marked.path.read_bytes() == before


def test_entries_of_a_known_case(tmp_path: Path) -> None:
    case = lived_in.make(tmp_path)
    with open_overlay(str(case.stick.path)) as overlay:
        found = {entry.path: entry for entry in snapshot_upper(overlay).entries}
    whiteouts = {path for path, entry in found.items() if entry.node is None}
    assert whiteouts == {"/removed", "/moved", "/usr/bin/program1", "/etc/apart"}
    assert {path for path, entry in found.items() if entry.opaque} == {"/replaced"}
    assert {"/etc/one", "/etc/second", "/etc/third"} <= found.keys()
    assert "/etc/large" not in found


def test_an_old_root_keeps_its_snapshot(tmp_path: Path) -> None:
    image = tmp_path / "ext3.img"
    run("mke2fs", "-q", "-F", "-t", "ext3", image, "16M")
    with FileSource(image) as source, pytest.raises(UnsupportedError, match="extents"):
        require_changeable_root(source)


def fat_stick(scratch: Path) -> tuple[Path, Path]:
    """A stick as livecd-iso-to-disk makes one, with a snapshot; and the root with its changes."""
    case = lived_in.make(scratch)
    tree, uuid = scratch / "fat", "1A2B-3C4D"
    name = f"overlay-LIVE-{uuid}"
    for directory in ("LiveOS", "EFI/BOOT", "images"):
        (tree / directory).mkdir(parents=True)
    for file in ("squashfs.img", name):
        original = scratch / "beside" / (OVERLAY if file == name else file)
        (tree / "LiveOS" / file).write_bytes(original.read_bytes())
    (tree / "images/vmlinuz").write_bytes(kernel(VERSION))
    (tree / "images/initrd.img").write_bytes(initramfs("102", MODERN, VERSION))
    line = f"root=live:UUID={uuid} rd.live.image rw rd.live.overlay=UUID={uuid}:/LiveOS/{name}"
    (tree / "EFI/BOOT/grub.cfg").write_text(
        f'menuentry "Start" {{\n linux /images/vmlinuz {line}\n initrd /images/initrd.img\n}}\n'
    )
    fat = make_fat(scratch / "fat.img", tree, "LIVE", 80 * MIB)
    run("mlabel", "-N", "1a2b3c4d", "-i", fat, "::LIVE")
    return make_disk(scratch / "disk.img", "dos", {fat: "c"}), case.view


def test_a_stick_with_fat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk, view = fat_stick(tmp_path)
    before = disk.read_bytes()
    assert convert(disk, "directory") == ExitStatus.UNSUPPORTED
    assert "--to image" in capsys.readouterr().err
    assert disk.read_bytes() == before
    assert convert(disk, "image", "--size", "16M") == ExitStatus.DONE
    name = "::/LiveOS/overlay-LIVE-1A2B-3C4D"
    inner = tmp_path / "inner.img"
    volume = FatVolume(disk, MIB, 80 * MIB)
    inner.write_bytes(run("mtype", "-i", str(volume), name))
    run("e2fsck", "-fn", inner)
    assert b"ovlwork" in run("debugfs", "-R", "ls -p /", inner)
    assert convert(disk, "snapshot", "--size", "16M") == ExitStatus.DONE
    merged = tmp_path / "merged.img"
    words = ["overlay", "merge", str(disk), "-o", str(merged), "--yes"]
    assert main(words) == ExitStatus.DONE
    run("e2fsck", "-fn", merged)
    with FileSource(merged) as found, FileSource(view) as wanted:
        assert facts_of(Ext4(found)) == facts_of(Ext4(wanted))


def test_chunks_that_are_equal_are_not_stored(tmp_path: Path) -> None:
    """A root of which a block was written again as it was, and another as it was not."""
    content = random.Random(1).randbytes(8 * CHUNK + 512)
    other = bytearray(content)
    other[5 * CHUNK] ^= 1
    other[-1] ^= 1
    root = ChangedRoot(MemorySource(content), MemorySource(bytes(other)), np.arange(2, 9), CHUNK)
    chunks = different_chunks(root, MemorySource(content))
    assert chunks.tolist() == [5, 8]
    store = tmp_path / "store"
    with HostFolder(tmp_path).create(store.name, 32 * CHUNK) as file:
        fill_store(root, chunks, file, NullReporter())
    with FileSource(store) as source:
        view = MergedView(MemorySource(content), read_store(source), source)
        assert view.read_at(0, view.size) == bytes(other)


def test_holes_stay_holes(tmp_path: Path) -> None:
    case = lived_in.make(tmp_path)
    image = FolderFile(HostFolder(tmp_path), "image")
    with open_overlay(str(case.stick.path)) as overlay:
        write_image(overlay, image, 16 * MIB, NullReporter())
    path = tmp_path / image.name
    run("e2fsck", "-fn", path)
    told = run("debugfs", "-R", "stat /overlayfs/etc/sparse", path).decode()
    assert f"Size: {3 * MIB}" in told
    assert "Blockcount: 8\n" in told
    assert path.stat().st_blocks * 512 < 6 * MIB
