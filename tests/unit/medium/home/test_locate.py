# SPDX-License-Identifier: Apache-2.0
"""The home of an image in a directory, as of a stick that somebody has mounted."""

import re
from pathlib import Path

import pytest

from liveos.errors import UnsupportedError, UsageError
from liveos.medium.home.locate import open_home
from liveos.medium.home.mounting import HomeWay
from liveos.medium.home.status import home_status
from tests.unit.formats.test_luks import EXPECTED, LUKS2
from tests.unit.medium.payloads import BARE_EXT4, FLAT_SQUASHFS


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A root that is 64 KiB of ext4, which has neither livesys nor systemd."""
    directory = tmp_path / "LiveOS"
    directory.mkdir()
    (directory / "rootfs.img").write_bytes(BARE_EXT4)
    return tmp_path


def test_no_home(stick: Path) -> None:
    with open_home(str(stick)) as found:
        assert str(found.place) == f"{stick}/LiveOS/home.img"
        assert found.source is None
        assert not found.overlay_used
        status = home_status(found)
    assert status.kind is None
    assert status.size is None
    assert status.mounting.way is HomeWay.NONE


def test_an_encrypted_home(stick: Path) -> None:
    (stick / "LiveOS/home.img").write_bytes(LUKS2)
    with open_home(f"{stick}:liveos") as found:
        status = home_status(found)
    assert (status.kind, status.size, status.luks) == ("encrypted", len(LUKS2), EXPECTED)
    assert status.uuid == EXPECTED.uuid


def test_a_plain_home(stick: Path) -> None:
    (stick / "LiveOS/home.img").write_bytes(BARE_EXT4)
    with open_home(str(stick)) as found:
        status = home_status(found)
    assert (status.kind, status.size) == ("plain", len(BARE_EXT4))
    assert status.filesystem == "ext4"
    assert status.used_size is not None


def test_a_home_that_is_nothing_known(stick: Path) -> None:
    (stick / "LiveOS/home.img").write_bytes(bytes(70_000))
    with open_home(str(stick)) as found:
        status = home_status(found)
    assert status.kind == "unknown"
    assert [each.code for each in status.warnings] == ["unreadable-home"]


@pytest.mark.parametrize(
    ("store", "used"),
    [(bytes(8192), False), (b"SnAp\1\0\0\0\1\0\0\0\10\0\0\0".ljust(8192, b"\0"), True)],
)
def test_an_overlay_that_is_in_use_knows_a_user_already(
    store: bytes, stick: Path, *, used: bool
) -> None:
    (stick / "LiveOS/overlay-LIVE-1234").write_bytes(store)
    with open_home(str(stick)) as found:
        assert found.overlay_used is used


def test_a_directory_overlay_is_in_use_when_something_is_in_it(stick: Path) -> None:
    for name in ("overlay-LIVE-1234", "ovlwork"):
        (stick / "LiveOS" / name).mkdir()
    with open_home(str(stick)) as found:
        assert not found.overlay_used
    (stick / "LiveOS/overlay-LIVE-1234/etc").mkdir()
    with open_home(str(stick)) as found:
        assert found.overlay_used


def test_one_image_of_several(stick: Path) -> None:
    (stick / "other").mkdir()
    (stick / "other/squashfs.img").write_bytes(FLAT_SQUASHFS)
    with pytest.raises(UsageError, match="2 images"), open_home(str(stick)):
        pass
    with open_home(f"{stick}:other") as found:
        assert str(found.place) == f"{stick}/other/home.img"
        assert found.image.name == "other"


def test_what_is_no_stick(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(str(tmp_path))), open_home(str(tmp_path)):
        pass
    with pytest.raises(UsageError, match="no such file"), open_home(str(tmp_path / "x")):
        pass
    (tmp_path / "junk").write_bytes(b"junk" * 10_000)
    with pytest.raises(UnsupportedError, match="junk"), open_home(str(tmp_path / "junk")):
        pass
