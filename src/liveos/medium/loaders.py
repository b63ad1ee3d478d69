# SPDX-License-Identifier: Apache-2.0
"""Boot loaders: what firmware starts first, and whether Secure Boot lets it."""

from collections.abc import Iterator, Sequence

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.iso9660 import el_torito
from liveos.formats.tree import Node
from liveos.host.target import NEXT_DISK
from liveos.medium.efi import EFI_DIRECTORY, first_loaders, is_chain_signed, read_efi_loader
from liveos.medium.model import Boot, Firmware, Kernel, Loader, MediumKind
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume

# Files that a BIOS loader consists of, with the role that they show.
_BIOS_FILES = {
    "/isolinux/isolinux.bin": "isolinux",
    "/boot/isolinux/isolinux.bin": "isolinux",
    "/syslinux/ldlinux.sys": "syslinux",
    "/syslinux/isolinux.bin": "isolinux",
    "/ldlinux.sys": "syslinux",
    "/images/eltorito.img": "grub",
    "/boot/x86_64/loader/el_torito.img": "grub",
    "/boot/grub/grub_eltorito": "grub",
    "/boot/grub2/i386-pc/core.img": "grub",
    "/boot/grub/i386-pc/core.img": "grub",
}


def read_boot(scene: Scene, source: ByteSource | None, kernels: Sequence[Kernel]) -> Boot:
    """How firmware can start a medium; ``source`` is its bytes, None for a directory."""
    loaders = (*_bios_loaders(scene, source), *_efi_loaders(scene))
    first = first_loaders(loaders)
    return Boot(
        bios=_starts_on_bios(scene, source, loaders),
        uefi=tuple(sorted({loader.arch for loader in first if loader.arch})),
        secure_boot=is_chain_signed(loaders, kernels),
        loaders=loaders,
    )


def _starts_on_bios(scene: Scene, source: ByteSource | None, loaders: tuple[Loader, ...]) -> bool:
    if source is None:
        return any(loader.firmware is Firmware.BIOS for loader in loaders)
    if scene.kind is MediumKind.ISO:
        return any(image.platform == el_torito.Platform.X86 for image in _boot_images(source))
    return scene.kind is MediumKind.DISK and _boot_code(source) is not None


def _bios_loaders(scene: Scene, source: ByteSource | None) -> Iterator[Loader]:
    code = _boot_code(source) if source is not None else None
    if code is not None and scene.kind in {MediumKind.ISO, MediumKind.DISK}:
        yield Loader("MBR", Firmware.BIOS, "i386", str(code))
    for volume in scene.volumes:
        for path, role in _BIOS_FILES.items():
            node = volume.find_file(path)
            if node is not None:
                yield Loader(node.path, Firmware.BIOS, "i386", role, file=volume.ref(node))


def _boot_code(source: ByteSource) -> el_torito.HybridCode | None:
    """Whose code a BIOS would start; None where it only says that there is nothing to start."""
    if source.size >= len(NEXT_DISK) and source.read_at(0, len(NEXT_DISK)) == NEXT_DISK:
        return None
    return el_torito.read_hybrid_code(source)


def _boot_images(source: ByteSource) -> tuple[el_torito.BootImage, ...]:
    try:
        return tuple(image for image in el_torito.read_catalogue(source) if image.bootable)
    except FormatError:
        return ()


def _efi_loaders(scene: Scene) -> Iterator[Loader]:
    for volume, node in _efi_files(scene):
        yield read_efi_loader(volume.ref(node), volume.tree.open(node))


def _efi_files(scene: Scene) -> Iterator[tuple[Volume, Node]]:
    """The programs in EFI/BOOT; of an ISO's two trees, the one that every file system shows."""
    for volume in scene.volumes:
        names = sorted(volume.list_names(EFI_DIRECTORY))
        programs = [name for name in names if name.lower().endswith(".efi")]
        directory = volume.tree.resolve(EFI_DIRECTORY, ignore_case=True)
        for name in programs:
            node = volume.tree.lookup(f"{directory.path}/{name}") if directory else None
            if node is not None:
                yield volume, node
        if programs:
            return
