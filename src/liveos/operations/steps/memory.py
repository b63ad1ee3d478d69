# SPDX-License-Identifier: Apache-2.0
"""The steps that put an unpacked root and memory on a new stick: a closed union."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from liveos.medium.home.user import HomeUser
from liveos.medium.model import FileRef
from liveos.operations.steps.home import Encryption
from liveos.operations.steps.stick import Place
from liveos.sizes import format_size


@dataclass(frozen=True, slots=True)
class Unpack:
    """Stream the filesystem nested in an image to the target; what is zero is not written."""

    file: FileRef
    nested: str
    place: Place
    size: int

    @property
    def title(self) -> str:
        return f"Unpack {self.place}"

    def __str__(self) -> str:
        source = f"{self.nested} of {self.file.container}:{self.file.path}"
        return f"unpack {source} to {self.place}, {_exact(self.size)}; zeros are not written"


@dataclass(frozen=True, slots=True)
class StartStore:
    """Give a blank store its header: where it is used read-only, the kernel cannot."""

    place: Place

    @property
    def title(self) -> str:
        return f"Start {self.place}"

    def __str__(self) -> str:
        return f"write the header of an empty snapshot store to {self.place}"


@dataclass(frozen=True, slots=True)
class MakeSwap:
    """A file without holes, with the header of swap space."""

    place: Place
    size: int
    uuid: UUID
    label: str

    @property
    def title(self) -> str:
        return f"Make {self.place}"

    def __str__(self) -> str:
        return (
            f"make {self.place}, {_exact(self.size)}: swap space, label {self.label},"
            f" UUID {self.uuid}"
        )


@dataclass(frozen=True, slots=True)
class MakeHomePartition:
    """A home that fills the ``size`` bytes from ``offset`` of the target.

    ``spec`` is the source; from it comes the directory of a ``user``, if there shall be one.
    """

    spec: str
    path: Path
    offset: int
    size: int
    uuid: UUID
    features: str
    encryption: Encryption | None
    user: HomeUser | None
    targeted: bool

    @property
    def title(self) -> str:
        return "Make the home"

    def __str__(self) -> str:
        kind = "ext4"
        if self.encryption is not None:
            key = f" opened by {self.encryption.key}" if self.encryption.key else ""
            kind = f"ext4 in LUKS2 (UUID {self.encryption.uuid}{key})"
        user = f" with {self.user}" if self.user else ""
        labels = " and SELinux labels" if self.targeted else ""
        return (
            f"make the home at byte {self.offset} of {self.path}, {_exact(self.size)}: {kind}, "
            f"label home, UUID {self.uuid}, features {self.features}{user}{labels}"
        )


@dataclass(frozen=True, slots=True)
class KeepPrivate:
    """Files that nobody but root may read: they hold what users keep from each other."""

    places: tuple[Place, ...]

    @property
    def title(self) -> str:
        return f"Protect {', '.join(map(str, self.places))}"

    def __str__(self) -> str:
        return f"set the mode of {', '.join(map(str, self.places))} to 0600"


MemoryStep = Unpack | StartStore | MakeSwap | MakeHomePartition | KeepPrivate


def _exact(size: int) -> str:
    return f"{size} bytes ({format_size(size)})"
