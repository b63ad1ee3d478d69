# SPDX-License-Identifier: Apache-2.0
"""The steps that add, change and remove images of sticks that hold others: a closed union.

Each leaves the old state or the new one of what somebody uses, wherever a power cut comes.
"""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.host.tools import MOUNT, Command
from liveos.operations.steps.stick import Copy, Write, WriteRecord
from liveos.sizes import format_size

StickFolder = Ext4Folder | FatFolder | HostFolder
"""One of a `HostFolder` is on a stick that is mounted."""


@dataclass(frozen=True, slots=True)
class MakeWritable:
    """Let a filesystem that is mounted read-only be written, until the plan ends, however it does.

    Nothing that is open there minds; a cut leaves a filesystem that is mounted for writing.
    """

    mount: Path

    @property
    def title(self) -> str:
        return f"Mount {self.mount} for writing"

    @property
    def begin(self) -> Command:
        return self._remount("rw")

    @property
    def end(self) -> Command:
        return self._remount("ro")

    def _remount(self, how: str) -> Command:
        return Command(MOUNT, ("-o", f"remount,{how}", str(self.mount)))

    def __str__(self) -> str:
        return f"run: {self.begin}; and in the end, whatever happens: {self.end}"


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """Make a directory where it is missing."""

    folder: StickFolder

    @property
    def title(self) -> str:
        return f"Make {self.folder.directory}"

    def __str__(self) -> str:
        return f"make directory {self.folder}"


@dataclass(frozen=True, slots=True)
class RemoveFolder:
    """Remove a directory with everything in it, or a link to one, if it is there."""

    folder: StickFolder

    @property
    def title(self) -> str:
        return f"Remove {self.folder.directory}"

    def __str__(self) -> str:
        return f"remove {self.folder} with everything in it"


class AddFile(Copy):
    """As `Copy`, beside what is there."""

    __slots__ = ()


class AddText(Write):
    """As `Write`, of a file that is not there yet, beside what is."""

    __slots__ = ()


class AddRecord(WriteRecord):
    """As `WriteRecord`, beside what is there; it takes the place of one that is there."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class AddSwap:
    """A file without holes, with the header of swap space."""

    place: FolderFile
    size: int
    uuid: UUID
    label: str

    @property
    def title(self) -> str:
        return f"Make {self.place.name}"

    def __str__(self) -> str:
        return (
            f"make {self.place}, {_exact(self.size)}: swap space, label {self.label},"
            f" UUID {self.uuid}"
        )


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Remove a file that nothing uses any more, if it is there."""

    place: FolderFile

    @property
    def title(self) -> str:
        return f"Remove {self.place.name}"

    def __str__(self) -> str:
        return f"remove {self.place}"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Give a file or directory a name under which nothing looks for it."""

    folder: StickFolder
    name: str
    aside: str

    @property
    def title(self) -> str:
        return f"Set {self.name} aside"

    def __str__(self) -> str:
        return f"rename {self.folder}/{self.name} to {self.aside}"


@dataclass(frozen=True, slots=True)
class GiveName:
    """Give a whole file the name that others know."""

    place: FolderFile
    name: str

    @property
    def title(self) -> str:
        return f"Name {self.name}"

    def __str__(self) -> str:
        return f"rename {self.place} to {self.name}"


@dataclass(frozen=True, slots=True)
class MoveDirectory:
    """Give a directory another name, and leave a link of the old one that leads to it."""

    folder: Ext4Folder | HostFolder
    old: str
    new: str

    @property
    def title(self) -> str:
        return f"Rename /{self.old} to /{self.new}"

    def __str__(self) -> str:
        folder = str(self.folder).rstrip("/")
        return (
            f"rename the directory {folder}/{self.old} to {self.new}, and make {self.old} a"
            " symbolic link to it, all at once"
        )


ImageStep = (
    MakeWritable
    | MakeFolder
    | RemoveFolder
    | AddFile
    | AddText
    | AddRecord
    | AddSwap
    | RemoveFile
    | SetAside
    | GiveName
    | MoveDirectory
)


def _exact(size: int) -> str:
    return f"{size} bytes ({format_size(size)})"
