# SPDX-License-Identifier: Apache-2.0
"""Live media of every era as small trees: menus in the documented forms, dummy kernels.

The forms are those of images.md sections 1.0 to 1.8; the expected facts stand beside them.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from liveos.medium.model import Container, Family
from tests.unit.medium import payloads
from tests.unit.medium.menu_texts import (
    CENTOS_GRUB,
    DEBIAN_CONFIG,
    DEBIAN_GRUB,
    DEBIAN_ISOLINUX,
    FEDORA_7_ISOLINUX,
    FEDORA_10_GRUB,
    FEDORA_10_ISOLINUX,
    FEDORA_14_GRUB,
    FEDORA_14_ISOLINUX,
    FEDORA_17_GRUB,
    FEDORA_23_GRUB,
    FEDORA_23_ISOLINUX,
    FEDORA_36_GRUB,
    FEDORA_36_ISOLINUX,
    FEDORA_40_GRUB,
    KIWI_FULL,
    KIWI_STUB,
    LIVE_BOOT_GRUB,
    MANDRIVA_GRUB,
    OSBUILD_GRUB,
    QUBES_GRUB,
    QUBES_ISOLINUX,
    SUSE_FULL,
    VOID_GRUB,
    VOID_ISOLINUX,
)

LABELS = (
    "Fedora-14-x86_64-Live-Desktop.is",
    "Fedora-Live-WS-x86_64-23-10",
    "Fedora-WS-Live-36-1-5",
    "Fedora-WS-Live-42",
    "CentOS-7-x86_64-LiveGNOME-1810",
    "AlmaLinux-9_8-x86_64-Live-GNOME",
    "openSUSE_Leap_15.2_KDE_Live",
    "QUBES-R4-1-1-X86-64",
    "A label",
)


def kernel(version: str) -> bytes:
    """The head of a bzImage (Documentation/arch/x86/boot.rst) that tells a version."""
    head = bytearray(2048)
    head[0x1F1] = 3  # setup_sects
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, 0x20F)
    struct.pack_into("<H", head, 0x20E, 0x200)  # kernel_version, counted from 0x200
    text = f"{version} (builder) #1 SMP".encode()
    head[0x400 : 0x400 + len(text)] = text
    return bytes(head)


def initramfs(dracut: str | None, modules: str, kernel_version: str) -> bytes:
    """A cpio archive (newc) with what dracut leaves in it of itself."""
    files: dict[str, bytes | None] = {}
    if dracut is not None:
        files = {
            "usr": None,
            "usr/lib": None,
            "usr/lib/dracut": None,
            f"usr/lib/dracut/dracut-{dracut}": b"",
            "usr/lib/dracut/modules.txt": "".join(f"{m}\n" for m in modules.split()).encode(),
            "usr/lib/modules": None,
            f"usr/lib/modules/{kernel_version}": None,
            f"usr/lib/modules/{kernel_version}/modules.dep": b"",
        }
    return b"".join(
        [*(_newc(name, data) for name, data in files.items()), _newc("TRAILER!!!", b"")]
    )


def _newc(name: str, data: bytes | None) -> bytes:
    mode = 0o040755 if data is None else 0o100644
    content = data or b""
    numbers = (1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name.encode() + b"\0"
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


OLD = "dmsquash-live base"
PLAIN = "base dmsquash-live dmsquash-live-ntfs livenet pollcdrom systemd"
MODERN = "base dmsquash-live livenet overlayfs pollcdrom systemd"


@dataclass(frozen=True, slots=True)
class Era:
    """A medium and what is true of it.

    ``bios`` and ``uefi`` are (number of entries, title of the default); None is no menu.
    """

    label: str
    files: dict[str, str | bytes]
    family: Family
    bios: tuple[int, str] | None
    uefi: tuple[int, str] | None
    kernels: tuple[str, ...]
    dracut: str | None = None
    container: Container = Container.SQUASHFS
    nested: str | None = "LiveOS/rootfs.img"
    live_directory: str = "LiveOS"
    persistence: str = ""
    warnings: frozenset[str] = field(default_factory=frozenset)

    @property
    def kernel_version(self) -> str:
        """The release in the dummy kernels."""
        texts = (content for content in self.files.values() if isinstance(content, bytes))
        heads = (text[0x400:].split(b" ")[0] for text in texts if text[0x202:0x206] == b"HdrS")
        return next(heads).decode()

    def write(self, directory: Path, label: str | None = None) -> Path:
        """Write the tree; ``@LABEL@`` in menus becomes the volume label, escaped as GRUB wants."""
        shown = (label or self.label).replace(" ", r"\x20")
        for name, content in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content.replace("@LABEL@", shown))
            else:
                path.write_bytes(content)
        return directory


def _boot(paths: str, dracut: str | None, modules: str, version: str) -> dict[str, str | bytes]:
    """Kernel and initramfs, at every pair of paths."""
    files: dict[str, str | bytes] = {}
    for pair in paths.split():
        linux, _, initrd = pair.partition(",")
        files[linux] = kernel(version)
        files[initrd] = initramfs(dracut, modules, version)
    return files


SHIM_GRUB: dict[str, str | bytes] = {
    "EFI/BOOT/BOOTX64.EFI": b"MZ",
    "EFI/BOOT/grubx64.efi": b"MZ",
    "EFI/BOOT/mmx64.efi": b"MZ",
}
LORAX_BOOT = "images/pxeboot/vmlinuz,images/pxeboot/initrd.img"
KIWI_BOOT = "boot/x86_64/loader/linux,boot/x86_64/loader/initrd"


def _eras() -> dict[str, Callable[[], Era]]:
    return {
        "fedora-7": lambda: Era(
            label="Fedora-7-Live-i686",
            files={
                "squashfs.img": payloads.HOLDS_OS_IMG,
                "isolinux/isolinux.cfg": FEDORA_7_ISOLINUX,
                **_boot("isolinux/vmlinuz,isolinux/initrd.img", None, "", "2.6.21-1.3194.fc7"),
            },
            family=Family.MKINITRD,
            bios=(3, "Run from image"),
            uefi=None,
            kernels=("/isolinux/vmlinuz",),
            nested="os.img",
            live_directory="/",
            warnings=frozenset({"before-dracut"}),
        ),
        "fedora-10": lambda: Era(
            label="Fedora-10-x86_64-Live",
            files={
                "LiveOS/squashfs.img": payloads.NESTED_EXT3FS,
                "LiveOS/osmin.img": b"hsqs",
                "isolinux/isolinux.cfg": FEDORA_10_ISOLINUX,
                "EFI/boot/grub.conf": FEDORA_10_GRUB,
                "EFI/boot/bootx64.efi": b"MZ",
                **_boot(
                    "isolinux/vmlinuz0,isolinux/initrd0.img EFI/boot/vmlinuz0,EFI/boot/initrd0.img",
                    None, "", "2.6.27.5-117.fc10.x86_64",
                ),
            },
            family=Family.MKINITRD,
            bios=(3, "Boot"),
            uefi=(1, "Fedora 10"),
            kernels=("/isolinux/vmlinuz0", "/EFI/boot/vmlinuz0"),
            nested="LiveOS/ext3fs.img",
            warnings=frozenset({"before-dracut"}),
        ),
        "fedora-14": lambda: Era(
            label="Fedora-14-x86_64-Live-Desktop.is",
            files={
                "LiveOS/squashfs.img": payloads.NESTED_EXT3FS,
                "LiveOS/osmin.img": b"hsqs",
                "isolinux/isolinux.cfg": FEDORA_14_ISOLINUX,
                "isolinux/memtest": bytes(512),
                "EFI/boot/bootx64.conf": FEDORA_14_GRUB,
                "EFI/boot/grub.conf": FEDORA_14_GRUB,
                "EFI/boot/bootx64.efi": b"MZ",
                **_boot(
                    "isolinux/vmlinuz0,isolinux/initrd0.img EFI/boot/vmlinuz0,EFI/boot/initrd0.img",
                    "006", OLD, "2.6.35.6-45.fc14.x86_64",
                ),
            },
            family=Family.DMSQUASH,
            bios=(5, "Boot"),
            uefi=(2, "Fedora 14"),
            kernels=("/isolinux/vmlinuz0", "/EFI/boot/vmlinuz0"),
            dracut="006",
            nested="LiveOS/ext3fs.img",
            persistence="snapshot",
        ),
        "fedora-17": lambda: Era(
            label="Fedora-17-x86_64-Live-Desktop.is",
            files={
                "LiveOS/squashfs.img": payloads.NESTED_EXT3FS,
                "isolinux/isolinux.cfg": FEDORA_23_ISOLINUX.replace(
                    "rd.live.image", "liveimg"
                ).replace("rd.live.check", "check"),
                "EFI/BOOT/grub.conf": FEDORA_17_GRUB,
                "EFI/BOOT/BOOTX64.EFI": b"MZ",
                **_boot(
                    "isolinux/vmlinuz0,isolinux/initrd0.img", "018", OLD, "3.3.4-5.fc17.x86_64"
                ),
            },
            family=Family.DMSQUASH,
            bios=(4, "Start Fedora Live"),
            uefi=(2, "Fedora 17"),
            kernels=("/isolinux/vmlinuz0",),
            dracut="018",
            nested="LiveOS/ext3fs.img",
            persistence="snapshot",
        ),
        "fedora-23": lambda: Era(
            label="Fedora-Live-WS-x86_64-23-10",
            files={
                "LiveOS/squashfs.img": payloads.NESTED_EXT3FS,
                "isolinux/isolinux.cfg": FEDORA_23_ISOLINUX,
                "EFI/BOOT/grub.cfg": FEDORA_23_GRUB,
                **SHIM_GRUB,
                **_boot(
                    "isolinux/vmlinuz0,isolinux/initrd0.img", "043", PLAIN,
                    "4.2.3-300.fc23.x86_64",
                ),
            },
            family=Family.DMSQUASH,
            bios=(4, "Start Fedora Live"),
            uefi=(3, "Test this media & start Fedora Live 23"),
            kernels=("/isolinux/vmlinuz0",),
            dracut="043",
            nested="LiveOS/ext3fs.img",
            persistence="snapshot",
            warnings=frozenset({"default-checks-media"}),
        ),
        "centos-7": lambda: Era(
            label="CentOS-7-x86_64-LiveGNOME-1810",
            files={
                "LiveOS/squashfs.img": payloads.NESTED_EXT3FS,
                "isolinux/isolinux.cfg": FEDORA_23_ISOLINUX,
                "EFI/BOOT/grub.cfg": CENTOS_GRUB,
                **SHIM_GRUB,
                **_boot(
                    "isolinux/vmlinuz0,isolinux/initrd0.img", "033-554.el7", PLAIN,
                    "3.10.0-957.el7.x86_64",
                ),
            },
            family=Family.DMSQUASH,
            bios=(4, "Start Fedora Live"),
            uefi=(2, "Start CentOS 7 Live"),
            kernels=("/isolinux/vmlinuz0",),
            dracut="033-554.el7",
            nested="LiveOS/ext3fs.img",
            persistence="snapshot",
        ),
        "fedora-36": lambda: Era(
            label="Fedora-WS-Live-36-1-5",
            files={
                "LiveOS/squashfs.img": payloads.NESTED_ROOTFS,
                "isolinux/isolinux.cfg": FEDORA_36_ISOLINUX,
                "EFI/BOOT/grub.cfg": FEDORA_36_GRUB,
                "EFI/BOOT/BOOT.conf": FEDORA_36_GRUB,
                "EFI/BOOT/BOOTIA32.EFI": b"MZ",
                "EFI/BOOT/grubia32.efi": b"MZ",
                **SHIM_GRUB,
                **_boot(
                    f"{LORAX_BOOT} isolinux/vmlinuz,isolinux/initrd.img", "056", PLAIN,
                    "5.17.5-300.fc36.x86_64",
                ),
            },
            family=Family.DMSQUASH,
            bios=(4, "Test this media & start Fedora-Workstation-Live 36"),
            uefi=(3, "Test this media & start Fedora-Workstation-Live 36"),
            kernels=("/isolinux/vmlinuz", "/images/pxeboot/vmlinuz"),
            dracut="056",
            persistence="snapshot directory image direct",
            warnings=frozenset({"default-checks-media"}),
        ),
        "fedora-40": lambda: Era(
            label="Fedora-WS-Live-40-1-14",
            files={
                "LiveOS/squashfs.img": payloads.NESTED_ROOTFS,
                "boot/grub2/grub.cfg": FEDORA_40_GRUB,
                "boot/grub2/i386-pc/normal.mod": b"",
                "EFI/BOOT/grub.cfg": FEDORA_40_GRUB,
                **SHIM_GRUB,
                **_boot(LORAX_BOOT, "059", MODERN, "6.8.5-301.fc40.x86_64"),
            },
            family=Family.DMSQUASH,
            bios=(5, "Test this media & start Fedora-Workstation-Live 40"),
            uefi=(5, "Test this media & start Fedora-Workstation-Live 40"),
            kernels=("/images/pxeboot/vmlinuz",),
            dracut="059",
            persistence="snapshot directory image direct",
            warnings=frozenset({"default-checks-media"}),
        ),
        "fedora-41-flat": lambda: Era(
            label="Fedora-KDE-Live-41-1-4",
            files={
                "LiveOS/squashfs.img": payloads.FLAT_SQUASHFS,
                "boot/grub2/grub.cfg": FEDORA_40_GRUB,
                "EFI/BOOT/grub.cfg": FEDORA_40_GRUB,
                **SHIM_GRUB,
                **_boot(LORAX_BOOT, "102", MODERN, "6.11.4-301.fc41.x86_64"),
            },
            family=Family.DMSQUASH,
            bios=(5, "Test this media & start Fedora-Workstation-Live 40"),
            uefi=(5, "Test this media & start Fedora-Workstation-Live 40"),
            kernels=("/images/pxeboot/vmlinuz",),
            dracut="102",
            nested=None,
            persistence="directory image",
            warnings=frozenset({"default-checks-media"}),
        ),
        "fedora-42-kiwi": lambda: Era(
            label="Fedora-WS-Live-42",
            files={
                "LiveOS/squashfs.img": payloads.FLAT_EROFS,
                "boot/0x5fca3d1e": "0x5fca3d1e\n",
                "boot/mbrid": "0x5fca3d1e\n",
                "boot/grub2/grub.cfg": KIWI_FULL,
                "EFI/BOOT/grub.cfg": KIWI_STUB,
                "EFI/BOOT/fbx64.efi": b"MZ",
                "EFI/BOOT/bootx64.efi": b"MZ",
                **SHIM_GRUB,
                **_boot(KIWI_BOOT, "105", MODERN, "6.14.0-63.fc42.x86_64"),
            },
            family=Family.DMSQUASH,
            bios=(3, "Test this media & start Fedora-Workstation-Live"),
            uefi=(3, "Test this media & start Fedora-Workstation-Live"),
            kernels=("/boot/x86_64/loader/linux",),
            dracut="105",
            container=Container.EROFS,
            nested=None,
            persistence="directory image",
            warnings=frozenset(
                {"default-checks-media", "shim-fallback", "names-differ-in-case",
                 "erofs-mounted-twice"}
            ),
        ),
        "osbuild": lambda: Era(
            label="Fedora-43-Workstation-x86_64",
            files={
                "LiveOS/squashfs.img": payloads.FLAT_SQUASHFS,
                "boot/grub2/grub.cfg": OSBUILD_GRUB,
                "EFI/BOOT/grub.cfg": OSBUILD_GRUB,
                "EFI/BOOT/BOOT.cfg": OSBUILD_GRUB,
                "images/efiboot.img": bytes(512),
                ".discinfo": "1\n",
                **SHIM_GRUB,
                **_boot(LORAX_BOOT, "107", MODERN, "6.17.1-300.fc43.x86_64"),
            },
            family=Family.DMSQUASH,
            bios=(2, "Install Fedora 43"),
            uefi=(2, "Install Fedora 43"),
            kernels=("/images/pxeboot/vmlinuz",),
            dracut="107",
            nested=None,
            persistence="directory image",
        ),
        "opensuse": lambda: Era(
            label="openSUSE_Leap_15.2_KDE_Live",
            files={
                "LiveOS/squashfs.img": payloads.FLAT_SQUASHFS,
                "boot/grub2/grub.cfg": SUSE_FULL,
                "EFI/BOOT/grub.cfg": KIWI_STUB,
                **SHIM_GRUB,
                **_boot(
                    KIWI_BOOT, "049+git94", "base kiwi-lib kiwi-live overlayfs",
                    "5.3.18-lp152.19-default",
                ),
            },
            family=Family.KIWI,
            bios=(4, "openSUSE_Leap_15.2_KDE_Live"),
            uefi=(4, "openSUSE_Leap_15.2_KDE_Live"),
            kernels=("/boot/x86_64/loader/linux",),
            dracut="049+git94",
            nested=None,
            warnings=frozenset({"kiwi-live"}),
        ),
        "debian-dracut": lambda: Era(
            label="d-live 12.5.0 st amd64",
            files={
                "live/filesystem.squashfs": payloads.FLAT_SQUASHFS,
                "isolinux/isolinux.cfg": "include menu.cfg\ndefault vesamenu.c32\n",
                "isolinux/menu.cfg": "menu hshift 0\ninclude live.cfg\n",
                "isolinux/live.cfg": DEBIAN_ISOLINUX,
                "boot/grub/grub.cfg": DEBIAN_GRUB,
                "boot/grub/config.cfg": DEBIAN_CONFIG,
                "EFI/boot/bootx64.efi": b"MZ",
                "EFI/boot/grubx64.efi": b"MZ",
                ".disk/info": "Debian",
                **_boot(
                    "live/vmlinuz-6.1.0-18-amd64,live/initrd.img-6.1.0-18-amd64", "059-4", MODERN,
                    "6.1.0-18-amd64",
                ),
            },
            family=Family.DMSQUASH,
            bios=(1, "Live system (amd64)"),
            uefi=(1, "Live system (amd64)"),
            kernels=("/live/vmlinuz-6.1.0-18-amd64",),
            dracut="059-4",
            nested=None,
            live_directory="live",
            persistence="directory image",
        ),
        "debian-live-boot": lambda: Era(
            label="d-live 11.0.0 gn amd64",
            files={
                "live/filesystem.squashfs": payloads.FLAT_SQUASHFS,
                "boot/grub/grub.cfg": LIVE_BOOT_GRUB,
                "EFI/boot/bootx64.efi": b"MZ",
                **_boot("live/vmlinuz,live/initrd.img", None, "", "5.10.0-8-amd64"),
            },
            family=Family.LIVE_BOOT,
            bios=(1, "Live system"),
            uefi=(1, "Live system"),
            kernels=("/live/vmlinuz",),
            nested=None,
            live_directory="live",
            warnings=frozenset({"live-boot"}),
        ),
        "void": lambda: Era(
            label="VOID_LIVE",
            files={
                "LiveOS/squashfs.img": payloads.NESTED_EXT3FS,
                "boot/isolinux/isolinux.cfg": VOID_ISOLINUX,
                "boot/grub/grub.cfg": VOID_GRUB,
                "boot/grub/efi.img": bytes(512),
                **_boot("boot/vmlinuz,boot/initrd", "059", MODERN, "6.3.12_1"),
            },
            family=Family.DMSQUASH,
            bios=(2, "Void Linux 6.3.12_1 x86_64"),
            uefi=(2, "Void Linux 6.3.12_1 x86_64"),
            kernels=("/boot/vmlinuz",),
            dracut="059",
            nested="LiveOS/ext3fs.img",
            persistence="snapshot directory image direct",
        ),
        "openmandriva": lambda: Era(
            label="OMLX",
            files={
                "LiveOS/squashfs.img": payloads.FLAT_SQUASHFS,
                "boot/grub2/grub.cfg": MANDRIVA_GRUB,
                "EFI/BOOT/BOOTX64.EFI": b"MZ",
                **_boot("boot/vmlinuz0,boot/liveinitrd.img", "106", MODERN, "6.12.1-desktop-1omv"),
            },
            family=Family.DMSQUASH,
            bios=(1, "Start OpenMandriva Live"),
            uefi=(1, "Start OpenMandriva Live"),
            kernels=("/boot/vmlinuz0",),
            dracut="106",
            nested=None,
            persistence="directory image",
        ),
        "qubes-installer": lambda: Era(
            label="QUBES-R4-1-1-X86-64",
            files={
                "images/install.img": payloads.FLAT_SQUASHFS,
                "isolinux/isolinux.cfg": QUBES_ISOLINUX,
                "isolinux/xen.gz": bytes(16),
                "EFI/BOOT/grub.cfg": QUBES_GRUB,
                "EFI/BOOT/BOOTX64.EFI": b"MZ",
                "images/pxeboot/xen.gz": bytes(16),
                **_boot(
                    f"{LORAX_BOOT} isolinux/vmlinuz,isolinux/initrd.img", "055",
                    "base anaconda", "5.15.52-1.fc32.qubes.x86_64",
                ),
            },
            family=Family.INSTALLER,
            bios=(2, "Test media and install Qubes R4.1"),
            uefi=(2, "Install Qubes OS R4.1"),
            kernels=("/isolinux/vmlinuz", "/images/pxeboot/vmlinuz"),
            dracut="055",
            nested=None,
            live_directory="images",
            warnings=frozenset({"default-checks-media", "installer"}),
        ),
    }  # fmt: skip


ERAS = _eras()
