# SPDX-License-Identifier: Apache-2.0
"""The tiny ISO with a squashfs that really holds a root: it can be unpacked, and says who it is."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from liveos.medium.home.locate import open_root
from liveos.medium.home.mounting import LiveSystem, read_live_system
from liveos.medium.model import Image, Medium
from tests.tools.operations import tiny
from tests.tools.operations.tiny import MIB, run

ROOT_SIZE = 64 * MIB
_FILES = {
    "etc/passwd": b"root:x:0:0::/root:/bin/sh\nann:x:1000:1001::/home/ann:/bin/sh\n",
    "etc/skel/.profile": b"# hello\n",
    "usr/lib/systemd/libsystemd-shared-252.so": b"",
    "usr/sbin/cryptsetup": b"",
    "usr/share/data": bytes(range(256)) * 4096 * 8,
}


def make_root(directory: Path) -> Path:
    """An ext4 in a file, with a hole between its files and its end."""
    tree = directory / "root"
    for path, content in _FILES.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    root = directory / "rootfs.img"
    run("mke2fs", "-q", "-t", "ext4", "-d", tree, "-L", "root", root, f"{ROOT_SIZE // MIB}m")
    return root


def make_iso(directory: Path, others: Mapping[str, bytes] = MappingProxyType({})) -> Path:
    """The ISO, with `make_root` beside it as ``rootfs.img``; ``others`` have other contents."""
    root = make_root(directory)
    packed = directory / "packed" / "LiveOS"
    packed.mkdir(parents=True)
    shutil.copy(root, packed / "rootfs.img")
    squashfs = directory / "squashfs.img"
    run("mksquashfs", packed.parent, squashfs, "-quiet", "-no-progress", "-comp", "gzip")
    return tiny.make_iso(directory, {"/LiveOS/squashfs.img": squashfs.read_bytes(), **others})


def facts(iso: Path, **changes: object) -> Medium:
    """The facts of the ISO; ``changes`` are those of its image's."""
    medium = tiny.facts(iso)
    image = medium.images[0]
    assert image.root.file is not None
    root = replace(image.root, stored_size=image.root.file.size, nested="LiveOS/rootfs.img")
    image: Image = replace(image, root=root, **changes)  # type: ignore[arg-type, no-redef]
    return replace(medium, images=(image,))


def live_system(iso: Path) -> LiveSystem:
    """What the root has that matters for home and swap."""
    with open_root(str(iso)) as tree:
        assert tree is not None
        return read_live_system(tree)
