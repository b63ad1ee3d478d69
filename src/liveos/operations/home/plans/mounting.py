# SPDX-License-Identifier: Apache-2.0
"""What, besides the home itself, lets an image mount it: words, and the files of our unit."""

from collections.abc import Iterator

from liveos.medium.home.locate import OpenHome
from liveos.medium.home.mounting import Mounting
from liveos.medium.home.words import is_home_word, leaves_home_closed
from liveos.operations.menus import owners
from liveos.operations.menus.change import change_words
from liveos.operations.menus.everywhere import menu_steps
from liveos.operations.steps.home import RemoveUpdate, WriteUpdate
from liveos.operations.steps.menus import MenuStep

MountingStep = WriteUpdate | RemoveUpdate | MenuStep


def preparations(found: OpenHome, mounting: Mounting) -> Iterator[MountingStep]:
    """Steps before the home is there: what they leave if they are cut off harms no boot."""
    if mounting.updates:
        for each in found.updates:
            if not each.is_current:
                yield WriteUpdate(each.place, each.file.text)
    words = mounting.words
    yield from _words(found, words)


def removals(found: OpenHome) -> Iterator[MountingStep]:
    """Words and files that nobody needs when the home is gone."""
    yield from _words(found, ())
    if not found.updates_wanted:
        for each in found.updates:
            if each.text is not None:
                yield RemoveUpdate(each.place)


def notes_on(found: OpenHome, mounting: Mounting) -> Iterator[str]:
    """How the home gets mounted, and what the owner of a menu that is not ours must do."""
    yield f"at boot: {mounting.reason}"
    if mounting.missing:
        words = " ".join(mounting.missing)
        if found.menu is None and found.owners.problem is not None:
            yield f"its boot menus are their owner's to change: {found.owners.problem}"
            yield f"add to the kernel line of each boot entry: {words}"
        else:
            yield f"each boot entry that keeps changes gets on its kernel line: {words}"


def _words(found: OpenHome, words: tuple[str, ...]) -> Iterator[MenuStep]:
    def drop(word: str) -> bool:
        return is_home_word(word) and word not in words

    def only(line: tuple[str, ...]) -> bool:
        return not leaves_home_closed(line)

    if found.menu is None:
        if found.owners.problem is None:
            yield from owners.changed(found.owners, owners.Words(words, drop, only))
        return
    text = change_words(found.menu, add=words, drop=drop, only=only)
    if text != found.menu.text:
        yield from menu_steps(found.menu, text)
