# SPDX-License-Identifier: Apache-2.0
"""PE/COFF images as UEFI loads them: architecture, sections, signatures, SBAT, and what they are.

Microsoft's PE format specification; shim's SBAT.md; systemd's boot loader interface.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from liveos.formats.binary import ByteSource, FormatError, Record, Window, u16, u32
from liveos.formats.programs.authenticode import Signature, read_signatures
from liveos.formats.programs.grub_image import GrubContents, read_grub_contents

_MOST_SECTIONS = 96  # the Windows loader's limit
_SYMBOL_SIZE = 18
_LONGEST_NAME = 64
_LARGEST_TEXT = 64 << 10
_LARGEST_SEARCH = 2 << 20
_PE32_PLUS = 0x20B
_OPTIONAL_HEADERS = {
    0x10B: 96,
    _PE32_PLUS: 112,
}  # magic of PE32 and PE32+ -> where directories begin
_CERTIFICATE_DIRECTORY = 4
_PAGE = 4096

ARCHITECTURES = {
    0x014C: "ia32",
    0x01C2: "arm",
    0x8664: "x64",
    0xAA64: "aa64",
    0x5064: "riscv64",
    0x6264: "loongarch64",
}


class Role(StrEnum):
    """What part of the boot chain an image is."""

    SHIM = "shim"
    MOK_MANAGER = "mokmanager"
    FALLBACK = "fallback"
    GRUB = "grub"
    SYSTEMD_BOOT = "systemd-boot"
    UKI = "uki"
    ADDON = "addon"
    KERNEL = "kernel"
    OTHER = "other"


# Words in the data of shim's programs, in small letters; the first row that fits counts.
_WORDS = (
    (Role.MOK_MANAGER, ("enroll mok",)),
    (Role.SHIM, ("moklist", "\\grub")),
    (Role.FALLBACK, ("bootorder", ".csv")),
)


@dataclass(frozen=True)
class _CoffHeader(Record):
    """The COFF file header, behind the PE signature."""

    machine: u16
    sections: u16
    _time: u32
    symbols_offset: u32
    symbols: u32
    optional_size: u16
    _characteristics: u16


@dataclass(frozen=True)
class _SectionHeader(Record):
    """A row of the section table."""

    name: Annotated[bytes, "8s"]
    virtual_size: u32
    virtual_address: u32
    raw_size: u32
    raw_offset: u32
    _relocations: u32
    _line_numbers: u32
    _counts: u32
    _characteristics: u32


@dataclass(frozen=True, slots=True)
class Section:
    """A section: where its bytes lie in the file."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class PeImage:
    """What is known of an image. ``arch`` is UEFI's short name; None for an unknown machine.

    ``sbat`` has ``component,generation`` of each entry. ``grub`` is set for GRUB images.
    """

    arch: str | None
    role: Role
    sections: tuple[Section, ...]
    signatures: tuple[Signature, ...] = ()
    sbat: tuple[str, ...] = ()
    grub: GrubContents | None = None


def read_pe(source: ByteSource) -> PeImage:
    """Everything about an image, from its headers and the few sections that tell.

    :raises FormatError: this is no PE image, or its tables contradict each other.
    """
    coff, certificates, sections = _read_headers(source)
    by_name = {section.name: section for section in sections}
    sbat = _read_sbat(source, by_name.get(".sbat"))
    role = _role(source, by_name)
    mods = by_name.get("mods")
    return PeImage(
        arch=ARCHITECTURES.get(coff.machine),
        role=role,
        sections=sections,
        signatures=read_signatures(source, *certificates),
        sbat=sbat,
        grub=read_grub_contents(_window(source, mods)) if mods else None,
    )


def next_address(source: ByteSource) -> int:
    """The first virtual address behind all sections, at which a page begins.

    :raises FormatError: this is no PE image.
    """
    _, rows, _ = _section_rows(source)
    ends = [row.virtual_address + max(row.virtual_size, row.raw_size) for row in rows]
    return _image_base(source) + -(-max(ends, default=0) // _PAGE) * _PAGE


def read_section(source: ByteSource, image: PeImage, name: str, most: int) -> bytes | None:
    """The first bytes of a section; None when the image has none of that name."""
    for section in image.sections:
        if section.name == name:
            return source.read_at(section.offset, min(section.size, most))
    return None


def _read_headers(
    source: ByteSource,
) -> tuple[_CoffHeader, tuple[int, int], tuple[Section, ...]]:
    """The COFF header, the place of the certificates, and the sections."""
    coff, rows, optional = _section_rows(source)
    strings = coff.symbols_offset + coff.symbols * _SYMBOL_SIZE
    return coff, _certificates(optional), tuple(_section(source, row, strings) for row in rows)


def _image_base(source: ByteSource) -> int:
    """Where the image would like to be loaded: four bytes in PE32, eight in PE32+."""
    optional = _section_rows(source)[2]
    is_plus = int.from_bytes(optional[:2], "little") == _PE32_PLUS
    return int.from_bytes(optional[24:32] if is_plus else optional[28:32], "little")


def _section_rows(
    source: ByteSource,
) -> tuple[_CoffHeader, tuple[_SectionHeader, ...], bytes]:
    """The COFF header, the section table, and the optional header."""
    if source.read_at(0, 2) != b"MZ":
        raise FormatError("no PE image: it does not begin with MZ")
    start = int.from_bytes(source.read_at(0x3C, 4), "little")
    if source.read_at(start, 4) != b"PE\0\0":
        raise FormatError("no PE image: no PE signature")
    coff = _CoffHeader.read(source, start + 4)
    optional_offset = start + 4 + _CoffHeader.layout().size
    optional = source.read_at(optional_offset, coff.optional_size)
    if coff.sections > _MOST_SECTIONS:
        raise FormatError(f"a PE image with {coff.sections} sections")
    table = optional_offset + coff.optional_size
    row = _SectionHeader.layout().size
    rows = (_SectionHeader.read(source, table + row * number) for number in range(coff.sections))
    return coff, tuple(rows), optional


def _section(source: ByteSource, header: _SectionHeader, strings: int) -> Section:
    """A section; a name of more than eight letters lies in the table of strings."""
    raw = header.name.rstrip(b"\0")
    if raw[:1] == b"/" and raw[1:].isdigit():
        offset = strings + int(raw[1:])
        length = max(0, min(_LONGEST_NAME, source.size - offset))
        raw = source.read_at(offset, length).split(b"\0")[0] if length else raw
    # What the file has beyond the virtual size is padding.
    size = min(header.raw_size, header.virtual_size or header.raw_size)
    return Section(raw.decode("ascii", "replace"), header.raw_offset, size)


def _certificates(optional: bytes) -> tuple[int, int]:
    """Offset and size of the certificate table; both 0 without one."""
    directories = _OPTIONAL_HEADERS.get(int.from_bytes(optional[:2], "little"))
    if directories is None:
        raise FormatError("a PE image without the optional header that UEFI needs")
    count = int.from_bytes(optional[directories - 4 : directories], "little")
    if count <= _CERTIFICATE_DIRECTORY:
        return 0, 0
    entry = optional[directories + 8 * _CERTIFICATE_DIRECTORY :][:8]
    return int.from_bytes(entry[:4], "little"), int.from_bytes(entry[4:], "little")


def _window(source: ByteSource, section: Section) -> Window:
    return Window(source, section.offset, section.size)


def _read_sbat(source: ByteSource, section: Section | None) -> tuple[str, ...]:
    if section is None:
        return ()
    raw = source.read_at(section.offset, min(section.size, _LARGEST_TEXT)).split(b"\0")[0]
    lines = raw.decode("utf-8", "replace").splitlines()
    return tuple(",".join(line.split(",")[:2]) for line in lines if "," in line)


def _role(source: ByteSource, sections: dict[str, Section]) -> Role:
    if ".linux" in sections:
        return Role.UKI
    if "mods" in sections:
        return Role.GRUB
    if ".vendor_cert" in sections:
        return Role.SHIM
    if ".sdmagic" in sections:
        return _systemd_role(source, sections)
    if _is_kernel(source):
        return Role.KERNEL
    return _role_by_words(source, sections)


def _systemd_role(source: ByteSource, sections: dict[str, Section]) -> Role:
    magic = _window(source, sections[".sdmagic"])
    if b"systemd-boot" in magic.read_at(0, min(magic.size, 256)):
        return Role.SYSTEMD_BOOT
    return Role.ADDON if ".cmdline" in sections else Role.OTHER


def _is_kernel(source: ByteSource) -> bool:
    """Linux with an EFI stub: x86's boot protocol, arm64's header, or a compressed zboot."""
    head = source.read_at(0, min(source.size, 0x210))
    return head[0x202:0x206] == b"HdrS" or head[56:60] == b"ARM\x64" or head[4:8] == b"zimg"


def _role_by_words(source: ByteSource, sections: dict[str, Section]) -> Role:
    """The programs of shim may have no mark of their own, but words that they show."""
    for name in (".data", ".rodata", ".text"):
        if name in sections:
            section = sections[name]
            data = source.read_at(section.offset, min(section.size, _LARGEST_SEARCH)).lower()
            for role, words in _WORDS:
                if all(word.encode("utf-16-le") in data for word in words):
                    return role
    return Role.OTHER
