# SPDX-License-Identifier: Apache-2.0
"""Images added to a stick, removed, renamed, updated; other programs look at the result."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus, NoSpaceError, RefusedError, UnsupportedError, UsageError
from liveos.medium.listing import list_images
from liveos.medium.model import PersistenceKind
from liveos.operations.execute import execute
from liveos.operations.images.kept_memory import OverlayFate
from liveos.operations.install.sizes import AUTO
from liveos.operations.install.stick import HomeRequest
from liveos.sizes import Size
from tests.tools.operations.images.sticks import (
    MIB,
    SECOND,
    digest_of,
    files_of,
    is_sound,
    make,
    make_source,
    names_on,
    plan_add,
    plan_default,
    plan_remove,
    plan_rename,
    plan_update,
    read_esp,
    read_live,
    shown,
    store,
)
from tests.tools.operations.overlay.sticks import NAME, Stick, make_stick
from tests.tools.operations.overlay.stores import run

pytestmark = pytest.mark.tools


@pytest.fixture
def stick(tmp_path: Path) -> Stick:
    return make(tmp_path, 40 * MIB)


def titles(stick: Stick) -> list[str]:
    menus = [read_esp(stick, f"/liveos/{name}/menu.cfg") or b"" for name in shown(stick)]
    return re.findall(r"^menuentry '(.*)' \{$", b"".join(menus).decode(), re.MULTILINE)


def boot_paths(iso: Path) -> tuple[str, str, str]:
    listing = run("xorriso", "-indev", iso, "-find", "/", "-type", "f").decode()
    paths = re.findall(r"^'(.*)'$", listing, re.MULTILINE)
    kernel = next(each for each in paths if re.search(r"/(vmlinuz|linux)$", each))
    initrd = next(each for each in paths if re.search(r"/(initrd.img|initrd)$", each))
    return kernel, initrd, "/LiveOS/squashfs.img"


def _start(stick: Stick, number: int) -> int:
    """Where a partition begins, in bytes."""
    table = json.loads(run("sfdisk", "--json", stick.path))["partitiontable"]["partitions"]
    start: int = table[number - 1]["start"]
    return start * 512


class TestAdd:
    def test_everything_of_it_is_there_and_nothing_else_has_changed(
        self, stick: Stick, iso: Path
    ) -> None:
        before = files_of(stick, NAME)
        execute(plan_add(stick, iso, overlay=store(), overlay_kind=PersistenceKind.IMAGE))
        is_sound(stick)
        assert files_of(stick, NAME) == before
        found = shown(stick)
        assert list(found) == [NAME, SECOND]
        sums = [digest_of(iso, path) for path in boot_paths(iso)]
        assert [found[SECOND].kernel, found[SECOND].initrd, found[SECOND].root] == sums
        assert found[SECOND].overlay is True
        for path in ("/EFI/BOOT/grub.cfg", f"/liveos/{SECOND}/menu.cfg"):
            run("grub-script-check", "/dev/stdin", stdin=read_esp(stick, path) or b"")

    def test_a_loader_that_the_stick_has_not_comes_whole_and_others_stay(
        self, stick: Stick, iso: Path
    ) -> None:
        plan = plan_add(stick, iso)
        assert any("boot loaders that the stick has not had" in note for note in plan.notes)
        execute(plan)
        wanted = digest_of(iso, "/EFI/BOOT/BOOTX64.EFI")
        found = read_esp(stick, "/EFI/BOOT/BOOTX64.EFI") or b""
        assert hashlib.sha256(found).hexdigest() == wanted
        assert read_esp(stick, "/EFI/BOOT/BOOTX64.EFI.new") is None
        again = plan_add(stick, iso, name="Third")
        assert not [step for step in again.steps if "BOOTX64" in str(step)]

    def test_the_listing_has_both(self, stick: Stick, iso: Path) -> None:
        execute(plan_add(stick, iso))
        listing = list_images(stick.path)
        assert [each.image.name for each in listing.images] == [NAME, SECOND]
        assert [each.is_default for each in listing.images] == [True, False]
        assert [each.title for each in listing.images] == ["Start", "Fedora-WS-Live-40"]
        assert not [each for each in listing.warnings if each.code == "unfinished-image"]

    def test_all_memory_that_is_wished(self, tmp_path: Path, iso: Path) -> None:
        stick = make(tmp_path, 100 * MIB)
        home = HomeRequest(Size(bytes=32 * MIB), encrypted=False)
        made = plan_add(stick, iso, overlay=store(), home=home, swap=Size(bytes=2 * MIB))
        execute(made)
        is_sound(stick)
        for name, mode in (("home.img", "0600"), ("swap.img", "0600")):
            assert f"Mode:  {mode}" in stick.debugfs(f"stat /{SECOND}/{name}")
        swap = tmp_path / "swap"
        stick.debugfs(f"dump /{SECOND}/swap.img {swap}")
        assert b"swap" in run("blkid", "-p", "-o", "value", "-s", "TYPE", swap)
        record = json.loads(read_live(stick, f"/{SECOND}/image.json") or b"")
        assert record["home"]["size"] == 32 * MIB
        assert {item["path"] for item in record["files"]} >= {f"/{SECOND}/squashfs.img"}

    def test_equal_titles_get_the_name(self, stick: Stick, iso: Path) -> None:
        execute(plan_add(stick, iso))
        execute(plan_add(stick, iso, name="Third"))
        found = titles(stick)
        assert len(set(found)) == len(found)
        assert [each for each in found if "[Third]" in each]
        assert not [each for each in found if f"[{SECOND}]" in each]

    def test_names_that_cannot_be(self, stick: Stick, iso: Path) -> None:
        run("debugfs", "-w", "-R", "mkdir /Mine", str(stick.live))
        with pytest.raises(RefusedError, match="has an image rescue"):
            plan_add(stick, iso, name=NAME.lower())
        with pytest.raises(RefusedError, match="not ours to use"):
            plan_add(stick, iso, name="mine")
        with pytest.raises(RefusedError, match="not ours to use"):
            plan_add(stick, iso, name="Updates")
        with pytest.raises(UsageError, match="cannot be the name"):
            plan_add(stick, iso, name="a b")

    def test_no_room_on_live_or_on_the_esp(self, stick: Stick, iso: Path) -> None:
        with pytest.raises(NoSpaceError, match="free on LIVE, and Second needs"):
            plan_add(stick, iso, overlay=Size(bytes=100 * MIB))
        large = b"\1" * (1800 << 10)
        run("mcopy", "-i", f"{stick.path}@@{stick.esp.offset}", "-", "::/large", stdin=large)
        with pytest.raises(
            NoSpaceError, match=r"the ESP of .* has .* free, .* of Rescue"
        ) as caught:
            plan_add(stick, iso)
        assert "at most 1 GiB" in str(caught.value.hint)

    def test_a_home_in_a_partition_needs_room_behind(self, stick: Stick, iso: Path) -> None:
        home = HomeRequest(Size(bytes=32 * MIB), encrypted=False, partition=True)
        with pytest.raises(NoSpaceError, match="behind its last partition"):
            plan_add(stick, iso, home=home)

    def test_a_home_in_a_partition_goes_with_its_image(self, stick: Stick, iso: Path) -> None:
        with stick.path.open("r+b") as file:
            file.truncate(stick.path.stat().st_size + 48 * MIB)
        home = HomeRequest(Size(bytes=32 * MIB), encrypted=False, partition=True)
        execute(plan_add(stick, iso, home=home))
        homes = {each.image.name: each.image.home for each in list_images(stick.path).images}
        place = homes[SECOND]
        assert place is not None
        assert (place.partition, homes[NAME]) == (3, None)
        with pytest.raises(RefusedError, match="the home of another image"):
            plan_add(stick, iso, name="Third", home=home)
        with pytest.raises(RefusedError, match="the home of another image"):
            plan_add(stick, iso, name="Third", home=replace(home, size=AUTO))
        plan = plan_remove(stick)
        assert any("partition 3" in loss for loss in plan.destroys)
        execute(plan)
        execute(plan_add(stick, iso, name="Other"))
        assert [each.image.home for each in list_images(stick.path).images] == [None, None]
        assert b"ext4" not in run("sh", "-c", f"blkid -p -O {_start(stick, 3)} {stick.path} || :")
        execute(plan_add(stick, iso, name="Third", home=home))
        is_sound(stick)

    def test_what_is_no_stick_of_ours(self, tmp_path: Path, iso: Path) -> None:
        with pytest.raises(UnsupportedError, match="no stick that liveos made"):
            plan_add(Stick(iso, "", 0), iso)
        theirs = make_stick(tmp_path, ours=False, size=24 * MIB)
        with pytest.raises(UnsupportedError, match="its owner's to change"):
            plan_add(theirs, iso)

    def test_the_command(self, stick: Stick, iso: Path, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["install", "--add", "--yes", str(iso), str(stick.path)]
        assert main(words) == ExitStatus.DONE
        assert main(words) == ExitStatus.DONE
        assert list(shown(stick)) == [NAME, "Fedora-WS-Live-40", "Fedora-WS-Live-40-2"]
        assert main([*words, "--label", "X"]) == ExitStatus.USAGE
        assert "--label is about a new stick" in capsys.readouterr().err


class TestLeftovers:
    def test_they_are_told_and_the_same_command_or_remove_clears_them(
        self, stick: Stick, iso: Path
    ) -> None:
        at_first = names_on(stick)
        plan = plan_add(stick, iso, overlay=store())
        execute(replace(plan, steps=plan.steps[:-1]))
        (finding,) = [each for each in list_images(stick.path).warnings if SECOND in each.message]
        assert finding.code == "unfinished-image"
        assert main(["remove", "--yes", f"{stick.path}:{SECOND}"]) == ExitStatus.DONE
        assert names_on(stick) == at_first
        plan = plan_add(stick, iso, overlay=store())
        execute(replace(plan, steps=plan.steps[:-1]))
        again = plan_add(stick, iso, overlay=store())
        assert any("left by a run that was cut off" in loss for loss in again.destroys)
        execute(again)
        assert list(shown(stick)) == [NAME, SECOND]
        is_sound(stick)


class TestRemove:
    def test_nothing_of_it_stays_and_nothing_else_has_changed(
        self, stick: Stick, iso: Path
    ) -> None:
        before, at_first = files_of(stick, NAME), names_on(stick)
        execute(plan_add(stick, iso, overlay=store()))
        plan = plan_remove(stick)
        assert any("every change kept in" in loss for loss in plan.destroys)
        execute(plan)
        is_sound(stick)
        assert (files_of(stick, NAME), names_on(stick)) == (before, at_first)
        assert list(shown(stick)) == [NAME]

    def test_the_last_one_needs_force(self, stick: Stick, iso: Path) -> None:
        with pytest.raises(RefusedError, match="last image"):
            plan_remove(stick, NAME)
        execute(plan_remove(stick, NAME, force=True))
        assert shown(stick) == {}
        execute(plan_add(stick, iso))
        assert list(shown(stick)) == [SECOND]
        is_sound(stick)

    def test_one_must_be_named_where_there_are_several(self, stick: Stick, iso: Path) -> None:
        execute(plan_add(stick, iso))
        with pytest.raises(UsageError, match=f"2 images in its menu; there are: {NAME}, {SECOND}"):
            plan_remove(stick, None)


class TestDefault:
    def test_it_stands_first(self, stick: Stick, iso: Path) -> None:
        execute(plan_add(stick, iso))
        before = files_of(stick, NAME), files_of(stick, SECOND)
        execute(plan_default(stick, SECOND))
        assert list(shown(stick)) == [SECOND, NAME]
        assert (files_of(stick, NAME), files_of(stick, SECOND)) == before
        default = [each.image.name for each in list_images(stick.path).images if each.is_default]
        assert default == [SECOND]
        assert plan_default(stick, SECOND).steps == ()


class TestRename:
    def test_every_word_and_file_has_the_new_name(self, tmp_path: Path, iso: Path) -> None:
        stick = make(tmp_path, 100 * MIB)
        home = HomeRequest(Size(bytes=32 * MIB), encrypted=False)
        execute(plan_add(stick, iso, overlay=store(), home=home))
        before, other = shown(stick)[SECOND], files_of(stick, NAME)
        execute(plan_rename(stick, SECOND, "New.name"))
        is_sound(stick)
        found = shown(stick)
        assert list(found) == [NAME, "New.name"]
        assert found["New.name"] == before
        assert files_of(stick, NAME) == other
        assert names_on(stick) == ({NAME, "New.name"}, {NAME, "New.name"})
        menu = read_esp(stick, "/liveos/New.name/menu.cfg") or b""
        record = json.loads(read_live(stick, "/New.name/image.json") or b"")
        assert SECOND.encode() not in menu
        assert SECOND not in json.dumps({**record, "files": []})
        assert record["name"] == "New.name"

    def test_a_name_that_is_taken(self, stick: Stick, iso: Path) -> None:
        execute(plan_add(stick, iso))
        with pytest.raises(RefusedError, match="has an image"):
            plan_rename(stick, SECOND, NAME)
        with pytest.raises(RefusedError, match="called so already"):
            plan_rename(stick, SECOND, SECOND.upper())


class TestUpdate:
    def test_a_directory_overlay_is_kept_when_that_is_said(
        self, stick: Stick, iso: Path, newer: Path
    ) -> None:
        execute(plan_add(stick, iso, overlay_kind=PersistenceKind.DIRECTORY))
        other = files_of(stick, NAME)
        with pytest.raises(UsageError, match="say what shall become of it"):
            plan_update(stick, newer)
        plan = plan_update(stick, newer, OverlayFate.KEEP)
        assert any("used over another root" in note for note in plan.notes)
        execute(plan)
        is_sound(stick)
        sums = [digest_of(newer, path) for path in boot_paths(newer)]
        found = shown(stick)[SECOND]
        assert [found.kernel, found.initrd, found.root, found.overlay] == [*sums, True]
        assert files_of(stick, NAME) == other
        names = set(files_of(stick, SECOND))
        assert {"LIVE:squashfs.img", f"ESP:::/liveos/{SECOND}/vmlinuz"}.isdisjoint(names)
        record = json.loads(read_live(stick, f"/{SECOND}/image.json") or b"")
        assert record["source"]["label"] == "Fedora-WS-Live-40-1-2"

    def test_a_snapshot_is_set_aside_and_an_empty_overlay_takes_its_place(
        self, tmp_path: Path
    ) -> None:
        stick = make(tmp_path, 60 * MIB)
        again = make_source(tmp_path, "Fedora-WS-Live-36-1-2", "fedora-36")
        iso = make_source(tmp_path, "Fedora-WS-Live-36", "fedora-36")
        execute(plan_add(stick, iso, overlay=store(), overlay_kind=PersistenceKind.SNAPSHOT))
        with pytest.raises(RefusedError, match="byte for byte"):
            plan_update(stick, again, OverlayFate.KEEP)
        execute(plan_update(stick, again, OverlayFate.SET_ASIDE))
        is_sound(stick)
        assert shown(stick)[SECOND].overlay is True
        for name in (stick.overlay, f"old-{stick.overlay}"):
            assert f"Size: {16 * MIB}" in stick.debugfs(f"stat /{SECOND}/{name}")

    def test_an_update_of_an_update_has_the_usual_name_again(
        self, stick: Stick, iso: Path, newer: Path
    ) -> None:
        execute(plan_add(stick, iso, overlay=None))
        execute(plan_update(stick, newer))
        execute(plan_update(stick, iso))
        sums = [digest_of(iso, path) for path in boot_paths(iso)]
        found = shown(stick)[SECOND]
        assert [found.kernel, found.initrd, found.root, found.overlay] == [*sums, None]
        assert "LIVE:squashfs.img" in files_of(stick, SECOND)
        assert "LIVE:squashfs-2.img" not in files_of(stick, SECOND)
