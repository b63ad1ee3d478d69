# SPDX-License-Identifier: Apache-2.0
"""A tiny medium of the isolinux years, unpacked: what livecd-iso-to-disk would have been given."""

import shutil
from pathlib import Path

from tests.images import menus
from tests.images.recipes import NESTED
from tests.litd_sticks import MIB, run
from tests.tools.medium.media import make_ext4
from tests.unit.medium.eras import PLAIN, initramfs, kernel

VERSION = "6.1.0-50-amd64"


def make_source(scratch: Path, *, flat: bool = False, dracut: str = "059") -> Path:
    """The tree: a nested root with a livesys, the menus of the nested test image.

    A flat root has no livesys, but a systemd that mounts what the kernel line names.
    """
    tree = scratch / "source"
    for name in ("isolinux", "images/pxeboot", "EFI/BOOT", "LiveOS"):
        (tree / name).mkdir(parents=True)
    for name in ("isolinux", "images/pxeboot"):
        (tree / name / "vmlinuz").write_bytes(kernel(VERSION))
        (tree / name / "initrd.img").write_bytes(initramfs(dracut, PLAIN + " overlayfs", VERSION))
    (tree / "isolinux/isolinux.cfg").write_text(menus.render(NESTED, "isolinux.cfg"))
    (tree / "EFI/BOOT/grub.cfg").write_text(menus.render(NESTED, "efi-grub.cfg"))
    _pack_root(scratch, tree / "LiveOS/squashfs.img", flat=flat)
    return tree


def _pack_root(scratch: Path, image: Path, *, flat: bool) -> None:
    root = scratch / "root"
    for name in ("proc", "etc/skel", "usr/libexec/livesys", "usr/sbin", "usr/bin"):
        (root / name).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:\n")
    (root / "usr/lib/systemd").mkdir(parents=True)
    mounts = "lib/systemd/libsystemd-shared-257.so" if flat else "libexec/livesys/livesys-main"
    for name in (mounts, "sbin/cryptsetup", "bin/plymouth"):
        (root / "usr" / name).touch()
    packed = root
    if not flat:
        packed = scratch / "nested"
        (packed / "LiveOS").mkdir(parents=True)
        make_ext4(packed / "LiveOS/rootfs.img", root, "Anaconda", 8 * MIB)
    run("mksquashfs", packed, image, "-quiet", "-no-progress", "-all-root")
    shutil.rmtree(root)
