# SPDX-License-Identifier: Apache-2.0
"""The command line of livecd-iso-to-disk, read by its own rules (livecd-tools.md 1.1, 1.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from liveos.errors import UsageError

FLAGS = frozenset(
    {
        "--msdos", "--efi", "--noesp", "--nomac", "--reset-mbr", "--multi", "--skipcopy",
        "--noverify", "--force", "--xo", "--xo-no-home", "--nobootmsg", "--nomenu",
        "--copy-overlay", "--reset-overlay", "--compress", "--skipcompress", "--no-overlay",
        "--copy-home", "--delete-home", "--crypted-home", "--unencrypted-home",
    }
)  # fmt: skip
"""Options that take no word."""

WITH_VALUE = frozenset(
    {
        "--livedir", "--timeout", "--totaltimeout", "--extra-kernel-args", "--overlay-size-mb",
        "--home-size-mb", "--swap-size-mb", "--updates", "--ks", "--label",
    }
)  # fmt: skip
"""Options that take the next word, whatever it is."""

ALIASES = MappingProxyType(
    {"--mactel": "--efi", "--resetmbr": "--reset-mbr", "--reconfig": "--skipcopy"}
)
"""Other names of the same."""

NEW_FLAGS = frozenset({"--dry-run", "--yes"})
NEW_WITH_VALUE = frozenset({"--size", "--key-file", "--serial"})
"""Options of ``liveos install`` that an old line may have besides: they are handed on."""

_FORMAT, _OVERLAYFS = "--format", "--overlayfs"
_TEMPORARY = "temp"


@dataclass(frozen=True, slots=True)
class OldLine:
    """An old command line: what it says of each option, its two places, and what is handed on.

    ``said`` has the empty word where an option has none of its own.
    """

    said: Mapping[str, str]
    source: str
    target: str
    new: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Whether an option is given."""
        return name in self.said


@dataclass(slots=True)
class _Reading:
    """A line while it is read."""

    left: list[str]
    said: dict[str, str] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)

    def value(self, name: str) -> str:
        if not self.left:
            raise UsageError(f"{name} needs a word behind it", hint="see liveos litd --help")
        return self.left.pop(0)


def read_line(words: Sequence[str]) -> OldLine:
    """What an old line says; an option that is given twice counts as it is given last.

    :raises UsageError: there is no such option, or not exactly a source and a target.
    """
    reading = _Reading(list(words))
    while reading.left:
        _take(reading, reading.left.pop(0))
    if len(reading.places) != 2:
        raise UsageError(
            f"a source and a target are needed, and {len(reading.places)} words are left",
            hint="see liveos litd --help",
        )
    source, target = reading.places
    return OldLine(reading.said, source, target, tuple(reading.new))


def _take(reading: _Reading, word: str) -> None:
    name, equals, attached = word.partition("=")
    name = ALIASES.get(name, name)
    if not word.startswith("-"):
        reading.places.append(word)
    elif name in NEW_WITH_VALUE:
        reading.new += (name, attached if equals else reading.value(name))
    elif equals:
        raise UsageError(
            f"{word}: the old options take their words without '='", hint=f"write {name} {attached}"
        )
    elif name in NEW_FLAGS:
        reading.new.append(name)
    elif name in FLAGS:
        reading.said[name] = ""
    elif name in WITH_VALUE:
        reading.said[name] = reading.value(name)
    elif name in {_FORMAT, _OVERLAYFS}:
        reading.said[name] = _optional(reading, name)
    else:
        raise UsageError(f"livecd-iso-to-disk has no option {word}", hint="see liveos litd --help")


def _optional(reading: _Reading, name: str) -> str:
    """``--format`` swallows what does not begin with ``--``; ``--overlayfs`` only ``temp``."""
    following = reading.left[0] if reading.left else "--"
    is_its_own = following == _TEMPORARY if name == _OVERLAYFS else not following.startswith("--")
    return reading.left.pop(0) if is_its_own else ""
