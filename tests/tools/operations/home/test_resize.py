# SPDX-License-Identifier: Apache-2.0
"""Homes made larger and smaller, and encrypted: every file stays what e2fsprogs saw before."""

import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from uuid import UUID

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.host.luks import private_key
from liveos.medium.home.locate import open_home
from liveos.operations.execute import execute
from liveos.operations.home.plans import encrypt, resize
from liveos.operations.home.plans.existing import with_key
from liveos.sizes import parse_size
from tests.sampling import Sampling
from tests.tools.host.power_cuts import Recording, leave, recorded
from tests.tools.operations.home.pictures import Picture, blocks, debugfs, lived_in, picture
from tests.tools.operations.home.sticks import MIB, ext4_stick, fat_stick, home_on, live_tree, run
from tests.tools.operations.home.test_home import decrypted, opens

pytestmark = pytest.mark.tools

KEY = b"geheim"
UUID_1 = UUID("6c697665-6f73-4000-8000-00000000000b")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(KEY)
    return path


def stick_with_home(scratch: Path, mebibytes: int = 40, room: int = 320) -> tuple[Path, Picture]:
    """An ext4 stick, and what is in its home."""
    home = lived_in(scratch / "made", scratch, mebibytes)
    stick = ext4_stick(scratch, mebibytes=room)
    debugfs(stick, f"write {home} /LiveOS/home.img", writable=True)
    return stick, picture(home, scratch)


def resized(stick: Path, size: str, *how: str | Path) -> int:
    return main(["home", "resize", str(stick), "--size", size, "--yes", *map(str, how)])


def test_larger_and_smaller(tmp_path: Path) -> None:
    stick, before = stick_with_home(tmp_path)
    # Over several groups of blocks, and down to where files must move.
    for size in (60, 150, 40, 34):
        assert resized(stick, f"{size}M") == ExitStatus.DONE
        home = home_on(stick, tmp_path / "home")
        assert home.stat().st_size == size * MIB
        assert blocks(home) == size * 256
        assert picture(home, tmp_path) == before


def test_a_filesystem_in_a_longer_file(tmp_path: Path) -> None:
    """What a run leaves that is cut off between its two halves; the same again mends it."""
    stick, before = stick_with_home(tmp_path)
    home = home_on(stick, tmp_path / "home")
    with home.open("r+b") as file:
        file.truncate(50 * MIB)
    debugfs(stick, "rm /LiveOS/home.img", f"write {home} /LiveOS/home.img", writable=True)
    assert resized(stick, "50M") == ExitStatus.DONE
    home = home_on(stick, tmp_path / "home")
    assert blocks(home) == 50 * 256
    assert picture(home, tmp_path) == before


def test_small_blocks_and_descriptors_that_need_more_room(tmp_path: Path) -> None:
    """With blocks smaller than a page; and over 256 MiB, one block of descriptors is not enough."""
    home = lived_in(tmp_path / "made", tmp_path, 200, block_size=1024)
    before = picture(home, tmp_path)
    # Users delete it, and e2fsck makes it again.
    debugfs(home, "rmdir /lost+found", writable=True)
    stick = ext4_stick(tmp_path, mebibytes=700)
    debugfs(stick, f"write {home} /LiveOS/home.img", writable=True)
    for size in (230, 300, 120):
        assert resized(stick, f"{size}M") == ExitStatus.DONE
        home = home_on(stick, tmp_path / "home")
        assert blocks(home) == size * 1024
        assert picture(home, tmp_path) == before


def test_too_small_for_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = lived_in(tmp_path / "made", tmp_path, 128)
    fill = tmp_path / "fill"
    fill.write_bytes(b"f" * (60 * MIB))
    debugfs(home, f"write {fill} /more", writable=True)
    stick = ext4_stick(tmp_path, mebibytes=512)
    debugfs(stick, f"write {home} /LiveOS/home.img", writable=True)
    before = stick.read_bytes()
    for size in ("50M", "66M", "1G", "10M"):
        assert resized(stick, size) == ExitStatus.NO_SPACE
    assert "liveos:" in capsys.readouterr().err
    assert bool(stick.read_bytes() == before)


def test_encrypted_then_larger_and_smaller(tmp_path: Path, key: Path) -> None:
    stick, before = stick_with_home(tmp_path)
    words = ["home", "encrypt", str(stick), "--key-file", str(key), "--yes"]
    assert main(words) == ExitStatus.DONE
    for size in (56, 70, 52):
        if size != 56:
            assert resized(stick, f"{size}M", "--key-file", key) == ExitStatus.DONE
        volume = home_on(stick, tmp_path / "home")
        assert volume.stat().st_size == size * MIB
        assert opens(volume, KEY)
        plain = decrypted(volume, KEY, tmp_path)
        (tmp_path / "header").unlink()
        assert blocks(plain) == (size - 16) * 256
        assert picture(plain, tmp_path) == before
    assert main(words) == ExitStatus.REFUSED


def test_a_wrong_passphrase_changes_nothing(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = ext4_stick(tmp_path)
    create = ["home", "create", str(stick), "--size", "64M", "--key-file", str(key), "--yes"]
    assert main(create) == ExitStatus.DONE
    key.write_bytes(b"falsch")
    before = stick.read_bytes()
    capsys.readouterr()
    for size in ("60M", "80M"):
        assert resized(stick, size, "--key-file", key) == ExitStatus.REFUSED
        assert "does not open" in capsys.readouterr().err
    assert bool(stick.read_bytes() == before)


def test_no_room_for_the_encrypted_copy(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick, _ = stick_with_home(tmp_path, 64, room=85)
    before = stick.read_bytes()
    words = ["home", "encrypt", str(stick), "--key-file", str(key), "--yes"]
    assert main(words) == ExitStatus.NO_SPACE
    assert "80 MiB" in capsys.readouterr().err
    assert bool(stick.read_bytes() == before)


def test_on_fat(tmp_path: Path, key: Path) -> None:
    stick = fat_stick(tmp_path)
    home = lived_in(tmp_path / "made", tmp_path, 40)
    before = picture(home, tmp_path)
    run("mcopy", "-i", stick, home, "::/LiveOS/home.img")
    assert resized(stick, "48M") == ExitStatus.DONE
    assert resized(stick, "36M") == ExitStatus.DONE
    run("fsck.fat", "-n", stick)
    run("mcopy", "-i", stick, "::/LiveOS/home.img", tmp_path / "home")
    assert picture(tmp_path / "home", tmp_path) == before
    words = ["home", "encrypt", str(stick), "--key-file", str(key), "--yes"]
    assert main(words) == ExitStatus.DONE
    (tmp_path / "home").unlink()
    run("mcopy", "-i", stick, "::/LiveOS/home.img", tmp_path / "home")
    assert picture(decrypted(tmp_path / "home", KEY, tmp_path), tmp_path) == before


def test_on_a_mounted_stick(tmp_path: Path, key: Path) -> None:
    tree = live_tree(tmp_path, used=True)
    home = lived_in(tree / "LiveOS/home.img", tmp_path)
    before = picture(home, tmp_path)
    for size in (70, 50):
        assert resized(tree, f"{size}M") == ExitStatus.DONE
        assert home.stat().st_blocks * 512 >= size * MIB
        assert picture(home, tmp_path) == before
    words = ["home", "encrypt", str(tree), "--key-file", str(key), "--yes"]
    assert main(words) == ExitStatus.DONE
    assert picture(decrypted(home, KEY, tmp_path), tmp_path) == before


def test_a_home_that_was_not_unmounted(tmp_path: Path) -> None:
    """Its journal is replayed first, as the kernel would."""
    stick, before = stick_with_home(tmp_path)
    home = home_on(stick, tmp_path / "home")
    # debugfs writes a transaction into the journal and leaves it there (logdump -O shows it).
    block = debugfs(home, "bmap /ann/run.sh 0").split()[-1]
    new = tmp_path / "block"
    new.write_bytes(b"#!/bin/dash\n".ljust(4096, b"\0"))
    debugfs(home, "jo", f"jw -b {block} {new}", "jc", writable=True)
    assert b"needs_recovery" in run("dumpe2fs", "-h", home)
    debugfs(stick, "rm /LiveOS/home.img", f"write {home} /LiveOS/home.img", writable=True)
    for size in (50, 36):
        assert resized(stick, f"{size}M") == ExitStatus.DONE
        after = picture(home_on(stick, tmp_path / "home"), tmp_path)
        changed = {path for path in before if before[path] != after[path]}
        assert changed == {"/ann/run.sh"}


def states(recording: Recording, sampling: Sampling) -> Iterator[bytes]:
    """The first write, the last, some between; and of the flushes some, torn."""
    torn = sampling.of(recording.torn(random.Random(5)), 5)
    return chain(sampling.of(recording.prefixes(), 8), torn)


def home_after_a_cut(stick: Path, scratch: Path) -> Path:
    """What the kernel would find, after both journals were replayed."""
    run("e2fsck", "-fy", "-E", "journal_only", stick)
    return home_on(stick, scratch / "cut")


@pytest.mark.parametrize("size", ["60M", "34M"])
def test_resizing_cut_off(
    size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick, before = stick_with_home(tmp_path, 40, room=110)
    with open_home(str(stick)) as found:
        plan = resize.plan(found, str(stick), parse_size(size))
    with recorded(stick, monkeypatch) as recording:
        execute(plan)
    outcomes = set()
    for number, state in enumerate(states(recording, sampling)):
        leave(state, stick)
        home = home_after_a_cut(stick, tmp_path)
        run("e2fsck", "-fy", "-E", "journal_only", home)
        run("e2fsck", "-fn", home)
        outcomes.add(blocks(home) // 256)
        if number % 6 == 0:
            assert picture(home, tmp_path) == before
    assert outcomes == {40, int(size[:-1])}


def test_encrypting_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick, before = stick_with_home(tmp_path, 34, room=110)
    plain = home_on(stick, tmp_path / "plain").read_bytes()
    with open_home(str(stick)) as found, private_key("the key", KEY) as secret:
        plan = with_key(encrypt.plan(found, str(stick), UUID_1), secret)
        with recorded(stick, monkeypatch) as recording:
            execute(plan)
    volume = home_on(stick, tmp_path / "volume").read_bytes()
    outcomes = set()
    for state in states(recording, sampling):
        leave(state, stick)
        content = home_after_a_cut(stick, tmp_path).read_bytes()
        assert bool(content == plain) or bool(content == volume)
        outcomes.add(content == plain)
    assert outcomes == {True, False}
    assert picture(decrypted(tmp_path / "volume", KEY, tmp_path), tmp_path) == before
