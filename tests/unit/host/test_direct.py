# SPDX-License-Identifier: Apache-2.0
"""Reading past the page cache, on whatever filesystem the tests run on."""

import os
import zlib
from pathlib import Path

import pytest

from liveos.formats.binary import TruncatedError
from liveos.host.direct import from_disk
from liveos.host.transfer import ReadAhead, crc32_of

DATA = os.urandom(5_000_001)


@pytest.fixture(params=["as it is", "without O_DIRECT"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "without O_DIRECT":
        known = os.open

        def refuse(name: Path, flags: int, mode: int = 0o777) -> int:
            if flags & os.O_DIRECT:
                raise OSError(22, "Invalid argument")
            return known(name, flags, mode)

        monkeypatch.setattr(os, "open", refuse)
    file = tmp_path / "file"
    file.write_bytes(DATA)
    return file


def test_what_is_read_is_what_the_file_holds(path: Path) -> None:
    with from_disk(path) as source:
        assert source.size == len(DATA)
        for offset, length in ((0, 100), (4096, 1 << 20), (4_997_120, 2881)):
            assert source.read_at(offset, length) == DATA[offset : offset + length]


def test_from_several_threads(path: Path) -> None:
    with from_disk(path) as source, ReadAhead(source) as ahead:
        parts = [
            ahead.read_at(start, min(8192, len(DATA) - start))
            for start in range(0, len(DATA), 8192)
        ]
    assert b"".join(parts) == DATA
    with from_disk(path) as source:
        assert crc32_of(source, len(DATA), lambda _done: None) == zlib.crc32(DATA)


def test_the_end_is_the_end(path: Path) -> None:
    with from_disk(path) as source, pytest.raises(TruncatedError):
        source.read_at(4_997_120, 8192)
