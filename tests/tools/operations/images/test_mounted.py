# SPDX-License-Identifier: Apache-2.0
"""Images of a stick that is named by the directory where its LIVE is mounted.

/proc and /sys are made up, so that they may tell of filesystems that nobody writes unmounted.
"""

import json
import os
from pathlib import Path
from uuid import UUID

import pytest

from liveos.errors import NotPermittedError, RefusedError, UnsupportedError
from liveos.host.target import look_at
from liveos.medium.inspect import inspect
from liveos.medium.listing import list_images
from liveos.medium.model import MediumKind, PersistenceKind
from liveos.medium.sources import find_source
from liveos.medium.stick import open_stick
from liveos.operations.execute import execute
from liveos.operations.images import mounted
from liveos.operations.images.kept_memory import OverlayFate
from liveos.operations.images.plans import default, remove, rename, update
from liveos.operations.install.filesystems import Btrfs
from liveos.operations.install.stick import HomeRequest
from liveos.operations.plan import Plan
from liveos.sizes import Size
from tests.tools.operations import layouts, tiny
from tests.tools.operations.images.attached import Attached, attach
from tests.tools.operations.images.interruptions import StopAt, StoppedError
from tests.tools.operations.images.sticks import (
    MIB,
    SECOND,
    SYSTEM,
    digest_of,
    make_source,
)
from tests.tools.operations.overlay.sticks import NAME
from tests.tools.operations.overlay.stores import run

pytestmark = pytest.mark.tools

POINT = "/media/me/LIVE"
OTHER = "Other"
DIRECTORY = PersistenceKind.DIRECTORY


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(tmp_path_factory.mktemp("newer"), "Fedora-WS-Live-41-newer")


@pytest.fixture
def stick(tmp_path: Path, request: pytest.FixtureRequest) -> Attached:
    return attach(tmp_path, POINT, POINT, getattr(request, "param", "btrfs"))


def record_on_esp(stick: Attached, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(stick.read_esp(f"/liveos/{name}/image.json"))
    return found


def plan_update(stick: Attached, newer: Path, fate: OverlayFate) -> Plan:
    wanted = update.UpdateRequest(uuid=UUID(int=9), overlay=fate)
    with stick.opened() as opened:
        target = look_at(opened.device, newer)
        return update.plan(wanted, inspect(newer), opened, SECOND, target, SYSTEM)


def plan_rename(stick: Attached) -> Plan:
    with stick.opened() as opened:
        return rename.plan(opened, SECOND, OTHER)


@pytest.mark.parametrize("stick", ["ext4", "btrfs", "xfs", "f2fs"], indirect=True)
def test_an_image_comes_and_goes(stick: Attached, iso: Path) -> None:
    before, at_first = stick.sums(NAME), stick.names()
    plan = stick.plan_add(iso, overlay_kind=DIRECTORY)
    assert not any("runs from" in note for note in plan.notes)
    execute(plan)
    assert stick.images() == [NAME, SECOND]
    assert (stick.live / SECOND / "ovlwork").is_dir()
    root = stick.live / SECOND / "squashfs.img"
    assert run("sha256sum", root).split()[0].decode() == digest_of(iso, "/LiveOS/squashfs.img")
    if stick.filesystem != "ext4":
        assert record_on_esp(stick, SECOND) == json.loads(
            (stick.live / SECOND / "image.json").read_text()
        )
    listed = list_images(stick.words, stick.root)
    assert listed.kind is MediumKind.DISK
    assert [(each.image.name, each.is_default) for each in listed.images] == [
        (NAME, True),
        (SECOND, False),
    ]
    assert not any("not read" in each.message for each in listed.warnings)
    source = find_source(f"{stick.words}:{SECOND}", stick.root)
    assert source.image is not None
    assert source.image.kernels

    with stick.opened() as opened:
        execute(default.plan(opened, SECOND))
    assert stick.images() == [SECOND, NAME]
    with stick.opened() as opened:
        execute(remove.plan(opened, SECOND))
    assert (stick.sums(NAME), stick.names(), stick.images()) == (before, at_first, [NAME])
    run("fsck.fat", "-n", stick.esp)


def test_an_image_gets_another_name(stick: Attached, iso: Path) -> None:
    before = stick.sums(NAME)
    execute(stick.plan_add(iso, overlay_kind=DIRECTORY))
    execute(plan_rename(stick))
    assert stick.images() == [NAME, OTHER]
    assert stick.names() == ({NAME, OTHER}, {NAME, OTHER})
    assert not (stick.live / OTHER).is_symlink()
    menu = stick.read_esp(f"/liveos/{OTHER}/menu.cfg").decode()
    assert f"rd.live.dir={OTHER}" in menu
    assert SECOND not in menu
    for record in (
        record_on_esp(stick, OTHER),
        json.loads((stick.live / OTHER / "image.json").read_text()),
    ):
        assert record["name"] == OTHER
        assert SECOND not in json.dumps(record)
    assert stick.sums(NAME) == before


def test_wherever_a_renaming_is_cut_off_both_menus_start_it(stick: Attached, iso: Path) -> None:
    """Each run finds what the one before has left."""
    execute(stick.plan_add(iso, overlay_kind=DIRECTORY))
    number = 1
    while True:
        plan = plan_rename(stick)
        try:
            execute(plan, StopAt(number))
        except StoppedError:
            _, name = stick.images()
            menu = stick.read_esp(f"/liveos/{name}/menu.cfg").decode()
            assert f"rd.live.dir={name} " in menu
            assert (stick.live / name / "squashfs.img").is_file()
            number += 1
        else:
            break
    assert number > len(plan.steps)
    assert stick.names() == ({NAME, OTHER}, {NAME, OTHER})


def test_a_cut_in_the_middle_of_moving_it(stick: Attached, iso: Path) -> None:
    """The link of the new name is there, and leads to itself."""
    execute(stick.plan_add(iso, overlay_kind=DIRECTORY))
    plan = plan_rename(stick)
    move = next(n for n, step in enumerate(plan.steps, 1) if "at once" in str(step))
    with pytest.raises(StoppedError):
        execute(plan, StopAt(move))
    (stick.live / OTHER).symlink_to(OTHER)
    execute(plan_rename(stick))
    assert stick.names() == ({NAME, OTHER}, {NAME, OTHER})
    assert (stick.live / OTHER / "squashfs.img").is_file()


@pytest.mark.parametrize("fate", OverlayFate)
def test_a_newer_one_takes_its_place(
    stick: Attached, iso: Path, newer: Path, fate: OverlayFate
) -> None:
    before = stick.sums(NAME)
    execute(stick.plan_add(iso, overlay_kind=DIRECTORY))
    kept = next((stick.live / SECOND).glob("overlay-*")) / "kept"
    kept.write_text("mine")
    execute(plan_update(stick, newer, fate))
    menu = stick.read_esp(f"/liveos/{SECOND}/menu.cfg").decode()
    assert "rd.live.squashimg=squashfs-2.img" in menu
    place = stick.live / SECOND
    root = place / "squashfs-2.img"
    assert run("sha256sum", root).split()[0].decode() == digest_of(newer, "/LiveOS/squashfs.img")
    assert not (place / "squashfs.img").exists()
    aside = place / f"old-{kept.parent.name}" / "kept"
    assert (kept.exists(), aside.exists()) == (
        fate is OverlayFate.KEEP,
        fate is OverlayFate.SET_ASIDE,
    )
    assert kept.parent.is_dir()
    record = record_on_esp(stick, SECOND)
    assert record["source"]["label"] == "Fedora-WS-Live-41-newer"  # type: ignore[index]
    execute(plan_update(stick, newer, OverlayFate.KEEP))
    assert record_on_esp(stick, SECOND)["files"] != record["files"]
    assert stick.sums(NAME) == before
    run("fsck.fat", "-n", stick.esp)


def test_the_system_that_runs_from_it_is_found_wherever_it_is_mounted(
    stick: Attached, iso: Path
) -> None:
    stick.start_from()
    live = stick.root / "run/initramfs/live"
    live.mkdir(parents=True)
    table = stick.root / "proc/self/mountinfo"
    table.write_text(
        table.read_text() + "31 25 0:41 / /run/initramfs/live rw - btrfs /dev/sdb2 rw,subvol=/\n"
    )
    execute(stick.plan_add(iso, overlay_kind=DIRECTORY))
    with stick.opened() as opened, pytest.raises(RefusedError, match="runs from"):
        remove.plan(opened, NAME)
    with stick.opened() as opened, pytest.raises(RefusedError, match="runs from"):
        rename.plan(opened, NAME, OTHER)


def test_what_somebody_uses_is_not_touched(
    stick: Attached, iso: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(stick.plan_add(iso, overlay_kind=DIRECTORY))

    def use_of(path: Path) -> str | None:
        return "it is attached to /dev/loop7" if path.parent.name == SECOND else None

    monkeypatch.setattr(mounted, "use_of", use_of)
    with stick.opened() as opened, pytest.raises(RefusedError, match="/dev/loop7"):
        remove.plan(opened, SECOND)
    with pytest.raises(RefusedError, match="/dev/loop7"):
        plan_rename(stick)
    with pytest.raises(RefusedError, match="/dev/loop7"):
        plan_update(stick, newer, OverlayFate.KEEP)


def test_nothing_is_written_through_a_link(stick: Attached, iso: Path, newer: Path) -> None:
    """In a mounted filesystem one may lead to the files of this system."""
    execute(stick.plan_add(iso, overlay_kind=DIRECTORY))
    (stick.live / SECOND).rename(stick.live / OTHER)
    (stick.live / SECOND).symlink_to(OTHER)
    with pytest.raises(RefusedError, match="is a link"):
        plan_update(stick, newer, OverlayFate.KEEP)
    (stick.live / OTHER).rename(stick.live / "Third")
    (stick.live / OTHER).symlink_to("Third")
    with pytest.raises(RefusedError, match="is a link"):
        plan_rename(stick)
    (stick.live / "updates").mkdir()
    (stick.live / "updates/run").symlink_to("/run")
    with pytest.raises(RefusedError, match="through a link to /run"):
        stick.plan_add(iso, name="Fourth")


def test_who_may_not_write_one_of_the_two_is_told(
    stick: Attached, iso: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = stick.live

    def access(path: Path, mode: int) -> bool:
        return mode != os.W_OK or path != denied

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(NotPermittedError, match="LIVE may not be written"):
        stick.plan_add(iso)
    denied = stick.esp
    with pytest.raises(NotPermittedError, match="sdb1 cannot be written"):
        stick.plan_add(iso)
    with stick.opened() as opened, pytest.raises(NotPermittedError, match="sdb1"):
        default.plan(opened, NAME)


def test_what_cannot_be_had_there(stick: Attached, iso: Path) -> None:
    with pytest.raises(UnsupportedError, match="no further partition"):
        stick.plan_add(iso, home=HomeRequest(partition=True))
    with pytest.raises(RefusedError, match="is on this stick already"):
        stick.plan_add(stick.live)


@pytest.mark.parametrize("stick", ["f2fs"], indirect=True)
def test_no_swap_on_f2fs(stick: Attached, iso: Path) -> None:
    with pytest.raises(UnsupportedError, match="no swap file"):
        stick.plan_add(iso, swap=Size(bytes=4 * MIB))


def test_what_is_no_mounted_stick(stick: Attached) -> None:
    with pytest.raises(UnsupportedError, match="no partition of a stick is mounted"):
        open_stick(stick.live / NAME, stick.root).__enter__()
    stick.mount("rw", root=f"/{NAME}")
    with pytest.raises(UnsupportedError, match="no partition of a stick is mounted"):
        open_stick(stick.words, stick.root).__enter__()


@pytest.mark.parametrize("stick", ["vfat"], indirect=True)
def test_a_filesystem_that_is_not_changed_while_it_is_mounted(stick: Attached) -> None:
    with pytest.raises(UnsupportedError, match="on vfat"):
        open_stick(stick.words, stick.root).__enter__()


@pytest.mark.parametrize("stick", ["ext4"], indirect=True)
def test_another_partition_of_the_stick(stick: Attached) -> None:
    (stick.root / "sys/dev/block/8:18").unlink()
    (stick.root / "sys/dev/block/8:18").symlink_to(stick.root / "sys/devices/block/sdb/sdb1")
    with pytest.raises(UnsupportedError, match="its images are on partition 2"):
        open_stick(stick.words, stick.root).__enter__()


def test_an_unmounted_btrfs_tells_the_way(tmp_path: Path) -> None:
    source = tiny.make_iso(tmp_path)
    made = layouts.made(source, tmp_path / "stick.img", filesystem=Btrfs())
    with pytest.raises(UnsupportedError, match="on btrfs, in partition 3") as caught:
        open_stick(made).__enter__()
    assert "name the directory" in str(caught.value.hint)
