# SPDX-License-Identifier: Apache-2.0
"""Installing on devices: with loop devices where the tests may have them, through udisks2 without.

The device that a made-up udisks2 opens is a file; what is asked of its kernel is left out there.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.errors import ProblemsFoundError, RefusedError
from liveos.host.block.claim import Claim, disk_sequence
from liveos.host.block.device import BlockDevice, device_at
from liveos.host.block.machine import Machine
from liveos.host.target import Target, TargetKind, look_at
from liveos.operations.execute import carry_out, execute
from liveos.operations.install import devices
from liveos.operations.install.layout import Identities
from liveos.operations.install.planning import InstallRequest, plan
from liveos.operations.install.session import Session
from liveos.operations.plan import Plan
from liveos.operations.together import execute_all
from liveos.report import NullReporter
from liveos.sizes import Size
from tests.tools.host.made_up_udisks import MadeUpUdisks, private_bus
from tests.tools.operations.test_together import assert_whole
from tests.tools.operations.tiny import MIB, SIZE, facts

pytestmark = pytest.mark.tools

REQUEST = InstallRequest(
    erase=True, overlay=Size(bytes=20 * MIB), allow_fixed=True, serials=(), eject=False
)


def attach(file: Path) -> Path:
    file.write_bytes(b"")
    os.truncate(file, SIZE)
    done = subprocess.run(
        ["losetup", "--find", "--show", str(file)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no loop devices here: {done.stderr.strip()}")
    return Path(done.stdout.strip())


@pytest.fixture
def loops(tmp_path: Path) -> Iterator[list[Path]]:
    attached: list[Path] = []
    try:
        attached += [attach(tmp_path / "one"), attach(tmp_path / "two")]
        yield attached
    finally:
        for each in attached:
            subprocess.run(["losetup", "--detach", str(each)], check=False)


def planned(iso: Path, target: Target) -> Plan:
    request = replace(REQUEST, identities=Identities.random())
    return plan(request, facts(iso), target)


def facts_of(path: Path) -> BlockDevice:
    node = Machine().at(path)
    assert node is not None
    return device_at(node, Machine())


@pytest.mark.root
def test_two_devices_at_once(iso: Path, loops: list[Path]) -> None:
    made = [planned(iso, look_at(loop, iso)) for loop in loops]
    outcomes = execute_all(made, [NullReporter(), NullReporter()])
    assert [each.error for each in outcomes] == [None, None]
    for loop in loops:
        assert_whole(loop)


@pytest.mark.root
def test_a_claimed_device_is_locked_and_nobody_mounts_it(loops: list[Path]) -> None:
    claim = Claim(loops[0])
    claim.require(facts_of(loops[0]))
    other = os.open(loops[0], os.O_RDWR)
    with pytest.raises(BlockingIOError):  # what udev tries, "Locking Block Device Access"
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    with pytest.raises(OSError, match="busy"):
        os.open(loops[0], os.O_RDWR | os.O_EXCL)
    claim.share()
    os.close(os.open(loops[0], os.O_RDWR | os.O_EXCL))  # mkfs may
    claim.release()
    fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    os.close(other)


@pytest.mark.root
def test_a_device_that_somebody_else_has(
    loops: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveos.host.block.claim._PATIENCE", 0.2)
    other = os.open(loops[0], os.O_RDWR | os.O_EXCL)
    with pytest.raises(RefusedError, match="in use"):
        Claim(loops[0])
    os.close(other)


@pytest.mark.root
@pytest.mark.parametrize("changes", [{"diskseq": 1}, {"size": 4096}, {"serial": "other"}])
def test_a_device_that_has_been_exchanged(loops: list[Path], changes: dict[str, object]) -> None:
    known = replace(facts_of(loops[0]), **changes)  # type: ignore[arg-type]
    claim = Claim(loops[0])
    with pytest.raises(RefusedError, match="not the device any more"):
        claim.require(known)
    assert claim.descriptor >= 0
    assert disk_sequence(claim.descriptor) == facts_of(loops[0]).diskseq
    claim.release()


@pytest.mark.root
def test_an_exchanged_device_is_not_written_to(iso: Path, loops: list[Path]) -> None:
    target = look_at(loops[0], iso)
    assert target.device is not None
    other = replace(target, device=replace(target.device, serial="other"))
    with pytest.raises(RefusedError):
        carry_out(planned(iso, other), Session(NullReporter()))
    assert not any(loops[0].read_bytes())


@pytest.fixture
def lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[MadeUpUdisks, Target]]:
    """A stick that has been used before and may not be opened, and who opens it."""
    disk = tmp_path / "disk"
    disk.write_bytes(b"\xa5" * SIZE)
    stick = BlockDevice(disk, SIZE, model="Made up", serial="1", is_removable=True)
    target = Target(
        disk, TargetKind.DEVICE, SIZE, device=stick, draft=tmp_path / "draft.img", free=1 << 40
    )
    monkeypatch.setattr(Claim, "require", lambda _self, _planned: None)
    with private_bus(tmp_path) as address, MadeUpUdisks(address, disk) as service:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield service, target


def test_what_udisks_opens_is_written_through_the_descriptor(
    iso: Path, lent: tuple[MadeUpUdisks, Target]
) -> None:
    service, target = lent
    request = replace(REQUEST, identities=Identities.random(), eject=True)
    carry_out(plan(request, facts(iso), target), Session(NullReporter()))
    assert_whole(target.path)
    assert not target.draft or not target.draft.exists()
    asked = [method for method, _ in service.asked]
    assert asked.count("OpenDevice") == 1
    assert asked[-1] == "PowerOff"


def test_a_stick_that_forgets_what_is_written(
    iso: Path, lent: tuple[MadeUpUdisks, Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, target = lent

    def forget(descriptor: int) -> None:
        os.pwrite(descriptor, b"?", 8 * MIB + 100)

    monkeypatch.setattr(devices, "forget_cached", forget)
    with pytest.raises(ProblemsFoundError, match="gives back other bytes") as caught:
        carry_out(planned(iso, target), Session(NullReporter()))
    assert "does not boot" in str(caught.value.hint)
    with target.path.open("rb") as disk:
        assert b"LIVEOS-UNFINISHED" in disk.read(512)
    assert target.draft is not None
    assert not target.draft.exists()


@pytest.mark.root
def test_a_device_installed_by_a_plan_alone(iso: Path, loops: list[Path]) -> None:
    execute(planned(iso, look_at(loops[0], iso)))
    assert_whole(loops[0])


@pytest.mark.root
def test_a_partition_of_the_target_as_the_source(iso: Path, loops: list[Path]) -> None:
    assert look_at(loops[0], loops[0]).is_source
    assert not look_at(loops[0], loops[1]).is_source
