# SPDX-License-Identifier: Apache-2.0
"""Contents of encrypted volumes, against the vectors of IEEE 1619 and byte by byte."""

import random

import pytest

from liveos.errors import RefusedError, UnsupportedError
from liveos.formats.binary import TruncatedError
from liveos.formats.luks import LuksHeader
from liveos.host import luks_volume
from liveos.host.folders.folder import ReadOnlyFile
from liveos.host.luks import private_key
from liveos.host.luks_volume import EncryptedFile
from tests.unit.formats.test_luks import EXPECTED, LUKS2

# IEEE 1619-2007, annex B, vector 10: the data unit 0xff under two keys of 256 bits.
KEY = bytes.fromhex(
    "2718281828459045235360287471352662497757247093699959574966967627"
    "3141592653589793238462643383279502884197169399375105820974944592"
)
PLAIN = bytes(range(256)) * 2
SEALED = bytes.fromhex("1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b")


class Memory:
    """A stored file in memory."""

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + length])

    def write_at(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data

    def flush(self) -> None:
        pass


def header(sector_size: int = 4096, offset: int = 8192) -> LuksHeader:
    return LuksHeader(2, "u", "aes-xts-plain64", offset, sector_size, ())


def test_the_standards_own_vector() -> None:
    memory = Memory(8192 + 256 * 512)
    file = EncryptedFile(memory, header(512), KEY)
    file.write_at(0xFF * 512, PLAIN)
    assert memory.data[8192 + 0xFF * 512 :][: len(SEALED)] == SEALED
    assert file.read_at(0xFF * 512, 512) == PLAIN
    assert not any(memory.data[:8192])


@pytest.mark.parametrize("sector_size", [512, 4096])
def test_any_bytes_anywhere(sector_size: int) -> None:
    dice = random.Random(3)
    memory = Memory(8192 + 10 * 4096 + 100)
    file = EncryptedFile(memory, header(sector_size), KEY)
    assert file.size == 10 * 4096
    expected = bytearray(file.read_at(0, file.size))
    for _ in range(60):
        offset = dice.randrange(file.size)
        data = dice.randbytes(dice.randrange(min(9000, file.size - offset) + 1))
        file.write_at(offset, data)
        expected[offset : offset + len(data)] = data
        start = dice.randrange(file.size)
        length = dice.randrange(file.size - start + 1)
        assert file.read_at(start, length) == expected[start : start + length]
    with pytest.raises(TruncatedError):
        file.read_at(file.size - 1, 2)
    with pytest.raises(TruncatedError):
        file.write_at(file.size, b"x")


def test_a_larger_sector_counts_in_small_ones() -> None:
    """As dm-crypt does without ``iv_large_sectors``."""
    memory = Memory(8192 + 8 * 4096)
    EncryptedFile(memory, header(4096), KEY).write_at(4096, bytes(4096))
    small = Memory(8192 + 8 * 4096)
    EncryptedFile(small, header(512), KEY).write_at(4096, bytes(512))
    assert memory.data[8192 + 4096 :][:512] == small.data[8192 + 4096 :][:512]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"cipher": "serpent-xts-plain64"}, UnsupportedError, "serpent"),
        ({"unfinished": True}, RefusedError, "not finished"),
        ({"offset": 1 << 40}, UnsupportedError, "knows only"),
    ],
)
def test_volumes_of_other_kinds(
    change: dict[str, object],
    error: type[Exception],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {
        name: getattr(EXPECTED, name)
        for name in ("version", "uuid", "cipher", "offset", "sector_size", "key_slots")
    }
    found = LuksHeader(**{**values, **change})
    monkeypatch.setattr(luks_volume, "read_luks", lambda _: found)
    volume = Memory(64 << 20)
    volume.write_at(0, LUKS2)
    with private_key("the key", b"k") as key, pytest.raises(error, match=words):
        luks_volume.volume_key(ReadOnlyFile(volume), key, "home")
