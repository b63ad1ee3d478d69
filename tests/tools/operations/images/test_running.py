# SPDX-License-Identifier: Apache-2.0
"""Images added to the stick that a system runs from, and removed; by a made-up /proc and /sys.

LIVE is a directory there, the ESP a device of its own; other programs look at both afterwards.
"""

import json
import os
from pathlib import Path
from uuid import UUID

import pytest

from liveos.errors import LiveosError, NotPermittedError, RefusedError, UnsupportedError
from liveos.host.target import look_at
from liveos.host.tools import Command
from liveos.medium.inspect import inspect
from liveos.medium.listing import list_images
from liveos.medium.live_scene import look
from liveos.medium.model import MediumKind, PersistenceKind
from liveos.operations.execute import execute
from liveos.operations.images import mounted
from liveos.operations.images.plans import add, default, remove, rename, update
from liveos.operations.install import session
from liveos.operations.install.stick import HomeRequest
from liveos.operations.verify import Verdict, verify
from liveos.report import NullReporter
from liveos.sizes import Size
from tests.tools.operations import nested
from tests.tools.operations.images.attached import Attached, attach
from tests.tools.operations.images.interruptions import StopAt, StoppedError
from tests.tools.operations.images.sticks import (
    MIB,
    SECOND,
    SYSTEM,
    digest_of,
    request,
    store,
)
from tests.tools.operations.overlay.sticks import NAME, VERSION
from tests.tools.operations.overlay.stores import run

pytestmark = pytest.mark.tools

LIVE = Path("live")


@pytest.fixture
def booted(tmp_path: Path, request: pytest.FixtureRequest) -> Attached:
    """The image of the stick runs."""
    system = attach(tmp_path, "live", "/run/initramfs/live", getattr(request, "param", "ext4"))
    system.start_from()
    return system


def add_second(booted: Attached, iso: Path) -> None:
    execute(booted.plan_add(iso, overlay=store()))


@pytest.mark.parametrize("booted", ["ext4", "btrfs"], indirect=True)
def test_an_image_comes_beside_the_one_that_runs(booted: Attached, iso: Path) -> None:
    before = booted.sums(NAME)
    plan = booted.plan_add(iso, overlay=store(), overlay_kind=PersistenceKind.SNAPSHOT)
    assert plan.title == f"add Fedora-WS-Live-40 to live as {SECOND}"
    assert any("stays as it is" in note for note in plan.notes)
    assert not any("remount" in str(step) for step in plan.steps)
    execute(plan)
    assert booted.images() == [NAME, SECOND]
    assert booted.sums(NAME) == before
    assert booted.names() == ({NAME, SECOND}, {NAME, SECOND})

    sums = booted.sums(SECOND)
    root = digest_of(iso, "/LiveOS/squashfs.img")
    assert sums["LIVE:squashfs.img"] == root
    assert sums[f"::/liveos/{SECOND}/vmlinuz"] == digest_of(iso, "/images/pxeboot/vmlinuz")
    assert sums[f"::/liveos/{SECOND}/initrd.img"] == digest_of(iso, "/images/pxeboot/initrd.img")
    place = booted.live / SECOND
    record = json.loads((place / "image.json").read_text())
    assert (place / "image.json").stat().st_mode & 0o777 == 0o644
    noted = {(each["partition"], each["path"]): each["sha256"] for each in record["files"]}
    assert noted["LIVE", f"/{SECOND}/squashfs.img"] == root
    overlay = next(place.glob("overlay-*"))
    facts = overlay.stat()
    assert (facts.st_size, facts.st_mode & 0o777) == (16 * MIB, 0o600)
    assert facts.st_blocks * 512 >= facts.st_size
    assert (place / "squashfs.img").stat().st_mode & 0o777 == 0o644
    menu = booted.read_esp(f"/liveos/{SECOND}/menu.cfg").decode()
    assert f"rd.live.dir={SECOND}" in menu
    assert f":/{SECOND}/{overlay.name}" in menu
    run("fsck.fat", "-n", booted.esp)


@pytest.mark.parametrize("kind", [PersistenceKind.DIRECTORY, PersistenceKind.IMAGE])
def test_other_memory(booted: Attached, iso: Path, kind: PersistenceKind) -> None:
    home = HomeRequest(Size(bytes=40 * MIB), encrypted=False)
    size = store() if kind is PersistenceKind.IMAGE else None
    wanted = {} if size is None else {"overlay": size}
    execute(booted.plan_add(iso, overlay_kind=kind, home=home, swap=Size(bytes=4 * MIB), **wanted))
    place = booted.live / SECOND
    overlay = next(place.glob("overlay-*"))
    if kind is PersistenceKind.DIRECTORY:
        assert overlay.is_dir()
        assert (place / "ovlwork").is_dir()
    else:
        run("e2fsck", "-fn", overlay)
    run("e2fsck", "-fn", place / "home.img")
    assert b"TYPE=swap" in run("blkid", "-p", "-o", "export", place / "swap.img")
    for name in ("home.img", "swap.img"):
        facts = (place / name).stat()
        assert facts.st_blocks * 512 >= facts.st_size
        assert facts.st_mode & 0o777 == 0o600


def test_wherever_it_is_cut_off_the_menu_has_what_is_whole(booted: Attached, iso: Path) -> None:
    """Each run finds what the one before has left."""
    before = booted.sums(NAME)
    number, root = 1, digest_of(iso, "/LiveOS/squashfs.img")
    while True:
        plan = booted.plan_add(iso, overlay=store())
        try:
            execute(plan, StopAt(number))
        except StoppedError:
            assert booted.images() == [NAME]
            assert booted.sums(NAME) == before
            number += 1
        else:
            break
    assert number > len(plan.steps)
    assert booted.images() == [NAME, SECOND]
    assert booted.sums(SECOND)["LIVE:squashfs.img"] == root
    assert booted.sums(NAME) == before


def test_a_read_only_mount_is_writable_meanwhile(
    booted: Attached, iso: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booted.mount("ro,relatime")
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    with pytest.raises(NotPermittedError, match="may not be written"):
        booted.plan_add(iso, overlay=store())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    ran: list[str] = []

    def note(command: Command) -> None:
        ran.append(str(command))
        assert booted.images() == ([NAME] if len(ran) == 1 else [NAME, SECOND])

    monkeypatch.setattr(session, "run", note)
    plan = booted.plan_add(iso, overlay=store())
    words = [f"mount -o remount,{how} {booted.live}" for how in ("rw", "ro")]
    assert all(word in str(plan.steps[1]) for word in words)
    execute(plan)
    assert ran == words

    monkeypatch.setattr(session, "run", lambda command: ran.append(str(command)))
    lost = tmp_path / "lost.iso"
    lost.write_bytes(iso.read_bytes())
    plan = booted.plan_add(lost, name="Third", overlay=store(), verify=False)
    lost.unlink()
    with pytest.raises(LiveosError, match=r"lost\.iso"):
        execute(plan)
    assert ran == words * 2


def test_the_image_that_runs_is_not_touched(booted: Attached, iso: Path) -> None:
    add_second(booted, iso)
    with booted.opened() as stick:
        for name in (NAME, NAME.upper()):
            with pytest.raises(RefusedError, match=f"{NAME}.* runs from"):
                remove.plan(stick, name, force=True)
        with pytest.raises(RefusedError, match="runs from"):
            rename.plan(stick, NAME, "Other")
        with pytest.raises(RefusedError, match=f"{NAME}.* runs from"):
            rename.plan(stick, SECOND, NAME)
        target = look_at(stick.device, iso)
        wanted = update.UpdateRequest(uuid=UUID(int=9))
        with pytest.raises(RefusedError, match="runs from"):
            update.plan(wanted, inspect(iso), stick, NAME, target, SYSTEM)
        source = inspect(booted.live)
        with pytest.raises(RefusedError, match="is on this stick already"):
            add.plan(request(name="Third"), source, stick, target, SYSTEM)
    with pytest.raises(RefusedError, match="runs from"):
        booted.plan_add(iso, name=NAME.lower())
    with pytest.raises(UnsupportedError, match="no further partition"):
        booted.plan_add(iso, name="Third", home=HomeRequest(partition=True))


def test_what_it_has_borrowed_from_another_image_is_not_touched(
    booted: Attached, iso: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its kernel line may name a home or an overlay wherever it likes."""
    add_second(booted, iso)

    def use_of(path: Path) -> str | None:
        return "it is attached to /dev/loop7" if path.name.startswith("overlay-") else None

    monkeypatch.setattr(mounted, "use_of", use_of)
    with booted.opened() as stick, pytest.raises(RefusedError, match=r"overlay-.*/dev/loop7"):
        remove.plan(stick, SECOND)


def test_another_one_is_removed_and_another_one_is_the_default(booted: Attached, iso: Path) -> None:
    before = booted.sums(NAME)
    add_second(booted, iso)
    with booted.opened() as stick:
        execute(default.plan(stick, SECOND))
    assert booted.images() == [SECOND, NAME]
    listed = list_images(LIVE, booted.root)
    assert [(each.image.name, each.is_default) for each in listed.images] == [
        (SECOND, True),
        (NAME, False),
    ]
    with booted.opened() as stick:
        execute(remove.plan(stick, SECOND))
    assert booted.names() == ({NAME}, {NAME})
    assert booted.images() == [NAME]
    assert booted.sums(NAME) == before
    run("fsck.fat", "-n", booted.esp)


def test_a_link_that_a_rename_has_left_is_not_followed(booted: Attached, iso: Path) -> None:
    """A rename that was cut off on another machine: its new name runs now."""
    before = booted.sums(NAME)
    (booted.live / SECOND).symlink_to(NAME)
    run("mmd", "-i", booted.esp, f"::/liveos/{SECOND}")
    add_second(booted, iso)
    assert booted.images() == [NAME, SECOND]
    assert not (booted.live / SECOND).is_symlink()
    assert booted.sums(NAME) == before


def test_an_unpacked_root_has_all_its_blocks(booted: Attached, tmp_path: Path) -> None:
    """It is written to by its system, which shares the filesystem with others."""
    (tmp_path / "iso").mkdir()
    iso = nested.make_iso(tmp_path / "iso")
    booted.enlarge_esp(tmp_path)
    with booted.opened() as stick:
        target, wanted = look_at(stick.device, iso), request(uncompressed=True, overlay=None)
        plan = add.plan(wanted, nested.facts(iso), stick, target, SYSTEM)
    execute(plan)
    root = booted.live / SECOND / "rootfs.img"
    facts = root.stat()
    assert facts.st_size == nested.ROOT_SIZE
    assert facts.st_blocks * 512 >= facts.st_size
    run("cmp", root, tmp_path / "iso/rootfs.img")


def test_what_is_seen_of_it(booted: Attached, iso: Path) -> None:
    add_second(booted, iso)
    found = look(LIVE, booted.root)
    assert (found.kind, found.path, found.label) == (MediumKind.LIVE, LIVE, "LIVE")
    first, second = found.images
    assert (first.name, second.name) == (NAME, SECOND)
    assert [kernel.version for kernel in first.kernels] == [VERSION]
    assert second.overlay is not None
    assert second.overlay.kind is PersistenceKind.SNAPSHOT
    assert all(each.entries for each in found.images)
    assert [part.filesystem for part in found.partitions] == ["vfat", "ext4"]
    assert "unreadable-partition" not in {finding.code for finding in found.warnings}


def test_who_may_not_read_the_disk_sees_what_is_mounted(booted: Attached) -> None:
    (booted.root / "dev/sdb").unlink()
    found = look(LIVE, booted.root)
    assert (found.kind, [image.name for image in found.images]) == (MediumKind.LIVE, [NAME])
    assert "in-part" in {finding.code for finding in found.warnings}
    assert [each.image.name for each in list_images(LIVE, booted.root).images] == [NAME]


def test_what_was_added_is_verified_where_it_is_mounted(booted: Attached, iso: Path) -> None:
    add_second(booted, iso)
    good = verify(LIVE, NullReporter(), system=booted.root)
    assert good.holds
    assert {each.subject for each in good.comparisons} == {
        f"LIVE:/{SECOND}/squashfs.img",
        f"ESP:/liveos/{SECOND}/vmlinuz",
        f"ESP:/liveos/{SECOND}/initrd.img",
    }
    file = booted.live / SECOND / "squashfs.img"
    content = bytearray(file.read_bytes())
    content[4000] ^= 1
    file.write_bytes(content)
    bad = verify(LIVE, NullReporter(), system=booted.root)
    assert [each.subject for each in bad.comparisons if each.verdict is Verdict.DAMAGED] == [
        f"LIVE:/{SECOND}/squashfs.img"
    ]


def test_who_may_not_read_the_disk_verifies_what_is_mounted(booted: Attached, iso: Path) -> None:
    add_second(booted, iso)
    (booted.root / "dev/sdb").unlink()  # for root, too, it cannot be read then
    found = verify(LIVE, NullReporter(), system=booted.root)
    assert [each.subject for each in found.comparisons] == [f"LIVE:/{SECOND}/squashfs.img"]
    assert found.holds
    assert any("ESP, which is not here" in note for note in found.notes)
