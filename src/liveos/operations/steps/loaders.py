# SPDX-License-Identifier: Apache-2.0
"""The steps that install other boot loaders than GRUB: a closed union of frozen dataclasses."""

from dataclasses import dataclass
from pathlib import Path

from liveos.medium.model import FileRef
from liveos.operations.steps.stick import Place


@dataclass(frozen=True, slots=True)
class CopyHostFile:
    """Copy a small file of this machine, such as a part of a boot loader."""

    source: Path
    place: Place

    @property
    def title(self) -> str:
        return f"Copy {self.place}"

    def __str__(self) -> str:
        return f"copy {self.source} to {self.place}"


@dataclass(frozen=True, slots=True)
class MakeUnified:
    """A unified kernel image of a stub, a kernel, its initramfs and a command line."""

    stub: Path
    kernel: FileRef
    initramfs: tuple[FileRef, ...]
    command_line: str
    place: Place

    @property
    def title(self) -> str:
        return f"Make {self.place}"

    def __str__(self) -> str:
        files = ", ".join(file.path for file in (self.kernel, *self.initramfs))
        return (
            f"make {self.place} of {self.stub}, {files} of {self.kernel.container} and the"
            f" command line '{self.command_line}'"
        )


@dataclass(frozen=True, slots=True)
class WriteWholeBootCode:
    """Replace the notice in the first sector by code that finds its partition by itself."""

    path: Path
    boot_code: Path

    @property
    def title(self) -> str:
        return "Write the boot code"

    def __str__(self) -> str:
        return f"write the boot code of {self.boot_code} to {self.path}"


LoaderStep = CopyHostFile | MakeUnified | WriteWholeBootCode
