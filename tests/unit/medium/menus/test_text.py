# SPDX-License-Identifier: Apache-2.0
"""Words of kernel lines and paths on a medium."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.medium.menus.text import decode, kernel_line, kernel_words, medium_path

WORDS = st.text("ab =:/\\x20", min_size=1).filter(lambda word: word.strip() == word)


@given(st.lists(WORDS))
def test_words_survive_a_line(words: list[str]) -> None:
    assert kernel_words(kernel_line(words)) == words


@pytest.mark.parametrize(
    ("path", "directory", "expected"),
    [
        ("vmlinuz", "/isolinux", "/isolinux/vmlinuz"),
        ("/vmlinuz", "/isolinux", "/vmlinuz"),
        ("(hd0,gpt1)/a/k", "/", "/a/k"),
        ("($root)/a//k", "/", "/a/k"),
        ("()/a/./k", "/", "/a/k"),
        ("../../k", "/isolinux", "/k"),
        ("", "/isolinux", "/isolinux"),
    ],
)
def test_paths(path: str, directory: str, expected: str) -> None:
    assert medium_path(path, directory) == expected


@given(st.text("a./()", max_size=20), st.sampled_from(["/", "/isolinux", "", "/a/b"]))
def test_no_path_leaves_the_medium(path: str, directory: str) -> None:
    found = medium_path(path, directory)
    assert found.startswith("/")
    assert not found.startswith("//")
    assert ".." not in found.split("/")


def test_any_bytes_are_text() -> None:
    assert decode(b"a\r\n\xff\0") == "a\n\ufffd\0"
