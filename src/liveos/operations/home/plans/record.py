# SPDX-License-Identifier: Apache-2.0
"""What ``image.json`` notes of an image's home, brought up to date."""

import json
from collections.abc import Iterable, Iterator

from liveos.host.folders.partition import PartitionFolder
from liveos.medium.home.locate import OpenHome
from liveos.medium.home.words import is_home_word
from liveos.medium.menus.grub_places import kernel_lines
from liveos.operations.steps.menus import ReplaceMenu, ReplaceRecord

Facts = dict[str, object]


def noted(
    found: OpenHome, steps: Iterable[object], home: Facts | None, words: tuple[str, ...]
) -> Iterator[ReplaceRecord]:
    """The step after which the record says so; none where there is no record, or nothing new.

    :param steps: those of the plan, among which new menus may be, GRUB's before others.
    :param home: what is to be noted; None when the home is gone.
    :param words: those on the kernel lines that the home needs.
    """
    if found.record is None:
        return
    old = found.record.facts
    new = {**old, "home": home, "words": [*_others(old.get("words")), *words]}
    menus = [step.text for step in steps if isinstance(step, ReplaceMenu)]
    lines = kernel_lines(menus[0]) if menus else ()
    if lines:
        new["options"] = " ".join(lines[0].options)
    if new != old:
        yield ReplaceRecord(found.record.place, json.dumps(new, indent=1) + "\n")


def home_facts(found: OpenHome, size: int, uuid: str, *, encrypted: bool) -> Facts:
    """A home as ``install`` notes it; of a partition, the path is None."""
    folder = found.place.folder
    path = None if isinstance(folder, PartitionFolder) else f"/{found.directory}/{found.place.name}"
    return {"path": path, "size": size, "uuid": uuid, "encrypted": encrypted}


def resized(found: OpenHome, size: int) -> Iterator[ReplaceRecord]:
    """The same home with another size; nothing where none is noted."""
    home = None if found.record is None else found.record.facts.get("home")
    if found.record is not None and isinstance(home, dict):
        facts = {**found.record.facts, "home": {**home, "size": size}}
        if facts != found.record.facts:
            yield ReplaceRecord(found.record.place, json.dumps(facts, indent=1) + "\n")


def _others(words: object) -> list[str]:
    """Words in a record that are not a home's."""
    known = words if isinstance(words, list) else []
    return [word for word in known if isinstance(word, str) and not is_home_word(word)]
