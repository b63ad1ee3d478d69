# SPDX-License-Identifier: Apache-2.0
"""What is written behind is all there, and the disk's errors reach who waits for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveos.host.folders import write_behind
from liveos.host.folders.folder import DescriptorFile
from liveos.host.folders.write_behind import WriteBehind


@pytest.fixture
def descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(write_behind, "_WINDOW", 10)
    number = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.ftruncate(number, 30)
    yield number
    os.close(number)


def test_the_disk_is_asked_early_and_in_the_end(
    descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "fdatasync", asked.append)
    with WriteBehind(DescriptorFile(descriptor, 30), descriptor) as file:
        for number in range(5):
            file.write_at(number * 6, b"%d" % number * 6)
        file.flush()
        early = asked[:-1]
        assert file.read_at(5, 2) == b"01"
    assert early
    assert set(asked) == {descriptor}
    assert (tmp_path / "file").read_bytes() == b"000000111111222222333333444444"


@pytest.mark.parametrize("flushes", [True, False])
def test_an_early_error_is_not_lost(
    descriptor: int, monkeypatch: pytest.MonkeyPatch, *, flushes: bool
) -> None:
    told: list[int] = []

    def fail_once(number: int) -> None:
        told.append(number)
        if len(told) == 1:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail_once)
    with pytest.raises(OSError, match="Input/output"):
        write(descriptor, flushes=flushes)


def write(descriptor: int, *, flushes: bool) -> None:
    with WriteBehind(DescriptorFile(descriptor, 30), descriptor) as file:
        file.write_at(0, b"x" * 10)
        if flushes:
            file.flush()
