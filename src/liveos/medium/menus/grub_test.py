# SPDX-License-Identifier: Apache-2.0
"""GRUB's ``test`` command, as far as a medium alone can answer it."""

from collections.abc import Callable, Sequence

_BINARY: dict[str, Callable[[str, str], bool]] = {
    "=": lambda left, right: left == right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "-eq": lambda left, right: left == right,
    "-ne": lambda left, right: left != right,
}


_UNARY: dict[str, Callable[[str], bool]] = {"-n": bool, "-z": lambda word: not word}


def evaluate(words: Sequence[str]) -> bool | None:
    """Whether a test holds; None when it asks for something that only the machine knows."""
    match list(words):
        case ["!", *rest] if rest:
            held = evaluate(rest)
            return None if held is None else not held
        case [] | [_]:
            return any(words)
        case [operator, word] if operator in _UNARY:
            return _UNARY[operator](word)
        case [left, operator, right] if operator in _BINARY:
            return _BINARY[operator](left, right)
    return None
