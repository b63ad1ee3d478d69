# SPDX-License-Identifier: Apache-2.0
"""cpio archives in the "new ASCII" format, as an initramfs has them: several in a row, padded.

Documentation/driver-api/early-userspace/buffer-format.rst of the kernel is the specification.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from liveos.formats.binary import FormatError
from liveos.formats.compression.streams import Stream

MAGICS = (b"070701", b"070702")
_TRAILER = "TRAILER!!!"
_HEADER_SIZE = 110
_NUMBERS = struct.Struct(">13I")
_LONGEST_NAME = 4096  # PATH_MAX, with its final NUL
_MOST_PADDING = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive; the name has no leading ``./`` or ``/``."""

    name: str
    mode: int
    size: int


class CpioReader:
    """Members of all archives in a row, up to the first byte that belongs to none.

    Contents are skipped unless `read` asks for them. Afterwards the stream stands at what follows,
    which in an initramfs may be a compressed archive.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        while self._find_archive():
            while (member := self._next()).name != _TRAILER:
                yield member
            self._finish_member()

    def read(self, most: int) -> bytes:
        """The next bytes of the member that the iteration gave last, ``most`` at a time.

        :raises FormatError: the archive ends within them.
        """
        wanted = min(most, self._left)
        data = self._stream.read(wanted)
        if len(data) < wanted:
            raise FormatError("a cpio archive ends within a file")
        self._left -= wanted
        return data

    def _find_archive(self) -> bool:
        """Skip zeros; True when an archive comes next."""
        for _ in range(0, _MOST_PADDING, 4):
            if self._stream.peek(4) != bytes(4):
                break
            self._stream.skip(4)
        return self._stream.peek(len(MAGICS[0])) in MAGICS

    def _next(self) -> Member:
        self._finish_member()
        header = self._stream.read(_HEADER_SIZE)
        if header[:6] not in MAGICS:
            raise FormatError("no cpio header where the next one should be")
        _inode, mode, _uid, _gid, _links, _mtime, size, *_, name_size, _sum = _numbers(header[6:])
        if not 0 < name_size <= _LONGEST_NAME:
            raise FormatError(f"a cpio name of {name_size} bytes")
        name = self._stream.read(name_size)
        if len(name) < name_size or name[-1:] != b"\0":
            raise FormatError("a cpio archive ends within a name")
        self._stream.skip(-(_HEADER_SIZE + name_size) % 4)
        self._left, self._padding = size, -size % 4
        text = name[:-1].decode("utf-8", "surrogateescape")
        return Member(text.removeprefix("./").lstrip("/"), mode, size)

    def _finish_member(self) -> None:
        self._stream.skip(self._left + self._padding)
        self._left = self._padding = 0


def _numbers(text: bytes) -> tuple[int, ...]:
    """The thirteen numbers of a header, eight hexadecimal digits each."""
    try:
        return _NUMBERS.unpack(bytes.fromhex(text.decode("ascii")))
    except (ValueError, struct.error) as error:
        raise FormatError("a cpio header is not hexadecimal") from error
