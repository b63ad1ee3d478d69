# SPDX-License-Identifier: Apache-2.0
"""The words of a kernel line that say which home is to be mounted, and which swap is to be used."""

from collections.abc import Iterable

LIVE_DEVICE = "/run/initramfs/live"
"""Where the filesystem of the stick is mounted while the live system runs."""

NO_HOME = "nopersistenthome"
"""The word by which livesys leaves the home alone (images.md 3.2)."""

_HOME_WORDS = frozenset({"liveos.home", "persistenthome", NO_HOME})


def is_home_word(word: str) -> bool:
    """Whether a word says which home is to be mounted, or that none is."""
    name, _, value = word.partition("=")
    if name == "systemd.mount-extra":
        return value.split(":")[1:2] == ["/home"]
    return name in _HOME_WORDS


def is_swap_word(word: str) -> bool:
    """Whether a word says which file of the stick is to be swap space."""
    name, _, value = word.partition("=")
    if name == "systemd.swap-extra":
        return value.startswith(f"{LIVE_DEVICE}/")
    return name == "liveos.swap"


def leaves_home_closed(words: Iterable[str]) -> bool:
    """Whether a kernel line wants no home, whatever the stick has."""
    return [word for word in words if is_home_word(word)] == [NO_HOME]


def without_home(words: Iterable[str]) -> tuple[str, ...]:
    """The words of a kernel line that wants no home."""
    return (*(word for word in words if not is_home_word(word)), NO_HOME)
