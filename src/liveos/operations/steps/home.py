# SPDX-License-Identifier: Apache-2.0
"""The steps that change homes: a closed union of frozen dataclasses."""

from dataclasses import dataclass
from uuid import UUID

from liveos.host.folders.folder import FolderFile
from liveos.host.folders.partition import PartitionFolder
from liveos.host.luks import Key
from liveos.medium.home.user import HomeUser

NEW = ".new"
"""What the name of a home ends with until it is whole."""
_OR_A_COPY = " or, where that is not possible, by a copy that takes its place"


@dataclass(frozen=True, slots=True)
class Encryption:
    """LUKS2 around a home; ``key`` is None as long as nobody has been asked for it."""

    uuid: UUID
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class CreateHome:
    """Make the home of the image that ``spec`` names, as a file of ``size`` bytes.

    ``spec`` is a stick or an ISO, with ``:NAME`` or not. ``features`` are those of its ext4, in the
    words of mke2fs. With a ``user`` it gets their directory, with what the image has for them.
    ``targeted`` gives its files the labels of SELinux's targeted policy. ``stale`` is there from
    a run that was cut off, and goes first.
    """

    spec: str
    place: FolderFile
    size: int
    uuid: UUID
    features: str
    encryption: Encryption | None
    user: HomeUser | None
    targeted: bool
    stale: bool = False

    @property
    def title(self) -> str:
        return f"Make {self.place.name}"

    def __str__(self) -> str:
        if self.encryption is None:
            kind = "ext4"
        else:
            key = f" opened by {self.encryption.key}" if self.encryption.key else ""
            kind = f"ext4 in LUKS2 (UUID {self.encryption.uuid}{key})"
        user = f" with {self.user}" if self.user else ""
        labels = " and SELinux labels" if self.targeted else ""
        return (
            f"make {self.place} of {self.size} bytes: {kind}, label home, UUID {self.uuid},"
            f" features {self.features}{user}{labels}"
        )


@dataclass(frozen=True, slots=True)
class RemoveHome:
    """Delete a home."""

    place: FolderFile

    @property
    def title(self) -> str:
        return f"Remove {self.place.name}"

    def __str__(self) -> str:
        return f"delete {self.place}"


@dataclass(frozen=True, slots=True)
class WriteUpdate:
    """Write a file that dracut copies into the root at each boot, with the directories to it."""

    place: FolderFile
    text: str

    @property
    def title(self) -> str:
        return f"Write {self.place.name}"

    def __str__(self) -> str:
        return f"write {self.place}, {len(self.text.encode())} bytes"


@dataclass(frozen=True, slots=True)
class RemoveUpdate:
    """Delete such a file."""

    place: FolderFile

    @property
    def title(self) -> str:
        return f"Remove {self.place.name}"

    def __str__(self) -> str:
        return f"delete {self.place}"


@dataclass(frozen=True, slots=True)
class ResizeHome:
    """Give a home another size, in bytes, with everything in it.

    ``key`` is None for a plain home, and as long as nobody has been asked for it. ``stale`` is
    there from a run that was cut off, and goes first.
    """

    place: FolderFile
    old_size: int
    size: int
    encrypted: bool
    key: Key | None = None
    stale: bool = False

    @property
    def title(self) -> str:
        return f"Resize {self.place.name}"

    def __str__(self) -> str:
        copied = "" if isinstance(self.place.folder, PartitionFolder) else _OR_A_COPY
        return f"resize {self.place} from {self.old_size} to {self.size} bytes, in place{copied}"


@dataclass(frozen=True, slots=True)
class EncryptHome:
    """Put an encrypted copy of ``size`` bytes in the place of a plain home."""

    place: FolderFile
    size: int
    encryption: Encryption
    stale: bool = False

    @property
    def title(self) -> str:
        return f"Encrypt {self.place.name}"

    def __str__(self) -> str:
        key = f" opened by {self.encryption.key}" if self.encryption.key else ""
        return (
            f"write {self.place} anew, of {self.size} bytes, in LUKS2 (UUID"
            f" {self.encryption.uuid}{key}); read it back, and put it in the place of the plain one"
        )


@dataclass(frozen=True, slots=True)
class MakeRoom:
    """Make the filesystem of a plain home so small that it can be encrypted where it lies."""

    place: FolderFile
    size: int

    @property
    def title(self) -> str:
        return f"Make room in {self.place.name}"

    def __str__(self) -> str:
        return f"make the filesystem of {self.place} end before byte {self.size}, in place"


@dataclass(frozen=True, slots=True)
class EncryptPartition:
    """Encrypt a plain home where it lies, or go on with it; what is moved is read from there."""

    place: FolderFile
    encryption: Encryption
    resumes: bool = False

    @property
    def title(self) -> str:
        return f"Encrypt {self.place.name}"

    def __str__(self) -> str:
        key = f" opened by {self.encryption.key}" if self.encryption.key else ""
        verb = "go on to encrypt" if self.resumes else "encrypt"
        return f"{verb} {self.place} in place, in LUKS2 (UUID {self.encryption.uuid}{key})"


HomeStep = (
    CreateHome
    | RemoveHome
    | ResizeHome
    | EncryptHome
    | MakeRoom
    | EncryptPartition
    | WriteUpdate
    | RemoveUpdate
)
