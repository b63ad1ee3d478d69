# SPDX-License-Identifier: Apache-2.0
"""``overlay create``, ``remove`` and ``reset`` of directories and images, on unmounted sticks."""

import json
import re
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.medium.menus import grub
from liveos.medium.model import Entry, Firmware
from tests.tools.operations.overlay.sticks import MIB, NAME, Stick, make_stick
from tests.tools.operations.overlay.stores import run

pytestmark = pytest.mark.tools

LABEL = "system_u:object_r:root_t:s0"
KINDS = ["snapshot", "directory", "image"]


def overlay(verb: str, stick: Stick, *words: str) -> int:
    return main(["overlay", verb, str(stick.path), "--yes", *words])


def entries(stick: Stick) -> tuple[Entry, ...]:
    return grub.parse(stick.menu(), "/menu.cfg", firmware=Firmware.UEFI).entries


def assert_sound(stick: Stick) -> None:
    stick.check()
    assert stick.esp_faults() == []
    assert not [name for name in stick.names() if name.startswith("unused-")]


def status(stick: Stick, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    assert main(["--json", "overlay", "status", str(stick.path)]) == ExitStatus.DONE
    facts: dict[str, object] = json.loads(capsys.readouterr().out)
    return facts


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_gets_memory_and_loses_it(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_stick(tmp_path)
    menu, record, names = stick.menu(), stick.record(), stick.names()
    size = [] if kind == "directory" else ["--size", "16M"]
    assert overlay("create", stick, "--kind", kind, *size) == ExitStatus.DONE
    assert_sound(stick)
    place = f"UUID={stick.uuid}:/{NAME}/{stick.overlay}"
    start, forgets, basic, erases = entries(stick)
    for entry in (start, basic, erases):
        assert entry.option("rd.live.overlay") == place
    assert forgets.option("rd.live.overlay") is None
    assert [entry.title for entry in (forgets, erases)] == [
        "Start (changes are not kept)",
        "Erase all changes, then: Start",
    ]
    assert "rd.live.overlay.reset" in erases.options
    assert "rd.live.overlay.reset" not in start.options
    # boot-contract.md rule 5: never beside a snapshot.
    assert ("rd.live.overlay.overlayfs=1" in start.options) == (kind != "snapshot")
    assert stick.record() == {
        **record,
        "options": " ".join(start.options),
        "overlay": {
            "kind": kind,
            "path": f"/{NAME}/{stick.overlay}",
            "size": None if kind == "directory" else 16 * MIB,
            "readonly": False,
        },
    }
    assert status(stick, capsys)["kind"] == kind
    assert overlay("remove", stick) == ExitStatus.DONE
    assert_sound(stick)
    assert (stick.menu(), stick.record(), stick.names()) == (menu, record, names)


def test_the_kind_suits_the_image(tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    flat, nested = make_stick(tmp_path / "flat", flat=True), make_stick(tmp_path)
    for stick in (flat, nested):
        assert overlay("create", stick) == ExitStatus.DONE
        assert_sound(stick)
    assert flat.record()["overlay"] == {
        "kind": "directory",
        "path": f"/{NAME}/{flat.overlay}",
        "size": None,
        "readonly": False,
    }
    assert "Type: regular" in nested.debugfs(f"stat /{NAME}/{nested.overlay}")


@pytest.mark.parametrize("targeted", [True, False])
def test_directories_are_roots_and_labelled_where_the_image_wants_it(
    tmp_path: Path, *, targeted: bool
) -> None:
    stick = make_stick(tmp_path, targeted=targeted)
    assert overlay("create", stick, "--kind", "directory") == ExitStatus.DONE
    for name in (stick.overlay, "ovlwork"):
        inode = stick.debugfs(f"stat /{NAME}/{name}")
        assert re.search(r"Type: directory +Mode: +0755", inode)
        assert re.search(r"User: +0 +Group: +0 ", inode)
        label = run("debugfs", "-R", f"ea_get /{NAME}/{name} security.selinux", str(stick.live))
        assert (LABEL.encode() in label) == targeted


def test_an_image_holds_what_the_initramfs_asks_for(tmp_path: Path) -> None:
    stick = make_stick(tmp_path, targeted=True)
    assert overlay("create", stick, "--kind", "image", "--size", "50%") == ExitStatus.DONE
    inode = stick.debugfs(f"stat /{NAME}/{stick.overlay}")
    assert re.search(r"Mode: +0600", inode)
    inner = dumped(stick, tmp_path)
    run("e2fsck", "-fn", inner)
    for name in ("overlayfs", "ovlwork"):
        inode = run("debugfs", "-R", f"stat /{name}", inner).decode()
        assert re.search(r"Type: directory +Mode: +0755", inode)
        label = run("debugfs", "-R", f"ea_get /{name} security.selinux", inner)
        assert LABEL.encode() in label


def dumped(stick: Stick, scratch: Path) -> Path:
    inner = scratch / "inner.img"
    stick.debugfs(f"dump /{NAME}/{stick.overlay} {inner}")
    return inner


def test_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick = make_stick(tmp_path)
    before = stick.path.read_bytes()
    assert overlay("create", stick, "--size", "1G") == ExitStatus.NO_SPACE
    assert overlay("create", stick, "--size", "8M") == ExitStatus.NO_SPACE
    assert "too small" in capsys.readouterr().err
    assert overlay("create", stick, "--kind", "directory", "--size", "20M") == ExitStatus.USAGE
    assert stick.path.read_bytes() == before
    boundary = 4096 * (258 + 16 * 257)  # snapshot-store.md fact 5: invalid when it is full
    assert overlay("create", stick, "--size", str(boundary)) == ExitStatus.DONE
    assert stick.record()["overlay"] == {
        "kind": "snapshot",
        "path": f"/{NAME}/{stick.overlay}",
        "size": boundary - 4096,
        "readonly": False,
    }


def test_what_the_image_cannot_use_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_stick(tmp_path, flat=True)
    before = stick.path.read_bytes()
    assert overlay("create", stick, "--kind", "snapshot") == ExitStatus.UNSUPPORTED
    assert "holds the root directly" in capsys.readouterr().err
    assert overlay("remove", stick) == ExitStatus.REFUSED
    assert stick.path.read_bytes() == before


def test_there_is_one_overlay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick = make_stick(tmp_path)
    assert overlay("create", stick, "--kind", "directory") == ExitStatus.DONE
    before = stick.path.read_bytes()
    assert overlay("create", stick) == ExitStatus.REFUSED
    assert "has an overlay" in capsys.readouterr().err
    assert stick.path.read_bytes() == before


def test_words_of_home_and_owner_stay(tmp_path: Path) -> None:
    """But for the home in the entry that keeps nothing."""
    words = ("liveos.home=a b", "mine=1")
    stick = make_stick(tmp_path, words=words)
    menu = stick.menu()
    assert overlay("create", stick, "--kind", "directory") == ExitStatus.DONE
    start, forgets, *others = entries(stick)
    assert all(set(words) <= set(entry.options) for entry in (start, *others))
    assert set(words) & set(forgets.options) == {"mine=1"}
    assert overlay("remove", stick) == ExitStatus.DONE
    assert stick.menu() == menu


def test_an_overlay_that_nothing_uses_is_taken(tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "overlay-LIVE-6c697665-6f73-4000-8000-00000000002a").write_bytes(bytes(MIB))
    stick = make_stick(tmp_path, beside=beside)
    assert overlay("create", stick, "--size", "16M") == ExitStatus.REFUSED
    assert overlay("create", stick, "--kind", "directory") == ExitStatus.REFUSED
    assert overlay("create", stick) == ExitStatus.DONE
    assert_sound(stick)
    assert f"Size: {MIB}" in stick.debugfs(f"stat /{NAME}/{stick.overlay}")
    assert entries(stick)[0].option("rd.live.overlay") is not None


def used_upper(scratch: Path) -> Path:
    """An overlay directory in use, with more files than one transaction removes."""
    beside = scratch / "beside"
    upper = beside / "overlay-LIVE-6c697665-6f73-4000-8000-00000000002a"
    for number in range(700):
        path = upper / f"etc/{number % 7}/file {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * number)
    (beside / "ovlwork/work").mkdir(parents=True)
    return beside


def test_a_directory_is_reset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick = make_stick(tmp_path, beside=used_upper(tmp_path), targeted=True)
    held = status(stick, capsys)["contents"]
    assert isinstance(held, dict)
    assert held["files"] == 700
    free = status(stick, capsys)["free_size"]
    assert isinstance(free, int)
    assert overlay("reset", stick) == ExitStatus.DONE
    assert_sound(stick)
    facts = status(stick, capsys)
    assert isinstance(facts["contents"], dict)
    assert not any(facts["contents"].values())
    assert isinstance(facts["free_size"], int)
    assert facts["free_size"] > free
    assert stick.debugfs(f"ls -p /{NAME}/ovlwork").count("/04") == 2  # nothing but . and ..
    label = run(
        "debugfs", "-R", f"ea_get /{NAME}/{stick.overlay} security.selinux", str(stick.live)
    )
    assert LABEL.encode() in label


def test_an_image_is_reset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick = make_stick(tmp_path)
    assert overlay("create", stick, "--kind", "image", "--size", "16M") == ExitStatus.DONE
    first = dumped(stick, tmp_path).read_bytes()
    assert overlay("reset", stick) == ExitStatus.DONE
    assert_sound(stick)
    inner = dumped(stick, tmp_path)
    assert inner.read_bytes() != first  # another UUID
    assert inner.stat().st_size == 16 * MIB
    run("e2fsck", "-fn", inner)
    assert re.search(r"Mode: +0600", stick.debugfs(f"stat /{NAME}/{stick.overlay}"))
    held = status(stick, capsys)["contents"]
    assert isinstance(held, dict)
    assert not any(held.values())


def test_menus_of_others_get_the_words_alone(tmp_path: Path) -> None:
    stick = make_stick(tmp_path, beside=used_upper(tmp_path), ours=False)
    before = owners_menu(stick)
    assert overlay("create", stick) == ExitStatus.DONE  # what is there is taken
    place = f"rd.live.overlay=UUID={stick.uuid}:/{NAME}/{stick.overlay}"
    end, words = f"rd.live.dir={NAME}", f"{place} rd.live.overlay.overlayfs=1"
    assert owners_menu(stick) == before.replace(end, f"{end} {words}")
    assert overlay("remove", stick) == ExitStatus.DONE
    assert owners_menu(stick) == before
    assert_sound(stick)
    assert stick.names() == {"squashfs.img", "image.json"}


def owners_menu(stick: Stick) -> str:
    return run("mtype", "-i", f"{stick.path}@@{stick.esp.offset}", "::/EFI/BOOT/grub.cfg").decode()


def test_menus_of_others_that_are_not_plain_are_left_to_their_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_stick(tmp_path, beside=used_upper(tmp_path), ours=False)
    menu = owners_menu(stick)
    elsewhere = f"set where={stick.uuid}\n" + menu.replace(f"UUID={stick.uuid}", "UUID=$where")
    text = elsewhere.replace(f"rd.live.dir={NAME}", "rd.live.dir=$dir").encode()
    where = f"{stick.path}@@{stick.esp.offset}"
    run("mcopy", "-o", "-i", where, "-", "::/EFI/BOOT/grub.cfg", stdin=text)
    left = stick.path.read_bytes()
    assert overlay("create", stick) == ExitStatus.UNSUPPORTED
    said = capsys.readouterr().err
    assert f"rd.live.overlay=UUID={stick.uuid}:/{NAME}/{stick.overlay}" in said
    assert "rd.live.overlay.overlayfs=1" in said
    assert stick.path.read_bytes() == left


@pytest.mark.parametrize("part", ["live", "live.img"])
@pytest.mark.parametrize("verb", ["create", "remove"])
def test_a_part_of_a_stick_does_not_tell_enough(
    part: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mounted LIVE, or its partition alone: the boot menu lies elsewhere."""
    make_stick(tmp_path, beside=used_upper(tmp_path))
    assert main(["overlay", verb, str(tmp_path / part), "--yes"]) == ExitStatus.UNSUPPORTED
    assert "unmount it" in capsys.readouterr().err
    assert list((tmp_path / "live" / NAME).glob("overlay-*"))


def test_a_directory_of_a_mounted_stick_is_reset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_stick(tmp_path, beside=used_upper(tmp_path))
    mounted = tmp_path / "live"
    (mounted / NAME / "unused-ovlwork/left by a cut").mkdir(parents=True)
    assert main(["overlay", "reset", str(mounted), "--yes"]) == ExitStatus.DONE
    (upper,) = (mounted / NAME).glob("overlay-*")
    assert not any(upper.iterdir())
    assert not any((mounted / NAME / "ovlwork").iterdir())
    names = {path.name for path in (mounted / NAME).iterdir()}
    assert names == {upper.name, "ovlwork", "squashfs.img", "image.json"}
    assert "is empty" in capsys.readouterr().out
