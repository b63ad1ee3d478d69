# SPDX-License-Identifier: Apache-2.0
"""A filesystem that becomes the contents of a LUKS volume where it lies, and what a cut leaves.

Once the header of the volume is there, everything else follows from it. So a run that was cut off
and has been finished must leave the very bytes of one that was not, which cryptsetup and e2fsck
judge.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from uuid import UUID

import pytest

from liveos.errors import RefusedError, UnsupportedError
from liveos.formats.encryption_mark import HEAD_SIZE, room_of, tail_of
from liveos.formats.ext4.reader import Ext4
from liveos.formats.identify import Kind, identify
from liveos.host import luks
from liveos.host.folders.folder import FolderFile
from liveos.host.folders.partition import PartitionFolder
from liveos.operations.home.encryption import begin, go_on
from tests.light_luks import LEAST_COST
from tests.sampling import Sampling
from tests.tools.host.power_cuts import Recording, leave, recorded
from tests.tools.operations.home.pictures import lived_in, picture
from tests.tools.operations.home.sticks import MIB, run
from tests.tools.operations.home.test_home import decrypted, opens

pytestmark = pytest.mark.tools

KEY = b"geheim"
VOLUME = UUID("6c697665-6f73-4000-8000-00000000000c")
SIZE = 56 * MIB
# Two pieces: where the first one was, the second one comes.
CONTENTS = room_of(SIZE) // MIB * MIB


@dataclass(frozen=True)
class Home:
    """A file as if it were a partition, whose filesystem leaves room at the end."""

    path: Path

    @property
    def place(self) -> FolderFile:
        folder = PartitionFolder(self.path, 0, SIZE, 1, filled=True)
        return FolderFile(folder, folder.name)

    def begin(self) -> None:
        with luks.private_key("the key", KEY) as key, self.place.open(writable=True) as file:
            begin(file, Ext4(file), VOLUME, key)

    def go_on(self, secret: bytes = KEY) -> None:
        with luks.private_key("the key", secret) as key, self.place.open(writable=True) as file:
            go_on(file, key, self.place, lambda _done, _total: None)

    def kind(self) -> Kind:
        with self.place.open() as file:
            identity = identify(file)
        assert identity
        return identity.kind


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(luks, "_KDF_COST", LEAST_COST)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    path = lived_in(tmp_path / "home", tmp_path, CONTENTS // MIB)
    with path.open("r+b") as file:
        file.truncate(SIZE)
    return Home(path)


def test_the_volume_has_the_files_and_nothing_of_them_is_left(home: Home, tmp_path: Path) -> None:
    before, plain = picture(home.path, tmp_path), home.path.read_bytes()
    home.begin()
    assert home.kind() is Kind.ENCRYPTING
    home.go_on()
    sealed = home.path.read_bytes()
    assert opens(home.path, KEY)
    assert not opens(home.path, b"falsch")
    assert run("cryptsetup", "luksUUID", home.path).decode().strip() == str(VOLUME)
    contents = decrypted(home.path, KEY, tmp_path)
    assert picture(contents, tmp_path) == before
    # Neither the plain files nor the copy of the key slots.
    assert not any(sealed[tail_of(SIZE) :])
    after = {sealed[at : at + 4096] for at in range(0, SIZE, 4096)}
    with_files = {plain[at : at + 4096] for at in range(0, CONTENTS, 4096)} - {bytes(4096)}
    free = {bytes([1]) * 4096}  # of a file that was deleted before
    assert not (after & with_files) - free


def test_a_small_block_size(tmp_path: Path) -> None:
    path = lived_in(tmp_path / "home", tmp_path, CONTENTS // MIB, block_size=1024)
    before = picture(path, tmp_path)
    with path.open("r+b") as file:
        file.truncate(SIZE)
    home = Home(path)
    home.begin()
    home.go_on()
    assert picture(decrypted(path, KEY, tmp_path), tmp_path) == before


def test_refused_before_the_first_write(home: Home) -> None:
    home.begin()
    begun = home.path.read_bytes()
    with pytest.raises(RefusedError, match="does not open"):
        home.go_on(b"falsch")
    assert bool(home.path.read_bytes() == begun)
    slots = tail_of(SIZE) + 16 * MIB + HEAD_SIZE
    with home.path.open("r+b") as file:
        file.seek(slots)
        file.write(bytes(8192))
    with pytest.raises(UnsupportedError, match="cannot be read") as raised:
        home.go_on()
    assert raised.value.hint


def states(recording: Recording, sampling: Sampling, most: int) -> Iterator[bytes]:
    torn = (sampling.of(recording.torn(random.Random(seed)), most, seed) for seed in range(2))
    return chain(sampling.of(recording.prefixes(), most), *torn)


def test_begun_and_cut_off(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    """The plain home, or one that can be finished."""
    plain, before = home.path.read_bytes(), picture(home.path, tmp_path)
    with recorded(home.path, monkeypatch) as recording:
        home.begin()
    # The writes before the mark are those of the tail, which is not looked at.
    kinds = []
    for state in states(recording, sampling, 4):
        leave(state, home.path)
        kinds.append(home.kind())
        if kinds[-1] is Kind.EXT4:
            assert bool(state[512:CONTENTS] == plain[512:CONTENTS])
            run("e2fsck", "-fn", home.path)
        else:
            assert kinds[-1] is Kind.ENCRYPTING
    assert set(kinds) == {Kind.EXT4, Kind.ENCRYPTING}
    # From the mark alone, it begins anew.
    leave(recording.prefixes()[len(recording.prefixes()) - 2], home.path)
    assert home.kind() is Kind.EXT4
    home.begin()
    home.go_on()
    assert picture(decrypted(home.path, KEY, tmp_path), tmp_path) == before


def test_cut_off_and_finished(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    home.begin()
    with recorded(home.path, monkeypatch) as recording:
        home.go_on()
    whole, tail = home.path.read_bytes(), tail_of(SIZE)
    outcomes = set()
    for state in states(recording, sampling, 5):
        leave(state, home.path)
        kind = home.kind()
        outcomes.add(kind)
        if kind is Kind.ENCRYPTING:
            home.go_on()
            assert bool(home.path.read_bytes() == whole)
        else:
            assert kind is Kind.LUKS
            assert bool(state[:tail] == whole[:tail])
    assert outcomes == {Kind.ENCRYPTING, Kind.LUKS}
    leave(whole, home.path)
    run("e2fsck", "-fn", decrypted(home.path, KEY, tmp_path))


def test_cut_off_again_and_again(
    home: Home, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    """Each run goes on from where the last one was cut off, and comes a little further."""
    home.begin()
    begun = home.path.read_bytes()
    home.go_on()
    whole = home.path.read_bytes()
    leave(begun, home.path)
    dice = random.Random(3)
    for _ in range(20 if sampling.every else 3):
        with recorded(home.path, monkeypatch) as recording:
            home.go_on()
        torn = recording.torn(dice)
        leave(torn[dice.randrange(len(torn) // 2 + 1)], home.path)
        if home.kind() is Kind.LUKS:
            assert bool(home.path.read_bytes()[: tail_of(SIZE)] == whole[: tail_of(SIZE)])
            return
    home.go_on()
    assert bool(home.path.read_bytes() == whole)
