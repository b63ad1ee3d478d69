# SPDX-License-Identifier: Apache-2.0
"""Titles in the menu of a stick with several images: GRUB shows all entries in one list."""

from collections.abc import Iterable
from dataclasses import replace

from liveos.medium.model import Entry
from liveos.operations.install.payload import Payload, entry_title


def told_apart(payload: Payload, others: Iterable[Entry], name: str) -> Payload:
    """The payload with entries called otherwise than those of other images.

    Where one has the title of another, both of its entries get the image's name behind theirs.
    """
    taken = {entry.title.strip().casefold() for entry in others}
    own = [payload.main, *([payload.basic] if payload.basic is not None else [])]
    if not taken & {entry_title(entry).casefold() for entry in own}:
        return payload
    basic = None if payload.basic is None else _named(payload.basic, name)
    return replace(payload, main=_named(payload.main, name), basic=basic)


def mark_of(name: str) -> str:
    """What stands behind a title that another image has, too."""
    return f" [{name}]"


def _named(entry: Entry, name: str) -> Entry:
    return replace(entry, title=entry_title(entry) + mark_of(name))
