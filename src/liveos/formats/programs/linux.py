# SPDX-License-Identifier: Apache-2.0
"""Linux kernels as boot loaders load them (Documentation/arch/x86/boot.rst, arm64/booting.rst)."""

from dataclasses import dataclass

from liveos.formats.binary import ByteSource, FormatError, TruncatedError, Window
from liveos.formats.programs.pe import PeImage, Role, read_pe, read_section

_SECTOR = 512
_SETUP_SECTORS = 0x1F1
_MAGIC = slice(0x202, 0x206)
_PROTOCOL = slice(0x206, 0x208)
_VERSION_POINTER = slice(0x20E, 0x210)
_VERSION_BASE = 0x200  # what the pointer is relative to
_LONGEST_VERSION = 512
_ARM64_MAGIC = slice(56, 60)


@dataclass(frozen=True, slots=True)
class LinuxKernel:
    """A kernel. ``version`` is its release (``uname -r``), ``banner`` the whole string.

    Both are None where the format does not tell. ``signers`` are common names, and so are
    ``issuers``, those of the authorities that vouch for them.
    """

    version: str | None
    banner: str | None
    has_efi_stub: bool
    signers: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()

    @property
    def is_signed(self) -> bool:
        return bool(self.signers)


def read_kernel(source: ByteSource) -> LinuxKernel:
    """The facts in a kernel's own header: a bzImage, an arm64 image, or a unified kernel image.

    :raises FormatError: this is none of them.
    """
    image = _pe_image(source)
    signatures = image.signatures if image else ()
    if image is not None and image.role is Role.UKI:
        banner = _uki_banner(source, image)
    else:
        banner = _banner(source)
    version = banner.split(maxsplit=1)[0] if banner else None
    return LinuxKernel(
        version,
        banner,
        image is not None,
        signers=tuple(signature.signer for signature in signatures),
        issuers=tuple(signature.issuer for signature in signatures),
    )


def _pe_image(source: ByteSource) -> PeImage | None:
    """The kernel as a PE image; None without an EFI stub."""
    try:
        return read_pe(source)
    except FormatError:
        return None


def _uki_banner(source: ByteSource, image: PeImage) -> str | None:
    """The release in ``.uname``, else the banner of the kernel inside."""
    uname = read_section(source, image, ".uname", _LONGEST_VERSION)
    if uname:
        return _text(uname)
    inner = next(section for section in image.sections if section.name == ".linux")
    return _banner(Window(source, inner.offset, inner.size))


def _banner(source: ByteSource) -> str | None:
    head = source.read_at(0, _SECTOR * 2)
    if head[_MAGIC] != b"HdrS":
        if head[_ARM64_MAGIC] == b"ARM\x64" or head[4:8] == b"zimg":
            return None  # the version lies somewhere in the compressed image
        raise FormatError("no Linux kernel: no boot header")
    # Protocol 2.00 brought the pointer, which must lie inside the setup code.
    pointer = int.from_bytes(head[_VERSION_POINTER], "little")
    setup_size = (head[_SETUP_SECTORS] or 4) * _SECTOR
    if int.from_bytes(head[_PROTOCOL], "little") < 0x200 or not 0 < pointer < setup_size:
        return None
    offset = pointer + _VERSION_BASE
    try:
        return _text(source.read_at(offset, min(_LONGEST_VERSION, source.size - offset)))
    except TruncatedError:
        return None


def _text(raw: bytes) -> str | None:
    return raw.split(b"\0")[0].decode("utf-8", "replace").strip() or None
