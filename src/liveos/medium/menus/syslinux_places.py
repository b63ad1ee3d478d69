# SPDX-License-Identifier: Apache-2.0
"""Where in the text of a SYSLINUX menu the words for each kernel stand.

For whoever changes a menu: what is not theirs to change keeps every byte. The rules are those of
``doc/syslinux.txt``: one directive per line, ``append`` before or after the kernel of its label.
"""

import re
from collections.abc import Iterator

from liveos.medium.menus.grub_places import KernelLine, PlacedWord
from liveos.medium.menus.text import KERNEL_WORD

_DIRECTIVE = re.compile(r"[ \t]*(?P<keyword>\S+)[ \t]*(?P<rest>[^\r\n]*)")
_HELP = re.compile(r"text\s+help", re.IGNORECASE)


def append_lines(text: str) -> tuple[KernelLine, ...]:
    """The words of each ``append`` inside a label, in order.

    The ``kernel`` of each is the keyword itself; words that are not the kernel's, such as
    ``initrd=``, are among the others. Double quotes around blanks are taken off.
    """
    return tuple(_lines(text))


def _lines(text: str) -> Iterator[KernelLine]:
    in_help = in_label = False
    start = 0
    for line in text.splitlines(keepends=True):
        found = _DIRECTIVE.match(line)
        keyword = found["keyword"].lower() if found else ""
        in_help = (in_help or bool(_HELP.match(line.strip()))) and keyword != "endtext"
        if found and not in_help:
            in_label = keyword == "label" or (in_label and not _ends_label(line))
            if keyword == "append" and in_label:
                yield _line(text, start, found)
        start += len(line)


def _ends_label(line: str) -> bool:
    """``menu begin`` and ``menu end`` stand between labels."""
    return line.lower().split()[:2] in (["menu", "begin"], ["menu", "end"])


def _line(text: str, start: int, found: re.Match[str]) -> KernelLine:
    keyword = PlacedWord("append", start + found.start("keyword"), start + found.end("keyword"))
    first, last = start + found.start("rest"), start + found.end("rest")
    words = tuple(
        PlacedWord(word[0].replace('"', ""), word.start(), word.end())
        for word in KERNEL_WORD.finditer(text, first, last)
    )
    return KernelLine("append", keyword, words)
