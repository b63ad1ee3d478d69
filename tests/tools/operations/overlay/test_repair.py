# SPDX-License-Identifier: Apache-2.0
"""``overlay repair`` of stores that a kernel wrote and that were damaged since."""

import hashlib
import json
import random
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.formats.binary import MemorySource
from liveos.medium.overlay.filesystem_check import Corrections
from liveos.operations.overlay.mend import Mended
from liveos.operations.overlay.mending import decide
from liveos.operations.overlay.perform.repair import mend_filesystem
from liveos.operations.steps.overlay import Choices
from liveos.report import NullReporter
from tests.data.snapshot_cases import Recorded, recorded
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.power_cuts import Device, luck

pytestmark = pytest.mark.tools

CRASHED = recorded(lambda one: one.name == "ext4-crashed")
EXT4 = recorded(lambda one: one.name.startswith("ext4-"))
CHUNK = 4096


def put_slot(store: bytearray, slot: int, old: int, new: int) -> None:
    assert slot < 256
    struct.pack_into("<QQ", store, CHUNK + 16 * slot, old, new)


def files(directory: Path, one: Recorded, store: bytes) -> tuple[Path, Path]:
    overlay, origin = directory / "overlay", directory / "rootfs.img"
    overlay.write_bytes(store)
    origin.write_bytes(one.files["origin"])
    return overlay, origin


def view(store: Path, origin: Path, directory: Path) -> Path:
    """What the kernel would show, by its model."""
    model = KernelModel(bytearray(store.read_bytes()), origin.read_bytes())
    assert model.valid
    image = directory / f"{store.name}.view"
    image.write_bytes(model.view())
    return image


def fsck(image: Path) -> int:
    return subprocess.run(["e2fsck", "-fn", image], capture_output=True, check=False).returncode


def contents(image: Path) -> dict[str, str]:
    """Every file that e2fsprogs finds in an image, with the sum of its content."""
    with tempfile.TemporaryDirectory() as directory:
        words = ["debugfs", "-R", f"rdump / {directory}", str(image)]
        subprocess.run(words, capture_output=True, check=True)
        return {
            str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in Path(directory).rglob("*")
            if path.is_file()
        }


def repair(overlay: Path, origin: Path, *words: str) -> int:
    line = ["overlay", "repair", str(overlay), "--origin", str(origin), "--yes", *words]
    return main(line)


@pytest.mark.parametrize("one", CRASHED)
def test_a_dead_store_lives_again_with_its_journal_replayed(one: Recorded, tmp_path: Path) -> None:
    """The result shows, to the byte, what e2fsck makes of the view of before."""
    store = bytearray(one.store)
    store[4] = 0
    overlay, origin = files(tmp_path, one, bytes(store))
    before = hashlib.sha256(bytes(store)).digest()
    new = tmp_path / "new"
    assert repair(overlay, origin, "-o", str(new)) == ExitStatus.DONE
    assert hashlib.sha256(overlay.read_bytes()).digest() == before
    expected = tmp_path / "expected.img"
    expected.write_bytes(KernelModel(bytearray(one.store), one.files["origin"]).view())
    subprocess.run(
        ["e2fsck", "-y", "-E", "journal_only", expected], capture_output=True, check=True
    )
    shown = view(new, origin, tmp_path)
    assert fsck(shown) == 0
    assert contents(shown) == contents(expected)


@pytest.mark.parametrize("one", EXT4)
def test_in_place_is_the_same_and_can_be_undone(
    one: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = bytearray(one.store)
    store[4] = 0
    put_slot(store, 200, 7, 90)  # behind the end of the list
    put_slot(store, 5, 9, 1 << 20)
    overlay, origin = files(tmp_path, one, bytes(store))
    new = tmp_path / "new"
    assert repair(overlay, origin, "-o", str(new), "--fsck-all") == ExitStatus.DONE
    assert repair(overlay, origin, "--in-place", "--fsck-all") == ExitStatus.DONE
    assert (
        view(overlay, origin, tmp_path).read_bytes()[2048:]
        == view(new, origin, tmp_path).read_bytes()[2048:]
    )
    assert "liveos overlay restore" in capsys.readouterr().err
    undo = tmp_path / "overlay.undo"
    line = ["overlay", "restore", str(undo), "--into", str(overlay), "--yes"]
    assert main(line) == ExitStatus.DONE
    restored = overlay.read_bytes()
    assert restored[: 2 * CHUNK] == bytes(store)[: 2 * CHUNK]
    used = KernelModel(bytearray(b"SnAp\1" + bytes(store[5:])), b"").map.values()
    for new_chunk in [chunk for chunk in used if chunk < 1 << 16]:
        assert restored[new_chunk * CHUNK :][:CHUNK] == store[new_chunk * CHUNK :][:CHUNK]


@pytest.mark.parametrize("one", EXT4)
def test_lost_records_are_named_with_their_files(
    one: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = bytearray(one.store)
    image = tmp_path / "whole.img"
    image.write_bytes(KernelModel(bytearray(store), one.files["origin"]).view())
    old = {struct.unpack_from("<Q", store, CHUNK + 16 * slot)[0]: slot for slot in range(60)}
    asked = "\n".join(f"icheck {number}" for number in old)
    said = subprocess.run(
        ["debugfs", "-f", "-", image], input=asked, capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in said.splitlines() if line[:1].isdigit()]
    owned = {int(row[0]): int(row[1]) for row in rows if row[1].isdigit() and int(row[1]) > 11}
    assert owned
    block, inode = next(iter(owned.items()))
    name = (
        subprocess.run(
            ["debugfs", "-R", f"ncheck {inode}", image], capture_output=True, text=True, check=True
        )
        .stdout.split()[-1]
        .replace("//", "/")
    )
    put_slot(store, old[block], block, 1 << 20)
    overlay, origin = files(tmp_path, one, bytes(store))
    assert repair(overlay, origin, "--in-place", "--dry-run", "--no-fs") == ExitStatus.DONE
    out = capsys.readouterr().out
    assert name in out
    assert f"number {old[block]})" in out
    assert overlay.read_bytes() == bytes(store)
    assert not (tmp_path / "overlay.undo").exists()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("one", CRASHED)
def test_journal_replay_in_place_cut_off_anywhere(one: Recorded, seed: int, tmp_path: Path) -> None:
    """What a cut leaves is replayed again by e2fsck to the same filesystem, file by file."""
    chance = random.Random(seed)
    origin = MemorySource(one.files["origin"])
    source = MemorySource(one.store)
    mended = Mended(source, decide(source, origin.size, Choices()))
    mend_filesystem(mended, origin, Corrections.SAFE, NullReporter())
    mended.finish(origin.size)
    before = Device(one.store.ljust(mended.size, b"\0"))
    mended.second.carry_out(before)
    assert before.tape.events
    expected = tmp_path / "expected.img"
    expected.write_bytes(KernelModel(bytearray(one.store), one.files["origin"]).view())
    for number in range(4):
        cut = tmp_path / f"cut{number}"
        position = chance.randrange(len(before.tape.events) + 1)
        cut.write_bytes(before.cut(position, chance, luck(chance)))
        root = tmp_path / "root"
        root.write_bytes(one.files["origin"])
        shown = view(cut, root, tmp_path)
        for image in (shown, expected):
            subprocess.run(["e2fsck", "-fp", image], capture_output=True, check=False)
        assert fsck(shown) == 0
        assert contents(shown) == contents(expected)


def test_what_is_too_damaged_for_safe_corrections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = CRASHED[0].values[0]
    assert isinstance(one, Recorded)
    store = bytearray(one.store)
    for slot in range(20, 60):
        old = struct.unpack_from("<Q", store, CHUNK + 16 * slot)[0]
        put_slot(store, slot, old, 1 << 20)
    overlay, origin = files(tmp_path, one, bytes(store))
    new = tmp_path / "new"
    status = repair(overlay, origin, "-o", str(new))
    if status == ExitStatus.PROBLEMS_FOUND:
        assert "--fsck-all" in capsys.readouterr().err
    assert repair(overlay, origin, "-o", str(new), "--fsck-all", "--force") == ExitStatus.DONE
    assert fsck(view(new, origin, tmp_path)) == 0


def test_without_a_root_the_list_alone_is_repaired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = CRASHED[0].values[0]
    assert isinstance(one, Recorded)
    store = bytearray(one.store)
    store[4] = 0
    overlay, origin = files(tmp_path, one, bytes(store))
    new = tmp_path / "new"
    line = ["overlay", "repair", str(overlay), "-o", str(new)]
    assert main([*line, "--dry-run"]) == ExitStatus.DONE
    assert "--origin" in capsys.readouterr().out
    assert main([*line, "--yes", "--json"]) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["state"]) == ("liveos/overlay-repair/1", "valid")
    wanted = KernelModel(bytearray(one.store), origin.read_bytes()).view()
    assert view(new, origin, tmp_path).read_bytes() == wanted


def test_the_wrong_root_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = CRASHED[0].values[0]
    assert isinstance(one, Recorded)
    overlay, origin = files(tmp_path, one, one.store)
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", origin, "16M"], capture_output=True, check=True
    )
    assert repair(overlay, origin, "-o", str(tmp_path / "new")) == ExitStatus.REFUSED
    assert "another root" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
