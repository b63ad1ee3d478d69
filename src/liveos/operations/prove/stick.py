# SPDX-License-Identifier: Apache-2.0
"""Whether a running system uses what its stick has: overlay, home and swap."""

from collections.abc import Iterator
from posixpath import basename

from liveos.medium.model import Store
from liveos.operations.guests.guest import Guest
from liveos.operations.prove.expectation import Expected
from liveos.operations.prove.home import find_home, find_swaps
from liveos.operations.prove.judgement import find_memory
from liveos.operations.prove.observation import Observation


def stick_problems(
    guest: Guest, seen: Observation, expected: Expected, secret: bytes | None
) -> list[str]:
    """Sentences on what the stick has and the system does not use."""
    return [
        *overlay_problems(seen, expected),
        *home_problems(guest, seen, expected.home, secret),
        *swap_problems(seen, expected),
    ]


def overlay_problems(seen: Observation, expected: Expected) -> list[str]:
    """Changes that are kept, but elsewhere than in the stick's overlay (rule 3)."""
    memory, overlay = find_memory(seen), expected.overlay
    if overlay is None or not memory.persistent or memory.store is None:
        return []
    if basename(memory.store) == basename(overlay.path):
        return []
    return [f"the stick has the overlay {overlay.path}, but changes go to {memory.store}"]


def home_problems(
    guest: Guest, seen: Observation, home: Store | None, secret: bytes | None
) -> list[str]:
    """Why the stick's home is not what the system has at /home, or does not suit its users.

    An encrypted one must be asked for, and mounted where the passphrase is known.
    """
    if home is None:
        return []
    if home.encrypted and not guest.asked_secret:
        return [f"the home in {home.path} is encrypted, yet no passphrase was asked for"]
    if not home.encrypted:
        return _mount_problems(seen, home)
    if secret is not None and find_home(seen) is None:
        return [f"the passphrase was typed, yet the home in {home.path} is not mounted"]
    return _mount_problems(seen, home) if secret is not None else []


def _mount_problems(seen: Observation, home: Store) -> list[str]:
    found = find_home(seen)
    if found is None:
        return [f"the stick has a home in {home.path}, and nothing is mounted at /home"]
    if found.store is None or not _is_named(found.store, home.path):
        where = found.store or found.source
        return [f"the stick has a home in {home.path}, but {where} is mounted at /home"]
    return list(_ownership(seen))


def swap_problems(seen: Observation, expected: Expected) -> list[str]:
    swap = expected.swap
    if swap is None or any(_is_named(each, swap.path) for each in find_swaps(seen)):
        return []
    return [f"the stick has swap in {swap.path}, and the system does not use it"]


def _is_named(store: str, path: str) -> bool:
    """Whether the guest's name for a file ends with its path on the stick.

    A kernel finds files of FAT in whatever case, and mtools writes short names in capitals.
    """
    given, there = store.casefold(), path.casefold()
    return given == there or given.endswith("/" + there.lstrip("/"))


def _ownership(seen: Observation) -> Iterator[str]:
    for user in seen.users:
        if user.owner is None:
            yield f"{user.name} has no directory in /home"
        elif user.owner != user.uid:
            yield f"/home/{user.name} belongs to user {user.owner}, not to {user.uid}"
