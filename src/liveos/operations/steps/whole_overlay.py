# SPDX-License-Identifier: Apache-2.0
"""The steps that make, empty and remove whole overlays: a closed union of frozen dataclasses."""

from dataclasses import dataclass
from uuid import UUID

from liveos.host.folders.folder import FolderFile
from liveos.medium.model import PersistenceKind
from liveos.sizes import format_size

UNUSED = "unused-"
"""What the name begins with of whatever is not an overlay yet, or not any more.

No initramfs looks for such names; what a run that was cut off has left under one, the next removes.
"""
WORK = "ovlwork"
"""OverlayFS's work directory, beside the upper one."""
_ROOT_CONTEXT = "system_u:object_r:root_t:s0"


@dataclass(frozen=True, slots=True)
class EmbeddedFilesystem:
    """The ext4 of an overlay image; ``features`` are in the words of mke2fs."""

    uuid: UUID
    features: str
    selinux: str | None

    def __str__(self) -> str:
        what = f"ext4, UUID {self.uuid}, features {self.features}, with /overlayfs and /{WORK}"
        return what + _label(self.selinux)


@dataclass(frozen=True, slots=True)
class MakeStore:
    """A blank snapshot store."""

    place: FolderFile
    size: int

    @property
    def title(self) -> str:
        return f"Make {self.place.name}"

    def __str__(self) -> str:
        return f"make {self.place}, a blank snapshot store of {_exact(self.size)}"


@dataclass(frozen=True, slots=True)
class MakeImage:
    """An overlay image."""

    place: FolderFile
    size: int
    filesystem: EmbeddedFilesystem

    @property
    def title(self) -> str:
        return f"Make {self.place.name}"

    def __str__(self) -> str:
        return f"make {self.place}, {_exact(self.size)}: {self.filesystem}"


@dataclass(frozen=True, slots=True)
class MakeUpper:
    """An upper directory with its work directory; an old work directory without it goes."""

    place: FolderFile
    selinux: str | None

    @property
    def title(self) -> str:
        return f"Make {self.place.name}"

    def __str__(self) -> str:
        return f"make the directories {self.place} and {WORK}{_label(self.selinux)}"


@dataclass(frozen=True, slots=True)
class ResetImage:
    """An overlay image that becomes a new one of the same size."""

    place: FolderFile
    size: int
    filesystem: EmbeddedFilesystem

    @property
    def title(self) -> str:
        return f"Reset {self.place.name}"

    def __str__(self) -> str:
        return f"replace {self.place} by an empty one, {_exact(self.size)}: {self.filesystem}"


@dataclass(frozen=True, slots=True)
class ResetUpper:
    """An upper directory and its work directory that become empty ones."""

    place: FolderFile
    selinux: str | None

    @property
    def title(self) -> str:
        return f"Reset {self.place.name}"

    def __str__(self) -> str:
        label = _label(self.selinux)
        return (
            f"exchange the directories {self.place} and {WORK} for empty ones{label}, and remove"
            " the old ones"
        )


@dataclass(frozen=True, slots=True)
class RemoveOverlay:
    """Delete an overlay; of a directory, the work directory, too."""

    place: FolderFile
    kind: PersistenceKind

    @property
    def title(self) -> str:
        return f"Remove {self.place.name}"

    def __str__(self) -> str:
        work = f" and {WORK}" if self.kind is PersistenceKind.DIRECTORY else ""
        return f"delete {self.place}{work}"


WholeOverlayStep = MakeStore | MakeImage | MakeUpper | ResetImage | ResetUpper | RemoveOverlay


def unused(place: FolderFile) -> FolderFile:
    """Where an overlay lies that is not used yet, or not any more."""
    return FolderFile(place.folder, UNUSED + place.name)


def leftovers(folder_names: frozenset[str], place: FolderFile) -> tuple[str, ...]:
    """Which of these names a run that was cut off has left behind."""
    return tuple(sorted(folder_names & {UNUSED + place.name, UNUSED + WORK}))


def context_of_root(*, targeted: bool) -> str | None:
    """The label of what becomes ``/``, where the image goes by SELinux's targeted policy."""
    return _ROOT_CONTEXT if targeted else None


def _label(selinux: str | None) -> str:
    return f" with security.selinux={selinux}" if selinux else ""


def _exact(size: int) -> str:
    return f"{size} bytes ({format_size(size)})"
