# SPDX-License-Identifier: Apache-2.0
"""Unified kernel images: a stub for EFI with a kernel, its initramfs and a command line in it.

UAPI group, Unified Kernel Image; systemd-stub(7). The section of the command line has room to
spare, so that another one can be written in its place.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from liveos.errors import LiveosError, UnsupportedError
from liveos.formats.binary import ByteSource, FileSource, FormatError
from liveos.formats.programs.pe import Role, Section, next_address, read_pe
from liveos.host.run import run
from liveos.host.tools import OBJCOPY, Command

STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
"""Where Fedora and Debian both install it."""

COMMAND_LINE = ".cmdline"
"""The section that the stub hands to the kernel."""

COMMAND_LINE_SIZE = 4096
"""Bytes of the section; x86 kernels take 2047 of them (COMMAND_LINE_SIZE)."""

_LONGEST = 2047
_PAGE = 4096


def padded(command_line: str) -> bytes:
    """The content of the section.

    :raises UnsupportedError: the kernel would not read it to its end.
    """
    text = command_line.encode()
    if len(text) > _LONGEST or b"\0" in text:
        raise UnsupportedError(
            f"a command line of {len(text)} bytes is too long for the kernel",
            hint=f"it takes {_LONGEST}: leave out some --kernel-args",
        )
    return text.ljust(COMMAND_LINE_SIZE, b"\0")


def command_line_section(image: ByteSource) -> Section:
    """Where a unified kernel image has its command line.

    :raises UnsupportedError: it has none.
    """
    found = read_pe(image)
    section = next((each for each in found.sections if each.name == COMMAND_LINE), None)
    if found.role is not Role.UKI or section is None:
        raise UnsupportedError("this is no unified kernel image with a command line")
    return section


@contextmanager
def unified(stub: Path, command_line: str, kernel: Path, initramfs: Path) -> Iterator[Path]:
    """A unified kernel image, as a file that lasts as long as the body."""
    with tempfile.TemporaryDirectory(prefix="liveos-unified-") as directory:
        line, image = Path(directory, "cmdline"), Path(directory, "image")
        line.write_bytes(padded(command_line))
        sections = {COMMAND_LINE: line, ".linux": kernel, ".initrd": initramfs}
        run(build(stub, _addresses(stub, sections), sections, image))
        yield image


def build(stub: Path, addresses: dict[str, int], sections: dict[str, Path], image: Path) -> Command:
    """The command that puts files into a copy of the stub, each at its virtual address."""
    words = []
    for name, file in sections.items():
        flags = f"{name}=alloc,load,readonly,data"
        words += ["--add-section", f"{name}={file}", "--set-section-flags", flags]
        words += ["--change-section-vma", f"{name}={addresses[name]:#x}"]
    return Command(OBJCOPY, (*words, str(stub), str(image)))


def _addresses(stub: Path, sections: dict[str, Path]) -> dict[str, int]:
    """One behind the other, behind all that the stub has."""
    try:
        with FileSource(stub) as source:
            address = next_address(source)
    except FormatError as error:
        raise LiveosError(f"{stub}: {error}") from error
    addresses = {}
    for name, file in sections.items():
        addresses[name] = address
        address += -(-file.stat().st_size // _PAGE) * _PAGE
    return addresses
