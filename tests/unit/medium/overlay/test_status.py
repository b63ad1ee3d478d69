# SPDX-License-Identifier: Apache-2.0
"""The status of stores that kernels made, and of directories and images."""

import os
from pathlib import Path

import pytest

from liveos.formats.binary import MemorySource
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import StoreState, check_store
from liveos.medium.overlay.forecast import Ending
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.status import OverlayStatus, of_store, overlay_status
from liveos.medium.volume import open_directory
from tests.data.snapshot_cases import Recorded, recorded
from tests.unit.formats.exception_store.kernel_model import KernelModel


def status_of(store: bytes, origin_size: int | None = None) -> OverlayStatus:
    return of_store(MemorySource(store), "overlay", "stick image.img", origin_size)


@pytest.mark.parametrize("one", recorded(lambda one: "reloaded" in one.facts))
def test_recorded_stores(one: Recorded) -> None:
    """The line is the one that a kernel printed, the numbers are those in it."""
    status = status_of(one.store)
    line = one.facts["reloaded"]
    if not one.name.startswith("hand-sectors-wrap"):
        assert status.status_line == line
    if line == "Invalid":
        assert status.state in {StoreState.INVALID, StoreState.DAMAGED}
        return
    allocated, rest = line.split("/")
    total, metadata = rest.split()
    assert status.usage is not None
    assert status.usage.total == int(total)
    assert status.usage.metadata == int(metadata)
    assert status.usage.allocated == int(allocated)


@pytest.mark.parametrize("one", recorded(lambda one: "store" in one.files))
def test_the_quick_look_sees_the_same_state_as_the_long_one(one: Recorded) -> None:
    assert status_of(one.store).state is check_store(MemorySource(one.store)).state


@pytest.mark.parametrize("one", recorded(lambda one: one.name.startswith("full-")))
def test_a_store_that_was_filled(one: Recorded) -> None:
    status = status_of(one.store)
    if status.state is StoreState.INVALID:
        assert status.forecast is None
        assert status.free_size == 0
        repair = [each.repair for each in status.warnings if each.code == "repair"]
        assert repair == ["liveos overlay repair 'stick image.img'"]
    else:
        assert status.state is StoreState.FULL
        assert status.forecast is not None
        assert status.forecast.ending is Ending.OVERFLOW
        assert status.forecast.new_chunks == 0
        assert "S2" in {each.code for each in status.warnings}


def test_a_boundary_size_is_warned_of_with_the_command_that_avoids_it() -> None:
    status = status_of(bytes(1 << 28))
    (finding,) = status.warnings
    assert status.state is StoreState.BLANK
    assert status.fullness == 0
    assert finding.code == "S1"
    assert finding.repair == "liveos overlay resize 'stick image.img' +4K"
    assert status_of(bytes((1 << 28) + 4096)).warnings == ()


def test_an_overlay_as_large_as_its_root_never_fills() -> None:
    status = status_of(bytes(1 << 28), 100 << 20)
    assert status.forecast is not None
    assert status.forecast.ending is Ending.NEVER
    assert status.warnings == ()


def test_nearly_full() -> None:
    model = KernelModel(bytearray(101 * 512), bytes(200 * 512), 1)
    for chunk in range(90):
        model.write(chunk, bytes(512))
    assert {each.code for each in status_of(bytes(model.device)).warnings} == {"nearly-full"}


@pytest.mark.parametrize("content", [b"", b"x", b"SnAp" + bytes(5000), b"\x7fELF" * 5000])
def test_what_is_no_store(content: bytes) -> None:
    status = status_of(content)
    assert status.state is StoreState.DAMAGED
    assert not status.is_readable
    assert status.status_line is None
    assert status.fullness is None
    assert status.warnings


def test_a_directory_of_the_host(tmp_path: Path) -> None:
    upper = tmp_path / "overlay-X"
    (upper / "etc").mkdir(parents=True)
    (upper / "etc/hostname").write_bytes(b"h" * 1000)
    (upper / "etc/again").hardlink_to(upper / "etc/hostname")
    (upper / "link").symlink_to("etc/hostname")
    if os.geteuid() == 0:
        os.mknod(upper / "gone", 0o20000, 0)
    volume = open_directory(tmp_path)
    node = volume.tree.lookup("/overlay-X")
    assert node is not None
    place = FolderFile(HostFolder(tmp_path), "overlay-X")
    found = OpenOverlay(place, PersistenceKind.DIRECTORY, None, (volume, node), None)
    status = overlay_status(found, "x")
    assert status.contents is not None
    assert status.contents.files == 3
    assert status.contents.directories == 1
    assert status.contents.whiteouts == (os.geteuid() == 0)
    assert status.contents.size == 1000 + len("etc/hostname")
    space = os.statvfs(tmp_path)
    assert status.free_size == pytest.approx(space.f_bavail * space.f_frsize, rel=0.05)
    assert status.status_line is None
