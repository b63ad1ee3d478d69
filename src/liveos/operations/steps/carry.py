# SPDX-License-Identifier: Apache-2.0
"""The steps that bring the memory of an installed image to a new stick: a closed union."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from liveos.medium.record import NotedFile
from liveos.operations.steps.stick import Place
from liveos.sizes import format_size


@dataclass(frozen=True, slots=True)
class _CarryFile:
    """Copy a file of ``size`` bytes as it is; what is zero is not written.

    With ``still`` it is in use, and the filesystem mounted there is frozen for the copy.
    """

    spec: str
    place: Place
    size: int
    still: Path | None
    what: ClassVar[str]

    @property
    def title(self) -> str:
        return f"Copy {self.place}"

    def __str__(self) -> str:
        what = f"copy the {self.what} of {self.spec} to {self.place}, {_exact(self.size)}"
        return what + _frozen(self.still)


@dataclass(frozen=True, slots=True)
class CarryOverlay(_CarryFile):
    """Copy a snapshot store or an overlay image."""

    what = "overlay"


@dataclass(frozen=True, slots=True)
class CarryHome(_CarryFile):
    """Copy a home, encrypted or not."""

    what = "home"


@dataclass(frozen=True, slots=True)
class CarryUpper:
    """Copy an overlay that is a directory, with owners, attributes and OverlayFS's marks."""

    spec: str
    place: Place
    still: Path | None

    @property
    def title(self) -> str:
        return f"Copy {self.place}"

    def __str__(self) -> str:
        return f"copy the overlay of {self.spec} to {self.place}, a directory{_frozen(self.still)}"


@dataclass(frozen=True, slots=True)
class CompareSums:
    """Compare what was read of each file with the sum of it that the source has noted."""

    spec: str
    files: tuple[tuple[Place, NotedFile], ...]

    @property
    def title(self) -> str:
        return "Compare the source with its record"

    def __str__(self) -> str:
        names = ", ".join(file.path for _, file in self.files)
        return f"compare the sums of {names} with the record of {self.spec}"


CarryStep = CarryOverlay | CarryUpper | CarryHome | CompareSums


def _frozen(still: Path | None) -> str:
    return "" if still is None else f", while {still} is kept still"


def _exact(size: int) -> str:
    return f"{size} bytes ({format_size(size)})"
