# SPDX-License-Identifier: Apache-2.0
"""New texts for the menu of an image: pure, and no byte changes that need not."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from liveos.errors import UnsupportedError
from liveos.medium.bootline import Installed, boot_options
from liveos.medium.image_menu import ImageMenu
from liveos.medium.menus.grub_places import (
    EntryBlock,
    KernelLine,
    entry_blocks,
    kernel_lines,
)
from liveos.medium.model import PersistenceKind
from liveos.operations.menus.text import MenuEntry, image_menu, quote

_FORGETS = " (changes are not kept)"
_KEEPS = " (changes are kept)"
_ERASES = "Erase all changes, then: "
_RESETS = frozenset({"rd.live.overlay.reset", "rd.overlay.reset", "reset_overlay"})
_TEMPORARY_SIZE = "rd.live.overlay.size"
_OVERLAYS = frozenset({"rd.live.overlay", "rd.overlay", "overlay"})


def change_words(
    menu: ImageMenu,
    *,
    add: Iterable[str] = (),
    drop: Callable[[str], bool] = lambda _: False,
    only: Callable[[tuple[str, ...]], bool] = lambda _: True,
) -> str:
    """The menu with other words on every kernel line of the image whose words ``only`` accepts.

    Words that ``drop`` wants gone go; those of ``add`` come last, where they are not there yet.
    Variables of the menu are to ``drop`` as they are written.
    """
    added = tuple(add)
    text = menu.text
    for line in reversed(kernel_lines(text)):
        if not only(line.options):
            continue
        kept = tuple(word for word in line.options if not drop(word))
        new = (*kept, *(word for word in added if word not in kept))
        text = rewritten(text, line, new)
    return text


def remembering(menu: ImageMenu, installed: Installed) -> str:
    """The menu for another kind of memory; with ``installed.overlay`` None, for none.

    With memory there is also an entry that starts without it, behind the first, and a last one
    that erases it; of an overlay that is used read-only, one that writes to it. Without memory
    there is none of these. Entries that do not start the image stay as they are, wherever they
    stand; and so does the size of a temporary overlay, if ``installed`` has none.

    :raises UnsupportedError: no entry starts the image.
    """
    if installed.temporary is None:
        installed = replace(installed, temporary=_temporary(menu.text))
    text = _without(menu.text, _entries_about_memory(menu.text))
    live = [block for block in entry_blocks(text) if _is_live(block)]
    if not live:
        raise UnsupportedError(
            f"{menu.place}: no entry of this menu starts the image",
            hint="mend the menu by hand, or install the image anew",
        )
    some_remember = any(map(_remembers, live))
    text += _on_new_line(text) + _last_entry(live[0], installed)
    for block in reversed(live):
        if block is live[0]:
            more = _further_entries(block, installed)
            text = text[: block.end] + _on_new_line(text[: block.end]) + more + text[block.end :]
        # An entry of the owner's own that forgets goes on to do so; its home is the owner's affair.
        forgets = some_remember and not _remembers(block)
        manner = replace(installed, overlay=None, readonly=False) if forgets else installed
        for line in reversed(block.lines):
            text = rewritten(text, line, boot_options(line.options, manner))
    return text


def _further_entries(start: EntryBlock, installed: Installed) -> str:
    """Those behind the first: it does what it does in other manners, too."""
    text = ""
    if installed.readonly:
        text += _entry(start, start.title + _KEEPS, replace(installed, readonly=False))
    if installed.overlay is not None:
        text += _entry(start, start.title + _FORGETS, installed.forgetful)
    return text


def _last_entry(start: EntryBlock, installed: Installed) -> str:
    if installed.overlay in {None, PersistenceKind.DIRECT}:
        return ""
    kept = replace(installed, readonly=False)
    return _entry(start, _ERASES + start.title, kept, reset=True)


def _entries_about_memory(text: str) -> list[EntryBlock]:
    """Those that there are only with memory, as their titles and their words tell."""
    return [
        block
        for block in entry_blocks(text)
        if _is_live(block) and (_erases(block) or block.title.endswith((_FORGETS, _KEEPS)))
    ]


def _temporary(text: str) -> int | None:
    """The size in MiB of the temporary overlay that some entry asks for."""
    words = (word.partition("=") for line in kernel_lines(text) for word in line.options)
    sizes = (value for name, _, value in words if name == _TEMPORARY_SIZE)
    return next((int(size) for size in sizes if re.fullmatch(r"[0-9]{1,9}", size)), None)


def _is_live(block: EntryBlock) -> bool:
    return any(word.startswith("root=") for line in block.lines for word in line.options)


def _remembers(block: EntryBlock) -> bool:
    return bool(_names(block) & _OVERLAYS)


def _erases(block: EntryBlock) -> bool:
    return bool(_names(block) & _RESETS)


def _names(block: EntryBlock) -> set[str]:
    return {word.partition("=")[0] for line in block.lines for word in line.options}


def _without(text: str, blocks: Iterable[EntryBlock]) -> str:
    for block in sorted(blocks, key=lambda block: block.start, reverse=True):
        text = text[: block.start] + text[block.end :]
    return text


def _entry(start: EntryBlock, title: str, installed: Installed, *, reset: bool = False) -> str:
    """The text of an entry that starts what ``start`` does, in another manner."""
    line = start.lines[0]
    options = boot_options(line.options, installed, reset=reset)
    verb = "linuxefi" if "linuxefi" in {line.verb for line in start.lines} else "linux"
    return image_menu((MenuEntry(title, line.kernel.text, start.initrds, options),), verb)


def _on_new_line(before: str) -> str:
    return "" if not before or before.endswith("\n") else "\n"


def rewritten(
    text: str, line: KernelLine, words: tuple[str, ...], spell: Callable[[str], str] = quote
) -> str:
    """The text with other words behind a kernel; words that stay are spelled as they were.

    ``spell`` writes a new word as the menu's language wants it.

    What stands first in both lists keeps every byte, the blanks between among them.
    """
    same = 0
    while same < min(len(words), len(line.words)) and words[same] == line.words[same].text:
        same += 1
    start = (line.kernel, *line.words)[same].end
    end = (line.kernel, *line.words)[-1].end
    spelled = {word.text: text[word.start : word.end] for word in line.words}
    new = "".join(f" {spelled.get(word) or spell(word)}" for word in words[same:])
    return text[:start] + new + text[end:]
