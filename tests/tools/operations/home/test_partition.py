# SPDX-License-Identifier: Apache-2.0
"""Homes in partitions made larger, smaller and encrypted: what other programs see afterwards."""

import json
import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from uuid import UUID

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.host import luks
from liveos.medium.home.locate import open_home
from liveos.operations.execute import execute
from liveos.operations.home.plans import encrypt, resize
from liveos.operations.home.plans.existing import with_key
from liveos.sizes import parse_size
from tests.light_luks import LEAST_COST
from tests.sampling import Sampling
from tests.tools.host.power_cuts import Recording, leave, recorded
from tests.tools.operations.home.partitions import Stick, replayed, stick_with_partition
from tests.tools.operations.home.pictures import Picture, blocks, debugfs, picture
from tests.tools.operations.home.sticks import MIB, run
from tests.tools.operations.home.test_home import decrypted, opens

pytestmark = pytest.mark.tools

KEY = b"geheim"
VOLUME = UUID("6c697665-6f73-4000-8000-00000000000d")


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(luks, "_KDF_COST", LEAST_COST)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(KEY)
    return path


def home(verb: str, stick: Stick, *words: str | Path) -> int:
    return main(["home", verb, str(stick.path), "--yes", *map(str, words)])


def test_larger_and_smaller(tmp_path: Path) -> None:
    stick = stick_with_partition(tmp_path)
    before, live = picture(stick.filesystem(), tmp_path), stick.live()
    for wish, size in (("rest", 104), ("50%", 52), ("34M", 34)):
        assert home("resize", stick, "--size", wish) == ExitStatus.DONE
        assert stick.place()[1] == size * MIB
        assert blocks(stick.filesystem()) == size * 256
        assert picture(stick.filesystem(), tmp_path) == before
    assert bool(stick.live() == live)


def test_half_of_several_groups(tmp_path: Path) -> None:
    """A home as liveos makes it, with files all over it."""
    made = tmp_path / "made"
    made.touch()
    stick = stick_with_partition(tmp_path, made, mebibytes=300, room=0)
    how = ("--size", "rest", "--partition", "--plain")
    assert home("create", stick, *how) == ExitStatus.DONE
    fill_everywhere(stick.filesystem(), tmp_path)
    before = picture(stick.filesystem(), tmp_path)
    assert home("resize", stick, "--size", "150M") == ExitStatus.DONE
    assert picture(stick.filesystem(), tmp_path) == before
    assert blocks(stick.filesystem()) == 150 * 256


def fill_everywhere(image: Path, scratch: Path) -> None:
    """Files at the beginning and at the end, and none between."""
    small, large = scratch / "small", scratch / "large"
    small.write_bytes(random.Random(1).randbytes(90_000))
    large.touch()
    words = [f"write {small} /file{number}" for number in range(20)]
    words += ["mkdir /deep", f"write {large} /large", "fallocate /large 0 59999"]
    words += [f"write {small} /deep/end{number}" for number in range(20)]
    debugfs(image, *words, "rm /large", writable=True)
    last = int(debugfs(image, "blocks /deep/end19").split()[-1])
    assert last * 4096 > 200 * MIB


def test_refused_before_the_first_write(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = stick_with_partition(tmp_path, room=20)
    before = stick.path.read_bytes()
    for wish, words in (("80M", "belong to no other partition"), ("30M", "too small")):
        assert home("resize", stick, "--size", wish) == ExitStatus.NO_SPACE
        assert words in capsys.readouterr().err
    # Of 40 MiB, 7 would be left for the files.
    assert home("encrypt", stick, "--key-file", key) == ExitStatus.NO_SPACE
    assert "larger first" in capsys.readouterr().err
    assert bool(stick.path.read_bytes() == before)


def test_a_journal_that_would_have_to_move(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """mke2fs puts it in the middle."""
    other = tmp_path / "other"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", other, "300M")
    stick = stick_with_partition(tmp_path, other, mebibytes=300, room=4)
    before = stick.path.read_bytes()
    assert home("resize", stick, "--size", "120M") == ExitStatus.UNSUPPORTED
    said = capsys.readouterr().err
    assert "journal" in said
    assert "contents are as they were" in said
    assert bool(stick.path.read_bytes() == before)


def test_encrypted_then_larger_and_smaller(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = stick_with_partition(tmp_path, mebibytes=64, room=30)
    before, live = picture(stick.filesystem(), tmp_path), stick.live()
    assert home("encrypt", stick, "--key-file", key) == ExitStatus.DONE
    assert stick.place()[1] == 64 * MIB
    for size in (90, 50):
        assert home("resize", stick, "--size", f"{size}M", "--key-file", key) == ExitStatus.DONE
        assert stick.place()[1] == size * MIB
    assert_contents(stick, 34, before)
    capsys.readouterr()
    assert home("encrypt", stick, "--key-file", key) == ExitStatus.REFUSED
    assert "is encrypted" in capsys.readouterr().err
    assert bool(stick.live() == live)


def assert_contents(stick: Stick, mebibytes: int, files: Picture) -> None:
    volume = stick.home()
    assert opens(volume, KEY)
    contents = decrypted(volume, KEY, stick.scratch)
    (stick.scratch / "header").unlink()
    assert blocks(contents) == mebibytes * 256
    assert picture(contents, stick.scratch) == files


def states(recording: Recording, sampling: Sampling) -> Iterator[bytes]:
    """The first write, the last, some between; and of the flushes some, torn."""
    torn = sampling.of(recording.torn(random.Random(5)), 3)
    return chain(sampling.of(recording.prefixes(), 3), torn)


@pytest.mark.parametrize("size", ["60M", "34M"])
def test_resizing_cut_off(
    size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick = stick_with_partition(tmp_path, room=24)
    before = picture(stick.filesystem(), tmp_path)
    with open_home(str(stick.path)) as found:
        plan = resize.plan(found, str(stick.path), parse_size(size))
    with recorded(stick.path, monkeypatch) as recording:
        execute(plan)
    outcomes = set()
    for number, state in enumerate(states(recording, sampling)):
        leave(state, stick.path)
        # While the backup is written, sfdisk finds fault with it, and Linux does not look at it.
        inside = replayed(stick.home(strict=False))
        assert blocks(inside) * 4096 <= inside.stat().st_size
        outcomes.add(blocks(inside) // 256)
        if number % 12 == 0:
            assert picture(inside, tmp_path) == before
            # Where it was cut off in between, the same again comes to the end.
            assert home("resize", stick, "--size", size) == ExitStatus.DONE
            assert f"{stick.place()[1] // MIB}M" == size
    assert outcomes == {40, int(size[:-1])}


def test_encrypting_cut_off(
    tmp_path: Path,
    key: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The whole verb, with the filesystem that makes room and takes it back.

    A few places are enough: test_encryption_in_place.py has the others.
    """
    stick = stick_with_partition(tmp_path, mebibytes=56, room=0)
    before = picture(stick.filesystem(), tmp_path)
    with open_home(str(stick.path)) as found, luks.private_key("the key", KEY) as secret:
        plan = with_key(encrypt.plan(found, str(stick.path), VOLUME), secret)
        with recorded(stick.path, monkeypatch) as recording:
            execute(plan)
    outcomes = set()
    for number, state in enumerate(states(recording, Sampling(every=False))):
        leave(state, stick.path)
        kind = kind_of(stick, capsys)
        outcomes.add(kind)
        if kind == "plain":
            replayed(stick.home())
        if kind == "encrypting":
            assert home("resize", stick, "--size", "50M", "--key-file", key) == ExitStatus.REFUSED
            assert home("create", stick, "--size", "40M", "--partition", "--plain") != 0
            said = capsys.readouterr().err
            assert "goes on with it" in said
            assert home("encrypt", stick, "--key-file", key) == ExitStatus.DONE
        if kind != "plain":
            assert opens(stick.home(), KEY)
            contents = replayed(decrypted(stick.home(), KEY, tmp_path))
            (tmp_path / "header").unlink()
            if number % 3 == 0:
                assert picture(contents, tmp_path) == before
    assert outcomes == {"plain", "encrypting", "encrypted"}


def kind_of(stick: Stick, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["home", "status", str(stick.path), "--json"]) == ExitStatus.DONE
    kind: str = json.loads(capsys.readouterr().out)["kind"]
    return kind
