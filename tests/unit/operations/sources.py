# SPDX-License-Identifier: Apache-2.0
"""Facts of made-up sources and targets, for the tests of plans."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

from liveos.formats.binary import Extent
from liveos.host.target import Target, TargetKind
from liveos.medium.model import (
    Boot,
    Container,
    Entry,
    Family,
    FileRef,
    Firmware,
    Image,
    ImplantedMd5,
    Initramfs,
    Kernel,
    Loader,
    Medium,
    MediumKind,
    PersistenceKind,
    PersistenceOption,
    Root,
)
from liveos.operations.install.layout import Identities

MIB = 1 << 20
GIB = 1 << 30
ISO = Path("/srv/live.iso")
TARGET = Path("/srv/stick.img")

IDENTITIES = Identities(
    disk=UUID("00000000-0000-4000-8000-000000000001"),
    bios_boot=UUID("00000000-0000-4000-8000-000000000002"),
    esp=UUID("00000000-0000-4000-8000-000000000003"),
    live=UUID("00000000-0000-4000-8000-000000000004"),
    live_filesystem=UUID("00000000-0000-4000-8000-000000000005"),
    esp_serial=0x1A2B3C4D,
    overlay_filesystem=UUID("00000000-0000-4000-8000-000000000006"),
    home=UUID("00000000-0000-4000-8000-000000000007"),
    home_filesystem=UUID("00000000-0000-4000-8000-000000000008"),
    home_luks=UUID("00000000-0000-4000-8000-000000000009"),
    swap=UUID("00000000-0000-4000-8000-00000000000a"),
    data=UUID("00000000-0000-4000-8000-00000000000b"),
)


def file(path: str, size: int) -> FileRef:
    return FileRef(path, size, ISO, (Extent(2048 * 100, size),))


def loader(path: str, role: str = "shim") -> Loader:
    return Loader(path, Firmware.UEFI, "x64", role, file=file(path, MIB))


def entry(title: str, firmware: Firmware, *more: str, command: str = "linux") -> Entry:
    return Entry(
        title=title,
        firmware=firmware,
        menu="/EFI/BOOT/grub.cfg",
        label=None,
        kernel="/images/pxeboot/vmlinuz",
        initrd=("/images/pxeboot/initrd.img",),
        options=("root=live:CDLABEL=Fedora-WS-Live-36", "rd.live.image", *more, "quiet"),
        command=command,
    )


ENTRIES = (
    entry("Test this media & start Fedora Live", Firmware.UEFI, "rd.live.check"),
    entry("Start Fedora Live", Firmware.UEFI),
    entry("Start Fedora Live in basic graphics mode", Firmware.UEFI, "nomodeset"),
    entry("Start Fedora Live", Firmware.BIOS, command="kernel"),
)

LOADERS = (
    loader("/EFI/BOOT/BOOTX64.EFI"),
    loader("/EFI/BOOT/bootx64.efi"),
    loader("/EFI/BOOT/grubx64.efi", "grub"),
    loader("/EFI/BOOT/mmx64.efi", "mokmanager"),
    loader("/EFI/BOOT/fbx64.efi", "fallback"),
)

USABLE = tuple(PersistenceOption(kind, usable=True) for kind in PersistenceKind)
NESTED = Image(
    name="LiveOS",
    family=Family.DMSQUASH,
    root=Root(
        file=file("/LiveOS/squashfs.img", 900 * MIB),
        container=Container.SQUASHFS,
        compression="xz",
        nested="/LiveOS/rootfs.img",
        filesystem="ext4",
        label="Anaconda",
        uuid=None,
        apparent_size=6 * GIB,
        used_size=4 * GIB,
        stored_size=900 * MIB,
    ),
    kernels=(Kernel(file("/images/pxeboot/vmlinuz", 8 * MIB), "5.17.5-300.fc36.x86_64"),),
    initramfs=(
        Initramfs(
            file("/images/pxeboot/initrd.img", 40 * MIB),
            dracut="056",
            modules=("dmsquash-live", "overlayfs"),
            kernel="5.17.5-300.fc36.x86_64",
        ),
    ),
    entries=ENTRIES,
    persistence=USABLE,
)
NO_BLOCK_DEVICE = PersistenceOption(
    PersistenceKind.SNAPSHOT, usable=False, reason="there is no block device"
)
NO_FILESYSTEM = PersistenceOption(
    PersistenceKind.DIRECT, usable=False, reason="there is no filesystem in it"
)
FLAT = replace(
    NESTED,
    root=replace(NESTED.root, nested=None),
    persistence=(NO_BLOCK_DEVICE, *USABLE[1:3], NO_FILESYSTEM),
)


def medium(image: Image = NESTED, **changes: object) -> Medium:
    whole = Medium(
        path=ISO,
        kind=MediumKind.ISO,
        label="Fedora-WS-Live-36-1-5",
        size=GIB,
        images=(image,),
        boot=Boot(bios=True, uefi=("x64",), secure_boot=True, loaders=LOADERS),
        implanted_md5=ImplantedMd5("0123456789abcdef0123456789abcdef", supported=True),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


NEW_FILE = Target(TARGET, TargetKind.MISSING, free=100 * GIB)
OLD_FILE = Target(TARGET, TargetKind.FILE, size=8 * GIB, free=100 * GIB)
DEVICE = Target(Path("/dev/sdz"), TargetKind.DEVICE, size=8 * GIB)
