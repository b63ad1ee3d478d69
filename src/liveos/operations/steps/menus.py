# SPDX-License-Identifier: Apache-2.0
"""The steps that change small text files of a stick: a closed union of frozen dataclasses."""

from dataclasses import dataclass

from liveos.host.folders.folder import FolderFile

NEW = ".new"
"""What the name of a text ends with until it has the place of the old one."""


@dataclass(frozen=True, slots=True)
class ReplaceMenu:
    """Give an image's menu another text, all at once.

    Lone surrogates in ``text`` are bytes that are no UTF-8 (PEP 383).
    """

    place: FolderFile
    text: str

    @property
    def title(self) -> str:
        return "Change the boot menu"

    def __str__(self) -> str:
        return _words(self.place, self.text)


@dataclass(frozen=True, slots=True)
class ReplaceRecord:
    """Give an image's record, ``image.json``, another text, all at once."""

    place: FolderFile
    text: str

    @property
    def title(self) -> str:
        return f"Note it in {self.place.name}"

    def __str__(self) -> str:
        return _words(self.place, self.text)


@dataclass(frozen=True, slots=True)
class ReplaceCommandLine:
    """Give a unified kernel image another command line, all at once."""

    place: FolderFile
    line: str

    @property
    def title(self) -> str:
        return f"Change the command line of {self.place.name}"

    def __str__(self) -> str:
        return f"replace {self.place} by one with the command line: {self.line}"


MenuStep = ReplaceMenu | ReplaceRecord | ReplaceCommandLine


def encoded(text: str) -> bytes:
    """The bytes of a text as they will lie on the stick."""
    return text.encode("utf-8", "surrogateescape")


def _words(place: FolderFile, text: str) -> str:
    return f"replace {place} by {len(encoded(text))} bytes"
