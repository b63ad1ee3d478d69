# SPDX-License-Identifier: Apache-2.0
"""What initramfs say of themselves, against dracut's lsinitrd."""

import re
import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource, FormatError, MemorySource
from liveos.medium.initramfs import read_initramfs
from tests.tools.formats.isos import noise, run
from tests.tools.formats.test_cpio import pack

pytestmark = pytest.mark.tools

_MODULES = ("systemd", "dm", "dmsquash-live", "overlayfs", "base")


def _dracut_tree(where: Path, files: dict[str, str]) -> Path:
    tree = where / "tree"
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = _dracut_tree(
        tmp_path,
        {
            "usr/lib/dracut/dracut-059-4": "dracut-059-4\n",
            "usr/lib/dracut/dracut-lib.sh": "",
            "usr/lib/dracut/build-parameter.txt": " --quiet\n",
            "usr/lib/dracut/modules.txt": "\n".join(_MODULES) + "\n",
            "usr/lib/modules/6.1.0-50-amd64/modules.dep": "",
            "usr/lib/systemd/systemd": "",
        },
    )
    (tree / "usr/lib/zzz").write_bytes(noise(20_000_000))
    return tree


def _microcode(where: Path) -> bytes:
    return pack(_dracut_tree(where / "early", {"kernel/x86/microcode/GenuineIntel.bin": "x" * 999}))


@pytest.mark.parametrize("is_early", [False, True])
@pytest.mark.parametrize(
    "compressor",
    [("cat",), ("gzip", "-1"), ("xz", "-0", "--check=crc32"), ("zstd", "-q"), ("lz4", "-l")],
)
def test_facts_are_what_lsinitrd_says(
    tree: Path, tmp_path: Path, compressor: tuple[str, ...], is_early: bool
) -> None:
    packed = subprocess.run(compressor, input=pack(tree), capture_output=True, check=True).stdout
    early = _microcode(tmp_path).ljust(4096, b"\0") if is_early else b""
    path = tmp_path / "initrd.img"
    path.write_bytes(early + packed)
    said = run("lsinitrd", path)
    with FileSource(path) as source:
        contents = read_initramfs(source)
        # What sorts behind the facts is not read, beyond one block (lz4 has the largest).
        assert source.bytes_read < 9_000_000
    assert re.findall("(?m)^Version: dracut-(.*)", said) == [contents.dracut]
    listed = said.split("dracut modules:\n")[1].split("\n=")[0].split()
    assert list(contents.modules) == listed == list(_MODULES)
    assert contents.kernel == "6.1.0-50-amd64"
    assert f"lib/modules/{contents.kernel}/" in said
    assert contents.systemd
    assert contents.families == ("dracut", "dmsquash-live")
    assert contents.is_complete


@pytest.mark.parametrize(
    ("files", "families"),
    [
        ({"lib/dracut/hooks/cmdline/30.sh": "", "sbin/dmsquash-live-root": ""},
         ("dracut", "dmsquash-live")),
        ({"lib/dracut-lib.sh": "", "lib/modules/2.6.35.6/modules.dep": ""}, ("dracut",)),
        ({"bin/nash": "", "init": "#!/bin/nash"}, ("mkinitrd",)),
        ({"scripts/live": "", "conf/conf.d/x": ""}, ("live-boot",)),
        ({"usr/lib/live/boot/9990-main.sh": ""}, ("live-boot",)),
        ({"scripts/casper": ""}, ("casper",)),
        ({"bin/busybox": ""}, ()),
    ],
)  # fmt: skip
def test_older_and_other_schemes_show_by_their_files(
    tmp_path: Path, files: dict[str, str], families: tuple[str, ...]
) -> None:
    contents = read_initramfs(MemorySource(pack(_dracut_tree(tmp_path, files))))
    assert contents.dracut is None
    assert contents.families == families


@pytest.mark.parametrize("directory", ["lib/dracut", "usr/share/dracut", "usr/lib/dracut"])
def test_dracut_is_found_where_its_age_puts_it(tmp_path: Path, directory: str) -> None:
    files = {f"{directory}/dracut-024-18.git": "", f"{directory}/modules.txt": "kiwi-live\n"}
    contents = read_initramfs(MemorySource(pack(_dracut_tree(tmp_path, files))))
    assert contents.dracut == "024-18.git"
    assert contents.families == ("dracut", "kiwi-live")
    assert not contents.systemd


def test_reading_ends_at_its_limit(tree: Path) -> None:
    (tree / "a-first").write_bytes(noise(3_000_000))
    contents = read_initramfs(MemorySource(pack(tree)))
    assert contents.is_complete
    packed = subprocess.run(
        ["gzip", "-1"], input=pack(tree), capture_output=True, check=True
    ).stdout
    contents = read_initramfs(MemorySource(packed), most=2_000_000)
    assert not contents.is_complete
    assert contents.dracut is None


def test_something_else_is_refused() -> None:
    with pytest.raises(FormatError):
        read_initramfs(MemorySource(b"#!/bin/sh\n" * 100))
