# SPDX-License-Identifier: Apache-2.0
"""Sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.errors import UsageError
from liveos.sizes import counted, format_size, parse_bytes, parse_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("512M", 536870912),
        ("512m", 536870912),
        ("4G", 4294967296),
        ("4GiB", 4294967296),
        ("1.5G", 1610612736),
        (" 8K ", 8192),
        ("2T", 2199023255552),
    ],
)
def test_bytes_are_exact_and_binary(text: str, expected: int) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize(
    ("text", "help_word"),
    [
        ("4GB", "write 4G"),
        ("4 G", "512M"),
        ("", "512M"),
        ("-1G", "512M"),
        ("0", "more than nothing"),
        ("0.3", "whole number"),
        ("1e3", "512M"),
        ("٤G", "512M"),
        ("9" * 40, "512M"),
        ("0%", "1% to 100%"),
        ("101%", "1% to 100%"),
        ("all", "512M"),
    ],
)
def test_what_is_not_a_size_is_refused_with_help(text: str, help_word: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert help_word in f"{caught.value.message} {caught.value.hint}"


def test_shares_and_the_rest() -> None:
    assert parse_size("10%").of(1000, left=7) == 100
    assert parse_size("12.5%").of(1000, left=7) == 125
    assert parse_size("rest").of(1000, left=7) == 7
    assert parse_size("REST").is_rest
    assert parse_size("3").of(1000, left=7) == 3


@given(st.integers(1, 10**17))
def test_digits_are_bytes(number: int) -> None:
    assert parse_bytes(str(number)) == number


@given(st.integers(1, 8000), st.sampled_from("KMGT"))
def test_units_are_powers_of_1024(number: int, unit: str) -> None:
    assert parse_bytes(f"{number}{unit}") == number * 1024 ** ("KMGT".index(unit) + 1)


@given(st.text(max_size=12))
def test_any_text_gives_a_size_or_a_usage_error(text: str) -> None:
    try:
        size = parse_size(text)
    except UsageError:
        return
    assert size.of(10**9, left=10**5) > 0


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1024 * 1024 - 1, "1 MiB"),
        (536870912, "512 MiB"),
        (1717986918, "1.6 GiB"),
        (8 << 30, "8 GiB"),
        (5 << 40, "5 TiB"),
    ],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert format_size(size) == words


@given(st.integers(0, 1 << 50))
def test_words_are_close_to_the_size(size: int) -> None:
    number, unit = format_size(size).split()
    factor = 1024 ** ("bytes", "KiB", "MiB", "GiB", "TiB").index(unit)
    assert float(number) * factor == pytest.approx(size, rel=0.051)


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("file",), "0 files"),
        (1, ("file",), "1 file"),
        (1, ("directory", "directories"), "1 directory"),
        (2000, ("directory", "directories"), "2,000 directories"),
    ],
)
def test_a_number_with_its_noun(number: int, words: tuple[str, ...], text: str) -> None:
    assert counted(number, *words) == text
