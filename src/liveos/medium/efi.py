# SPDX-License-Identifier: Apache-2.0
"""EFI programs of a medium: what each is, and whether they hang together for Secure Boot."""

import re
from collections.abc import Iterable, Sequence

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.programs.pe import Role, read_pe
from liveos.medium.model import FileRef, Firmware, Kernel, Loader

EFI_DIRECTORY = "/EFI/BOOT"
"""Where firmware looks on a removable medium (UEFI 3.5.1.1)."""

_FIRST = re.compile(r"(?i)boot(x64|ia32|aa64|arm|riscv64|loongarch64)\.efi")


def read_efi_loader(file: FileRef, source: ByteSource) -> Loader:
    """What an EFI program is; its role is ``unreadable`` when it is no PE image."""
    try:
        image = read_pe(source)
    except FormatError:
        return Loader(file.path, Firmware.UEFI, None, "unreadable", file=file)
    return Loader(
        path=file.path,
        firmware=Firmware.UEFI,
        arch=image.arch,
        role=str(image.role),
        signers=tuple(signature.signer for signature in image.signatures),
        sbat=image.sbat,
        modules=image.grub.modules if image.grub else (),
        file=file,
        issuers=tuple(signature.issuer for signature in image.signatures),
    )


def first_loaders(loaders: Iterable[Loader]) -> list[Loader]:
    """Those that firmware starts by itself."""
    return [each for each in loaders if _FIRST.fullmatch(each.path.rpartition("/")[2])]


def is_chain_signed(loaders: Sequence[Loader], kernels: Sequence[Kernel]) -> bool:
    """Whether one of the first loaders, what it starts, and a kernel all carry signatures.

    Whose they are, and whether a machine trusts them, its firmware decides.
    """
    has_kernel = any(kernel.signers for kernel in kernels) or not kernels
    return has_kernel and any(_is_signed(first, loaders) for first in first_loaders(loaders))


def _is_signed(first: Loader, loaders: Iterable[Loader]) -> bool:
    if not first.signers:
        return False
    if first.role != Role.SHIM:
        return True
    # shim starts the GRUB beside it (images.md 2.4).
    seconds = (loader for loader in loaders if loader.role == Role.GRUB)
    return any(second.signers for second in seconds if second.arch == first.arch)
