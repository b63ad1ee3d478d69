# SPDX-License-Identifier: Apache-2.0
"""What a cut has left on a FAT is cleared before somebody else gets its clusters."""

import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource
from liveos.formats.fat.reader import Fat
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.fat_remains import clear_remains
from liveos.host.folders.folder import DescriptorFile
from liveos.host.volumes import FatVolume

pytestmark = pytest.mark.tools

MIB = 1 << 20
CLUSTER = 512
CONTENT = bytes(range(256)) * 2 * 5  # five clusters


@pytest.fixture
def esp(tmp_path: Path) -> Path:
    path = tmp_path / "esp.img"
    run("mkfs.fat", "-C", "-F", "32", "-s", "1", str(path), str(40 * MIB // 1024))
    for directory in ("liveos", "liveos/Second", "EFI", "mine"):
        mtools(path, "mmd", f"::/{directory}")
    return path


def run(*words: str, data: bytes = b"") -> bytes:
    return subprocess.run(words, input=data, capture_output=True, check=True).stdout


def mtools(esp: Path, program: str, *words: str, data: bytes = b"") -> bytes:
    return run(program, "-i", str(esp), *words, data=data)


def put(esp: Path, path: str) -> None:
    mtools(esp, "mcopy", "-", f"::{path}", data=CONTENT)


def cut(esp: Path, path: str, number: int) -> None:
    """The sector of the table that says where the chain goes on is not on the disk (FAT 1.03)."""
    with FileSource(esp) as source:
        fs = Fat(source)
        node = fs.lookup(path)
        assert node is not None
        geometry, first = fs.geometry, node.handle.cluster
    with esp.open("r+b") as file:
        for copy in range(2):
            file.seek(geometry.fat_offset + copy * geometry.fat_size + 4 * (first + number))
            file.write(bytes(4 * 5 if number == 0 else 4))


def clear(esp: Path) -> None:
    with esp.open("r+b") as file:
        clear_remains(DescriptorFile(file.fileno(), esp.stat().st_size, 0))


def complaints(esp: Path) -> list[str]:
    done = subprocess.run(["fsck.fat", "-n", esp], capture_output=True, check=False)
    return [line for line in done.stdout.decode().splitlines() if "share clusters" in line]


@pytest.mark.parametrize("path", ["/EFI/grub.cfg.new", "/liveos/Second/vmlinuz", "/mine/lost"])
def test_nobody_shares_clusters_with_what_was_being_removed(esp: Path, path: str) -> None:
    put(esp, path)
    cut(esp, path, 0)
    volume = FatVolume(esp, 0, esp.stat().st_size)
    with FatFolder(volume, "/EFI").create("other", len(CONTENT)) as file:
        file.write_at(0, CONTENT)
    assert complaints(esp) == []
    assert mtools(esp, "mtype", f"::{path}") == b""
    assert mtools(esp, "mtype", "::/EFI/other") == CONTENT


def test_a_chain_that_leads_to_nobodys_clusters(esp: Path) -> None:
    put(esp, "/liveos/Second/initrd.img")
    cut(esp, "/liveos/Second/initrd.img", 3)
    clear(esp)
    assert mtools(esp, "mtype", "::/liveos/Second/initrd.img") == b""


def test_what_is_left_of_the_owners_files_stays(esp: Path) -> None:
    put(esp, "/mine/photo")
    cut(esp, "/mine/photo", 3)
    before = esp.read_bytes()
    clear(esp)
    assert esp.read_bytes() == before


def test_a_directory_that_was_being_made_or_removed(esp: Path) -> None:
    cut(esp, "/liveos/Second", 0)
    clear(esp)
    assert b"Second" not in mtools(esp, "mdir", "-b", "::/liveos")


def test_where_all_is_whole_nothing_is_written(esp: Path) -> None:
    put(esp, "/EFI/grub.cfg.new")
    mtools(esp, "mcopy", "-", "::/EFI/empty")
    before = esp.read_bytes()
    clear(esp)
    assert esp.read_bytes() == before
