# SPDX-License-Identifier: Apache-2.0
"""Sticks as livecd-iso-to-disk leaves them: looked into, and serviced on their unmounted bytes."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.litd_sticks import EXT_UUID, FAT_UUID, LABEL, MIB, Old, OldStick, make_old_stick, run

pytestmark = pytest.mark.tools

FAT, EXT4 = Old(), Old(filesystem="ext4", efi=True)
BOTH = pytest.mark.parametrize("old", [FAT, EXT4], ids=["msdos-fat", "gpt-ext4"])
NO_OVERLAY = pytest.mark.parametrize(
    "old",
    [Old(overlay=None), Old(filesystem="ext4", efi=True, overlay=None)],
    ids=["msdos-fat", "gpt-ext4"],
)
ENTRIES = 3
"""Lines that start an image, in each of its menus."""


def asked(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["--json", *map(str, words)]) == ExitStatus.DONE
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def done(*words: str | Path) -> None:
    assert main([*map(str, words), "--yes"]) == ExitStatus.DONE


def menus(stick: OldStick) -> dict[str, str]:
    """Every menu of the stick, by other programs."""
    paths = ["/EFI/BOOT/grub.cfg", "/EFI/BOOT/BOOT.conf", f"/syslinux/{stick.old.config}"]
    paths += [f"/{name}/syslinux/{stick.old.config}" for name in stick.old.directories[1:]]
    found = {path: stick.read(path).decode() for path in paths}
    if stick.esp_offset is not None:
        found |= {f"esp:{path}": stick.read(path, esp=True).decode() for path in paths[:2]}
    return found


def with_words(text: str, words: str, directory: str = "LiveOS") -> str:
    """What a person would write: the words at the end of each line that starts the image."""
    lines = []
    for line in text.split("\n"):
        named = re.search(r"rd\.live\.dir=(\S+)", line)
        is_ours = "rd.live.image" in line and (named[1] if named else "LiveOS") == directory
        lines.append(f"{line} {words}" if is_ours else line)
    return "\n".join(lines)


@BOTH
def test_it_is_looked_into_and_listed(
    old: Old, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, source, old)
    facts = asked(capsys, "inspect", stick.path)
    assert (facts["kind"], facts["label"]) == ("disk", LABEL)
    (image,) = facts["images"]
    assert (image["name"], image["overlay"]["kind"]) == ("LiveOS", "snapshot")
    assert {entry["firmware"] for entry in image["entries"]} == {"bios", "uefi"}
    assert not [each for each in facts["warnings"] if each["severity"] == "warning"]
    listed = asked(capsys, "list", stick.path)["images"]
    assert [(each["name"], each["overlay"]["kind"]) for each in listed] == [("LiveOS", "snapshot")]
    status = asked(capsys, "overlay", "status", stick.path)
    uuid = FAT_UUID if old.is_fat else EXT_UUID
    assert status["path"].endswith(f"/LiveOS/overlay-{LABEL}-{uuid}")
    assert (status["state"], status["size"]) == ("blank", old.overlay_mib * MIB)


def test_that_nothing_was_noted_of_its_files_is_said(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, source)
    assert main(["verify", str(stick.path)]) == ExitStatus.UNSUPPORTED
    assert "nothing says what its bytes should be" in capsys.readouterr().err


@BOTH
def test_its_store_is_serviced_in_place(
    old: Old, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, source, replace(old, overlay_mib=4))
    before = menus(stick)
    done("overlay", "resize", stick.path, "6M")
    assert asked(capsys, "overlay", "status", stick.path)["size"] == 6 * MIB
    assert main(["overlay", "check", str(stick.path)]) == ExitStatus.DONE
    done("overlay", "reset", stick.path)
    store = stick.read(f"/LiveOS/{old.overlay_name}")
    assert len(store) == 6 * MIB
    assert not any(store[16:])
    assert menus(stick) == before
    stick.check()


@NO_OVERLAY
def test_an_overlay_is_made_and_every_menu_leads_to_it(
    old: Old, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, source, old)
    before, names = menus(stick), stick.names("/LiveOS")
    done("overlay", "create", stick.path, "--size", "16M", "--kind", "snapshot")
    # boot-contract.md rules 2 and 3: the device and the path.
    word = f"rd.live.overlay=UUID={old.uuid}:/LiveOS/{old.overlay_name}"
    assert menus(stick) == {path: with_words(text, word) for path, text in before.items()}
    assert all(text.count(word) == ENTRIES for text in menus(stick).values())
    assert stick.names("/LiveOS") == names | {old.overlay_name}
    assert asked(capsys, "overlay", "status", stick.path)["state"] == "blank"
    stick.check()
    assert main(["overlay", "create", str(stick.path), "--yes"]) == ExitStatus.REFUSED
    done("overlay", "remove", stick.path)
    assert (menus(stick), stick.names("/LiveOS")) == (before, names)
    stick.check()


@BOTH
def test_its_own_overlay_is_removed(old: Old, source: Path, tmp_path: Path) -> None:
    stick = make_old_stick(tmp_path, source, old)
    before = menus(stick)
    done("overlay", "remove", stick.path)
    word = f" rd.live.overlay=UUID={old.uuid}"
    assert menus(stick) == {path: text.replace(word, "") for path, text in before.items()}
    assert old.overlay_name not in stick.names("/LiveOS")
    stick.check()


def test_a_menu_that_a_cut_run_has_not_reached_is_changed_later(
    source: Path, tmp_path: Path
) -> None:
    old = Old(overlay=None)
    stick = make_old_stick(tmp_path, source, old)
    before = menus(stick)
    done("overlay", "create", stick.path, "--size", "16M")
    whole = menus(stick)
    grub = before["/EFI/BOOT/grub.cfg"].encode()
    where = f"{stick.path}@@{stick.offset}"
    run("mcopy", "-o", "-i", where, "-", "::/EFI/BOOT/grub.cfg", stdin=grub)
    assert menus(stick) != whole
    done("overlay", "create", stick.path)
    assert menus(stick) == whole


@pytest.mark.parametrize("directory", ["LiveOS", "Rescue"])
@pytest.mark.parametrize("filesystem", ["vfat", "ext4"])
def test_one_of_several_images_is_serviced_alone(
    filesystem: str, directory: str, source: Path, tmp_path: Path
) -> None:
    old = Old(
        filesystem=filesystem,
        efi=filesystem == "ext4",
        overlay=None,
        directories=("LiveOS", "Rescue"),
    )
    stick = make_old_stick(tmp_path, source, old)
    before = menus(stick)
    names = stick.names("/LiveOS"), stick.names("/Rescue")
    done("overlay", "create", f"{stick.path}:{directory}", "--size", "16M")
    word = f"rd.live.overlay=UUID={old.uuid}:/{directory}/{old.overlay_name}"
    expected = {path: with_words(text, word, directory) for path, text in before.items()}
    assert menus(stick) == expected
    assert expected != before
    done("overlay", "remove", f"{stick.path}:{directory}")
    assert menus(stick) == before
    assert (stick.names("/LiveOS"), stick.names("/Rescue")) == names
    stick.check()


def test_several_images_are_listed_with_the_menus_that_start_them(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Old(directories=("LiveOS", "Rescue"))
    stick = make_old_stick(tmp_path, source, old)
    first, second = asked(capsys, "inspect", stick.path)["images"]
    if first["name"] != "LiveOS":
        first, second = second, first
    for image, boot in ((first, "/syslinux"), (second, "/Rescue/syslinux")):
        assert [each["path"] for each in image["kernels"]] == [f"{boot}/vmlinuz"]
        firmware = [each["firmware"] for each in image["entries"] if each["kernel"]]
        assert sorted(firmware) == ["bios"] * ENTRIES + ["uefi"] * ENTRIES
    assert (first["overlay"]["kind"], second["overlay"]) == ("snapshot", None)


def test_a_flat_image_on_fat_gets_a_filesystem_in_a_file(
    flat_source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, flat_source, Old(overlay=None))
    directory = ["overlay", "create", str(stick.path), "--kind", "directory", "--yes"]
    assert main(directory) == ExitStatus.UNSUPPORTED
    assert "--kind image" in capsys.readouterr().err
    done("overlay", "create", stick.path, "--size", "16M")
    assert asked(capsys, "overlay", "status", stick.path)["kind"] == "image"
    stick.check()


@pytest.mark.parametrize(
    "old",
    [Old(overlay="image", overlay_mib=16), Old(filesystem="ext4", efi=True, overlay="directory")],
    ids=["embedded-on-fat", "directory-on-ext4"],
)
def test_other_kinds_of_overlays_are_reset_and_removed(
    old: Old, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, source, old)
    assert asked(capsys, "overlay", "status", stick.path)["kind"] == old.overlay
    done("overlay", "reset", stick.path)
    assert asked(capsys, "overlay", "status", stick.path)["kind"] == old.overlay
    stick.check()
    done("overlay", "remove", stick.path)
    for text in menus(stick).values():
        assert "overlay" not in text
    stick.check()


@BOTH
def test_homes(old: Old, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The image has a livesys, which finds a home by its name (2.4): no word is needed."""
    stick = make_old_stick(tmp_path, source, replace(old, size_mib=128))
    before = menus(stick)
    done("home", "create", stick.path, "--size", "32M", "--plain")
    assert asked(capsys, "home", "status", stick.path)["size"] == 32 * MIB
    done("home", "resize", stick.path, "--size", "40M")
    home = tmp_path / "home.img"
    home.write_bytes(stick.read("/LiveOS/home.img"))
    assert home.stat().st_size == 40 * MIB
    run("e2fsck", "-fn", home)
    done("home", "remove", stick.path)
    assert "home.img" not in stick.names("/LiveOS")
    assert menus(stick) == before
    stick.check()


@BOTH
def test_a_home_that_the_kernel_line_must_name(old: Old, flat_source: Path, tmp_path: Path) -> None:
    old = replace(old, overlay="image" if old.is_fat else "directory", size_mib=128)
    stick = make_old_stick(tmp_path, flat_source, old)
    before = menus(stick)
    done("home", "create", stick.path, "--size", "32M", "--plain")
    # kernel-command-line(7); the stick is mounted there by dracut (boot-contract.md).
    word = "systemd.mount-extra=/run/initramfs/live/LiveOS/home.img:/home:ext4:loop,nofail,"
    found = menus(stick)
    assert [text.count(word) for text in found.values()] == [ENTRIES] * len(found)
    done("home", "remove", stick.path)
    assert menus(stick) == before
    stick.check()
