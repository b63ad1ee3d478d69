# SPDX-License-Identifier: Apache-2.0
"""How the room beside an image is shared out: overlay, home and swap. Pure arithmetic.

Sizes that are said come first. What is not said takes half of what is then left, or nearly all of
it where nothing comes after; ``rest`` comes last. With an image of 2 GiB and a root of 8 GiB:

=====  =====  =====================  =======================================
stick  room   nothing said           a home, of no size
=====  =====  =====================  =======================================
4 GB   1.3 G  overlay 1.2, free 0.1  overlay 0.6, home 0.6, free 0.0
8 GB   4.6 G  overlay 4.3, free 0.3  overlay 2.3, home 2.1, free 0.1
16 GB  12 G   overlay 8.0, free 3.6  overlay 5.8, home 5.5, free 0.4
64 GB  56 G   overlay 8.0, free 48   overlay 8.0, home 45, free 3.0
=====  =====  =====================  =======================================

A snapshot store larger than its root would never fill; what it leaves is for further images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import Enum
from typing import Final

from liveos.errors import NoSpaceError, UsageError
from liveos.host.luks import HEADER_SIZE
from liveos.sizes import Size, format_size

_MIB = 1 << 20
_GIB = 1 << 30
LEAST_OVERLAY = 16 * _MIB
"""Less would be full before the system has started."""
LEAST_HOME = 32 * _MIB
"""For the filesystem; an encrypted one has a header of its own before it."""
LEAST_SWAP = _MIB
# Beside a home, an overlay holds programs and settings; more is better given to the home.
_OVERLAY_BESIDE_HOME = 8 * _GIB
# What stays free of the room that sizes chosen here may take: 1/16, within these bounds.
_SPARE_PART = 16
_LEAST_SPARE = 4 * _MIB
_MOST_SPARE = 4 * _GIB


class Unsaid(Enum):
    """A piece is wished, and nobody said of what size."""

    AUTO = "auto"


AUTO: Final = Unsaid.AUTO
Wish = Size | Unsaid | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What shall have room; None is not wished at all.

    ``shared`` says that the overlay is a directory: its share is not taken by a file but left
    free. ``encrypted`` is about the home. ``overlay_most`` is the size beyond which the store
    could never fill, in bytes; it does not bound a size in bytes.
    """

    overlay: Wish = AUTO
    home: Wish = None
    swap: Wish = None
    shared: bool = False
    encrypted: bool = False
    overlay_most: int | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """Bytes of each file, and what none of them takes; None for what is not wished or ``shared``.

    Sizes in bytes are met exactly, all others are whole MiB.
    """

    overlay: int | None
    home: int | None
    swap: int | None
    free: int
    notes: tuple[str, ...] = ()


def share_out(room: int, wishes: Wishes, *, largest_file: int | None = None) -> Shares:
    """Divide ``room`` bytes, which are free on LIVE beside the image. Percents are of the room.

    ``largest_file`` is what the filesystem allows, in bytes: 4 GiB less one on FAT.

    :raises NoSpaceError: it does not fit, or is too small to be of use; says how much is needed.
    :raises UsageError: no room whatever could be divided like this.
    """
    room = max(0, room)
    pieces = tuple(_pieces(wishes, largest_file))
    least = _least_room(pieces)
    for piece in pieces:
        _check_exact(piece)
    if room < least:
        raise NoSpaceError(
            f"{format_size(room)} are free beside the image: too little for"
            f" {' and '.join(map(str, pieces))}",
            hint=f"{_mebibytes(least)}M must be free: choose a larger target, or less",
        )
    sizes = {piece.name: _said(piece, room) for piece in pieces if not piece.is_open}
    sizes |= _divide(pieces, room - sum(sizes.values()))
    return _shares(room, wishes, pieces, sizes)


def least_room(wishes: Wishes) -> int:
    """The bytes beside the image with which `share_out` can meet these wishes.

    :raises UsageError: no room whatever could be divided like this.
    """
    return _least_room(tuple(_pieces(wishes, None)))


_OVERLAY, _HOME, _SWAP = "overlay", "home", "swap"
_WITH_ARTICLE = {_OVERLAY: "an overlay", _HOME: "a home", _SWAP: "swap"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A wish with the bounds of its kind, in bytes."""

    name: str
    wish: Size | Unsaid
    least: int
    most: int | None
    largest: int | None

    @property
    def exact(self) -> int | None:
        return self.wish.bytes if isinstance(self.wish, Size) else None

    @property
    def percent(self) -> Decimal | None:
        return self.wish.percent if isinstance(self.wish, Size) else None

    @property
    def is_rest(self) -> bool:
        return isinstance(self.wish, Size) and self.wish.is_rest

    @property
    def is_open(self) -> bool:
        """Nobody said a number."""
        return self.wish is AUTO or self.is_rest

    @property
    def limit(self) -> int | None:
        """What a size that is not exact may be at most."""
        return min((each for each in (self.most, self.largest) if each is not None), default=None)

    def limited(self, size: int) -> int:
        """In whole MiB, within the limit."""
        return (size if self.limit is None else min(size, self.limit)) // _MIB * _MIB

    def __str__(self) -> str:
        words = _WITH_ARTICLE[self.name]
        if self.exact is not None:
            return f"{words} of {format_size(self.exact)}"
        if self.percent is not None:
            return f"{words} of {self.wish} (at least {format_size(self.least)})"
        return f"{words} of at least {format_size(self.least)}"


def _pieces(wishes: Wishes, largest: int | None) -> Iterator[_Piece]:
    if wishes.overlay is not None:
        limits = (None, None) if wishes.shared else (wishes.overlay_most, largest)
        yield _Piece(_OVERLAY, wishes.overlay, LEAST_OVERLAY, *limits)
    if wishes.home is not None:
        least = LEAST_HOME + (HEADER_SIZE if wishes.encrypted else 0)
        yield _Piece(_HOME, wishes.home, least, None, largest)
    if wishes.swap is not None:
        yield _Piece(_SWAP, wishes.swap, LEAST_SWAP, None, largest)


def _least_room(pieces: Sequence[_Piece]) -> int:
    percent = sum((piece.percent or Decimal(0) for piece in pieces), Decimal(0))
    others = sum(piece.exact or piece.least for piece in pieces if piece.percent is None)
    if percent > 100 or (percent == 100 and others):
        raise UsageError(
            f"shares of {percent}% leave nothing for the rest of {' and '.join(map(str, pieces))}",
            hint="choose smaller shares",
        )
    if sum(piece.is_rest for piece in pieces) > 1:
        raise UsageError("only one can take the rest", hint="give the others a size or a share")
    needs = [_ceiling(piece.least * 100 / piece.percent) for piece in pieces if piece.percent]
    if others:
        needs.append(_ceiling(others * 100 / (100 - percent)))
    return max(needs, default=0)


def _check_exact(piece: _Piece) -> None:
    """What can be said against a size whatever the room is."""
    if piece.exact is None:
        return
    if piece.exact < piece.least:
        raise NoSpaceError(
            f"{piece} is too small to be of use", hint=f"the least is {_mebibytes(piece.least)}M"
        )
    if piece.largest is not None and piece.exact > piece.largest:
        raise NoSpaceError(
            f"{piece} would be one file, and the filesystem of LIVE takes files of up to"
            f" {piece.largest} bytes",
            hint=f"the largest that is possible there is {piece.largest // _MIB}M;"
            " on ext4 there is no such limit",
        )


def _said(piece: _Piece, room: int) -> int:
    """The bytes of a wish with a number in it."""
    if piece.exact is not None:
        return piece.exact
    assert piece.percent is not None
    return piece.limited(int(room * piece.percent / 100))


def _divide(pieces: Sequence[_Piece], left: int) -> dict[str, int]:
    """Sizes for wishes without a number: those not said first, the rest last."""
    waiting = sorted((piece for piece in pieces if piece.is_open), key=lambda each: each.is_rest)
    sizes = {}
    while waiting:
        piece, *waiting = waiting
        kept = sum(other.least for other in waiting)
        wanted = _beside_others(piece, left) if waiting else left - _spare(piece, left)
        sizes[piece.name] = piece.limited(max(piece.least, min(wanted, left - kept)))
        left -= sizes[piece.name]
    return sizes


def _beside_others(piece: _Piece, left: int) -> int:
    half = left // _MIB // 2 * _MIB
    return min(half, _OVERLAY_BESIDE_HOME) if piece.name == _OVERLAY else half


def _spare(piece: _Piece, left: int) -> int:
    if piece.is_rest:
        return 0
    return min(max(left // _SPARE_PART, _LEAST_SPARE), _MOST_SPARE)


def _shares(room: int, wishes: Wishes, pieces: Sequence[_Piece], sizes: dict[str, int]) -> Shares:
    overlay = None if wishes.shared else sizes.get(_OVERLAY)
    home, swap = sizes.get(_HOME), sizes.get(_SWAP)
    free = room - sum(size or 0 for size in (overlay, home, swap))
    notes = list(_notes(pieces, sizes))
    if wishes.shared and wishes.overlay is not None:
        notes.append(f"changes share the {format_size(free)} that are free on LIVE")
    elif free >= _MIB:
        notes.append(f"{format_size(free)} stay free on LIVE")
    return Shares(overlay, home, swap, free, tuple(notes))


def _notes(pieces: Sequence[_Piece], sizes: dict[str, int]) -> Iterator[str]:
    """What a wish did not get because nobody could use it."""
    for piece in pieces:
        size, limit = sizes[piece.name], piece.limit
        if piece.exact is not None or limit is None or size < limit // _MIB * _MIB:
            continue
        if limit == piece.most:
            why = "more could never be used"
        else:
            why = "the filesystem of LIVE takes no larger file"
        yield f"{piece.name} limited to {format_size(size)}: {why}"


def _mebibytes(size: int) -> int:
    return -(-size // _MIB)


def _ceiling(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_CEILING))
