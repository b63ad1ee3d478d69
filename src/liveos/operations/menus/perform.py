# SPDX-License-Identifier: Apache-2.0
"""How the steps for menus are done."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain

from liveos.errors import LiveosError, UnsupportedError
from liveos.host.folders.folder import FolderFile, StoredFile
from liveos.host.transfer import PIECE
from liveos.host.unified import command_line_section, padded
from liveos.operations.steps.menus import NEW, MenuStep, ReplaceCommandLine, encoded


def perform_menu_step(step: MenuStep) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    if isinstance(step, ReplaceCommandLine):
        _replace_command_line(step)
    else:
        replace_text(step.place, encoded(step.text))


def replace_text(place: FolderFile, content: bytes) -> None:
    """Give a file other content; a power cut leaves the old one or the new one."""
    with place.hold():
        _replace(place, len(content), [(0, content)])


def _replace_command_line(step: ReplaceCommandLine) -> None:
    """Every byte of the image but those of its command line stays."""
    with step.place.hold(), step.place.open() as old:
        section = command_line_section(old)
        line = padded(step.line)
        if len(line) > section.size:
            raise UnsupportedError(
                f"{step.place} has room for a command line of {section.size} bytes only",
                hint="install the image anew",
            )
        _replace(step.place, old.size, chain(_pieces(old), [(section.offset, line)]))


def _pieces(file: StoredFile) -> Iterator[tuple[int, bytes]]:
    for offset in range(0, file.size, PIECE):
        yield offset, file.read_at(offset, min(PIECE, file.size - offset))


def _replace(place: FolderFile, size: int, parts: Iterable[tuple[int, bytes]]) -> None:
    """Give a file that is held other content: ``size`` bytes of (offset, bytes).

    The new content lies beside it first, under a name that only a run that was cut off leaves
    behind: what is found there goes.
    """
    folder, part = place.folder, place.name + NEW
    if part in folder.names():
        folder.remove(part)
    with folder.create(part, size) as file:
        for offset, data in parts:
            file.write_at(offset, data)
    try:
        folder.replace(part, place.name)
    except BaseException:
        with suppress(LiveosError, OSError):
            folder.remove(part)
        raise
