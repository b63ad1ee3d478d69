# SPDX-License-Identifier: Apache-2.0
"""A proof for people: one line for each boot, what was not shown, and the verdict."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from liveos.cli.render import place, table, words
from liveos.cli.text import printable
from liveos.operations.prove.judgement import Memory
from liveos.operations.prove.proof import BootReport, Proof, Showing

_SHOWN = {
    Showing.BOOTS: "boots",
    Showing.REMEMBERS: "boots and remembers",
    Showing.RESET: "boots, its menu empties the overlay, and it remembers again",
    Showing.NO_TRACE: "boots, and its menu starts it so that nothing is kept",
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
    lines = table("boot", "seconds", "kernel", "root", "changes go to", right=["seconds"])
    for number, boot in enumerate(boots, 1):
        seconds = "-" if boot.seconds is None else f"{boot.seconds:.0f}"
        kept = "-" if boot.overlay is None else _memory(boot.overlay)
        lines.add_row(str(number), seconds, words(boot.kernel), words(boot.root), kept)
    return lines


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
    target = place(proof.target)
    if not proof.proved:
        return Text(f"NOT PROVED: {target} ({proof.firmware})", "bold red")
    return Text(f"PROVED: {target} {_SHOWN[proof.showing]} ({proof.firmware}).", "bold green")
