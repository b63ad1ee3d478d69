# SPDX-License-Identifier: Apache-2.0
"""What a boot leaves behind for a later one to find, or not to find."""

import secrets
from collections.abc import Iterable
from pathlib import Path

from liveos.operations.guests.guest import Guest
from liveos.operations.prove.judgement import (
    find_memory,
    side_effects,
    why_not_persistent,
)
from liveos.operations.prove.observation import Observation

_ROOT, _HOME = Path("/var/lib"), Path("/home")


class Mark:
    """A file in the root, and one in a home of its own, with a text that nobody can guess.

    ``survived`` is None until a later boot has looked for it where it should be.
    """

    def __init__(self) -> None:
        self.survived: bool | None = None
        self._token = secrets.token_hex(8)

    def leave(self, guest: Guest, seen: Observation) -> list[str]:
        """Write the mark where changes to the root go, and to a home of its own."""
        return memory_problems(seen) + self._write(guest, _places(seen))

    def leave_in_memory(self, guest: Guest, seen: Observation) -> list[str]:
        """Write the mark into a root whose changes must not be kept, and to a home of its own."""
        return self._write(guest, _places(seen)) + _keeping_problems(seen)

    def leave_no_trace(self, guest: Guest, seen: Observation) -> list[str]:
        """Write the mark into a root and a home of which neither must be kept."""
        problems = self._write(guest, (_ROOT, _HOME)) + _keeping_problems(seen)
        if seen.mount_at("/home"):
            problems.append("booted so that changes are not kept, yet with a home that keeps them")
        return problems

    def look_for_no_trace(self, guest: Guest, seen: Observation) -> list[str]:
        """The mark must be gone, from a home of its own, too."""
        places = [place for place in (_ROOT, _HOME) if self._is_in(guest, place)]
        found = [f"what was written into {place} is still there" for place in places]
        return memory_problems(seen) + found

    def look_there(self, guest: Guest, seen: Observation) -> list[str]:
        """Look for the marks in a root whose own changes are not kept."""
        return self._lost(guest, seen)

    def look(self, guest: Guest, seen: Observation) -> list[str]:
        """Look for the marks that an earlier boot left."""
        return memory_problems(seen) + self._lost(guest, seen)

    def look_nowhere(self, guest: Guest, _seen: Observation) -> list[str]:
        """The mark must be gone from a root that keeps nothing."""
        return [f"what was written into {_ROOT} is still there"] * self._is_in(guest, _ROOT)

    def look_in_vain(self, guest: Guest, seen: Observation) -> list[str]:
        """The mark must be gone from the root, and still be in a home of its own."""
        places = _places(seen)
        problems = self.look_nowhere(guest, seen)
        if _HOME in places and not self._is_in(guest, _HOME):
            problems.append(f"what was written into {_HOME} is gone, too")
        return memory_problems(seen) + problems

    def _lost(self, guest: Guest, seen: Observation) -> list[str]:
        lost = [place for place in _places(seen) if not self._is_in(guest, place)]
        self.survived = not lost
        return [f"what was written into {place} is gone" for place in lost]

    def _write(self, guest: Guest, places: Iterable[Path]) -> list[str]:
        problems = []
        for place in places:
            path = self._path(place)
            answer = guest.ask(f"mkdir -p {place} && echo {self._token} > {path} && sync")
            if answer.status != 0:
                problems.append(f"the running system could not write: {answer.text.strip()}")
        return problems

    def _is_in(self, guest: Guest, place: Path) -> bool:
        return guest.ask(f"cat {self._path(place)}").text.strip() == self._token

    def _path(self, place: Path) -> Path:
        return place / f"liveos-proof-{self._token}"


def memory_problems(seen: Observation) -> list[str]:
    """Why the changes to a running root will not last; empty when they will."""
    memory = find_memory(seen)
    if memory.persistent is False:
        return [f"booted, but its changes go to memory: {why_not_persistent(seen)}"]
    if memory.status_line in {"Invalid", "Overflow"}:
        return [f"booted, but its overlay takes no more changes: it is {memory.status_line}"]
    return side_effects(seen)


def _keeping_problems(seen: Observation) -> list[str]:
    if find_memory(seen).persistent is False:
        return []
    return ["booted so that changes are not kept, as its entry says, yet they are"]


def _places(seen: Observation) -> list[Path]:
    return [_ROOT, *([_HOME] if seen.mount_at("/home") else [])]
