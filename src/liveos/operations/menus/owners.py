# SPDX-License-Identifier: Apache-2.0
"""New texts for boot menus that another program made: other words on lines, and nothing else.

A new text is taken only if its entries are the old ones but for those words: what the readers of
`medium.menus` see is the proof.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from liveos.errors import UnsupportedError
from liveos.medium.bootline import boot_options
from liveos.medium.installed import Installed
from liveos.medium.menus.grub_places import KernelLine
from liveos.medium.owners_menus import OwnersMenu, OwnersMenus
from liveos.operations.menus.change import rewritten
from liveos.operations.menus.text import quote
from liveos.operations.steps.menus import ReplaceMenu

OVERLAY_WORDS = frozenset(
    {
        "rd.live.overlay", "rd.overlay", "overlay", "rd.live.overlay.overlayfs",
        "rd.live.overlay.reset", "rd.overlay.reset", "reset_overlay",
        "rd.live.overlay.readonly", "rd.overlay.readonly", "readonly_overlay",
        "rd.live.overlay.nouserconfirmprompt",
    }
)  # fmt: skip
"""Names of the words that say where the overlay is, and how it is used."""

_NAMES_OF_STORES = frozenset({"rd.live.overlay", "rd.overlay", "overlay"})
LONGEST = 2047
"""Bytes that SYSLINUX and the kernels of its years take (doc/syslinux.txt, x86 boot protocol)."""


@dataclass(frozen=True, slots=True)
class Words:
    """What becomes of a line: words that ``drop`` wants gone go, those of ``add`` come last.

    Lines whose words ``only`` does not accept stay as they are.
    """

    add: tuple[str, ...] = ()
    drop: Callable[[str], bool] = lambda _: False
    only: Callable[[tuple[str, ...]], bool] = lambda _: True

    def of(self, options: tuple[str, ...]) -> tuple[str, ...]:
        """The words of a line afterwards."""
        if not self.only(options):
            return options
        kept = tuple(word for word in options if not self.drop(word))
        return (*kept, *(word for word in self.add if word not in kept))


def overlay_words(installed: Installed) -> tuple[str, ...]:
    """The words by which an initramfs finds and uses the overlay of an image."""
    return tuple(word for word in boot_options((), installed) if is_overlay_word(word))


def is_overlay_word(word: str) -> bool:
    """Whether a word says where the overlay is, or how it is used."""
    return word.partition("=")[0] in OVERLAY_WORDS


def remembering(menus: OwnersMenus, installed: Installed) -> tuple[ReplaceMenu, ...]:
    """The steps after which each menu uses the overlay; with ``installed.overlay`` None, none does.

    A menu of which an entry has one already keeps what it says: which of its entries remember is
    its owner's choice.
    """
    words = Words(overlay_words(installed), is_overlay_word)
    files = [
        file
        for file in menus.files
        if installed.overlay is None or not any(map(_names_store, file.lines))
    ]
    return changed(replace(menus, files=tuple(files)), words)


def changed(menus: OwnersMenus, words: Words) -> tuple[ReplaceMenu, ...]:
    """The steps by which the lines of an image get other words, in every menu that starts it.

    :raises UnsupportedError: what the menus would do then is not certain.
    """
    return tuple(_steps(menus, words))


def _steps(menus: OwnersMenus, words: Words) -> Iterator[ReplaceMenu]:
    for file in menus.files:
        text = _text(file, words)
        if text != file.text:
            if menus.problem is not None:
                raise UnsupportedError(menus.problem)
            _require_the_same(file, text, words)
            yield ReplaceMenu(file.place, text)


def _names_store(line: KernelLine) -> bool:
    return any(word.partition("=")[0] in _NAMES_OF_STORES for word in line.options)


def _text(file: OwnersMenu, words: Words) -> str:
    text, spell = file.text, _in_double_quotes if file.is_syslinux else quote
    for line in reversed(file.lines):
        text = rewritten(text, line, words.of(line.options), spell)
    return text


def _in_double_quotes(word: str) -> str:
    """A word as SYSLINUX hands it on: the kernel itself knows double quotes alone."""
    return f'"{word}"' if " " in word else word


def _require_the_same(file: OwnersMenu, text: str, words: Words) -> None:
    """:raises UnsupportedError: more would change than the words of the lines."""
    expected = [
        replace(entry, options=words.of(entry.options)) if file.starts(entry.options) else entry
        for entry in file.entries(file.text)
    ]
    found = file.entries(text)
    if list(found) != expected:
        raise UnsupportedError(f"{file.place} is more than a plain list of entries")
    if any(_length(entry.options) > LONGEST for entry in found):
        raise UnsupportedError(f"{file.place}: a kernel line would have more than {LONGEST} bytes")


def _length(options: Iterable[str]) -> int:
    return len(" ".join(options).encode("utf-8", "surrogateescape"))
