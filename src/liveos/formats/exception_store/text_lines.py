# SPDX-License-Identifier: Apache-2.0
"""The lines of a store's text, which may come from anywhere: in blocks, bounded, numbered."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveos.formats.binary import ByteSource, FormatError

MAX_U64 = (1 << 64) - 1
_MAX_LINE = 2048
_PIECE = 1 << 20
# As `write_text` writes a run whose numbers fit into 63 bits.
_PLAIN_RUN = re.compile(rb'^\{"old":\d{1,18},"new":\d{1,18},"length":\d{1,9}\}$', re.MULTILINE)
_BLANKS = bytes(byte if chr(byte).isdigit() and byte < 128 else 0x20 for byte in range(256))
_SUM = re.compile(r"[0-9a-f]{64}")
_WIDTH = 3  # numbers of a run


@dataclass(frozen=True, slots=True)
class Line:
    """A line and its place, which every complaint names."""

    place: int
    text: bytes

    def wrong(self, what: str) -> FormatError:
        return FormatError(f"line {self.place}: {what}")

    def members(self) -> dict[str, Any]:
        try:
            members = json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise self.wrong(f"not JSON: {error}") from error
        if not isinstance(members, dict):
            raise self.wrong("not an object")
        return members

    def number(self, members: dict[str, Any], name: str, most: int = MAX_U64) -> int:
        value = members.get(name)
        if type(value) is not int or not 0 <= value <= most:
            raise self.wrong(f"{name} must be a whole number from 0 to {most}")
        return value

    def digest(self, members: dict[str, Any]) -> str | None:
        value = members.get("sha256")
        if value is not None and not (isinstance(value, str) and _SUM.fullmatch(value)):
            raise self.wrong("sha256 must be 64 hexadecimal digits or null")
        return value

    def only(self, members: dict[str, Any], *names: str) -> None:
        unknown = members.keys() - set(names)
        if unknown:
            raise self.wrong(f"{min(unknown)!r} is not known here")


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines; ``place`` is the number of the first one."""

    place: int
    text: bytes

    def lines(self) -> Iterator[Line]:
        for place, text in enumerate(self.text.removesuffix(b"\n").split(b"\n"), self.place):
            yield _bounded(Line(place, text))

    def runs(self) -> NDArray[np.uint64] | None:
        """(old, new, length) of each line, if all are runs as `write_text` writes them.

        This is many times quicker than line by line, and most texts are of such blocks.
        """
        lines = self.text.count(b"\n")
        if not self.text.endswith(b"\n") or len(_PLAIN_RUN.findall(self.text)) != lines:
            return None
        numbers = np.fromstring(self.text.translate(_BLANKS), np.uint64, sep=" ")
        return numbers.reshape(-1, _WIDTH)


def blocks(source: ByteSource) -> Iterator[Block]:
    place, rest = 1, b""
    for offset in range(0, source.size, _PIECE):
        piece = rest + source.read_at(offset, min(_PIECE, source.size - offset))
        end = piece.rfind(b"\n") + 1
        whole, rest = piece[:end], piece[end:]
        if whole:
            yield Block(place, whole)
        place += whole.count(b"\n")
        _bounded(Line(place, rest))
    if rest:
        yield Block(place, rest)


def _bounded(line: Line) -> Line:
    if len(line.text) > _MAX_LINE:
        raise line.wrong(f"longer than the {_MAX_LINE} bytes that a line may have")
    return line
