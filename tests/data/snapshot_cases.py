# SPDX-License-Identifier: Apache-2.0
"""What is done to a snapshot in each recorded case, and how to read the recording.

The data are patterns that can be made again, so that only the stores themselves are committed.
"""

import io
import json
import lzma
import struct
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).with_name("snapshot_stores.tar.xz")
SECTOR = 512
ORIGIN_SECTORS = 24000  # 3000 chunks of 8 sectors
SMALL_ORIGIN_SECTORS = 3000


def pattern(letter: bytes, sectors: int) -> bytes:
    """Sectors that each repeat a letter and their own number: no two are alike."""
    return b"".join((letter + b"%07d" % number) * (SECTOR // 8) for number in range(sectors))


@cache
def origin_pattern() -> bytes:
    """The origin of all cases, longest form."""
    return pattern(b"o", ORIGIN_SECTORS)


@cache
def written_pattern() -> bytes:
    """Where all written data come from."""
    return pattern(b"w", ORIGIN_SECTORS + 4096)


@dataclass(frozen=True, slots=True)
class Put:
    """``count`` direct writes of ``block`` sectors each, one after the other.

    They go to block ``seek`` and following; the data is block ``skip`` and following of the
    written pattern. What ``dd bs= seek= skip= count=`` does.
    """

    block: int
    seek: int
    skip: int
    count: int = 1

    def writes(self) -> Iterator[tuple[int, bytes]]:
        """(first sector, data) of each write."""
        size = self.block * SECTOR
        for number in range(self.count):
            start = (self.skip + number) * size
            yield (self.seek + number) * self.block, written_pattern()[start : start + size]


@dataclass(frozen=True, slots=True)
class Case:
    """A store of ``sectors``, blank or ``initial``, over an origin, and what is written to it."""

    name: str
    chunk: int
    sectors: int
    puts: tuple[Put, ...] = ()
    option: str = "PO"
    origin_sectors: int = ORIGIN_SECTORS
    initial: bytes | None = None

    def origin(self) -> bytes:
        """The origin of this case."""
        return origin_pattern()[: self.origin_sectors * SECTOR]


def scattered(chunk: int, count: int) -> tuple[Put, ...]:
    """``count`` first writes of whole chunks: single ones, runs up and runs down, no repeats."""
    puts: list[Put] = []
    done, place = 0, 3
    while done < count:
        length = min((1, 5, 2, 17, 40)[len(puts) % 5], count - done)
        puts.append(Put(chunk, place, place % 400 + 7, length))
        done += length
        place += 41
    return tuple(puts)


def header(chunk: int, *, magic: bytes = b"SnAp", valid: int = 1, version: int = 1) -> bytes:
    return magic + struct.pack("<3I", valid, version, chunk)


def raw_store(sectors: int, head: bytes, areas: dict[int, list[tuple[int, int]]]) -> bytes:
    """A store of 1-sector chunks with these records in the areas, by hand from the layout.

    Data chunks hold a pattern of their own, so that a wrong chunk shows.
    """
    store = bytearray(pattern(b"s", sectors))
    store[:SECTOR] = head.ljust(SECTOR, b"\0")
    for area in range((sectors - 2) // 33 + 1):
        records = areas.get(area, [])
        start = (1 + 33 * area) * SECTOR
        packed = b"".join(struct.pack("<QQ", *record) for record in records)
        store[start : start + SECTOR] = packed.ljust(SECTOR, b"\0")
    return bytes(store)


def _canonical(count: int, first: int = 0) -> list[tuple[int, int]]:
    return [(100 + 3 * slot, 2 + slot + slot // 32) for slot in range(first, first + count)]


def _hand_made() -> Iterator[Case]:
    """Stores that no healthy kernel writes: what the kernel does with them is the fact."""
    good = {0: _canonical(5)}

    def case(name: str, initial: bytes, *puts: Put, option: str = "PO") -> Case:
        sectors = len(initial) // SECTOR
        return Case(f"hand-{name}", 1, sectors, puts, option, SMALL_ORIGIN_SECTORS, initial)

    for valid in (0, 2, 0xFFFFFFFF):
        yield case(f"valid-{valid:x}", raw_store(100, header(1, valid=valid), good))
    yield case("version-2", raw_store(100, header(1, version=2), good))
    yield case("version-2-invalid", raw_store(100, header(1, version=2, valid=0), good))
    yield case("magic", raw_store(100, header(1, magic=b"SnAq"), good))
    for chunk in (0, 3, 24):
        yield case(f"chunk-{chunk}", raw_store(100, header(chunk), good))
    yield case("blank-old-areas", raw_store(600, bytes(16), {1: _canonical(4, 32)}))
    yield case("unterminated", raw_store(34, header(1), {0: _canonical(32)}))
    yield case("just-terminated", raw_store(35, header(1), {0: _canonical(32)}))
    yield case("one-chunk", raw_store(1, header(1), {}))
    yield case("wild-new", raw_store(100, header(1), {0: [(4, 2), (5, 100000), (6, 3)]}))
    yield case("new-beyond-56-bits", raw_store(100, header(1), {0: [(4, 2), (50, (1 << 56) + 3)]}))
    yield case("new-wraps", raw_store(100, header(1), {0: [(4, 9), (50, (1 << 64) - 1), (6, 4)]}))
    sectors_wrap = header(2).ljust(1024, b"\0") + struct.pack("<QQ", 5, (1 << 63) + 1)
    yield case("sectors-wrap", sectors_wrap.ljust(100 * SECTOR, b"\0"))
    yield case("new-on-area", raw_store(100, header(1), {0: [(4, 2), (5, 1), (6, 34)]}))
    yield case("next-free-on-area", raw_store(100, header(1), {0: [*_canonical(5), (9, 33)]}))
    yield case("old-beyond-origin", raw_store(100, header(1), {0: [(1 << 40, 2), (6, 3)]}))
    yield case("gaps", raw_store(100, header(1), {0: [(4, 9), (5, 3), (6, 20)]}), Put(1, 60, 0, 2))
    duplicate = [(10, 2), (12, 3), (10, 4), (14, 5), (12, 6), (10, 7)]
    yield case("duplicates", raw_store(100, header(1), {0: duplicate}))
    yield case("duplicates-in-runs", raw_store(100, header(1), {0: [
        (10, 2), (11, 3), (12, 4), (10, 8), (11, 9), (12, 10)]}))  # fmt: skip
    tail = [*_canonical(3), (0, 0), (0, 0), (777, 20), (778, 21)]
    yield case("tail", raw_store(100, header(1), {0: tail}), Put(1, 60, 0, 1))
    yield case("tail-resurrected", raw_store(100, header(1), {0: tail}), Put(1, 60, 0, 2))
    yield case("stray-old", raw_store(100, header(1), {0: [*_canonical(3), (5, 0), (6, 0)]}),
               Put(1, 60, 0, 1))  # fmt: skip


def _plain() -> Iterator[Case]:
    """Blank stores that only the kernel has written."""
    yield Case("empty", 8, 2064)
    for count in (1, 255, 256, 257):
        yield Case(f"records-{count}", 8, 5600, scattered(8, count))
    for chunk in (1, 2, 16, 32):
        count = min(chunk * 32 + 3, 6400 // chunk)
        yield Case(f"chunk-{chunk}", chunk, chunk * 450, scattered(chunk, count))
    yield Case("rewritten", 8, 2064, (Put(8, 5, 0, 3), Put(8, 6, 50, 1), Put(1, 41, 9, 1)))
    yield Case("partial-writes", 8, 2064, (Put(1, 43, 5, 1), Put(2, 11, 9, 1), Put(8, 5, 4, 1)))
    yield Case("odd-sectors", 8, 2404, scattered(8, 20))
    last = Put(1, 1998, 3, 1)
    yield Case("partial-last-chunk", 8, 2064, (Put(8, 1, 2, 2), last), origin_sectors=2003)
    for option in ("P", "PO"):
        for chunk, chunks in ((8, 258), (8, 259), (8, 260), (1, 34), (1, 35), (1, 67), (1, 70)):
            full = (Put(chunk, 3, 5, chunks),)
            name = f"full-{chunk}x{chunks}-{option}"
            yield Case(name, chunk, chunk * chunks, full, option, SMALL_ORIGIN_SECTORS)
    yield Case("full-odd-PO", 2, 2 * 50 + 1, (Put(2, 3, 5, 60),))


CASES = (*_plain(), *_hand_made())
SUITES = ("bookworm", "trixie")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a kernel said and left: ``facts`` by name, and the bytes of files."""

    suite: str
    name: str
    facts: dict[str, Any]
    files: dict[str, bytes]

    @property
    def store(self) -> bytes:
        return self.files["store"]


@cache
def recordings() -> dict[tuple[str, str], Recorded]:
    """All recordings by suite and case."""
    members: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(FIXTURES.read_bytes()))) as archive:
        for member in archive:
            body = archive.extractfile(member)
            assert body is not None
            members[member.name] = body.read()
    facts = json.loads(members.pop("facts.json"))
    found: dict[tuple[str, str], Recorded] = {}
    for key, said in facts.items():
        suite, name = key.split("/")
        files = {path: members[digest] for path, digest in said.pop("packed").items()}
        found[suite, name] = Recorded(suite, name, said, files)
    return found


def recorded(choose: Callable[[Recorded], bool]) -> list[Any]:
    """Parameters for a test: the recordings that ``choose`` takes, with readable names."""
    import pytest  # noqa: PLC0415 - the recorder runs without the test runner

    return [
        pytest.param(one, id=f"{one.suite}-{one.name}")
        for one in recordings().values()
        if choose(one)
    ]
