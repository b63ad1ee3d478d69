# SPDX-License-Identifier: Apache-2.0
"""Where in the text of a GRUB menu its entries and their kernel lines stand.

For whoever changes a menu: what is not theirs to change keeps every byte.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from liveos.medium.menus.grub_script import Placed, Word, tokens

_KERNEL_VERBS = frozenset({"linux", "linuxefi"})
_INITRD_VERBS = frozenset({"initrd", "initrdefi"})
# After these a command begins, without an operator between.
_KEYWORDS = frozenset({"if", "then", "elif", "else", "while", "until", "do", "!"})


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word as GRUB sees it, variables as they are written, and where it stands in the text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class KernelLine:
    """A command that loads a kernel: its verb, the kernel's file, and the words behind that."""

    verb: str
    kernel: PlacedWord
    words: tuple[PlacedWord, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """What the kernel is told."""
        return tuple(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class EntryBlock:
    """A ``menuentry`` with its block, from the beginning of its line to the end of its last one."""

    title: str
    start: int
    end: int
    lines: tuple[KernelLine, ...]
    initrds: tuple[str, ...]


@dataclass(slots=True)
class _Open:
    """A block that has not ended yet; of an entry if ``title`` is not None."""

    title: str | None
    start: int
    lines: list[KernelLine] = field(default_factory=list)
    initrds: list[str] = field(default_factory=list)


def entry_blocks(text: str) -> tuple[EntryBlock, ...]:
    """The entries of a menu in order, those in submenus among them."""
    return tuple(_blocks(text))


def kernel_lines(text: str) -> tuple[KernelLine, ...]:
    """Every command of the menu that loads a kernel, in order."""
    commands = (_kernel_line(words) for words, _ in _commands(text))
    return tuple(line for line in commands if line is not None)


def _blocks(text: str) -> Iterator[EntryBlock]:
    opened: list[_Open] = []
    for words, end in _commands(text):
        _note(words, opened)
        if end is not None and end.content == "{":
            is_entry = bool(words) and words[0].text == "menuentry"
            start = text.rfind("\n", 0, words[0].start) + 1 if words else end.start
            title = words[1].text if len(words) > 1 else ""
            opened.append(_Open(title if is_entry else None, start))
        elif end is not None and end.content == "}" and opened:
            block = opened.pop()
            if block.title is not None:
                stop = _after_line(text, end.end)
                lines, initrds = tuple(block.lines), tuple(dict.fromkeys(block.initrds))
                yield EntryBlock(block.title, block.start, stop, lines, initrds)


def _note(words: list[PlacedWord], opened: list[_Open]) -> None:
    """What a command means for the entry that it stands in."""
    entry = next((block for block in reversed(opened) if block.title is not None), None)
    if entry is None:
        return
    line = _kernel_line(words)
    if line is not None:
        entry.lines.append(line)
    elif words and words[0].text in _INITRD_VERBS:
        entry.initrds += (word.text for word in words[1:])


def _after_line(text: str, position: int) -> int:
    """Behind the line's end, if nothing else stands in it."""
    end = text.find("\n", position)
    if end < 0:
        return len(text) if not text[position:].strip() else position
    return end + 1 if not text[position:end].strip() else position


def _kernel_line(words: list[PlacedWord]) -> KernelLine | None:
    if not words or words[0].text not in _KERNEL_VERBS:
        return None
    # Options such as --nounzip belong to the command.
    files = [place for place, word in enumerate(words[1:], 1) if not word.text.startswith("--")]
    if not files:
        return None
    kernel = files[0]
    return KernelLine(words[0].text, words[kernel], tuple(words[kernel + 1 :]))


def _commands(text: str) -> Iterator[tuple[list[PlacedWord], Placed | None]]:
    """The words of each simple command, and the operator that ends it."""
    words: list[PlacedWord] = []
    for each in tokens(text):
        if isinstance(each.content, Word):
            if words or each.content.quoted or str(each.content) not in _KEYWORDS:
                words.append(PlacedWord(str(each.content), each.start, each.end))
        else:
            yield words, each
            words = []
    yield words, None
