# SPDX-License-Identifier: Apache-2.0
"""What is decided about a home before anything is done."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from liveos.errors import LiveosError, NoSpaceError, RefusedError, UnsupportedError
from liveos.formats.binary import MemorySource
from liveos.host.folders.folder import FolderFile
from liveos.host.luks import private_key
from liveos.medium.home.locate import OpenHome
from liveos.medium.home.mounting import LiveSystem
from liveos.operations.home.plans import create, remove
from liveos.operations.plan import Plan, plan_document
from liveos.operations.steps.home import CreateHome, RemoveHome
from liveos.sizes import parse_size
from tests.unit.medium.home.test_mounting import FEDORA, LIVE

MIB = 1 << 20
UUID_1, UUID_2 = (UUID(f"6c697665-6f73-4000-8000-00000000000{number}") for number in (1, 2))


@dataclass(frozen=True)
class Place:
    """A folder of which only the room matters."""

    room: int = 1000 * MIB
    most: int | None = None
    there: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "stick:/LiveOS"

    def free(self) -> int:
        return self.room

    def limit(self) -> int | None:
        return self.most

    def names(self) -> tuple[str, ...]:
        return self.there

    def hold(self, _name: str) -> AbstractContextManager[None]:
        return nullcontext()


def found(place: Place | None = None, **changes: Any) -> OpenHome:  # noqa: ANN401 - any field
    folder: Any = place or Place()
    home = OpenHome(FolderFile(folder, "home.img"), "LiveOS", None, LIVE, None, FEDORA, False)
    return replace(home, **changes)


def planned(home: OpenHome, size: str, *, encrypted: bool = False) -> Plan:
    wish = create.HomeWish(parse_size(size), UUID_1, UUID_2 if encrypted else None)
    return create.plan(home, "stick", wish)


def size_of(plan: Plan) -> int:
    (step,) = plan.steps
    assert isinstance(step, CreateHome)
    return step.size


@pytest.mark.parametrize(
    ("wish", "size"), [("100M", 100), ("100.5M", 100), ("10%", 100), ("rest", 996), ("1000M", 1000)]
)
def test_sizes(wish: str, size: int) -> None:
    assert size_of(planned(found(), wish)) == size * MIB


def test_fat_takes_no_file_of_four_gibibytes() -> None:
    fat = found(Place(room=16 << 30, most=(4 << 30) - 1))
    assert size_of(planned(fat, "4095M")) == 4095 * MIB
    assert size_of(planned(fat, "rest")) == 4095 * MIB
    with pytest.raises(NoSpaceError, match="4 GiB") as error:
        planned(fat, "4G")
    assert "4095M" in str(error.value.hint)


@pytest.mark.parametrize(
    ("home", "size", "encrypted", "error", "words"),
    [
        (found(), "1001M", False, NoSpaceError, "1000 MiB free"),
        (found(), "31M", False, NoSpaceError, "too small"),
        (found(), "47M", True, NoSpaceError, "needs 48 MiB"),
        (found(source=MemorySource(b"")), "64M", False, RefusedError, "exists"),
        (found(system=None), "64M", False, UnsupportedError, "cannot be read"),
        (found(system=LiveSystem()), "64M", False, UnsupportedError, "no systemd"),
        (found(system=LiveSystem(systemd=257)), "64M", True, UnsupportedError, "cryptsetup"),
    ],
)
def test_refusals(
    home: OpenHome, size: str, error: type[LiveosError], words: str, *, encrypted: bool
) -> None:
    with pytest.raises(error, match=words) as raised:
        planned(home, size, encrypted=encrypted)
    assert raised.value.hint


def test_what_could_be_had_plain_is_said() -> None:
    with pytest.raises(UnsupportedError) as raised:
        planned(found(system=LiveSystem(systemd=257)), "64M", encrypted=True)
    assert "--plain" in str(raised.value.hint)


def test_what_is_to_be_done_is_all_in_the_plan() -> None:
    plan = planned(found(overlay_used=True), "64M", encrypted=True)
    text = plan_document(plan)["steps"]
    for words in (str(UUID_1), str(UUID_2), "67108864", "LUKS2", "/liveuser", "stick:/LiveOS"):
        assert words in str(text)
    assert {tool.name for tool in plan.needs} == {"mke2fs", "debugfs", "e2fsck", "cryptsetup"}
    assert not plan.destroys
    assert FEDORA.livesys is not None
    assert FEDORA.livesys in plan.notes[0]
    assert plan == planned(found(overlay_used=True), "64M", encrypted=True)


def test_the_word_for_the_kernel_line_is_told() -> None:
    plan = planned(found(system=LiveSystem(systemd=257)), "64M")
    assert any("systemd.mount-extra=" in note for note in plan.notes)


def test_a_left_over_is_named() -> None:
    plan = planned(found(Place(there=("home.img.new", "squashfs.img"))), "64M")
    assert "home.img.new" in plan.destroys[0]
    assert isinstance(plan.steps[0], CreateHome)
    assert plan.steps[0].stale


@pytest.mark.parametrize("secret", [b"geheim", b"geheim\n"])
def test_no_secret_is_in_a_plan(secret: bytes) -> None:
    plan = planned(found(), "64M", encrypted=True)
    with private_key("the key file k", secret) as key:
        complete = create.with_key(plan, key)
    assert "geheim" not in repr(complete) + str(plan_document(complete))
    assert "the key file k" in str(complete.steps[0])
    assert any("line end" in note for note in complete.notes) is secret.endswith(b"\n")


def test_removing() -> None:
    home = found(source=MemorySource(bytes(70_000)))
    plan = remove.plan(home, "stick")
    assert plan.steps == (RemoveHome(home.place),)
    assert "stick:/LiveOS/home.img" in plan.destroys[0]
    assert "every file" in plan.destroys[0]
    with pytest.raises(UnsupportedError, match="no home"):
        remove.plan(found(), "stick")
