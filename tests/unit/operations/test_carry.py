# SPDX-License-Identifier: Apache-2.0
"""What an image that is installed from another stick brings along, as part of the plan."""

from dataclasses import replace
from pathlib import Path

import pytest

from liveos.errors import NoSpaceError, UnsupportedError, UsageError
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.model import Image, PersistenceKind
from liveos.medium.record import NotedFile
from liveos.operations.carry.facts import Carried, CarriedHome, CarriedOverlay
from liveos.operations.install.planning import InstallRequest, plan
from liveos.operations.install.stick import HomeRequest
from liveos.operations.plan import Plan
from liveos.operations.steps.carry import CarryHome, CarryOverlay, CarryUpper, CompareSums
from liveos.operations.steps.home import CreateHome
from liveos.operations.steps.stick import Allocate
from liveos.sizes import Size
from tests.unit.operations.sources import FLAT, GIB, IDENTITIES, MIB, NESTED, NEW_FILE, medium

REQUEST = InstallRequest(identities=IDENTITIES, size=8 * GIB)
SPEC = "/srv/old.img:sYBm"
ODD = 100 * MIB + 512
SYSTEM = LiveSystem(livesys="/usr/libexec/livesys/livesys-main", cryptsetup=True, plymouth=True)
SNAPSHOT = CarriedOverlay(PersistenceKind.SNAPSHOT, ODD)
DIRECTORY = CarriedOverlay(PersistenceKind.DIRECTORY, 30 * MIB)
PATH = f"/LiveOS/overlay-Fedora-WS-Live-{IDENTITIES.live_filesystem}"


def planned(carried: Carried, request: InstallRequest = REQUEST, image: Image = NESTED) -> Plan:
    source = medium(image, implanted_md5=None)
    return plan(request, source, NEW_FILE, SYSTEM, carried)


def steps_of(whole: Plan, kind: type) -> list[object]:
    return [step for step in whole.steps if isinstance(step, kind)]


def test_a_store_keeps_its_size_to_the_byte() -> None:
    whole = planned(Carried(SPEC, overlay=SNAPSHOT))
    (step,) = steps_of(whole, CarryOverlay)
    assert isinstance(step, CarryOverlay)
    assert (step.size, step.place.path, step.still) == (ODD, PATH, None)
    assert steps_of(whole, Allocate) == []
    assert ("LIVE: overlay", ODD) in whole.layout


def test_a_directory_stays_one() -> None:
    whole = planned(Carried(SPEC, overlay=DIRECTORY))
    (step,) = steps_of(whole, CarryUpper)
    assert isinstance(step, CarryUpper)
    assert step.place.path == PATH
    assert not any("overlay" in what for what, _ in whole.layout)


def test_a_home_keeps_its_encryption() -> None:
    home = CarriedHome(64 * MIB + 4096, encrypted=True, uuid="abc")
    whole = planned(Carried(SPEC, home=home))
    (step,) = steps_of(whole, CarryHome)
    assert isinstance(step, CarryHome)
    assert (step.size, step.place.path) == (64 * MIB + 4096, "/LiveOS/home.img")
    assert steps_of(whole, CreateHome) == []
    assert steps_of(whole, Allocate) != []  # a new overlay beside it


def test_what_is_in_use_is_told() -> None:
    still = replace(SNAPSHOT, still=Path("/"))
    whole = planned(Carried(SPEC, overlay=still))
    assert "/ is in use: while it is copied, everything waits that wants to write there" in (
        whole.notes
    )
    assert any("while / is kept still" in str(step) for step in whole.steps)


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, overlay=Size(bytes=GIB)),
        replace(REQUEST, overlay=None),
        replace(REQUEST, overlay_kind=PersistenceKind.DIRECTORY),
    ],
)
def test_a_copied_overlay_is_no_new_one(request_: InstallRequest) -> None:
    with pytest.raises(UsageError, match="copied overlay"):
        planned(Carried(SPEC, overlay=SNAPSHOT), request_)


def test_a_copied_home_is_no_new_one() -> None:
    home = Carried(SPEC, home=CarriedHome(64 * MIB, encrypted=False, uuid=None))
    with pytest.raises(UsageError, match="made anew"):
        planned(home, replace(REQUEST, home=HomeRequest()))


def test_the_image_must_be_able_to_use_it() -> None:
    """A snapshot on a stick of somebody, whose image is flat: it never worked."""
    with pytest.raises(UnsupportedError, match="cannot keep changes this way"):
        planned(Carried(SPEC, overlay=SNAPSHOT), image=FLAT)


def test_it_must_fit() -> None:
    large = CarriedOverlay(PersistenceKind.SNAPSHOT, 20 * GIB)
    with pytest.raises(NoSpaceError, match="too small"):
        planned(Carried(SPEC, overlay=large))


NOTED = (
    NotedFile("LIVE", "/LiveOS/squashfs.img", 900 * MIB, "a" * 64),
    NotedFile("ESP", "/images/pxeboot/vmlinuz", 8 * MIB, "b" * 64),
    NotedFile("ESP", "/elsewhere", 1, "c" * 64),
)


def test_noted_sums_are_compared_before_it_can_start() -> None:
    whole = planned(Carried(SPEC, noted=NOTED))
    (step,) = steps_of(whole, CompareSums)
    assert isinstance(step, CompareSums)
    assert {(place.path, noted.sha256[0]) for place, noted in step.files} == {
        ("/LiveOS/squashfs.img", "a"),
        ("/liveos/LiveOS/vmlinuz", "b"),
    }
    assert any("record of sums" in note for note in whole.notes)


def test_an_unpacked_root_has_no_sum() -> None:
    whole = planned(Carried(SPEC, noted=NOTED), replace(REQUEST, uncompressed=True))
    (step,) = steps_of(whole, CompareSums)
    assert isinstance(step, CompareSums)
    assert [place.path for place, _ in step.files] == ["/liveos/LiveOS/vmlinuz"]
