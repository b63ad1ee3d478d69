# SPDX-License-Identifier: Apache-2.0
"""Packs: what they hold is the store's metadata, byte for byte; what they do not hold is zero."""

import hashlib
import struct
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource, TruncatedError
from liveos.formats.exception_store import read_store, status_line
from liveos.formats.exception_store.packed import is_pack, read_pack, write_pack
from liveos.formats.exception_store.spans import Span, SpannedSource, metadata_spans
from tests.data.snapshot_cases import Recorded, recorded

LOADABLE = recorded(lambda one: "reloaded" in one.facts and one.facts["reloaded"] != "Invalid")


def pack(data: bytes, *spans: Span) -> bytes:
    return b"".join(write_pack(MemorySource(data), spans))


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def by_hand(*spans: tuple[int, int, int, int], content: bytes, size: int = 1 << 20) -> bytes:
    """A pack from the layout in the module's words, of at most one block."""
    head = b"LOSpack\n" + struct.pack("<IIQQ", 1, len(spans), size, len(content))
    table = b"".join(struct.pack("<4Q", *span) for span in spans)
    frame = zstandard.ZstdCompressor().compress(content)
    return sealed(head + table + struct.pack("<I", len(frame)) + frame)


@pytest.mark.parametrize("one", LOADABLE)
def test_a_pack_reads_as_the_store_without_its_data(one: Recorded) -> None:
    source = MemorySource(one.store)
    store = read_store(source)
    packed = pack(one.store, *metadata_spans(store))
    assert is_pack(MemorySource(packed))
    opened = read_pack(MemorySource(packed))
    assert opened.size == source.size
    assert status_line(opened) == status_line(source)
    again = read_store(opened)
    assert again.old.tolist() == store.old.tolist()
    assert again.new.tolist() == store.new.tolist()
    assert (again.header, again.tail) == (store.header, store.tail)


@pytest.mark.parametrize("one", LOADABLE)
def test_a_pack_holds_metadata_and_nothing_else(one: Recorded) -> None:
    """The reference's layout (1.1, 1.2), not ours: chunk c is an area iff c % T == 1."""
    (sectors,) = struct.unpack_from("<I", one.store, 12)
    size = sectors * 512
    stride = size // 16 + 1
    store = read_store(MemorySource(one.store))
    opened = read_pack(MemorySource(pack(one.store, *metadata_spans(store))))
    chunks = len(one.store) // size
    areas = store.count // (stride - 1) + 1
    for chunk in range(chunks):
        kept = chunk == 0 or (chunk % stride == 1 and chunk // stride < areas)
        original = one.store[chunk * size : (chunk + 1) * size]
        assert opened.read_at(chunk * size, size) == (original if kept else bytes(size))


SPANS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 40), st.integers(0, 30), st.integers(1, 9)),
    max_size=5,
)


def placed(parts: list[tuple[int, int, int, int]]) -> list[Span]:
    """Spans one behind the other, from gaps, lengths, spaces between pieces, and counts."""
    spans: list[Span] = []
    for gap, length, space, count in parts:
        start = (spans[-1].end if spans else 0) + gap
        spans.append(Span(start, length, length + space, count))
    return spans


@settings(max_examples=200)
@given(SPANS, st.integers(0, 60), st.binary(min_size=1, max_size=31), st.data())
def test_any_spans_at_any_place(
    parts: list[tuple[int, int, int, int]], rest: int, filling: bytes, data: st.DataObject
) -> None:
    spans = placed(parts)
    size = (spans[-1].end if spans else 0) + rest
    original = (filling * (size // len(filling) + 1))[:size]
    expected = bytearray(size)
    for span in spans:
        for offset, length in span.pieces():
            expected[offset : offset + length] = original[offset : offset + length]
    opened = read_pack(MemorySource(pack(original, *spans)))
    assert opened.spans == tuple(spans)
    assert opened.read_at(0, size) == expected
    start = data.draw(st.integers(0, size))
    length = data.draw(st.integers(0, size - start))
    assert opened.read_at(start, length) == expected[start : start + length]
    with pytest.raises(TruncatedError):
        opened.read_at(start, size - start + 1)


def test_more_than_a_block() -> None:
    original = bytes(number * 7 % 251 for number in range(3 << 20))
    span = Span(1000, 300_000, 310_000, 9)
    opened = read_pack(MemorySource(pack(original, span)))
    for offset, length in span.pieces():
        assert opened.read_at(offset, length) == original[offset : offset + length]
    assert opened.read_at(0, 1000) == bytes(1000)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_pack_or_an_error(data: bytes) -> None:
    _use(data)
    _use(b"LOSpack\n" + data)
    _use(sealed(b"LOSpack\n" + struct.pack("<I", 1) + data))


@settings(max_examples=200)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=9))
def test_a_changed_pack_is_noticed(position: int, change: bytes) -> None:
    good = by_hand((0, 16, 16, 1), (4096, 64, 128, 3), content=bytes(range(208)))
    position %= len(good)
    bad = (good[:position] + change + good[position + len(change) :])[: len(good)]
    if bad != good:
        with pytest.raises(FormatError):
            read_pack(MemorySource(bad))
    resealed = sealed(bad[:-32])
    _use(resealed)


def _use(data: bytes) -> None:
    try:
        opened = read_pack(MemorySource(data))
        opened.read_at(0, min(opened.size, 1 << 20))
        read_store(opened)
    except FormatError:
        pass


HOSTILE: dict[str, Callable[[], bytes]] = {
    "overlapping": lambda: by_hand((0, 16, 16, 2), (16, 16, 16, 1), content=bytes(48)),
    "descending": lambda: by_hand((64, 16, 16, 1), (0, 16, 16, 1), content=bytes(32)),
    "pieces-overlap": lambda: by_hand((0, 16, 8, 2), content=bytes(32)),
    "empty-piece": lambda: by_hand((0, 0, 16, 2), content=b""),
    "no-piece": lambda: by_hand((0, 16, 16, 0), content=b""),
    "outside": lambda: by_hand((1 << 20, 16, 16, 1), content=bytes(16)),
    "huge-count": lambda: by_hand((0, 1, 1, 1 << 63), content=bytes(16)),
    "too-little-content": lambda: by_hand((0, 16, 16, 2), content=bytes(16)),
    "too-much-content": lambda: by_hand((0, 16, 16, 2), content=bytes(64)),
    "claims-much": lambda: sealed(b"LOSpack\n" + struct.pack("<IIQQ", 1, 0, 1 << 60, 1 << 40)),
    "many-spans": lambda: sealed(b"LOSpack\n" + struct.pack("<IIQQ", 1, 1 << 31, 9, 9)),
    "version": lambda: sealed(b"LOSpack\n" + struct.pack("<IIQQ", 2, 0, 0, 0)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_pack_says(name: str) -> None:
    with pytest.raises(FormatError):
        read_pack(MemorySource(HOSTILE[name]()))


def test_a_block_that_unpacks_to_something_else() -> None:
    good = by_hand((0, 64, 64, 1), content=bytes(64))
    for other in (bytes(63), bytes(65), bytes(1 << 24)):
        frame = zstandard.ZstdCompressor().compress(other)
        head = good[: 32 + 32]
        opened = read_pack(MemorySource(sealed(head + struct.pack("<I", len(frame)) + frame)))
        with pytest.raises(FormatError):
            opened.read_at(0, 64)


def test_the_layout_is_the_one_that_the_module_describes() -> None:
    opened = read_pack(MemorySource(by_hand((3, 2, 4, 2), content=b"abcd", size=12)))
    assert opened.read_at(0, 12) == b"\0\0\0ab\0\0cd\0\0\0"


def test_content_must_fit_its_spans() -> None:
    with pytest.raises(FormatError, match="kept"):
        SpannedSource(64, [Span.single(0, 16)], MemorySource(bytes(15)))
