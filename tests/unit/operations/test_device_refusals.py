# SPDX-License-Identifier: Apache-2.0
"""Devices that nothing is written to, with the reason; and what a plan for a device says."""

from dataclasses import replace
from pathlib import Path

import pytest

from liveos.errors import LiveosError, NotPermittedError, RefusedError, UnsupportedError
from liveos.host.block.device import BlockDevice
from liveos.host.block.uses import Use
from liveos.operations.install.device_refusals import device_refusal
from liveos.operations.install.planning import plan
from liveos.operations.plan import Plan
from liveos.operations.steps.stick import (
    ClaimDevice,
    CreateImage,
    Detach,
    MakeUnbootable,
    WriteDevice,
)
from tests.unit.operations.sources import DEVICE, GIB, medium
from tests.unit.operations.test_install import ON_DEVICE

STICK = BlockDevice(
    Path("/dev/sdz"),
    8 * GIB,
    bus="usb",
    model="SanDisk Ultra",
    serial="4C530001",
    diskseq=17,
    is_removable=True,
)
TARGET = replace(DEVICE, device=STICK)
DRAFT = Path("/var/tmp/liveos-sdz-1.img")


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"uses": (Use("/dev/sdz1 is mounted on /", is_system=True), Use("x"))},
            RefusedError,
            "carries the running system: /dev/sdz1 is mounted on /",
        ),
        ({"uses": (Use("/dev/sdz1 is mounted on /mnt"),)}, RefusedError, "in use: /dev/sdz1"),
        ({"disk": Path("/dev/sdz")}, RefusedError, "is a partition"),
        ({"is_optical": True}, UnsupportedError, "optical"),
        ({"size": 0}, RefusedError, "no medium"),
        ({"is_read_only": True}, RefusedError, "read-only"),
        ({"sector_size": 4096}, UnsupportedError, "4096"),
        ({"is_removable": False}, RefusedError, "cannot be pulled out"),
    ],
)
def test_refused_devices(changes: dict[str, object], kind: type[LiveosError], message: str) -> None:
    device = replace(STICK, **changes)  # type: ignore[arg-type]
    refusal = device_refusal(device, allow_fixed=False)
    assert type(refusal) is kind
    assert message in refusal.message
    assert refusal.hint
    with pytest.raises(kind, match=message):
        plan(ON_DEVICE, medium(), replace(TARGET, device=device))


def test_a_stick_is_not_refused() -> None:
    assert device_refusal(STICK, allow_fixed=False) is None
    assert device_refusal(replace(STICK, is_removable=False), allow_fixed=True) is None


def test_what_carries_the_system_is_refused_even_if_fixed_disks_are_allowed() -> None:
    device = replace(STICK, uses=(Use("/dev/sdz is mounted on /", is_system=True),))
    assert device_refusal(device, allow_fixed=True) is not None


def test_another_serial_number_than_was_named() -> None:
    plan(replace(ON_DEVICE, serials=("other", "4C530001")), medium(), TARGET)
    with pytest.raises(RefusedError, match="SanDisk Ultra, serial 4C530001"):
        plan(replace(ON_DEVICE, serials=("other",)), medium(), TARGET)


def kinds(made: Plan) -> list[type]:
    return [type(step) for step in made.steps]


def test_the_plan_says_which_device_is_lost_and_locks_it_before_the_first_write() -> None:
    made = plan(ON_DEVICE, medium(), TARGET)
    assert made.destroys[0] == "everything on /dev/sdz (8 GiB: SanDisk Ultra, serial 4C530001)"
    order = kinds(made)
    assert order.index(ClaimDevice) < order.index(MakeUnbootable)
    assert order[-1] is Detach
    assert Detach not in kinds(plan(replace(ON_DEVICE, eject=False), medium(), TARGET))
    claim = next(step for step in made.steps if isinstance(step, ClaimDevice))
    assert "serial 4C530001" in str(claim)
    assert "disk sequence 17" in str(claim)


def test_a_disk_that_is_built_in_is_not_ejected() -> None:
    fixed = replace(TARGET, device=replace(STICK, is_removable=False))
    made = plan(replace(ON_DEVICE, allow_fixed=True), medium(), fixed)
    assert Detach not in kinds(made)


def test_what_only_udisks_opens_is_made_in_a_draft_and_written_last() -> None:
    made = plan(ON_DEVICE, medium(), replace(TARGET, draft=DRAFT, free=64 * GIB))
    order = kinds(made)
    assert MakeUnbootable not in order
    # People are asked by polkit before minutes have passed.
    assert order.index(ClaimDevice) < order.index(CreateImage)
    assert order[-2:] == [WriteDevice, Detach]
    writes = [step for step in made.steps if "/dev/sdz" in str(step)]
    assert [type(step) for step in writes] == [ClaimDevice, WriteDevice, Detach]
    (mke2fs,) = (str(step) for step in made.steps if "mke2fs" in str(step))
    assert "UNIX_IO_NOZEROOUT=1" in mke2fs


def test_a_draft_needs_room() -> None:
    with pytest.raises(LiveosError, match="/var/tmp has 1 MiB free"):
        plan(ON_DEVICE, medium(), replace(TARGET, draft=DRAFT, free=1 << 20))


def test_without_rights_the_way_is_named() -> None:
    with pytest.raises(NotPermittedError) as caught:
        plan(ON_DEVICE, medium(), replace(TARGET, writable=False))
    assert "udisks2" in str(caught.value.hint)
    assert "root" in str(caught.value.hint)
