# SPDX-License-Identifier: Apache-2.0
"""Secure Boot chains: images.md 2.4."""

from pathlib import Path

import pytest

from liveos.medium.efi import first_loaders, is_chain_signed
from liveos.medium.model import FileRef, Firmware, Kernel, Loader

KERNEL = Kernel(FileRef("/vmlinuz", 1, Path("x.iso")), "6.1", ("Vendor",))
UNSIGNED_KERNEL = Kernel(KERNEL.file, "6.1")


def loader(name: str, role: str, *signers: str, arch: str = "x64") -> Loader:
    return Loader(f"/EFI/BOOT/{name}", Firmware.UEFI, arch, role, signers)


SHIM = loader("BOOTX64.EFI", "shim", "Microsoft")
GRUB = loader("grubx64.efi", "grub", "Vendor")


@pytest.mark.parametrize(
    ("loaders", "kernels", "signed"),
    [
        ([SHIM, GRUB], [KERNEL], True),
        ([SHIM, GRUB], [], True),
        ([SHIM, GRUB], [UNSIGNED_KERNEL], False),
        ([SHIM], [KERNEL], False),
        ([SHIM, loader("grubx64.efi", "grub")], [KERNEL], False),
        ([SHIM, loader("grubia32.efi", "grub", "Vendor", arch="ia32")], [KERNEL], False),
        ([loader("BOOTX64.EFI", "shim"), GRUB], [KERNEL], False),
        ([loader("BOOTX64.EFI", "grub", "Own")], [KERNEL], True),
        ([GRUB], [KERNEL], False),
        ([], [], False),
    ],
)
def test_a_chain_is_as_strong_as_its_weakest_link(
    loaders: list[Loader], kernels: list[Kernel], signed: bool
) -> None:
    assert is_chain_signed(loaders, kernels) is signed


def test_firmware_starts_only_its_own_names() -> None:
    ia32 = loader("bootia32.efi", "shim", arch="ia32")
    assert first_loaders([SHIM, GRUB, ia32, loader("mmx64.efi", "mokmanager")]) == [SHIM, ia32]
