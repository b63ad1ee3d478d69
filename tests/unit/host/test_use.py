# SPDX-License-Identifier: Apache-2.0
"""What devices are used by, with a made-up /sys and /proc."""

from pathlib import Path

import pytest

from liveos.host import use


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """/sys of a disk with one partition and a holder; the device itself is a file here."""
    sys = tmp_path / "sys"
    (sys / "sdz1" / "holders").mkdir(parents=True)
    (sys / "sdz1" / "partition").write_text("1\n")
    (sys / "sdz1" / "dev").write_text("8:161\n")
    (sys / "dev").write_text("8:160\n")
    monkeypatch.setattr(use, "sysfs_directory", lambda _device: sys)
    monkeypatch.setattr(use, "_swaps", frozenset)
    monkeypatch.setattr(use, "_mounts", lambda: iter(()))
    return sys


def uses() -> list[str]:
    return list(use._device_uses(Path("/dev/sdz")))


def test_a_free_device(device: Path) -> None:
    assert uses() == []


def test_a_device_with_a_mounted_partition(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use, "_mounts", lambda: iter([("8:161", "/run/media/me/LIVE")]))
    assert uses() == ["/dev/sdz1 is mounted on /run/media/me/LIVE"]


def test_a_device_with_swap(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use, "_swaps", lambda: frozenset({"/dev/sdz1"}))
    assert uses() == ["/dev/sdz1 is swap space in use"]


def test_a_device_that_others_hold(device: Path) -> None:
    (device / "sdz1" / "holders" / "dm-3").mkdir()
    assert uses() == ["/dev/sdz1 is used by /dev/dm-3"]


def test_mounts_are_those_of_this_process() -> None:
    assert "/" in {point for _, point in use._mounts()}
