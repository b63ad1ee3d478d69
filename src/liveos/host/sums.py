# SPDX-License-Identifier: Apache-2.0
"""What a file is known by: a sum that is noted for good, and a quick one until it is read back."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sums:
    """``sha256``, in hexadecimal, is what `verify` compares with, now and in years.

    ``crc32`` (that of gzip, RFC 1952) tells whether a disk gives back what it was given just now.
    Nobody but a failing disk is to be found out by it, and it costs a sixth.
    """

    sha256: str
    crc32: int


class Summing:
    """Sums of bytes that go by."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._crc32 = 0

    def update(self, data: bytes) -> None:
        self._sha256.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)

    def through(self, data: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, each summed before it goes on."""
        for piece in data:
            self.update(piece)
            yield piece

    @property
    def sums(self) -> Sums:
        """Of what has gone by so far."""
        return Sums(self._sha256.hexdigest(), self._crc32)
