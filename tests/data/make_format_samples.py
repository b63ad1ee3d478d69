# SPDX-License-Identifier: Apache-2.0
"""Records small images and what other programs say of them.

``python3 -m tests.data.make_format_samples`` makes them anew. The samples and ``facts.json`` go
into ``format_samples.tar.xz``. Needs xorriso, isomd5sum, dosfstools, mtools, fdisk, openssl and
sbsigntool; no root.
"""

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from tests.tools.formats.isos import BIOS_BOOT_CODE, run
from tests.unit.formats.builders import pe

SAMPLES = Path(__file__).parent / "format_samples.tar.xz"

_FILES = {
    "LiveOS/squashfs.img": b"hsqs" * 5000,
    "EFI/BOOT/BOOTX64.EFI": b"loader",
    "EFI/BOOT/grub.cfg": b"set default=1\n",
    "images/eltorito.img": bytes(range(256)) * 20,
    "images/efiboot.img": b"FAT " * 30_000,
    "A name with spaces, ümlauts and more than one piece.conf": b"long name",
    "lower.txt": b"",
}
_TABLES = {
    "gpt.img": "label: gpt\nlabel-id: 11111111-2222-3333-4444-555555555555\n"
    'start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, name="BIOS boot"\n'
    'start=4096, size=1024, type=U, name="Zwölf ☂"\n',
    "mbr.img": "label: dos\nlabel-id: 0xdeadbeef\nstart=64, size=512, type=c, bootable\n"
    "start=1024, size=6000, type=5\nstart=1100, size=200, type=83\n"
    "start=2048, size=100, type=82\n",
}


def _write_tree(where: Path) -> Path:
    for name, data in _FILES.items():
        path = where / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return where / "tree"


def _sums() -> dict[str, str]:
    return {f"/{name}": hashlib.sha256(data).hexdigest() for name, data in _FILES.items()}


def _blkid(path: Path, tag: str) -> str:
    return run("blkid", "-p", "-o", "value", "-s", tag, path).strip()


def _make_iso(where: Path) -> dict[str, Any]:
    tree, path = _write_tree(where), where / "live.iso"
    (tree / "link").symlink_to("../EFI/./BOOT")
    run(
        "xorriso", "-as", "mkisofs", "-R", "-J", "-V", "LiveOS-Sample-1", "-A", "Sample",
        "--grub2-mbr", BIOS_BOOT_CODE, "-partition_offset", "16", "-appended_part_as_gpt",
        "-append_partition", "2", "0xEF", tree / "images/efiboot.img",
        "-b", "images/eltorito.img", "-c", "boot.cat", "--boot-catalog-hide",
        "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info",
        "-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::", "-no-emul-boot",
        "-o", path, tree,
    )  # fmt: skip
    (tree / "link").unlink()
    with path.open("r+b") as file:  # not a byte of somebody else's boot code in the sample
        file.write(b"GRUB".ljust(432, b"\x90"))
    run("implantisomd5", path)
    report = run("xorriso", "-indev", path, "-report_el_torito", "plain")
    row = r"boot img : +\d+ +(\w+) +(\w) +\w+ +\S+ +\S+ +(\d+) +(\d+)"
    return {
        "label": _blkid(path, "LABEL"),
        "uuid": _blkid(path, "UUID"),
        "md5": run("checkisomd5", "--md5sumonly", path).split(":   ")[1].split()[0],
        "boot_images": re.findall(row, report),
        "link": "../EFI/./BOOT",
        # The boot info table is written into the file.
        "files": {name: sum_ for name, sum_ in _sums().items() if "eltorito" not in name},
        "partitions": _sfdisk(path),
    }


def _sfdisk(path: Path) -> Any:  # noqa: ANN401 - JSON
    table = json.loads(run("/usr/sbin/sfdisk", "-J", path))["partitiontable"]
    for partition in table["partitions"]:
        partition["number"] = int(partition.pop("node").removeprefix(str(path)))
    del table["device"]
    return table


def _make_fat(where: Path, bits: int) -> dict[str, Any]:
    path, data = where / f"fat{bits}.img", where / "data"
    run(
        "/usr/sbin/mkfs.fat",
        "-C",
        "-F",
        f"{bits}",
        "-s",
        "1",
        "-n",
        "SAMPLE",
        path,
        f"{_KIB[bits]}",
    )
    run("mmd", "-i", path, *("::LiveOS", "::EFI", "::EFI/BOOT", "::images"))
    for number in range(4):  # holes, so that files lie in pieces
        data.write_bytes(b"hole" * 600)
        run("mcopy", "-i", path, data, f"::hole{number}")
    run("mdel", "-i", path, "::hole0", "::hole2")
    for name, content in _FILES.items():
        data.write_bytes(content)
        run("mcopy", "-i", path, data, f"::{name}")
    said = run("/usr/sbin/fsck.fat", "-n", "-v", path)
    used, clusters = map(int, re.findall(r"(\d+)/(\d+) clusters", said)[0])
    return {
        "label": _blkid(path, "LABEL"),
        "uuid": _blkid(path, "UUID"),
        "free": (clusters - used) * int(re.findall(r"(\d+) bytes per cluster", said)[0]),
        "files": _sums()
        | {f"/hole{number}": hashlib.sha256(b"hole" * 600).hexdigest() for number in (1, 3)},
    }


_KIB = {12: 1000, 16: 4000, 32: 34000}


def _make_table(where: Path, name: str) -> dict[str, Any]:
    path = where / name
    path.touch()
    os.truncate(path, 4 << 20)
    subprocess.run(["/usr/sbin/sfdisk", "-q", path], input=_TABLES[name].encode(), check=True)
    return {"partitions": _sfdisk(path)}


def _make_signed(where: Path) -> dict[str, Any]:
    plain, key, certificate = where / "plain.efi", where / "key", where / "certificate"
    plain.write_bytes(pe({".text": b"code" * 200, ".sbat": b"sbat,1,x\nshim,4,y\n"}))
    run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9999",
        "-subj", "/O=liveos tests/CN=Sample Signer", "-keyout", key, "-out", certificate,
    )  # fmt: skip
    run("sbsign", "--key", key, "--cert", certificate, "--output", where / "signed.efi", plain)
    said = run("sbverify", "--list", where / "signed.efi")
    return {"signers": re.findall(r"subject: .*CN=(.*)", said)}


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        where = Path(directory)
        facts = {"live.iso": _make_iso(where), "signed.efi": _make_signed(where)}
        facts |= {f"fat{bits}.img": _make_fat(where, bits) for bits in _KIB}
        facts |= {name: _make_table(where, name) for name in _TABLES}
        with tarfile.open(SAMPLES, "w:xz", preset=9) as archive:
            for name in sorted(facts):
                _add(archive, name, (where / name).read_bytes())
            _add(archive, "facts.json", json.dumps(facts, indent=1).encode())


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    main()
