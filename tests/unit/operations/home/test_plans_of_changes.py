# SPDX-License-Identifier: Apache-2.0
"""What is decided about a home that is there, and about partitions, before anything is done."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from liveos.errors import LiveosError, NoSpaceError, RefusedError, UnsupportedError
from liveos.formats.binary import ByteSource
from liveos.formats.encryption_mark import Mark, room_of
from liveos.host.folders.folder import FolderFile
from liveos.host.folders.partition import PartitionFolder
from liveos.host.luks import HEADER_SIZE, private_key
from liveos.medium.home.locate import OpenHome
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.home.status import home_status
from liveos.medium.model import MediumKind, Partition
from liveos.medium.scene import Scene
from liveos.medium.stores import HOME_TYPE
from liveos.operations.home.plans import create, encrypt, resize
from liveos.operations.home.plans.existing import goes_on, is_for_key, with_key
from liveos.operations.home.plans.partition import choose_partition
from liveos.operations.plan import plan_document
from liveos.operations.steps.home import (
    CreateHome,
    EncryptHome,
    Encryption,
    EncryptPartition,
    MakeRoom,
    ResizeHome,
)
from liveos.operations.steps.stick import Run
from liveos.sizes import parse_size
from tests.unit.formats.test_luks import LUKS2
from tests.unit.medium.payloads import BARE_EXT4
from tests.unit.operations.home.test_plans import MIB, UUID_1, UUID_2, Place, found

GUID = UUID("6c697665-6f73-4000-8000-0000000000aa")


@dataclass(frozen=True)
class Padded:
    """Some bytes at the beginning of a large file."""

    head: bytes
    size: int

    def read_at(self, offset: int, length: int) -> bytes:
        return self.head[offset : offset + length].ljust(length, b"\0")


def plain(size: int = 64 * MIB, place: Place | None = None, **changes: Any) -> OpenHome:  # noqa: ANN401 - any field
    return found(place, source=Padded(BARE_EXT4, size), **changes)


def encrypted(size: int = 64 * MIB, place: Place | None = None) -> OpenHome:
    return found(place, source=Padded(LUKS2, size))


@pytest.mark.parametrize(
    ("wish", "size"), [("100M", 100), ("rest", 1060), ("50%", 532), ("40M", 40), ("1064M", 1064)]
)
def test_sizes(wish: str, size: int) -> None:
    """A share is one of what the home has and what is free."""
    (step,) = resize.plan(plain(), "stick", parse_size(wish)).steps
    assert isinstance(step, ResizeHome)
    assert (step.old_size, step.size) == (64 * MIB, size * MIB)


def test_the_size_that_it_has() -> None:
    plan = resize.plan(plain(), "stick", parse_size("64M"))
    assert plan.steps
    assert "already" in plan.notes[0]


@pytest.mark.parametrize(
    ("home", "size", "error", "words"),
    [
        (found(), "64M", UnsupportedError, "no home"),
        (plain(), "1065M", NoSpaceError, "would be added"),
        (plain(), "31M", NoSpaceError, "too small"),
        (plain(place=Place(most=(4 << 30) - 1, room=9 << 30)), "4G", NoSpaceError, "4294967295"),
        (found(source=Padded(b"", 64 * MIB)), "80M", UnsupportedError, "no ext4"),
    ],
)
def test_resizing_refused(home: OpenHome, size: str, error: type[LiveosError], words: str) -> None:
    with pytest.raises(error, match=words) as raised:
        resize.plan(home, "stick", parse_size(size))
    assert raised.value.hint


def test_an_encrypted_home_needs_its_key() -> None:
    plan = resize.plan(encrypted(), "stick", parse_size("80M"))
    assert is_for_key(plan)
    assert not is_for_key(resize.plan(plain(), "stick", parse_size("80M")))
    with private_key("the key file k", b"geheim") as key:
        complete = with_key(plan, key)
        (step,) = complete.steps
        assert isinstance(step, ResizeHome)
        assert step.key == key
    assert "geheim" not in repr(complete) + str(plan_document(complete))
    assert "cryptsetup" in {tool.name for tool in complete.needs}


def test_encrypting() -> None:
    plan = encrypt.plan(plain(place=Place(there=("home.img.new",))), "stick", UUID_1)
    (step,) = plan.steps
    assert isinstance(step, EncryptHome)
    assert step.size == 64 * MIB + HEADER_SIZE
    assert step.stale
    assert "home.img.new" in plan.destroys[0]
    assert any("until it is overwritten" in note for note in plan.notes)
    with private_key("the key file k", b"geheim") as key:
        assert "the key file k" in str(with_key(plan, key).steps[-1])


@pytest.mark.parametrize(
    ("home", "error", "words"),
    [
        (encrypted(), RefusedError, "is encrypted"),
        (found(), UnsupportedError, "no home"),
        (plain(place=Place(room=79 * MIB)), NoSpaceError, "80 MiB"),
        (plain((4 << 30) - MIB, Place(1 << 40, (4 << 30) - 1)), NoSpaceError, "4294967295"),
        (plain(system=LiveSystem(systemd=257)), UnsupportedError, "cryptsetup"),
    ],
)
def test_encrypting_refused(home: OpenHome, error: type[LiveosError], words: str) -> None:
    with pytest.raises(error, match=words) as raised:
        encrypt.plan(home, "stick", UUID_1)
    assert raised.value.hint


def stick(*partitions: Partition, size: int = 1024 * MIB) -> Scene:
    path = Path("stick.img")
    return Scene(path, MediumKind.DISK, None, size, partitions=partitions)


LIVE = Partition(3, "LIVE", "0FC63DAF-8483-4772-8E79-3D69D8477DE4", 110 * MIB, 400 * MIB, "ext4")
WAITING = Partition(4, "HOME", HOME_TYPE.upper(), 512 * MIB, 100 * MIB)


def test_a_new_partition_behind_the_others() -> None:
    folder, (step,) = choose_partition(stick(LIVE), parse_size("100M"), GUID, 32 * MIB)
    place = PartitionFolder(Path("stick.img"), 512 * MIB, 100 * MIB, 4, filled=False)
    assert folder == place
    assert isinstance(step, Run)
    for words in ("start=524288KiB", "size=102400KiB", HOME_TYPE, str(GUID), 'name="HOME"'):
        assert words in step.script
    assert "--append" in step.command.arguments
    rest, _ = choose_partition(stick(LIVE), parse_size("rest"), GUID, 32 * MIB)
    # The last MiB has the backup of the table.
    assert rest.offset + rest.size == 1020 * MIB


def test_one_that_waits_is_taken() -> None:
    folder, steps = choose_partition(stick(LIVE, WAITING), parse_size("9G"), GUID, 32 * MIB)
    assert (folder.offset, folder.size, folder.filled) == (512 * MIB, 100 * MIB, False)
    assert not steps


@pytest.mark.parametrize(
    ("scene", "size", "error"),
    [
        (None, "100M", UnsupportedError),
        (Scene(Path("/mnt"), MediumKind.DIRECTORY, None, None), "100M", UnsupportedError),
        (stick(Partition(1, None, "83", MIB, 10 * MIB)), "100M", UnsupportedError),
        (stick(LIVE, size=600 * MIB), "100M", NoSpaceError),
        (stick(LIVE), "10M", NoSpaceError),
        (stick(LIVE, size=512 * MIB), "rest", NoSpaceError),
    ],
)
def test_no_partition(scene: Scene | None, size: str, error: type[LiveosError]) -> None:
    with pytest.raises(error) as raised:
        choose_partition(scene, parse_size(size), GUID, 32 * MIB)
    assert raised.value.hint


def test_a_home_in_a_partition_by_its_uuid() -> None:
    home = found(scene=stick(LIVE), system=LiveSystem(systemd=257, cryptsetup=True))
    wish = create.HomeWish(parse_size("100M"), UUID_1, UUID_2, GUID)
    plan = create.plan(home, "stick", wish)
    step = plan.steps[-1]
    assert isinstance(step, CreateHome)
    assert step.size == 100 * MIB
    assert any(f"liveos.home=UUID={UUID_2}" in note for note in plan.notes)
    assert "sfdisk" in {tool.name for tool in plan.needs}


def partition(room: int = 0, source: ByteSource | None = None) -> OpenHome:
    """A plain home in one, of 64 MiB, with ``room`` bytes behind it."""
    folder = PartitionFolder(Path("stick.img"), 512 * MIB, 64 * MIB, 4, filled=True, room=room)
    place = FolderFile(folder, folder.name)
    source = source or Padded(BARE_EXT4, 64 * MIB)
    return replace(plain(partition="x"), place=place, source=source)


@pytest.mark.parametrize(("wish", "size"), [("rest", 104), ("100M", 100), ("50%", 52), ("40M", 40)])
def test_sizes_of_a_partition(wish: str, size: int) -> None:
    plan = resize.plan(partition(room=40 * MIB), "stick", parse_size(wish))
    (step,) = plan.steps
    assert isinstance(step, ResizeHome)
    assert (step.old_size, step.size, step.stale) == (64 * MIB, size * MIB, False)
    assert str(step).endswith("in place")
    assert not plan.destroys


def test_a_partition_is_not_larger_than_what_is_behind_it() -> None:
    with pytest.raises(NoSpaceError, match="belong to no other partition") as raised:
        resize.plan(partition(room=8 * MIB), "stick", parse_size("73M"))
    assert "72M" in str(raised.value.hint)


def test_encrypting_a_partition() -> None:
    """The words change when there is room, and before nobody finds the plain home any more."""
    home = partition()
    plan = encrypt.plan(home, "stick", UUID_1)
    assert plan.steps == (
        MakeRoom(home.place, room_of(64 * MIB)),
        EncryptPartition(home.place, Encryption(UUID_1)),
    )
    assert any(f"UUID={UUID_1}" in note for note in plan.notes)
    assert not goes_on(plan)
    assert {tool.name for tool in plan.needs} >= {"cryptsetup", "resize2fs", "e2fsck"}
    with private_key("the key file k", b"geheim") as key:
        assert "the key file k" in str(with_key(plan, key).steps[-1])


def begun() -> OpenHome:
    mark = Mark.of(UUID_2, 20 * MIB, 64 * MIB)
    return partition(source=Padded(mark.pack(), 64 * MIB))


def test_what_was_begun_goes_on() -> None:
    plan = encrypt.plan(begun(), "stick", UUID_1)
    (step,) = plan.steps
    assert step == EncryptPartition(begun().place, Encryption(UUID_2), resumes=True)
    assert "go on" in str(step)
    assert goes_on(plan)


def test_what_was_begun_is_nothing_else_yet() -> None:
    status = home_status(begun())
    assert (status.kind, status.uuid, status.size) == ("encrypting", str(UUID_2), 64 * MIB)
    (warning,) = status.warnings
    assert warning.code == "unfinished-encryption"
    with pytest.raises(RefusedError, match="not finished") as raised:
        resize.plan(begun(), "stick", parse_size("70M"))
    assert raised.value.hint == "liveos home encrypt stick goes on with it"


def test_a_partition_too_small_or_an_image_that_cannot_open_it() -> None:
    small = replace(partition(), source=Padded(BARE_EXT4, 33 * MIB))
    with pytest.raises(NoSpaceError, match="must be free"):
        encrypt.plan(small, "stick", UUID_1)
    closed = replace(partition(), system=LiveSystem(systemd=257))
    with pytest.raises(UnsupportedError, match="cryptsetup"):
        encrypt.plan(closed, "stick", UUID_1)
