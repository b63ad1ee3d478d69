# SPDX-License-Identifier: Apache-2.0
"""What the readers of all menu languages share: limits, paths and the words of a kernel line."""

import posixpath
import re
from collections.abc import Callable, Iterable

# A menu of a real medium has less than 100 lines; these bounds only stop hostile ones.
MOST_TEXT = 1 << 18
MOST_LINES = 20_000
MOST_ENTRIES = 1000
MOST_FILES = 64
MOST_DEPTH = 32

ReadMenu = Callable[[str], str | None]
"""Gives the text of another menu file by its path on the medium, or None."""

KERNEL_WORD = re.compile(r'(?:"[^"]*"?|[^\s"])+')
"""A word of a kernel line; double quotes in it keep blanks together."""
_DEVICE = re.compile(r"^\([^)]*\)")


def read_nothing(_path: str) -> None:
    """A `ReadMenu` for a menu that stands alone."""


def decode(data: bytes) -> str:
    """Menu text as the loaders take it: UTF-8, with what is not shown as replaced."""
    return data[:MOST_TEXT].decode("utf-8", "replace").replace("\r\n", "\n")


def kernel_words(text: str) -> list[str]:
    """The words of a kernel line. Double quotes keep blanks together, and are taken off."""
    return [word.replace('"', "") for word in KERNEL_WORD.findall(text)]


def kernel_line(words: Iterable[str]) -> str:
    """The opposite of `kernel_words`: words with blanks get their quotes back."""
    return " ".join(f'"{word}"' if re.search(r"\s", word) else word for word in words)


def medium_path(path: str, directory: str = "/") -> str:
    """An absolute path on the medium: relative ones start in ``directory``.

    A loader's device prefix, as in ``(hd0,1)/vmlinuz`` or ``($root)/vmlinuz``, is taken off, and
    ``..`` ends at the root.
    """
    path = _DEVICE.sub("", path)
    return posixpath.normpath("/" + posixpath.join(directory.strip("/"), path).strip("/"))
