# SPDX-License-Identifier: Apache-2.0
"""``overlay check --fs`` beside e2fsck itself, on stores that a kernel wrote."""

import hashlib
import json
import random
import subprocess
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import read_store
from tests.data.snapshot_cases import Recorded, recorded
from tests.unit.formats.exception_store.kernel_model import KernelModel

pytestmark = pytest.mark.tools

EXT4 = recorded(lambda one: one.name.startswith("ext4-"))


def files(directory: Path, one: Recorded, store: bytes) -> tuple[Path, Path]:
    overlay, origin = directory / "overlay", directory / "rootfs.img"
    overlay.write_bytes(store)
    origin.write_bytes(one.files["origin"])
    return overlay, origin


def verdict(directory: Path, one: Recorded, store: bytes) -> int:
    """What e2fsck says of the whole view, as the model of the kernel shows it.

    A journal that cannot be replayed in full counts as damage: the kernel does not mount it.
    """
    view = directory / "view.img"
    view.write_bytes(KernelModel(bytearray(store), one.files["origin"]).view())
    replay = subprocess.run(
        ["e2fsck", "-y", "-E", "journal_only", view], stdout=subprocess.PIPE, text=True, check=False
    )
    checked = subprocess.run(["e2fsck", "-fn", view], capture_output=True, check=False)
    return max(checked.returncode, 4 * ("Journal checksum error" in replay.stdout))


@pytest.mark.parametrize("one", EXT4)
def test_what_kernels_left_is_sound(
    one: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay, origin = files(tmp_path, one, one.store)
    line = ["overlay", "check", "--fs", "--json", "--origin", str(origin), str(overlay)]
    assert main(line) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    codes = {finding["code"] for finding in document["findings"]}
    assert codes == ({"F3"} if one.name == "ext4-crashed" else set())
    assert "files (" in document["e2fsck"]
    assert verdict(tmp_path, one, one.store) == 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("one", EXT4)
def test_damage_is_what_e2fsck_takes_for_damage(
    one: Recorded, seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some chunks of the store are spoilt; in half of the cases that is the content of files."""
    chance = random.Random(seed)
    store = bytearray(one.store)
    for new in chance.sample(read_store(MemorySource(one.store)).new.tolist(), 1 + seed % 3):
        start = new * 4096 + chance.randrange(0, 4096, 64)
        store[start : start + 64] = chance.randbytes(64)
    overlay, origin = files(tmp_path, one, bytes(store))
    wanted = verdict(tmp_path, one, bytes(store))
    status = main(["overlay", "check", "--fs", "--origin", str(origin), str(overlay)])
    out = capsys.readouterr().out
    assert (status == ExitStatus.DONE) == (wanted == 0), out
    assert ("F1" in out or "F2" in out or "P1" in out) == (wanted != 0)


def test_the_copy_is_private_and_gone_and_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = EXT4[0].values[0]
    assert isinstance(one, Recorded)
    overlay, origin = files(tmp_path, one, one.store)
    before = [hashlib.sha256(path.read_bytes()).digest() for path in (overlay, origin)]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert main(["overlay", "check", "--fs", "--origin", str(origin), str(overlay)]) == 0
    assert [hashlib.sha256(path.read_bytes()).digest() for path in (overlay, origin)] == before
    assert list(scratch.iterdir()) == []


def test_without_a_root_there_is_no_filesystem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = EXT4[0].values[0]
    assert isinstance(one, Recorded)
    overlay, _ = files(tmp_path, one, one.store)
    assert main(["overlay", "check", "--fs", str(overlay)]) == ExitStatus.USAGE
    assert "--origin" in capsys.readouterr().err
