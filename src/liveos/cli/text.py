# SPDX-License-Identifier: Apache-2.0
"""Text from images, made safe to print: they may hold escape sequences and broken encodings."""


def printable(text: str) -> str:
    r"""``text`` with everything that a terminal would act on written as ``\xNN``; lines stay."""
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(_visible(character) for character in whole)


def _visible(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return character.encode("unicode_escape").decode("ascii")
