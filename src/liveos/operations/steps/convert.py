# SPDX-License-Identifier: Apache-2.0
"""The steps that turn an overlay into one of another kind: a closed union of frozen dataclasses."""

from dataclasses import dataclass

from liveos.host.folders.folder import FolderFile
from liveos.medium.model import PersistenceKind
from liveos.operations.steps.overlay import Subject
from liveos.operations.steps.whole_overlay import unused
from liveos.sizes import format_size

_KINDS = {
    PersistenceKind.SNAPSHOT: "a snapshot store",
    PersistenceKind.DIRECTORY: "a directory for OverlayFS",
    PersistenceKind.IMAGE: "an ext4 image with a directory for OverlayFS",
}


@dataclass(frozen=True, slots=True)
class MakeConverted:
    """Write what an overlay holds to a new one of the kind ``to``, under an unused name.

    ``size`` is that of an image or a store. ``leftovers`` are what an interrupted run has left.
    """

    subject: Subject
    to: PersistenceKind
    size: int | None
    leftovers: tuple[str, ...] = ()

    @property
    def place(self) -> FolderFile:
        """Where the new overlay is made."""
        return unused(self.subject.place)

    @property
    def title(self) -> str:
        return f"Write the changes as {self.to}"

    def __str__(self) -> str:
        size = "" if self.size is None else f" of {self.size} bytes ({format_size(self.size)})"
        first = f"remove {', '.join(self.leftovers)}; " if self.leftovers else ""
        return (
            f"{first}write the changes in {self.subject} to {self.place}, {_KINDS[self.to]}{size}"
        )


@dataclass(frozen=True, slots=True)
class TakePlace:
    """Exchange the names of the new overlay and the old one, or remove the old one by that.

    Two files are exchanged by replacing one; directories keep each other's name.
    """

    subject: Subject
    keeps_old: bool

    @property
    def title(self) -> str:
        return "Exchange the overlays"

    def __str__(self) -> str:
        place = self.subject.place
        if self.keeps_old:
            return f"exchange the names of {place} and {unused(place).name}, at once"
        return f"rename {unused(place)} to {place.name}, which removes the old one"


@dataclass(frozen=True, slots=True)
class RemoveConverted:
    """Remove these files and directories beside an overlay, with everything in them."""

    place: FolderFile
    names: tuple[str, ...]

    @property
    def title(self) -> str:
        return "Remove the old overlay"

    def __str__(self) -> str:
        return f"remove {' and '.join(self.names)} from {self.place.folder}"


ConvertStep = MakeConverted | TakePlace | RemoveConverted
