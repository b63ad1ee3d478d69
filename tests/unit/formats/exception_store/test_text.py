# SPDX-License-Identifier: Apache-2.0
"""The text of a store: what it says is what lies there, and it makes the same bytes again."""

import hashlib
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.exception_store import Geometry, metadata_spans, read_store
from liveos.formats.exception_store.text import runs_in_order, write_text
from liveos.formats.exception_store.text_reader import RunSum, is_text, read_sums, read_text
from tests.data.snapshot_cases import Recorded, header, raw_store, recorded
from tests.unit.formats.exception_store.kernel_model import KernelModel

LOADABLE = recorded(lambda one: "reloaded" in one.facts)


def text_of(data: bytes, *, sums: bool = False) -> str:
    source = MemorySource(data)
    return "".join(write_text(source, read_store(source), sums=sums))


def restored(text: str) -> bytes:
    source = read_text(MemorySource(text.encode()))
    return source.read_at(0, source.size)


def metadata_of(data: bytes) -> bytes:
    """A store with its data made zeros, by the reference's layout."""
    (sectors,) = struct.unpack_from("<I", data, 12)
    size = sectors * 512
    kept = bytearray(len(data))
    kept[:size] = data[:size]
    stride = size // 16 + 1
    for area in range(size, len(data) - size + 1, stride * size):
        kept[area : area + size] = data[area : area + size]
        news = struct.iter_unpack("<QQ", data[area : area + size])
        if any(new == 0 for _, new in news):
            break
    return bytes(kept)


@pytest.mark.parametrize("one", LOADABLE)
@pytest.mark.parametrize("sums", [False, True])
def test_metadata_come_back_byte_for_byte(one: Recorded, sums: bool) -> None:
    text = text_of(one.store, sums=sums)
    assert is_text(MemorySource(text.encode()))
    assert restored(text) == metadata_of(one.store)
    again = read_text(MemorySource(text.encode()))
    if not sums:
        assert "".join(write_text(again, read_store(again))) == text


def test_the_text_in_full() -> None:
    """A store written by hand, and its text written by hand."""
    records = [(3, 2), (4, 3), (5, 4), (10, 5), (9, 6), (8, 40), (1 << 63, (1 << 64) - 1)]
    tail = [(0, 0), (77, 20), (5, 0)]
    head = header(1, valid=2) + bytes(84) + b"\xab\xcd" + bytes(410)
    store = raw_store(100, head, {0: [*records, *tail]})
    sums = [hashlib.sha256(store[new * 512 : (new + many) * 512]).hexdigest()
            for new, many in ((2, 3), (5, 1), (6, 1), (40, 1))]  # fmt: skip
    expected: list[dict[str, Any]] = [
        {"format": "liveos-exceptions", "version": 1, "size": 51200, "chunk_sectors": 1,
         "header": {"magic": 0x70416E53, "valid": 2, "version": 1, "chunk_sectors": 1},
         "exceptions": 7},
        {"old": 3, "new": 2, "length": 3, "sha256": sums[0]},
        {"old": 10, "new": 5, "length": 1, "sha256": sums[1]},
        {"old": 9, "new": 6, "length": 1, "sha256": sums[2]},
        {"old": 8, "new": 40, "length": 1, "sha256": sums[3]},
        {"old": 1 << 63, "new": (1 << 64) - 1, "length": 1, "sha256": None},
        {"slot": 8, "old": 77, "new": 20},
        {"slot": 9, "old": 5, "new": 0},
        {"at": 16, "bytes": (bytes(84) + b"\xab\xcd" + bytes(410)).hex()},
        {"lines": 10},
    ]  # fmt: skip
    assert [json.loads(line) for line in text_of(store, sums=True).splitlines()] == expected
    found = list(read_sums(MemorySource(text_of(store, sums=True).encode())))
    assert found == [
        RunSum(2, 3, sums[0]), RunSum(5, 1, sums[1]), RunSum(6, 1, sums[2]), RunSum(40, 1, sums[3])
    ]  # fmt: skip
    assert list(read_sums(MemorySource(text_of(store).encode()))) == []


def test_a_list_without_an_end_comes_back() -> None:
    """The file ends before the list does (A1): 32 records in one area of one sector."""
    store = raw_store(34, header(1), {0: [(slot, 2 + slot) for slot in range(32)]})
    assert not read_store(MemorySource(store)).terminated
    assert restored(text_of(store)) == metadata_of(store)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=200), st.integers(1, 9))
def test_runs_are_those_of_a_naive_loop(olds: list[int], window: int) -> None:
    old = np.array(olds, np.uint64)
    new = np.array([2 + slot + slot // 5 for slot in range(len(olds))], np.uint32)
    naive: list[list[int]] = []
    for one, place in zip(old.tolist(), new.tolist(), strict=True):
        last = naive[-1] if naive else None
        if last and (one, place) == (last[0] + last[2], last[1] + last[2]):
            last[2] += 1
        else:
            naive.append([one, place, 1])
    columns = [np.stack(part, 1).tolist() for part in runs_in_order(old, new, window)]
    assert [run for part in columns for run in part] == naive


def test_numbers_do_not_wrap_into_a_run() -> None:
    most = (1 << 64) - 1
    old, new = np.array([most, 0], np.uint64), np.array([5, 6], np.uint32)
    assert sum(len(part[0]) for part in runs_in_order(old, new)) == 2
    small = np.array([0xFFFFFFFF, 0], np.uint32)
    assert sum(len(part[0]) for part in runs_in_order(small, new)) == 2


def test_long_runs_make_few_lines_and_come_back() -> None:
    count = 3 << 20
    geometry = Geometry(8)
    line = json.dumps({"old": 7, "new": 900000, "length": count})
    size = geometry.chunks_for(count) * 4096
    first = {"format": "liveos-exceptions", "version": 1, "size": size, "chunk_sectors": 8,
             "header": {"magic": 0x70416E53, "valid": 1, "version": 1, "chunk_sectors": 8},
             "exceptions": count}  # fmt: skip
    text = f'{json.dumps(first)}\n{line}\n{{"lines":3}}\n'
    store = read_store(read_text(MemorySource(text.encode())))
    assert store.old.tolist() == list(range(7, 7 + count))
    assert store.new.tolist() == list(range(900000, 900000 + count))


def good() -> str:
    model = KernelModel(bytearray(100 * 512), bytes(200 * 512), 1)
    for sector in (5, 6, 9):
        model.write(sector, bytes([sector]) * 512)
    return text_of(bytes(model.device), sums=True)


def changed(line: int, old: str, new: str) -> str:
    lines = good().splitlines(keepends=True)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    return "".join(lines)


WRONG = {
    "empty": ("", "empty"),
    "no-json": ("hello\n", "line 1: not JSON"),
    "a-list": ("[]\n", "line 1: not an object"),
    "deep": ("[" * 2000, "line 1: not JSON"),
    "long": ("x" * 3000, "line 1: longer"),
    "long-unfinished": (good() + "x" * 3000, "longer"),
    "other-json": ('{"a":1}\n', "line 1: not the text"),
    "version": (changed(0, '"version":1,"size"', '"version":2,"size"'), "line 1: version 2"),
    "chunk": (changed(0, '"chunk_sectors":1,"h', '"chunk_sectors":3,"h'), "line 1: a chunk of 3"),
    "bool": (changed(0, '"valid":1', '"valid":true'), "line 1: valid"),
    "negative": (changed(0, '"valid":1', '"valid":-1'), "line 1: valid"),
    "no-header": (changed(0, '"header":{', '"header":1,"heady":{'), "line 1: "),
    "too-many": (changed(0, '"exceptions":3', '"exceptions":134217729'), "line 1: exceptions"),
    "no-room": (changed(0, '"exceptions":3', '"exceptions":3000'), "line 1: 51200 bytes"),
    "huge-size": (changed(0, '"size":51200', '"size":9223372036854775808'), "line 1: size"),
    "fewer": (changed(0, '"exceptions":3', '"exceptions":4'), "line 4: 1 of 4"),
    "more": (changed(0, '"exceptions":3', '"exceptions":2'), "line 3: a run of 1, where 0"),
    "zero-length": (changed(1, '"length":2', '"length":0'), "line 2: a run of 0"),
    "new-zero": (changed(1, '"new":2', '"new":0'), "line 2: a run that no record"),
    "wraps": (changed(1, '"old":5', '"old":18446744073709551615'), "line 2: a run that no record"),
    "beyond": (changed(1, '"old":5', '"old":18446744073709551616'), "line 2: old"),
    "float": (changed(1, '"old":5', '"old":5.0'), "line 2: old"),
    "digest": (changed(1, '"sha256":"', '"sha256":"x'), "line 2: sha256"),
    "unknown": (changed(1, '"sha256"', '"sha257"'), "line 2: 'sha257' is not known"),
    "lost-line": (good().splitlines()[0] + '\n{"lines":4}\n', "line 2: "),
    "no-end": ("".join(good().splitlines(keepends=True)[:-1]), "line 3: the text was cut short"),
    "goes-on": (good() + "{}\n", "line 5: something follows"),
    "slot-in-list": (changed(2, '{"old"', '{"slot":2,"new":4,"old"'), "line 3: "),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_texts_are_refused_with_the_line(name: str) -> None:
    text, message = WRONG[name]
    with pytest.raises(FormatError, match=message):
        read_text(MemorySource(text.encode()))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"slot":2,"old":1,"new":9}', "slot 2 is not one behind"),
        ('{"slot":32,"old":1,"new":9}', "slot 32 is not one behind"),
        ('{"slot":3,"old":1,"new":9}', "slot 3 ends the list"),
        ('{"at":15,"bytes":"00"}', "do not lie behind the header"),
        ('{"at":511,"bytes":"0000"}', "do not lie behind the header"),
        ('{"at":20,"bytes":"xx"}', "hexadecimal"),
        ('{"at":20}', "hexadecimal"),
        ('{"at":20,"bytes":5}', "hexadecimal"),
        ('{"other":20}', "'other' is not known"),
    ],
)
def test_wrong_lines_behind_the_list(line: str, message: str) -> None:
    lines = good().splitlines()
    text = "\n".join([*lines[:-1], line, '{"lines":5}', ""])
    with pytest.raises(FormatError, match=message):
        read_text(MemorySource(text.encode()))


@settings(max_examples=300)
@given(st.integers(0, 600), st.binary(max_size=12))
def test_changed_texts_give_a_store_or_an_error(position: int, change: bytes) -> None:
    data = good().encode()
    position %= len(data)
    bad = data[:position] + change + data[position + len(change) :]
    _use(bad)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_store_or_an_error(data: bytes) -> None:
    _use(data)
    _use(good().encode().splitlines(keepends=True)[0] + data)


def _use(data: bytes) -> None:
    try:
        source = read_text(MemorySource(data))
        list(read_sums(MemorySource(data)))
        source.read_at(0, min(source.size, 1 << 20))
        metadata_spans(read_store(source))
    except FormatError:
        pass
