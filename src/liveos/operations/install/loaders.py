# SPDX-License-Identifier: Apache-2.0
"""How the steps are done that install other boot loaders than GRUB."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import assert_never

from liveos.errors import LiveosError
from liveos.formats.binary import FileSource
from liveos.formats.programs.grub_pc import BOOT_CODE_SIZE
from liveos.host import unified
from liveos.host.transfer import pieces
from liveos.medium.model import FileRef
from liveos.operations.install.perform import bytes_of, write_and_compare, write_from
from liveos.operations.install.session import Session
from liveos.operations.steps.loaders import (
    CopyHostFile,
    LoaderStep,
    MakeUnified,
    WriteWholeBootCode,
)

_INITRD_ALIGNMENT = 4
"""Archives of an initramfs begin at such offsets (kernel: buffer-format.rst)."""


def perform_loader_step(step: LoaderStep, session: Session) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    match step:
        case CopyHostFile():
            with FileSource(step.source) as source:
                write_from(step.place, source, session)
        case MakeUnified():
            _make_unified(step, session)
        case WriteWholeBootCode():
            code = step.boot_code.read_bytes()
            if len(code) > BOOT_CODE_SIZE:
                raise LiveosError(f"{step.boot_code} has {len(code)} bytes: too many for an MBR")
            write_and_compare(step.path, 0, code.ljust(BOOT_CODE_SIZE, b"\0"))
        case _:
            assert_never(step)


def _make_unified(step: MakeUnified, session: Session) -> None:
    with tempfile.TemporaryDirectory(prefix="liveos-unified-") as directory:
        kernel, initramfs = Path(directory, "kernel"), Path(directory, "initramfs")
        _extract((step.kernel,), kernel)
        _extract(step.initramfs, initramfs)
        with (
            unified.unified(step.stub, step.command_line, kernel, initramfs) as image,
            FileSource(image) as source,
        ):
            write_from(step.place, source, session)


def _extract(files: Iterable[FileRef], to: Path) -> None:
    """The files of a source, one behind the other."""
    with to.open("wb") as out:
        for file in files:
            with FileSource(file.container) as container:
                for piece in pieces(bytes_of(file, container), file.size):
                    out.write(piece)
            out.write(bytes(-out.tell() % _INITRD_ALIGNMENT))
