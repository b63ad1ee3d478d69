# SPDX-License-Identifier: Apache-2.0
"""Headers of swap space, against one that mkswap of util-linux 2.38 made."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.swap import LEAST_SIZE, PAGE, SwapHeader, read_swap

SIZE = 1 << 20
UUID_ = UUID("1b4e28ba-2fa1-11d2-883f-0016d3cca427")
# mkswap -U 1b4e28ba-2fa1-11d2-883f-0016d3cca427 -L SWAP on a file of 1 MiB; all else is zero.
BY_MKSWAP = {
    1024: bytes.fromhex("01000000 ff000000 00000000"),
    1036: bytes.fromhex("1b4e28ba2fa111d2883f0016d3cca427"),
    1052: b"SWAP",
    4086: b"SWAPSPACE2",
}


def by_mkswap() -> bytearray:
    page = bytearray(PAGE)
    for offset, data in BY_MKSWAP.items():
        page[offset : offset + len(data)] = data
    return page


def whole(page: bytes, size: int = SIZE) -> MemorySource:
    return MemorySource(bytes(page).ljust(size, b"\0"))


def test_as_mkswap_makes_it() -> None:
    assert SwapHeader(SIZE, UUID_, "SWAP").pack() == by_mkswap()


def test_what_mkswap_made_is_read() -> None:
    assert read_swap(whole(bytes(by_mkswap()))) == SwapHeader(SIZE, UUID_, "SWAP")


@given(st.integers(10, 1 << 32), st.uuids(), st.text("abcdefgh", max_size=16))
def test_what_is_packed_is_read_again(pages: int, uuid: UUID, label: str) -> None:
    header = SwapHeader(pages * PAGE, uuid, label)

    class Endless(MemorySource):
        size = pages * PAGE

    assert read_swap(Endless(header.pack() + bytes(PAGE))) == header


@pytest.mark.parametrize("size", [0, LEAST_SIZE - PAGE, LEAST_SIZE + 1, (1 << 32) * PAGE + PAGE])
def test_sizes_that_cannot_be(size: int) -> None:
    with pytest.raises(FormatError, match="no swap space of"):
        SwapHeader(size, UUID_).pack()


def test_a_label_that_does_not_fit() -> None:
    with pytest.raises(FormatError, match="label"):
        SwapHeader(SIZE, UUID_, "x" * 17).pack()


@pytest.mark.parametrize(
    ("offset", "data", "size", "words"),
    [
        (4086, b"SWAP-SPACE", SIZE, "no swap space"),  # of the kernels before 2.2
        (1024, b"\2", SIZE, "version 2"),
        (1028, b"\1\0", SIZE, "too few"),
        (1028, b"\0\1", SIZE, "there are 1048576"),  # one page more than there is
        (0, b"", PAGE - 1, "outside"),
    ],
)
def test_what_the_kernel_would_refuse(offset: int, data: bytes, size: int, words: str) -> None:
    page = by_mkswap()
    page[offset : offset + len(data)] = data
    source = MemorySource(bytes(page[:size])) if size < PAGE else whole(bytes(page), size)
    with pytest.raises(FormatError, match=words):
        read_swap(source)


@given(st.binary(max_size=2 * PAGE), st.booleans())
def test_any_bytes(data: bytes, magic: bool) -> None:
    if magic:
        data = data.ljust(PAGE - 10, b"\0")[: PAGE - 10] + b"SWAPSPACE2" + data[:PAGE]
    try:
        found = read_swap(MemorySource(data))
    except FormatError:
        return
    assert found.size <= len(data)
