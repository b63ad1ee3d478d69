# SPDX-License-Identifier: Apache-2.0
"""Tables that cannot be changed safely stay as they are; tests/tools has what sfdisk says."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.gpt_change import resize_partition
from liveos.formats.partitions import read_table
from tests.unit.formats.samples import sample

_HEADER = 512


class Store:
    """Bytes in memory that count their flushes."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.size = len(data)
        self.flushes = 0

    def read_at(self, offset: int, length: int) -> bytes:
        return MemorySource(bytes(self.data)).read_at(offset, length)

    def write_at(self, offset: int, data: bytes) -> None:
        assert offset + len(data) <= self.size
        self.data[offset : offset + len(data)] = data

    def flush(self) -> None:
        self.flushes += 1


def test_one_entry_changes() -> None:
    store = Store(sample("gpt.img"))
    before = read_table(store)
    assert before is not None
    last = max(before.partitions, key=lambda each: each.offset)
    resize_partition(store, last.number, 512)
    after = read_table(store)
    assert after is not None
    assert after.damage is None
    sizes = {each.number: each.size for each in after.partitions}
    assert sizes == {**{each.number: each.size for each in before.partitions}, last.number: 512}
    assert store.flushes >= 3


@given(
    st.integers(_HEADER, _HEADER + 92 + 1024),
    st.binary(min_size=1, max_size=64),
    st.integers(-1, 200),
    st.integers(-512, 1 << 70),
)
def test_whatever_is_there(offset: int, junk: bytes, number: int, size: int) -> None:
    data = bytearray(sample("gpt.img"))
    data[offset : offset + len(junk)] = junk
    store = Store(bytes(data))
    try:
        resize_partition(store, number, size)
    except FormatError:
        assert store.data == data


@pytest.mark.parametrize("data", [b"", bytes(4096), bytes(1 << 16)])
def test_no_table(data: bytes) -> None:
    with pytest.raises(FormatError, match="damaged"):
        resize_partition(Store(data), 1, 512)


def test_entries_at_an_unusual_place() -> None:
    store = Store(sample("gpt.img"))
    header = bytearray(store.data[_HEADER : _HEADER + 92])
    array = store.data[1024 : 1024 + 128 * 128]
    struct.pack_into("<Q", header, 72, 100)
    struct.pack_into("<I", header, 16, 0)
    struct.pack_into("<I", header, 16, zlib.crc32(bytes(header)))
    store.write_at(_HEADER, bytes(header))
    store.write_at(100 * 512, bytes(array))
    with pytest.raises(FormatError, match="unusual"):
        resize_partition(store, 1, 512)
