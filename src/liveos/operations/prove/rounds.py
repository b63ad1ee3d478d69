# SPDX-License-Identifier: Apache-2.0
"""The boots that a proof takes: which entry of the menu is started, and what is done then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from liveos.errors import UnsupportedError
from liveos.medium.model import Entry
from liveos.operations.guests.choices import Choice
from liveos.operations.guests.guest import Guest
from liveos.operations.prove.judgement import READ_ONLY_WORDS
from liveos.operations.prove.mark import Mark
from liveos.operations.prove.observation import Observation
from liveos.operations.prove.proof import Showing
from liveos.operations.prove.watched_boot import Task


@dataclass(frozen=True, slots=True)
class Round:
    """One boot: ``entry`` counts from 0 in the menu, None is what it starts by itself.

    With ``writable`` the words are taken back that make an overlay one that is only read.
    """

    task: Task
    entry: int | None = None
    writable: bool = False


def rounds(
    showing: Showing, choices: Sequence[Choice], mark: Mark, start: int | None = None
) -> list[Round]:
    """The boots of a proof. The first leaves ``mark``, unless nothing is to be found again.

    :param choices: the entries of the image that is to be proved.
    :param start: which of the whole menu starts it as usual; None is what starts by itself.
    :raises UnsupportedError: the menu has no entry that does what is to be shown.
    """
    if showing is Showing.BOOTS:
        return [Round(_only_look, start)]
    if showing is Showing.REMEMBERS:
        return [Round(mark.leave, start), Round(mark.look, start)]
    if showing is Showing.READ_ONLY:
        return _read_only(choices, mark)
    if showing is Showing.NO_TRACE:
        forgetful = _position(choices, "starts without memory", _is_forgetful)
        lost = Mark()
        return [
            Round(lost.leave_no_trace, forgetful),
            Round(_both(lost.look_for_no_trace, mark.leave), start),
            Round(mark.look, start),
        ]
    reset = _position(choices, "empties the overlay", _resets)
    erased = Mark()
    return [
        Round(erased.leave, start),
        Round(_both(erased.look_in_vain, mark.leave), reset),
        Round(mark.look, start),
    ]


def _read_only(choices: Sequence[Choice], mark: Mark) -> list[Round]:
    """What is in the overlay is seen, and what is added to it is gone at the next start."""
    position = _position(choices, "only reads the overlay", is_read_only)
    lost = Mark()
    return [
        Round(mark.leave, position, writable=True),
        Round(_both(mark.look_there, lost.leave_in_memory), position),
        Round(_both(mark.look_there, lost.look_nowhere), position),
    ]


def is_read_only(entry: Entry) -> bool:
    """Whether an entry starts with an overlay that takes no changes."""
    return any(word in entry.options for word in READ_ONLY_WORDS)


def _position(choices: Sequence[Choice], what: str, fits: Callable[[Entry], bool]) -> int:
    for choice in choices:
        if fits(choice.entry):
            return choice.position
    raise UnsupportedError(
        f"no entry of the boot menu {what}", hint="sticks made by liveos install have one"
    )


def _is_forgetful(entry: Entry) -> bool:
    return bool(entry.live_source) and not any("overlay=" in word for word in entry.options)


def _resets(entry: Entry) -> bool:
    return "rd.live.overlay.reset" in entry.options


def _both(first: Task, second: Task) -> Task:
    def task(guest: Guest, seen: Observation) -> list[str]:
        return first(guest, seen) + second(guest, seen)

    return task


def _only_look(_guest: Guest, _seen: Observation) -> list[str]:
    return []
