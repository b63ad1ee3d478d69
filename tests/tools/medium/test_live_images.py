# SPDX-License-Identifier: Apache-2.0
"""The readers on real live images, where `python3 -m tests.images` has built them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource
from liveos.formats.iso9660 import isomd5
from liveos.formats.iso9660.reader import Iso9660
from liveos.formats.programs.linux import read_kernel
from liveos.formats.tree import Node
from liveos.medium.initramfs import read_initramfs
from tests.images.cache import cached
from tests.images.recipes import RECIPES
from tests.tools.formats.isos import run

pytestmark = pytest.mark.tools

_KERNELS = ("/images/pxeboot/vmlinuz", "/boot/x86_64/loader/linux")
_INITRAMFS = ("/images/pxeboot/initrd.img", "/boot/x86_64/loader/initrd")


@pytest.fixture(scope="module", params=RECIPES, ids=lambda recipe: recipe.name)
def source(request: pytest.FixtureRequest) -> Iterator[FileSource]:
    image = cached(request.param)
    if not image.exists:
        pytest.skip(f"python3 -m tests.images {request.param.name} has not been run")
    with FileSource(image.iso) as opened:
        yield opened


def _extract(source: FileSource, paths: tuple[str, ...], where: Path) -> tuple[Iso9660, Node]:
    """The first of these files, which xorriso copies out for the oracle."""
    iso = Iso9660(source)
    node = next(node for node in map(iso.lookup, paths) if node is not None)
    run("xorriso", "-osirrox", "on", "-indev", source.path, "-extract", node.path, where)
    return iso, node


def test_initramfs_is_what_the_lsinitrd_of_its_own_time_says(
    source: FileSource, tmp_path: Path
) -> None:
    """dpkg and lsinitrd were asked inside the image's own root when it was built.

    The host's lsinitrd need not know what a newer dracut has written.
    """
    facts = json.loads(source.path.with_suffix(".json").read_text())
    iso, node = _extract(source, _INITRAMFS, tmp_path / "initrd")
    before = source.bytes_read
    contents = read_initramfs(iso.open(node))
    assert source.bytes_read - before < 20 << 20
    assert contents.dracut == facts["dracut"]
    assert list(contents.modules) == facts["initramfs_modules"]
    assert contents.kernel == facts["kernel"]
    assert contents.systemd == ("systemd" in facts["initramfs_modules"])


def test_kernel_is_what_file_says(source: FileSource, tmp_path: Path) -> None:
    iso, node = _extract(source, _KERNELS, tmp_path / "kernel")
    kernel = read_kernel(iso.open(node))
    said = run("file", "-b", tmp_path / "kernel")
    assert kernel.banner is not None
    assert f"version {kernel.banner}," in said
    assert kernel.version == kernel.banner.split()[0]
    assert kernel.has_efi_stub
    signed = subprocess.run(
        ["sbverify", "--list", tmp_path / "kernel"], capture_output=True, check=False
    )
    assert kernel.is_signed == (b"subject" in signed.stdout)


def test_implanted_sum_holds(source: FileSource) -> None:
    implanted = isomd5.read(source)
    assert implanted is not None
    assert isomd5.check(source, implanted).verdict is isomd5.Verdict.PASSED
