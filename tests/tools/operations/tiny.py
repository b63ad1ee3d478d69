# SPDX-License-Identifier: Apache-2.0
"""A tiny ISO in the shape of a live image, and its facts as xorriso tells them.

Nothing in it can start; what is shown is that every byte arrives where it should.
"""

import random
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from liveos.formats.binary import Extent, FileSource
from liveos.formats.iso9660.isomd5 import read as read_sum
from liveos.host.target import look_at
from liveos.medium.model import Boot, FileRef, ImplantedMd5, Kernel, Loader, Medium
from liveos.operations.install.planning import InstallRequest, plan
from liveos.operations.plan import Plan
from liveos.sizes import Size
from tests.unit.operations import sources

MIB = 1 << 20
SIZE = 192 * MIB
_LBA = re.compile(r"^File data lba: +\d+ , +(\d+) , +\d+ , +(\d+) , '(.*)'$", re.MULTILINE)

FILES = {
    "/LiveOS/squashfs.img": 9_000_001,
    "/images/pxeboot/vmlinuz": 3_000_000,
    "/images/pxeboot/initrd.img": 5_000_003,
    "/EFI/BOOT/BOOTX64.EFI": 700_001,
    "/EFI/BOOT/grubx64.efi": 900_000,
    "/EFI/BOOT/mmx64.efi": 100_000,
    "/EFI/BOOT/fbx64.efi": 80_000,
}


def contents(path: str) -> bytes:
    """What the ISO holds at a path."""
    return random.Random(path).randbytes(FILES[path])


def run(*words: str | Path, stdin: bytes = b"") -> bytes:
    """What a program prints; the test fails when it does not end well."""
    done = subprocess.run(
        [str(word) for word in words], input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def make_iso(directory: Path, others: Mapping[str, bytes] = MappingProxyType({})) -> Path:
    """The ISO, with an implanted MD5 sum; ``others`` are files of other contents."""
    tree = directory / "tree"
    for path in FILES:
        file = tree / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(others.get(path) or contents(path))
    iso = directory / "tiny.iso"
    run("xorriso", "-as", "mkisofs", "-quiet", "-V", "TINY-LIVE", "-R", "-o", iso, tree)
    run("implantisomd5", iso)
    return iso


@cache
def facts(iso: Path) -> Medium:
    """What inspect would tell, taken from xorriso instead."""
    listing = run("xorriso", "-indev", iso, "-find", "/", "-type", "f", "-exec", "report_lba")
    files = {
        row[3]: FileRef(row[3], int(row[2]), iso, (Extent(int(row[1]) * 2048, int(row[2])),))
        for row in _LBA.finditer(listing.decode())
    }
    loaders = (replace(item, file=files[item.path]) for item in _loaders() if item.path in files)
    with FileSource(iso) as source:
        implanted, size = read_sum(source), source.size
    assert implanted is not None
    known = sources.NESTED
    image = replace(
        known,
        root=replace(
            known.root,
            file=files["/LiveOS/squashfs.img"],
            apparent_size=64 * MIB,
            stored_size=FILES["/LiveOS/squashfs.img"],
        ),
        kernels=(Kernel(files["/images/pxeboot/vmlinuz"], "6.1.0"),),
        initramfs=(replace(known.initramfs[0], file=files["/images/pxeboot/initrd.img"]),),
    )
    return sources.medium(
        image,
        path=iso,
        label="TINY-LIVE",
        size=size,
        boot=Boot(bios=True, uefi=("x64",), secure_boot=True, loaders=tuple(loaders)),
        implanted_md5=ImplantedMd5(implanted.md5, implanted.supported),
    )


def _loaders() -> tuple[Loader, ...]:
    return sources.LOADERS


def make_plan(iso: Path, target: Path, **changes: object) -> Plan:
    """A plan for a small stick with 20 MiB of overlay."""
    request = InstallRequest(identities=sources.IDENTITIES, size=SIZE, overlay=Size(bytes=20 * MIB))
    request = replace(request, **changes)  # type: ignore[arg-type]
    return plan(request, facts(iso), look_at(target, iso))
