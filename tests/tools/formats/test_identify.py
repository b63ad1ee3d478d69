# SPDX-License-Identifier: Apache-2.0
"""What `identify` says against what ``blkid -p`` says, on what real programs make."""

import shlex
import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource
from liveos.formats.identify import Identity, Kind, identify

pytestmark = pytest.mark.tools

MAKERS = {
    "ext2": "mke2fs -q -F -t ext2 -L two IMAGE",
    "ext3": "mke2fs -q -F -t ext3 IMAGE",
    "ext4": "mke2fs -q -F -t ext4 -L 'a label' IMAGE",
    "ext4-without-journal": "mke2fs -q -F -t ext4 -O ^has_journal IMAGE",
    "ext4-without-uuid": "mke2fs -q -F -t ext4 -U clear IMAGE",
    "fat12": "mkfs.fat -F 12 -n TWELVE IMAGE",
    "fat16": "mkfs.fat -F 16 -n SIXTEEN IMAGE",
    "fat32": "mkfs.fat -F 32 -n THIRTYTWO IMAGE",
    "fat32-without-label": "mkfs.fat -F 32 IMAGE",
    "f2fs": "mkfs.f2fs -q -l Flash IMAGE",
    "f2fs-without-label": "mkfs.f2fs -q IMAGE",
    "xfs": "mkfs.xfs -q -L ex IMAGE",
    "btrfs": "mkfs.btrfs -q -L butter IMAGE",
    "swap": "mkswap -L exchange IMAGE",
    "swap-large-pages": "mkswap -p 65536 IMAGE",
    "luks1": "cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 IMAGE KEY",
    "luks2": "cryptsetup -q luksFormat --type luks2 --label secret --pbkdf pbkdf2 "
    "--pbkdf-force-iterations 1000 IMAGE KEY",
    "squashfs": "mksquashfs TREE IMAGE -noappend -quiet -no-progress",
    "erofs": "mkfs.erofs --quiet -U 0a1b2c3d-0000-4000-8000-0123456789ab IMAGE TREE",
    "iso9660": "xorriso -as mkisofs -quiet -V Fedora-WS-Live-42 -o IMAGE TREE",
    "iso9660-joliet": "xorriso -as mkisofs -quiet -J -V Fedora-14-x86_64-Live-Desktop.is "
    "-o IMAGE TREE",
    "gpt": "sfdisk -q IMAGE",
    "dos": "sfdisk -q IMAGE",
}
SIZE = 320 << 20  # mkfs.xfs wants 300 MiB


@pytest.fixture(params=MAKERS)
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "image"
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(b"content")
    (tmp_path / "key").write_bytes(b"a passphrase")
    with path.open("wb") as file:
        file.truncate(16 << 20 if request.param in {"fat12", "fat16"} else SIZE)
    names = {"IMAGE": path, "TREE": tree, "KEY": tmp_path / "key"}
    words = [str(names.get(word, word)) for word in shlex.split(MAKERS[request.param])]
    script = f"label: {request.param}\n,8M\n"
    subprocess.run(words, check=True, capture_output=True, input=script.encode())
    return path


def blkid(image: Path) -> Identity:
    shown = subprocess.run(
        ["blkid", "-p", "-o", "export", image], check=True, capture_output=True, text=True
    ).stdout
    said = dict(line.replace("\\", "").split("=", 1) for line in shown.splitlines())
    kind = Kind(said.get("TYPE") or said["PTTYPE"])
    label = said.get("LABEL") or None
    return Identity(kind, label, said.get("UUID") or said.get("PTUUID"))


def test_it_is_what_blkid_says(image: Path) -> None:
    with FileSource(image) as source:
        assert identify(source) == blkid(image)
        assert source.bytes_read < 64 << 10
