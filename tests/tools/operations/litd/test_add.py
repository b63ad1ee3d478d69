# SPDX-License-Identifier: Apache-2.0
"""An image more, and one less, on a stick of livecd-iso-to-disk: other programs look at it."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.litd_sticks import LABEL, MIB, Old, OldStick, make_old_stick, run
from tests.tools.operations.images.sticks import digest_of, make_source
from tests.tools.operations.litd.test_service import asked, done, menus

pytestmark = pytest.mark.tools

NAME = "Rescue"
FAT, EXT4 = Old(), Old(filesystem="ext4", efi=True)
BOTH = pytest.mark.parametrize("old", [FAT, EXT4], ids=["msdos-fat", "gpt-ext4"])
BOOT_FILES = {"vmlinuz": "/images/pxeboot/vmlinuz", "initrd.img": "/images/pxeboot/initrd.img"}


@pytest.fixture(scope="session")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISO whose image keeps changes in a snapshot store."""
    return make_source(tmp_path_factory.mktemp("nested"), "Fedora-WS-Live-36", "fedora-36")


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISO whose image has OverlayFS alone."""
    return make_source(tmp_path_factory.mktemp("flat"))


def paths(stick: OldStick, directory: str = "") -> set[str]:
    """All files below a directory, by other programs."""
    if stick.old.is_fat:
        where = f"{stick.path}@@{stick.offset}"
        rows = run("mdir", "-/", "-b", "-a", "-i", where, f"::{directory or '/'}").decode()
        return {row[2:] for row in rows.splitlines() if row and not row.endswith("/")}
    target = stick.path.with_name("dumped")
    run("rm", "-rf", target)
    target.mkdir()
    where = f"{stick.path}?offset={stick.offset}"
    run("debugfs", "-R", f"rdump {directory or '/'} {target}", where)
    base = target / directory.rpartition("/")[2] if directory else target
    return {f"{directory}/{each.relative_to(base)}" for each in base.rglob("*") if each.is_file()}


def sums(stick: OldStick, directory: str = "") -> dict[str, str]:
    """What every file holds."""
    found = paths(stick, directory)
    return {path: hashlib.sha256(stick.read(path)).hexdigest() for path in found}


def others(stick: OldStick) -> dict[str, str]:
    """All that is not the new image's, and no menu."""
    changing = set(menus(stick))
    found = sums(stick).items()
    return {
        path: digest
        for path, digest in found
        if path not in changing and not path.startswith(f"/{NAME}/")
    }


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
