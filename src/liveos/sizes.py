# SPDX-License-Identifier: Apache-2.0
"""Sizes as people write and read them: ``512M``, ``4G``, ``10%``, ``rest``; and back to words.

Units are binary, as in ``truncate``, ``lvcreate`` and ``qemu-img``: K is 1024 bytes. Every size is
an exact number of bytes. ``KB``, ``MB``, ``GB`` are refused, because programs disagree on them.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from liveos.errors import UsageError

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_BYTES = re.compile(r"(\d{1,18}(?:\.\d{1,6})?)([KMGT]?)(?:iB)?", re.ASCII | re.IGNORECASE)
_DECIMAL_UNIT = re.compile(r"(.*\d)([KMGT])B", re.ASCII | re.IGNORECASE)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%", re.ASCII)
_EXAMPLES = "sizes are written like 512M, 4G or 1.5G (binary units)"


@dataclass(frozen=True, slots=True)
class Size:
    """A wish for space: so many bytes, or a share of the whole, or whatever is left.

    Exactly one of ``bytes`` and ``percent`` is set; with neither it is the rest.
    """

    bytes: int | None = None
    percent: Decimal | None = None

    @property
    def is_rest(self) -> bool:
        """Whatever is left when everything else has its place."""
        return self.bytes is None and self.percent is None

    def of(self, whole: int, *, left: int) -> int:
        """This size in bytes, where there are ``whole`` bytes in all and ``left`` are free."""
        if self.bytes is not None:
            return self.bytes
        if self.percent is not None:
            return int(whole * self.percent / 100)
        return left

    def __str__(self) -> str:
        if self.bytes is not None:
            return format_size(self.bytes)
        return "rest" if self.percent is None else f"{self.percent}%"


def parse_bytes(text: str) -> int:
    """A number of bytes from ``512M``, ``4G``, ``1.5GiB`` or plain digits.

    :raises UsageError: it is not a size, not a whole number of bytes, or zero.
    """
    match = _BYTES.fullmatch(text.strip())
    if not match:
        raise UsageError(f"{text!r} is not a size", hint=_advice(text))
    exact = Decimal(match[1]) * _UNITS[match[2].upper()]
    if exact != int(exact):
        raise UsageError(f"{text!r} is not a whole number of bytes", hint=_EXAMPLES)
    if exact == 0:
        raise UsageError(f"{text!r}: a size must be more than nothing", hint=_EXAMPLES)
    return int(exact)


def parse_size(text: str) -> Size:
    """A `Size` from what `parse_bytes` takes, a share such as ``10%``, or the word ``rest``.

    :raises UsageError: it is none of these.
    """
    word = text.strip().lower()
    if word == "rest":
        return Size()
    share = _SHARE.fullmatch(word)
    if not share:
        return Size(bytes=parse_bytes(text))
    percent = Decimal(share[1])
    if not 0 < percent <= 100:
        raise UsageError(f"{text!r} is not a share of the whole", hint="write 1% to 100%")
    return Size(percent=percent)


def format_size(size: int) -> str:
    """For people: at most four digits and a binary unit, such as ``1.6 GiB`` or ``512 MiB``."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1023.95:
            return _with_unit(value, unit)
        value /= 1024
    return _with_unit(value, "TiB")


def counted(number: int, thing: str, things: str | None = None) -> str:
    """A number with its noun: ``1 file``, ``2,000 directories``."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def _with_unit(value: float, unit: str) -> str:
    digits = f"{value:.0f}" if unit == "bytes" or value >= 99.95 else f"{value:.1f}"
    return f"{digits.removesuffix('.0')} {unit}"


def _advice(text: str) -> str:
    decimal = _DECIMAL_UNIT.fullmatch(text.strip())
    if decimal:
        return f"write {decimal[1]}{decimal[2].upper()} (binary); other programs disagree on {text}"
    return _EXAMPLES
