# SPDX-License-Identifier: Apache-2.0
"""Emptying a store: whatever is cut off, it is the old one or an empty one; plans for all kinds."""

import random
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.errors import NoSpaceError, UnsupportedError
from liveos.formats.exception_store import Geometry, read_header
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import StoreState, check_store
from liveos.medium.overlay.locate import OpenOverlay
from liveos.operations.overlay.perform.reset import empty
from liveos.operations.overlay.plans.reset import plan
from liveos.operations.steps.overlay import ResetStore, Subject
from liveos.operations.steps.whole_overlay import ResetImage, ResetUpper
from tests.data.snapshot_cases import Recorded, recorded
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.formats.exception_store.power_cuts import Device, luck
from tests.unit.operations.overlay.memory_folder import MemoryFolder

SECTORS = 2
CHUNK = SECTORS * 512
ORIGIN = bytes(400 * CHUNK)
UUID_OF_IMAGE = UUID(int=7)


def filled(changes: int, size: int = 300) -> KernelModel:
    model = KernelModel(bytearray(size * CHUNK), ORIGIN, SECTORS)
    assert model.burst(dict.fromkeys(range(changes), b"u" * CHUNK))
    return model


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 250), st.integers(), st.integers(1, 200))
def test_a_power_cut_leaves_the_old_or_an_empty_store(changes: int, seed: int, later: int) -> None:
    """Whichever it is, a kernel that goes on with it revives nothing that was forgotten."""
    model = filled(changes)
    device = Device(model.device)
    empty(device, Geometry(SECTORS))
    dice = random.Random(seed)
    left = device.cut(dice.randint(0, len(device.tape.events)), dice, luck(dice))
    kernel = KernelModel(left, ORIGIN, SECTORS)
    assert kernel.valid
    assert kernel.map in ({}, model.map)
    if kernel.map:
        return
    fresh = {300 + number: b"n" * CHUNK for number in range(min(later, 90))}
    assert kernel.burst(fresh)
    kernel.load()
    assert set(kernel.map) == set(fresh)


@pytest.mark.parametrize("one", recorded(lambda one: len(one.files.get("store", b"")) >= 9000))
def test_any_store_becomes_an_empty_one(one: Recorded) -> None:
    """Also one that is invalid or damaged; a chunk size that makes sense is kept."""
    device = Device(one.store)
    folder = MemoryFolder(device)
    place = FolderFile(folder, "overlay")  # type: ignore[arg-type]
    found = OpenOverlay(place, PersistenceKind.SNAPSHOT, device, None, None)
    planned = plan(found, Subject("overlay", None, place), UUID_OF_IMAGE)
    (step,) = planned.steps
    assert isinstance(step, ResetStore)
    assert "overlay" in planned.destroys[0]
    empty(device, Geometry(step.chunk_sectors))
    check = check_store(device)
    assert check.state in {StoreState.VALID, StoreState.FULL}
    assert check.store is not None
    assert check.store.count == 0
    assert read_header(device).chunk_sectors == step.chunk_sectors
    if "records" in one.name:
        assert step.chunk_sectors == 8


def test_a_directory_is_exchanged(tmp_path: Path) -> None:
    place = FolderFile(HostFolder(tmp_path), "overlay")
    (tmp_path / "unused-ovlwork").mkdir()
    found = OpenOverlay(place, PersistenceKind.DIRECTORY, None, None, None)
    planned = plan(found, Subject("stick", None, place), UUID_OF_IMAGE)
    assert planned.steps == (ResetUpper(place, None),)
    assert planned.destroys == (f"every change kept in {place}",)
    assert planned.notes == (f"{tmp_path}/unused-ovlwork, left by a run that was cut off, goes",)


def test_an_image_is_replaced_by_one_of_its_size(tmp_path: Path) -> None:
    place = FolderFile(HostFolder(tmp_path), "overlay")
    found = OpenOverlay(place, PersistenceKind.IMAGE, Device(bytes(1 << 20)), None, None)
    (step,) = plan(found, Subject("stick", None, place), UUID_OF_IMAGE).steps
    assert isinstance(step, ResetImage)
    assert (step.size, step.filesystem.uuid) == (1 << 20, UUID_OF_IMAGE)
    assert step.filesystem.selinux is None


def test_an_image_needs_room_for_a_second_one() -> None:
    place = FolderFile(MemoryFolder(Device(b""), room=1000), "overlay")  # type: ignore[arg-type]
    found = OpenOverlay(place, PersistenceKind.IMAGE, Device(bytes(1 << 20)), None, None)
    with pytest.raises(NoSpaceError, match="1 MiB"):
        plan(found, Subject("stick", None, place), UUID_OF_IMAGE)


def test_a_root_that_is_written_to_itself_is_not_emptied() -> None:
    place = FolderFile(MemoryFolder(Device(b"")), "rootfs.img")  # type: ignore[arg-type]
    found = OpenOverlay(place, PersistenceKind.DIRECT, Device(b""), None, None)
    with pytest.raises(UnsupportedError, match="written to itself"):
        plan(found, Subject("stick", None, place), UUID_OF_IMAGE)
