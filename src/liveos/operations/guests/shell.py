# SPDX-License-Identifier: Apache-2.0
"""Questions to a root shell at the other end of a serial line, and their answers.

Any POSIX shell will do, with or without line editing. What the terminal echoes is told from what
the shell prints by marks that the command line does not contain in one piece.
"""

import re
import secrets
from dataclasses import dataclass

from liveos.errors import LiveosError


@dataclass(frozen=True, slots=True)
class Question:
    """A command for the shell, and the token that marks its answer."""

    command: str
    token: str

    @property
    def typed(self) -> str:
        """The line to type. The leading blank keeps it out of a shell's history."""
        return (
            f" printf '<<%s\\n' {self.token}; {{ {self.command}; }} 2>&1;"
            f" printf '%s>>%d\\n' {self.token} $?\n"
        )

    def find_answer(self, said: str) -> "Answer | None":
        """The answer in what the line has said; None while it is not complete."""
        mark = re.escape(self.token)
        match = re.search(rf"<<{mark}\n(.*?){mark}>>(\d+)\n", said, re.DOTALL)
        return Answer(match[1], int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed (both streams), and its exit status."""

    text: str
    status: int


class NoAnswerError(LiveosError):
    """The shell did not answer in time, or the machine ended."""


def ask(command: str) -> Question:
    """A question with a token of its own, so that no earlier answer is taken for this one."""
    return Question(command, secrets.token_hex(8))
