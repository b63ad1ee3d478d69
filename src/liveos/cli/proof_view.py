# SPDX-License-Identifier: Apache-2.0
"""A proof for people: one line for each boot, what was not shown, and the verdict."""

from collections.abc import Iterator
from posixpath import basename

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from liveos.cli.render import place, table, words
from liveos.cli.text import printable
from liveos.operations.prove.home import Home
from liveos.operations.prove.judgement import Memory
from liveos.operations.prove.proof import BootReport, Proof, Showing

_SHOWN = {
    Showing.BOOTS: "boots",
    Showing.REMEMBERS: "boots and remembers",
    Showing.RESET: "boots, its menu empties the overlay, and it remembers again",
    Showing.NO_TRACE: "boots, and its menu starts it so that nothing is kept",
    Showing.READ_ONLY: "boots with what it remembers, and adds nothing to it",
}


def proof_view(proof: Proof) -> Iterator[RenderableType]:
    """The parts of the view in order; the verdict is the last line."""
    if proof.boots:
        yield _boots(proof.boots)
        yield from _files(proof.boots)
        yield Text("")
    for sentence in proof.not_shown:
        yield Text(f"not shown: {printable(sentence)}")
    for problem in proof.problems:
        yield Text(f"problem: {printable(problem)}", "red")
    yield _verdict(proof)


def _boots(boots: tuple[BootReport, ...]) -> Table:
    with_home, with_swap = any(boot.home for boot in boots), any(boot.swap for boot in boots)
    more = [*(["home"] if with_home else []), *(["swap"] if with_swap else [])]
    lines = table("boot", "seconds", "kernel", "root", "changes go to", *more, right=["seconds"])
    for number, boot in enumerate(boots, 1):
        seconds = "-" if boot.seconds is None else f"{boot.seconds:.0f}"
        kept = "-" if boot.overlay is None else _memory(boot.overlay)
        cells = [str(number), seconds, words(boot.kernel), words(boot.root), kept]
        cells += [_home(boot.home)] if with_home else []
        cells += [words(", ".join(map(basename, boot.swap)) or None)] if with_swap else []
        lines.add_row(*cells)
    return lines


def _home(home: Home | None) -> str:
    if home is None:
        return "in the root"
    encrypted = ", encrypted" if home.encrypted else ""
    return f"{words(basename(home.store or home.source))}{encrypted}"


def _memory(memory: Memory) -> str:
    if memory.persistent is False:
        return "memory, lost at power-off"
    kind = memory.kind or "unknown"
    return f"{kind} ({words(memory.status_line)})" if memory.status_line else str(kind)


def _files(boots: tuple[BootReport, ...]) -> Iterator[Text]:
    for number, boot in enumerate(boots, 1):
        for what, path in (("serial log", boot.serial_log), ("screenshot", boot.screenshot)):
            if path is not None:
                yield Text(f"boot {number} {what}: {place(path)}", "dim")


def _verdict(proof: Proof) -> Text:
    target = place(proof.target) + (f":{words(proof.image)}" if proof.image else "")
    if not proof.proved:
        return Text(f"NOT PROVED: {target} ({proof.firmware})", "bold red")
    return Text(f"PROVED: {target} {_SHOWN[proof.showing]} ({proof.firmware}).", "bold green")
