# SPDX-License-Identifier: Apache-2.0
"""The names of images on a stick: directories on FAT and ext4, and words of the boot line."""

import re
from collections.abc import Iterable

from liveos.errors import RefusedError, UsageError
from liveos.medium.home.updates import DIRECTORY as UPDATES
from liveos.medium.old_stick import AnyStick

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LONGEST = 32
_FALLBACK = "Live"


def default_name(stick: AnyStick, label: str | None) -> str:
    """The volume label of the source, made a name that no image of the stick has.

    What a run that was cut off has left does not count: the next one takes its name again.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", label or "")[:_LONGEST].strip("-._") or _FALLBACK
    number, name = 1, plain
    while not _is_free(stick, name):
        number += 1
        name = f"{plain}-{number}"
    return name


def check_new_name(stick: AnyStick, name: str) -> None:
    """:raises UsageError: it cannot be a name; :raises RefusedError: it is taken."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise UsageError(
            f"{name!r} cannot be the name of an image",
            hint="use letters, digits, '.', '-' and '_', and begin with a letter or digit",
        )
    if stick.promised(name) is not None:
        raise RefusedError(
            f"{stick.path} has an image {name}",
            hint=f"choose another name, or see liveos update {stick.path}:{name}",
        )
    if not _is_free(stick, name):
        raise RefusedError(
            f"/{name} on {stick.path} is no image, and not ours to use",
            hint="choose another name",
        )


def _is_free(stick: AnyStick, name: str) -> bool:
    """Nothing has it, in whatever spelling, but what a run that was cut off has left.

    What is in the directory of updates goes over the root of every image.
    """
    if _is_among(name, stick.names) or name.casefold() == UPDATES:
        return False
    return _is_among(name, stick.leftovers) or not _is_among(name, stick.live.list_names("/"))


def _is_among(name: str, names: Iterable[str]) -> bool:
    return name.casefold() in {each.casefold() for each in names}
