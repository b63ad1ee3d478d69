# SPDX-License-Identifier: Apache-2.0
"""How a verb speaks: results to standard output, everything else to standard error."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


class ProgressStyle(StrEnum):
    """Which face progress has."""

    AUTO = "auto"
    BAR = "bar"
    LINES = "lines"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Output:
    """The manner of one run, from the options that every verb takes."""

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False
    no_color: bool = False
    progress: ProgressStyle = ProgressStyle.AUTO

    def joined_with(self, other: "Output") -> "Output":
        """Options before the verb and after it count alike; the later progress style wins."""
        auto = other.progress is ProgressStyle.AUTO
        return Output(
            quiet=self.quiet or other.quiet,
            verbose=self.verbose or other.verbose,
            as_json=self.as_json or other.as_json,
            no_color=self.no_color or other.no_color,
            progress=self.progress if auto else other.progress,
        )

    def document(self, verb: str, content: Mapping[str, object]) -> None:
        """Print a result as JSON, under the schema of its verb (design: ``liveos/<verb>/1``)."""
        import json

        print(json.dumps({"schema": f"liveos/{verb}/1", **content}, indent=2, default=str))

    def show(self, *results: "RenderableType") -> None:
        """Print a result for people."""
        self._print(sys.stdout, results)

    def note(self, *remarks: "RenderableType") -> None:
        """Print what is not the result: plans before a question, where to look next."""
        self._print(sys.stderr, remarks)

    def _print(self, stream: TextIO, parts: Sequence["RenderableType"]) -> None:
        console = self.console(stream)
        for part in parts:
            console.print(part, crop=False)

    def console(self, stream: TextIO) -> "Console":
        """A console without markup or guessed highlights: text from images is printed as it is."""
        from rich.console import Console

        return Console(
            file=stream,
            no_color=self.no_color or None,
            markup=False,
            highlight=False,
            emoji=False,
        )
