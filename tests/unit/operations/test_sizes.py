# SPDX-License-Identifier: Apache-2.0
"""How the room beside an image is shared out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.errors import NoSpaceError, UsageError
from liveos.host.volumes import ext4_capacity
from liveos.operations.install.layout import Identities, lay_out
from liveos.operations.install.sizes import (
    AUTO,
    LEAST_HOME,
    LEAST_OVERLAY,
    LEAST_SWAP,
    Shares,
    Wish,
    Wishes,
    least_room,
    share_out,
)
from liveos.sizes import Size, parse_size

MIB, GIB = 1 << 20, 1 << 30
FAT = (1 << 32) - 1


def files(shares: Shares) -> list[int]:
    return [size for size in (shares.overlay, shares.home, shares.swap) if size is not None]


exact = st.integers(1 * MIB, 8 * GIB).map(lambda size: Size(bytes=size))
percent = st.decimals(Decimal(1), Decimal(60), places=3, allow_nan=False, allow_infinity=False).map(
    lambda share: Size(percent=share)
)
wish: st.SearchStrategy[Wish] = st.one_of(st.none(), st.just(AUTO), st.just(Size()), exact, percent)
wishes = st.builds(
    Wishes,
    overlay=wish,
    home=wish,
    swap=wish,
    shared=st.booleans(),
    encrypted=st.booleans(),
    overlay_most=st.none() | st.integers(LEAST_OVERLAY, 20 * GIB),
)


def can_be_met(wished: Wishes) -> bool:
    """By some room."""
    try:
        share_out(least_room(wished), wished)
    except (NoSpaceError, UsageError):
        return False
    return True


@st.composite
def cases(draw: st.DrawFn, wished: st.SearchStrategy[Wishes] = wishes) -> tuple[int, Wishes]:
    """Wishes, and a room where they can be met."""
    chosen = draw(wished.filter(can_be_met))
    return least_room(chosen) + draw(st.integers(0, 40 * GIB)), chosen


@given(cases())
def test_shares_never_exceed_the_room(case: tuple[int, Wishes]) -> None:
    room, wished = case
    shares = share_out(room, wished)
    assert sum(files(shares)) + shares.free == room
    assert shares.free >= 0


@given(cases())
def test_no_file_is_larger_than_the_filesystem_allows(case: tuple[int, Wishes]) -> None:
    room, wished = case
    said = [each.bytes or 0 for each in (wished.home, wished.swap) if isinstance(each, Size)]
    if not wished.shared and isinstance(wished.overlay, Size):
        said.append(wished.overlay.bytes or 0)
    if max(said, default=0) > FAT:
        with pytest.raises(NoSpaceError, match="4294967295"):
            share_out(room, wished, largest_file=FAT)
    else:
        assert max(files(share_out(room, wished, largest_file=FAT)), default=0) <= FAT


@given(cases())
def test_every_share_is_of_use(case: tuple[int, Wishes]) -> None:
    room, wished = case
    shares = share_out(room, wished)
    assert shares.overlay is None or shares.overlay >= LEAST_OVERLAY
    # The header of LUKS2 has 16 MiB (cryptsetup(8), luksFormat).
    assert shares.home is None or shares.home >= LEAST_HOME + (16 * MIB if wished.encrypted else 0)
    assert shares.swap is None or shares.swap >= LEAST_SWAP


@given(cases())
def test_exact_sizes_are_exact_and_the_others_whole_mebibytes(case: tuple[int, Wishes]) -> None:
    room, wished = case
    shares = share_out(room, wished)
    pairs = ((wished.overlay, shares.overlay), (wished.home, shares.home))
    for said, size in (*pairs, (wished.swap, shares.swap)):
        if said is None:
            assert size is None
        elif size is not None and isinstance(said, Size) and said.bytes is not None:
            assert size == said.bytes
        elif size is not None:
            assert size % MIB == 0


@given(wishes.filter(can_be_met))
def test_less_than_the_least_room_is_too_little(wished: Wishes) -> None:
    least = least_room(wished)
    if least == 0:
        return
    with pytest.raises(NoSpaceError) as error:
        share_out(least - 1, wished)
    assert f"{-(-least // MIB)}M must be free" in (error.value.hint or "")


@given(cases(), st.integers(0, 20 * GIB))
def test_more_room_makes_nothing_smaller(case: tuple[int, Wishes], more: int) -> None:
    room, wished = case
    before, after = share_out(room, wished), share_out(room + more, wished)
    # Two shares in percent may both reach their next MiB at once, at the cost of the third.
    pairs = zip(files(before), files(after), strict=True)
    assert all(larger >= smaller - 2 * MIB for smaller, larger in pairs)


with_rest = st.builds(
    Wishes, overlay=exact | st.just(AUTO), home=st.just(Size()), swap=exact | percent
)


@given(cases(with_rest))
def test_the_rest_is_all_that_is_left(case: tuple[int, Wishes]) -> None:
    room, wished = case
    assert share_out(room, wished).free < MIB


@given(st.integers(300 * MIB, 40 * GIB), st.integers(20, 60))
def test_percents_are_of_the_room(room: int, number: int) -> None:
    shares = share_out(room, Wishes(overlay=Size(bytes=50 * MIB), home=parse_size(f"{number}%")))
    assert shares.home == room * number // 100 // MIB * MIB


def _room(stick: int, image: int = 2 * GIB) -> int:
    layout = lay_out(stick * 10**9, 150 * MIB, Identities.random())
    assert layout is not None
    return ext4_capacity(layout.live.size) - image


@pytest.mark.parametrize(
    ("stick", "room", "alone", "beside"),
    [
        # The table of the module; room, (overlay, free), (overlay, home, free), all in GiB.
        (4, 1.3, (1.2, 0.1), (0.6, 0.6, 0.0)),
        (8, 4.6, (4.3, 0.3), (2.3, 2.1, 0.1)),
        (16, 11.6, (8.0, 3.6), (5.8, 5.5, 0.4)),
        (64, 55.6, (8.0, 47.6), (8.0, 44.6, 3.0)),
    ],
)
def test_sticks_of_the_shops(
    stick: int,
    room: float,
    alone: tuple[float, float],
    beside: tuple[float, float, float],
) -> None:
    free = _room(stick)
    assert free / GIB == pytest.approx(room, abs=0.06)
    shares = share_out(free, Wishes(overlay_most=8 * GIB))
    assert _gib(shares.overlay, shares.free) == pytest.approx(alone, abs=0.06)
    assert shares.home is None
    shares = share_out(free, Wishes(home=AUTO, overlay_most=8 * GIB))
    assert _gib(shares.overlay, shares.home, shares.free) == pytest.approx(beside, abs=0.06)


def _gib(*sizes: int | None) -> tuple[float, ...]:
    return tuple((size or 0) / GIB for size in sizes)


def test_a_directory_overlay_is_what_stays_free() -> None:
    shares = share_out(4 * GIB, Wishes(home=AUTO, shared=True))
    assert shares.overlay is None
    assert shares.home is not None
    assert shares.free == 4 * GIB - shares.home >= 2 * GIB
    assert shares.notes == ("changes share the 2.1 GiB that are free on LIVE",)


def test_a_directory_overlay_can_ask_for_room_that_stays_free() -> None:
    shares = share_out(
        4 * GIB, Wishes(overlay=Size(bytes=3 * GIB), home=Size(), shared=True), largest_file=FAT
    )
    assert (shares.overlay, shares.home, shares.free) == (None, GIB, 3 * GIB)


def test_what_does_not_fit_is_named_with_figures_and_the_least() -> None:
    wished = Wishes(overlay=Size(bytes=4 * GIB), home=parse_size("2G"), swap=parse_size("512M"))
    with pytest.raises(NoSpaceError) as error:
        share_out(5 * GIB, wished)
    assert error.value.message == (
        "5 GiB are free beside the image: too little for an overlay of 4 GiB and a home of 2 GiB"
        " and swap of 512 MiB"
    )
    assert error.value.hint == "6656M must be free: choose a larger target, or less"


def test_a_file_that_fat_cannot_hold_is_refused_before_anything() -> None:
    with pytest.raises(NoSpaceError) as error:
        share_out(9 * GIB, Wishes(overlay=AUTO, home=parse_size("4G")), largest_file=FAT)
    assert "4294967295 bytes" in error.value.message
    assert "4095M" in (error.value.hint or "")


def test_what_was_not_said_exactly_keeps_to_the_limits_and_says_so() -> None:
    shares = share_out(9 * GIB, Wishes(overlay=None, home=Size()), largest_file=FAT)
    assert shares.home == 4095 * MIB
    assert shares.notes[0] == ("home limited to 4 GiB: the filesystem of LIVE takes no larger file")
    shares = share_out(9 * GIB, Wishes(overlay=Size(), overlay_most=GIB))
    assert shares.overlay == GIB
    assert shares.notes == (
        "overlay limited to 1 GiB: more could never be used",
        "8 GiB stay free on LIVE",
    )


@pytest.mark.parametrize(
    ("wished", "word"),
    [
        (Wishes(overlay=Size(), home=Size()), "only one can take the rest"),
        (Wishes(overlay=parse_size("60%"), home=parse_size("41%")), "101%"),
        (Wishes(overlay=parse_size("100%"), swap=parse_size("1M")), "100%"),
    ],
)
def test_what_no_room_could_hold_is_a_matter_of_usage(wished: Wishes, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        share_out(100 * GIB, wished)


@pytest.mark.parametrize(
    ("wished", "least"),
    [
        (Wishes(overlay=parse_size("8M")), "16M"),
        (Wishes(home=parse_size("40M"), encrypted=True), "48M"),
        (Wishes(swap=parse_size("64K")), "1M"),
    ],
)
def test_a_size_that_is_of_no_use_is_refused(wished: Wishes, least: str) -> None:
    with pytest.raises(NoSpaceError, match="too small") as error:
        share_out(100 * GIB, wished)
    assert error.value.hint == f"the least is {least}"
