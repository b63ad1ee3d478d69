# SPDX-License-Identifier: Apache-2.0
"""The steps that change overlays: a closed union of frozen dataclasses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from liveos.formats.exception_store import Duplicates
from liveos.host.folders.folder import FolderFile
from liveos.medium.overlay.filesystem_check import Corrections
from liveos.medium.overlay.locate import OpenOverlay, open_overlay
from liveos.operations.steps.whole_overlay import WholeOverlayStep
from liveos.sizes import format_size

COMPACTED = ".new"
"""What the name of a compacted store ends with until it has its place."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The overlay that a plan is about: the words that name it, and the file that they mean."""

    spec: str
    origin: Path | None
    place: FolderFile

    def __str__(self) -> str:
        return str(self.place)

    @contextmanager
    def opened(self) -> Iterator[OpenOverlay]:
        """The overlay as it is when the step is done, for reading."""
        with open_overlay(self.spec, self.origin) as overlay:
            yield overlay


@dataclass(frozen=True, slots=True)
class ResetStore:
    """Make a snapshot store empty."""

    subject: Subject
    chunk_sectors: int

    @property
    def title(self) -> str:
        return f"Reset {self.subject.place.name}"

    def __str__(self) -> str:
        return f"make {self.subject} an empty store with chunks of {self.chunk_sectors} sectors"


@dataclass(frozen=True, slots=True)
class ResizeStore:
    """Change the size of a snapshot store, in bytes; what is in it stays."""

    subject: Subject
    before: int
    size: int

    @property
    def title(self) -> str:
        return f"Resize {self.subject.place.name}"

    def __str__(self) -> str:
        verb = "enlarge" if self.size > self.before else "shrink"
        return f"{verb} {self.subject} from {self.before} to {self.size} bytes"


@dataclass(frozen=True, slots=True)
class WriteMerged:
    """Write the root with its changes to a new file; ``replay`` applies its journal to it."""

    subject: Subject
    origin: str
    output: Path
    replay: bool
    replaces: bool

    @property
    def title(self) -> str:
        return f"Write {self.output.name}"

    def __str__(self) -> str:
        journal = ", its journal replayed" if self.replay else ""
        return f"write {self.origin} with the changes of {self.subject} to {self.output}{journal}"


@dataclass(frozen=True, slots=True)
class MergeInPlace:
    """Move all changes from a store into the root under it."""

    subject: Subject
    origin: FolderFile

    @property
    def title(self) -> str:
        return f"Merge {self.subject.place.name} into {self.origin.name}"

    def __str__(self) -> str:
        return f"put the changes of {self.subject} into {self.origin}, and empty the overlay"


@dataclass(frozen=True, slots=True)
class RestoreNew:
    """Make a store of a dump or a pack; its data come from another store, or are zeros."""

    recording: Path
    output: Path
    size: int
    data: Subject | None
    replaces: bool

    @property
    def title(self) -> str:
        return f"Restore {self.output.name}"

    def __str__(self) -> str:
        data = f"with the data of {self.data}" if self.data else "whose data are zeros"
        return f"make {self.output}, a store of {self.size} bytes by {self.recording}, {data}"


@dataclass(frozen=True, slots=True)
class RestoreInto:
    """Put what a dump or a pack holds back into a store."""

    recording: Path
    subject: Subject

    @property
    def title(self) -> str:
        return f"Restore {self.subject.place.name}"

    def __str__(self) -> str:
        return f"write the header and the list of {self.recording} into {self.subject}"


@dataclass(frozen=True, slots=True)
class Choices:
    """What only a person can decide: which of contradicting records, and a header over others."""

    keep: Duplicates | None = None
    force_header: bool = False


@dataclass(frozen=True, slots=True)
class RepairStore:
    """Mend a store, into the new file ``output``, or in place after saving ``undo``.

    ``corrections`` None leaves the filesystem in it alone.
    """

    subject: Subject
    choices: Choices
    corrections: Corrections | None
    output: Path | None
    undo: Path | None
    replaces: bool

    @property
    def title(self) -> str:
        return f"Repair {self.subject.place.name}"

    def __str__(self) -> str:
        checked = "" if self.corrections is None else ", with the filesystem in it"
        if self.output is not None:
            return f"write {self.subject}, repaired{checked}, to {self.output}"
        return f"save what will be overwritten in {self.undo}; repair {self.subject}{checked}"


@dataclass(frozen=True, slots=True)
class CompactStore:
    """Write the live part of a store to a new one of ``size`` bytes.

    It goes to the new file ``output``, or takes the store's place: then the old one is called
    ``keep``, or is gone. ``leftover`` is what an interrupted run has left under the new one's name.
    """

    subject: Subject
    size: int
    output: Path | None
    replaces: bool
    keep: str | None
    leftover: bool

    @property
    def title(self) -> str:
        return f"Compact {self.subject.place.name}"

    def __str__(self) -> str:
        if self.output is not None:
            return f"write what {self.subject} needs to {self.output} ({format_size(self.size)})"
        new = self.subject.place.beside(COMPACTED)
        kept = f", which is kept as {self.keep}" if self.keep else ""
        return (
            f"write what {self.subject} needs to {new} ({format_size(self.size)}), read it again,"
            f" and give it the place of the old one{kept}"
        )


@dataclass(frozen=True, slots=True)
class CompactInPlace:
    """Move the live part of a store together in the store itself, then give it ``size`` bytes."""

    subject: Subject
    size: int

    @property
    def title(self) -> str:
        return f"Compact {self.subject.place.name}"

    def __str__(self) -> str:
        return (
            f"replay the journal into {self.subject}, drop what is not needed, move the rest"
            f" together, and make it {format_size(self.size)} long"
        )


OverlayStep = (
    ResetStore
    | ResizeStore
    | WriteMerged
    | MergeInPlace
    | RestoreNew
    | RestoreInto
    | RepairStore
    | CompactStore
    | CompactInPlace
    | WholeOverlayStep
)
