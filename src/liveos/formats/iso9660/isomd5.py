# SPDX-License-Identifier: Apache-2.0
"""The MD5 sum that ``implantisomd5`` writes into an ISO's volume descriptor (isomd5sum).

The sum covers everything but the last ``skip_sectors`` sectors, with the area that holds the sum
itself read as spaces. Twenty sums of the beginning ("fragments", three hexadecimal digits each)
let a check end early.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.iso9660.descriptors import SECTOR_SIZE, find_primary

_APPLICATION_USE = slice(883, 883 + 512)
_BIG_ENDIAN_SIZE = slice(84, 88)
_SUM = re.compile(rb"ISO MD5SUM = ([0-9a-f]{32});SKIPSECTORS = *([0-9]{1,9})\b")
_SUPPORTED = re.compile(rb"RHLISOSTATUS=([01])")
_FRAGMENTS = re.compile(rb"FRAGMENT SUMS = ([0-9a-f]{1,60});FRAGMENT COUNT = *([0-9]{1,2})\b")

_CHUNK_SIZE = 32768  # isomd5sum looks at its fragments after each chunk of this size
_READ_SIZE = 1 << 20


class Verdict(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SHORTER = "shorter"


@dataclass(frozen=True, slots=True)
class Implanted:
    """An implanted sum. ``fragment_sums`` is the text as found, empty where there is none.

    ``isosize`` is the length in bytes that the volume descriptor claims; ``blank_offset`` is
    where the 512 bytes lie that count as spaces.
    """

    md5: str
    skip_sectors: int
    supported: bool
    fragment_sums: str
    fragment_count: int
    isosize: int
    blank_offset: int

    @property
    def protected_size(self) -> int:
        """How many bytes from the beginning the sum covers."""
        return self.isosize - self.skip_sectors * SECTOR_SIZE


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a check; ``damaged`` is the range of bytes in which the damage begins."""

    verdict: Verdict
    damaged: tuple[int, int] | None = None


def read(source: ByteSource) -> Implanted | None:
    """The implanted sum of an ISO; None when nothing was implanted or this is no ISO.

    :raises FormatError: the sum claims to cover less than nothing.
    """
    descriptor = find_primary(source)
    if descriptor is None:
        return None
    text = descriptor.data[_APPLICATION_USE]
    found = _SUM.search(text)
    if found is None:
        return None
    supported = _SUPPORTED.search(text)
    fragments = _FRAGMENTS.search(text)
    implanted = Implanted(
        md5=found[1].decode(),
        skip_sectors=int(found[2]),
        supported=supported is not None and supported[1] == b"1",
        fragment_sums=fragments[1].decode() if fragments else "",
        fragment_count=int(fragments[2]) if fragments else 0,
        isosize=int.from_bytes(descriptor.data[_BIG_ENDIAN_SIZE], "big") * SECTOR_SIZE,
        blank_offset=descriptor.offset + _APPLICATION_USE.start,
    )
    if implanted.protected_size <= 0:
        raise FormatError("the implanted MD5 leaves out more than the whole image")
    return implanted


def check(
    source: ByteSource,
    implanted: Implanted,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Check:
    """Read the protected bytes and compare; ends at the first fragment that is wrong.

    ``progress`` is called with the bytes done and the bytes to do; it may raise to stop.
    Never reads behind the ISO's own end: on a device there is more, which does not matter.
    """
    if source.size < implanted.isosize:
        return Check(Verdict.SHORTER)
    total = implanted.protected_size
    expected = dict(_fragments(implanted))
    digest = hashlib.md5(usedforsecurity=False)
    good = 0
    for data, done in _pieces(source, implanted.blank_offset, total, tuple(expected)):
        digest.update(data)
        progress(done, total)
        wanted = expected.get(done)
        if wanted is None:
            continue
        if _first_digits(digest.digest(), len(wanted)) != wanted:
            return Check(Verdict.FAILED, (good, done))
        good = done
    if digest.hexdigest() != implanted.md5:
        return Check(Verdict.FAILED, (good, total))
    return Check(Verdict.PASSED)


def _fragments(implanted: Implanted) -> Iterator[tuple[int, str]]:
    """Where the running sum is looked at, with the digits it must show there.

    Of an image with less than one chunk per fragment isomd5sum stores fewer sums than it counts
    (and then fails its own check): there the whole sum alone decides.
    """
    count = implanted.fragment_count
    size = implanted.protected_size // (count + 1)
    if not count or size < _CHUNK_SIZE:
        return
    digits = len(implanted.fragment_sums) // count
    for number in range(1, count + 1):
        chunk = -(-number * size // _CHUNK_SIZE)
        end = min((chunk + 1) * _CHUNK_SIZE, implanted.protected_size)
        yield end, implanted.fragment_sums[(number - 1) * digits : number * digits]


def _pieces(
    source: ByteSource, blank_offset: int, total: int, cuts: tuple[int, ...]
) -> Iterator[tuple[bytes, int]]:
    """The first ``total`` bytes with the area of the sum blanked, and where each piece ends.

    They are read in equal pieces, so that a source can read ahead, and then cut at ``cuts``.
    """
    for offset in range(0, total, _READ_SIZE):
        data = source.read_at(offset, min(_READ_SIZE, total - offset))
        low = max(blank_offset - offset, 0)
        high = min(blank_offset + 512 - offset, len(data))
        if low < high:
            data = data[:low] + b" " * (high - low) + data[high:]
        end = offset + len(data)
        inner = (cut for cut in cuts if offset < cut < end)
        for start, stop in pairwise((offset, *inner, end)):
            yield data[start - offset : stop - offset], stop


def _first_digits(digest: bytes, count: int) -> str:
    """The first hexadecimal digit of each byte, written without a leading zero."""
    return "".join(f"{byte:x}"[0] for byte in digest[:count])
