# SPDX-License-Identifier: Apache-2.0
"""An image more, and one less, on a stick of livecd-iso-to-disk: other programs look at it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus, UnsupportedError
from liveos.host.target import look_at
from liveos.medium.inspect import inspect
from liveos.medium.old_stick import MARKS, OldStick, open_any_stick
from liveos.operations.execute import execute
from liveos.operations.images.plans import add_old
from liveos.operations.install.stick import HomeRequest
from liveos.operations.plan import Plan
from liveos.operations.steps.menus import ReplaceMenu
from liveos.sizes import Size
from tests.litd_sticks import LABEL, MIB, Old, make_old_stick, run
from tests.litd_sticks import OldStick as Stick
from tests.tools.operations.images.sticks import SYSTEM, digest_of, request
from tests.tools.operations.images.sticks import make_source as make_iso
from tests.tools.operations.litd.contents import NAME, others, paths, sums
from tests.tools.operations.litd.test_service import asked, done, menus

pytestmark = pytest.mark.tools

FAT, EXT4 = Old(), Old(filesystem="ext4", efi=True)
BOTH = pytest.mark.parametrize("old", [FAT, EXT4], ids=["msdos-fat", "gpt-ext4"])
BOOT_FILES = {"vmlinuz": "/images/pxeboot/vmlinuz", "initrd.img": "/images/pxeboot/initrd.img"}


@BOTH
def test_everything_of_it_is_in_the_place_that_the_old_tool_gives_it(
    old: Old, source: Path, nested: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, source, old)
    before, texts = others(stick), menus(stick)
    done("install", "--add", "--name", NAME, "--overlay", "16M", nested, stick.path)
    stick.check()
    assert others(stick) == before
    overlay = f"overlay-{LABEL}-{old.uuid}"
    config = old.config
    names = {f"/{NAME}/{each}" for each in ("squashfs.img", overlay, "image.json")}
    boot = {f"/{NAME}/syslinux/{each}" for each in (*BOOT_FILES, config)}
    assert paths(stick, f"/{NAME}") == names | boot
    assert stick.read(f"/{NAME}/{overlay}") == bytes(16 * MIB)
    found = sums(stick, f"/{NAME}")
    assert found[f"/{NAME}/squashfs.img"] == digest_of(nested, "/LiveOS/squashfs.img")
    for name, path in BOOT_FILES.items():
        assert found[f"/{NAME}/syslinux/{name}"] == digest_of(nested, path)
    new = menus(stick)
    for path, text in texts.items():
        assert new[path].startswith(text)
        assert NAME in new[path].removeprefix(text)
    listed = asked(capsys, "list", stick.path)["images"]
    assert [each["name"] for each in listed] == ["LiveOS", NAME]
    assert {each["overlay"]["kind"] for each in listed} == {"snapshot"}
    assert main(["verify", str(stick.path)]) == ExitStatus.DONE
    for path in new:
        if "syslinux" not in path:
            run("grub-script-check", "/dev/stdin", stdin=new[path].encode())


def plan_add(stick: Stick, iso: Path, **changes: object) -> Plan:
    with open_any_stick(stick.path) as found:
        assert isinstance(found, OldStick)
        wanted = request(name=NAME, **changes)
        return add_old.plan(wanted, inspect(iso), found, look_at(stick.path, iso), SYSTEM)


@BOTH
def test_an_image_that_needs_overlayfs(
    old: Old, source: Path, flat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, source, old)
    size = ["--overlay", "16M"] if old.is_fat else []
    done("install", "--add", "--name", NAME, *size, "--overlay-kind", *_kind(old), flat, stick.path)
    stick.check()
    names = stick.names(f"/{NAME}")
    assert f"overlay-{LABEL}-{old.uuid}" in names
    assert ("ovlwork" in names) is not old.is_fat
    status = asked(capsys, "overlay", "status", f"{stick.path}:{NAME}")
    assert [status["kind"]] == _kind(old)
    if old.is_fat:
        words = ["install", "--add", "--yes", "--overlay-kind", "directory"]
        assert main([*words, str(flat), str(stick.path)]) == ExitStatus.UNSUPPORTED


def _kind(old: Old) -> list[str]:
    return ["image" if old.is_fat else "directory"]


@BOTH
def test_home_and_swap_come_with_it_and_go_with_it(
    old: Old, source: Path, nested: Path, tmp_path: Path
) -> None:
    stick = make_old_stick(tmp_path, source, replace(old, size_mib=160))
    before, texts = sums(stick), menus(stick)
    wish = HomeRequest(Size(bytes=32 * MIB), encrypted=False)
    size, swap = Size(bytes=16 * MIB), Size(bytes=2 * MIB)
    execute(plan_add(stick, nested, overlay=size, home=wish, swap=swap))
    stick.check()
    home = tmp_path / "home.img"
    home.write_bytes(stick.read(f"/{NAME}/home.img"))
    run("e2fsck", "-fn", home)
    record = json.loads(stick.read(f"/{NAME}/image.json"))
    assert (record["home"]["size"], record["swap"]["size"]) == (32 * MIB, 2 * MIB)
    assert {each["partition"] for each in record["files"]} == {"LIVE"}
    done("remove", f"{stick.path}:{NAME}")
    stick.check()
    assert (menus(stick), sums(stick)) == (texts, before)
    assert NAME not in stick.names("/")


@BOTH
def test_one_that_the_old_tool_has_added_is_removed(old: Old, source: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    single = make_old_stick(tmp_path / "one", source, old)
    stick = make_old_stick(tmp_path / "two", source, replace(old, directories=("LiveOS", NAME)))
    done("remove", f"{stick.path}:{NAME}")
    stick.check()
    assert sums(stick).keys() == sums(single).keys()
    for path, text in menus(single).items():
        found = stick.read(path.removeprefix("esp:"), esp=path.startswith("esp:")).decode()
        # One entry of that image has started by itself; now it is the first one that is left.
        expected = text.replace('set default="1"', 'set default="0"')
        assert without_titles(found) == without_titles(expected)


def without_titles(text: str) -> str:
    """The old tool has changed those of the menu."""
    return re.sub(r"(?m)^\s*menu title .*\n", "", text)


@BOTH
def test_what_a_cut_run_has_left_is_told_and_cleared_or_ended(
    old: Old, source: Path, nested: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, source, old)
    before, texts = sums(stick), menus(stick)
    plan = plan_add(stick, nested)
    first = next(n for n, step in enumerate(plan.steps) if isinstance(step, ReplaceMenu))
    execute(replace(plan, steps=plan.steps[:first]))
    listing = asked(capsys, "list", stick.path)
    assert "unfinished-image" in {each["code"] for each in listing["warnings"]}
    assert menus(stick) == texts
    done("remove", f"{stick.path}:{NAME}")
    assert (sums(stick), stick.names("/") & {NAME, MARKS[1:]}) == (before, set())
    plan = plan_add(stick, nested)
    execute(replace(plan, steps=plan.steps[: first + 1]))
    ending = plan_add(stick, nested)
    assert {type(step).__name__ for step in ending.steps} == {"ReplaceMenu", "RemoveFolder"}
    execute(ending)
    whole = menus(stick)
    done("remove", f"{stick.path}:{NAME}")
    assert (menus(stick), sums(stick)) == (texts, before)
    execute(plan_add(stick, nested))
    assert menus(stick) == whole
    stick.check()


@BOTH
def test_refusals_say_why(
    old: Old, source: Path, nested: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, source, old)
    before = stick.path.read_bytes()

    def refused(status: ExitStatus, why: str, *words: str | Path) -> None:
        capsys.readouterr()
        assert main([*map(str, words), "--yes"]) == status
        assert why in capsys.readouterr().err

    add = ("install", "--add", nested, stick.path)
    refused(ExitStatus.REFUSED, "has an image liveos", *add, "--name", "liveos")
    refused(ExitStatus.REFUSED, "not ours to use", *add, "--name", "images")
    refused(ExitStatus.REFUSED, "has an entry check", *add, "--name", "check")
    home = ("--home", "32M", "--home-partition", "--plain-home")
    refused(ExitStatus.UNSUPPORTED, "behind its partitions", *add, *home)
    refused(ExitStatus.NO_SPACE, "free on LIVE", *add, "--overlay", "1G")
    refused(ExitStatus.REFUSED, "the kernel of LiveOS lies in", "remove", f"{stick.path}:LiveOS")
    done("install", "--add", "--dry-run", nested, stick.path)
    assert stick.path.read_bytes() == before


def test_an_initramfs_that_knows_one_directory(source: Path, tmp_path: Path) -> None:
    """That of mkinitrd, before there was dracut."""
    stick = make_old_stick(tmp_path, source, FAT)
    iso = make_iso(tmp_path, "F10-i686-Live", "fedora-10")
    with pytest.raises(UnsupportedError, match="in the first image's directory alone"):
        plan_add(stick, iso, overlay=None)


def test_fat_takes_no_file_of_4_gib(
    source: Path, nested: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = make_old_stick(tmp_path, source, Old(size_mib=9000))
    words = ["install", "--add", "--yes", "--overlay", "5G", str(nested), str(stick.path)]
    assert main(words) == ExitStatus.NO_SPACE
    assert "4294967295 bytes" in capsys.readouterr().err


def test_an_old_line_adds_an_image(source: Path, nested: Path, tmp_path: Path) -> None:
    stick = make_old_stick(tmp_path, source, FAT)
    words = ["--multi", "--livedir", NAME, "--overlay-size-mb", "16", "--yes"]
    assert main(["litd", *words, str(nested), str(stick.path)]) == ExitStatus.DONE
    assert f"overlay-{LABEL}-{FAT.uuid}" in stick.names(f"/{NAME}")
    assert all(NAME in text for text in menus(stick).values())


def test_a_stick_of_ours_is_not_taken_for_one(tmp_path: Path, nested: Path) -> None:
    stick = tmp_path / "stick.img"
    words = ["--size", "200M", "--layout", "single", "--bootloader", "syslinux", "--yes"]
    assert main(["install", *words, str(nested), str(stick)]) == ExitStatus.DONE
    assert main(["install", "--add", "--yes", str(nested), str(stick)]) == ExitStatus.UNSUPPORTED
