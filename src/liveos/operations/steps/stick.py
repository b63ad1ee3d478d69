# SPDX-License-Identifier: Apache-2.0
"""The steps that make a stick: a closed union of frozen dataclasses."""

from dataclasses import dataclass, field
from pathlib import Path

from liveos.host.block.device import BlockDevice
from liveos.host.tools import Command
from liveos.host.volumes import Volume
from liveos.medium.model import FileRef
from liveos.sizes import format_size


@dataclass(frozen=True, slots=True)
class Place:
    """A file on a volume of the target; ``path`` is absolute there."""

    volume: Volume
    path: str

    @property
    def partition(self) -> str:
        """The name of the partition that holds it."""
        return self.volume.name

    def __str__(self) -> str:
        return f"{self.partition}:{self.path}"


@dataclass(frozen=True, slots=True)
class CheckSource:
    """Compare the source with the MD5 sum that is implanted in it.

    ``meanwhile`` lets the next steps begin; a later `AwaitCheck` waits for the result. That is for
    new files, which are thrown away when the source turns out to be damaged.
    """

    source: Path
    md5: str
    meanwhile: bool

    @property
    def title(self) -> str:
        return f"Check the MD5 sum of {self.source.name}"

    def __str__(self) -> str:
        beside = ", beside the next steps" if self.meanwhile else ""
        return f"check {self.source} against its implanted MD5 sum {self.md5}{beside}"


@dataclass(frozen=True, slots=True)
class AwaitCheck:
    """Go on only if the source has been found undamaged."""

    source: Path

    @property
    def title(self) -> str:
        return f"End the check of {self.source.name}"

    def __str__(self) -> str:
        return f"go on only if {self.source} has its implanted MD5 sum"


@dataclass(frozen=True, slots=True)
class CreateImage:
    """Create a sparse file, exclusively, with boot code that says it is unfinished.

    ``replaces`` is true when a file that a killed run left under this name is in the way.
    """

    path: Path
    size: int
    replaces: bool = False

    @property
    def title(self) -> str:
        return f"Create {self.path.name}"

    def __str__(self) -> str:
        replaced = " (replaces the unfinished one)" if self.replaces else ""
        return f"create {self.path}, {_exact(self.size)}, sparse{replaced}"


@dataclass(frozen=True, slots=True)
class ClaimDevice:
    """Take a device over; it must still be the one that the plan was made for.

    ``lent`` means that udisks2 opens it, and that whoever sits there may be asked.
    """

    path: Path
    device: BlockDevice
    lent: bool = False

    @property
    def title(self) -> str:
        return f"Lock {self.path}"

    def __str__(self) -> str:
        sequence = "" if self.device.diskseq is None else f", disk sequence {self.device.diskseq}"
        size = _exact(self.device.size)
        lender = "let udisks2 open, and " if self.lent else ""
        return f"{lender}lock {self.path}, if it still is {self.device.made_by}, {size}{sequence}"


@dataclass(frozen=True, slots=True)
class WriteDevice:
    """Write a finished draft to the device that has been claimed, and compare; then remove it.

    What is a hole in the draft is not written. First the ``regions`` of the device are wiped, as
    `MakeUnbootable` does, and the first sector goes last.
    """

    draft: Path
    path: Path
    regions: tuple[tuple[int, int], ...]

    @property
    def title(self) -> str:
        return f"Write {self.path}"

    def __str__(self) -> str:
        ranges = ", ".join(f"{start}+{length}" for start, length in self.regions)
        return f"wipe {self.path}: bytes {ranges}; write {self.draft} to it, compare, remove it"


@dataclass(frozen=True, slots=True)
class Detach:
    """Let a finished device go, so that it can be pulled out."""

    path: Path

    @property
    def title(self) -> str:
        return f"Eject {self.path}"

    def __str__(self) -> str:
        return f"eject {self.path}"


@dataclass(frozen=True, slots=True)
class MakeUnbootable:
    """Replace boot code by a notice and wipe both partition tables and all old signatures.

    ``regions`` are (offset, length) in bytes.
    """

    path: Path
    regions: tuple[tuple[int, int], ...]

    @property
    def title(self) -> str:
        return f"Wipe the partition tables of {self.path}"

    def __str__(self) -> str:
        ranges = ", ".join(f"{start}+{length}" for start, length in self.regions)
        return f"wipe boot code, partition tables and signatures of {self.path}: bytes {ranges}"


@dataclass(frozen=True, slots=True)
class Run:
    """Run a program to its end; ``script`` is its standard input."""

    title: str
    command: Command
    script: str = ""

    def __str__(self) -> str:
        lines = "; ".join(self.script.splitlines())
        return f"run: {self.command}" + (f" <<< '{lines}'" if lines else "")


@dataclass(frozen=True, slots=True)
class MakeDirectories:
    """Directories of root's; on ext4 with the label for SELinux if one is named."""

    volume: Volume
    paths: tuple[str, ...]
    selinux: str | None = None

    @property
    def title(self) -> str:
        first, *more = self.paths
        return f"Make {first} and {len(more)} more directories" if more else f"Make {first}"

    def __str__(self) -> str:
        label = f" with security.selinux={self.selinux}" if self.selinux else ""
        places = ", ".join(str(Place(self.volume, path)) for path in self.paths)
        return f"make directory {places}{label}"


@dataclass(frozen=True, slots=True)
class Allocate:
    """A file with all its blocks that reads as zeros: a blank overlay."""

    place: Place
    size: int

    @property
    def title(self) -> str:
        return f"Allocate {self.place}"

    def __str__(self) -> str:
        return f"allocate {self.place}, {_exact(self.size)}, reads as zeros"


@dataclass(frozen=True, slots=True)
class Copy:
    """Stream a file of the source to the target, hashing what is read."""

    file: FileRef
    place: Place

    @property
    def title(self) -> str:
        return f"Copy {self.place}"

    def __str__(self) -> str:
        source = f"{self.file.container}:{self.file.path}"
        return f"copy {source} to {self.place}, {_exact(self.file.size)}"


@dataclass(frozen=True, slots=True)
class Write:
    """Write a small text file."""

    place: Place
    text: str

    @property
    def title(self) -> str:
        return f"Write {self.place}"

    def __str__(self) -> str:
        return f"write {self.place}, {len(self.text.encode())} bytes"


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Write ``image.json``: ``record`` with the size and SHA-256 of each file copied before."""

    place: Place
    record: dict[str, object] = field(hash=False)

    @property
    def title(self) -> str:
        return f"Write {self.place}"

    def __str__(self) -> str:
        return f"write {self.place} with the SHA-256 of each file copied"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Compare, from the disk, every file written so far and not yet compared."""

    path: Path

    @property
    def title(self) -> str:
        return f"Read back {self.path.name}"

    def __str__(self) -> str:
        return f"read back from {self.path} what was written, and compare SHA-256 sums"


@dataclass(frozen=True, slots=True)
class InstallCore:
    """Build a GRUB core image for BIOS and put it at ``offset``, where ``size`` bytes are free.

    ``search`` is embedded in it: commands that find the ESP, whose grub.cfg it then runs.
    """

    path: Path
    offset: int
    size: int
    build: Command
    search: str

    @property
    def title(self) -> str:
        return "Install GRUB for BIOS"

    def __str__(self) -> str:
        search = "; ".join(self.search.splitlines())
        where = f"at byte {self.offset} of {self.path} (at most {_exact(self.size)})"
        return f"install GRUB for BIOS {where}: {self.build} with '{search}' embedded"


@dataclass(frozen=True, slots=True)
class WriteBootCode:
    """Replace the notice in the first sector; this is what makes the disk a finished one.

    ``boot_image`` is GRUB's, which loads the core image at byte ``core_offset``. Without one the
    code only tells a BIOS to try the next disk.
    """

    path: Path
    boot_image: Path | None
    core_offset: int

    @property
    def title(self) -> str:
        return "Write the boot code"

    def __str__(self) -> str:
        if self.boot_image is None:
            return f"write boot code to {self.path} that tells a BIOS to try the next disk"
        leads = f"leads to byte {self.core_offset}"
        return f"write the boot code of {self.boot_image} to {self.path}; it {leads}"


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file."""

    place: Place

    @property
    def title(self) -> str:
        return f"Remove {self.place}"

    def __str__(self) -> str:
        return f"remove {self.place}"


@dataclass(frozen=True, slots=True)
class Sync:
    """Return when everything written is on the disk."""

    path: Path

    @property
    def title(self) -> str:
        return f"Sync {self.path.name}"

    def __str__(self) -> str:
        return f"sync {self.path}"


@dataclass(frozen=True, slots=True)
class Publish:
    """Give a finished file its name; what had that name is replaced if ``replaces``."""

    part: Path
    path: Path
    replaces: bool

    @property
    def title(self) -> str:
        return f"Rename to {self.path.name}"

    def __str__(self) -> str:
        replaced = ", which replaces the old one" if self.replaces else ""
        return f"rename {self.part} to {self.path}{replaced}"


Step = (
    CheckSource
    | AwaitCheck
    | CreateImage
    | ClaimDevice
    | MakeUnbootable
    | Run
    | MakeDirectories
    | Allocate
    | Copy
    | Write
    | WriteRecord
    | ReadBack
    | InstallCore
    | WriteBootCode
    | Remove
    | Sync
    | Publish
    | WriteDevice
    | Detach
)


def _exact(size: int) -> str:
    return f"{size} bytes ({format_size(size)})"
