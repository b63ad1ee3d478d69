# SPDX-License-Identifier: Apache-2.0
"""Records what kernels do with snapshot stores: ``python3 -m tests.data.make_snapshot_fixtures``.

Boots each kernel once for the cases of `snapshot_cases` and once for what needs time or a
filesystem, then packs stores, status lines and hashes into ``snapshot_stores.tar.xz``. Equal
files are packed once. Needs QEMU, busybox-static, dmsetup, apt and e2fsprogs; no root.
"""

import hashlib
import io
import json
import lzma
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from tests.data.snapshot_cases import (
    CASES,
    FIXTURES,
    SECTOR,
    SUITES,
    Case,
    origin_pattern,
    pattern,
    written_pattern,
)
from tests.vm.snapshot_guest import run_guest

# Files that are kept as bytes; everything else that a case leaves is a fact in words.
_BINARY = ("store", "origin")
_UUID = "6c697665-6f73-4000-8000-000000000001"

_CASE = r"""
record() {  # record NAME ORIGIN STORE: what a load shows; the store is not written
    if snap s $2 $3 $option $chunk 2>out/$1/error; then
        status s >out/$1/reloaded
        hash /dev/mapper/s >out/$1/view 2>/dev/null || rm out/$1/view
        unload s
    fi
    detach $3
}
hash() { sha256sum <$1 >/work/hash || return 1; cut -d' ' -f1 /work/hash; }
"""


def main() -> None:
    """Record all suites and write the archive."""
    facts: dict[str, dict[str, Any]] = {}
    members: dict[str, bytes] = {}
    ext4 = _ext4_origin()
    for suite in SUITES:
        inputs = {"writes": written_pattern(), "origin": origin_pattern()}
        initial = {f"initial-{case.name}": case.initial for case in CASES if case.initial}
        script = _CASE + "".join(map(_script, CASES))
        files = run_guest(suite, script, inputs | initial).files
        files |= run_guest(suite, _CASE + _SPECIAL, inputs | {"ext4": ext4}).files
        _sort(suite, files, facts, members)
    members["facts.json"] = json.dumps(facts, indent=1, sort_keys=True).encode()
    FIXTURES.write_bytes(lzma.compress(_tar(members), preset=9 | lzma.PRESET_EXTREME))


def _script(case: Case) -> str:
    """The shell lines of one case."""
    where = f"out/{case.name}"
    made = f"cp in/initial-{case.name} c" if case.initial else "rm -f c"
    size = case.sectors * SECTOR
    lines = [
        f"echo {case.name} >/dev/ttyS0; mkdir {where}; option={case.option} chunk={case.chunk}",
        f"o=o{case.origin_sectors}",
        f"[ -e $o ] || head -c {case.origin_sectors * SECTOR} in/origin >$o",
        f"{made}; truncate -s {size} c",
        f"if snap s $o c $option $chunk 2>{where}/error; then",
        f"status s >{where}/loaded",
    ]
    lines += [
        f"put /dev/mapper/s {put.block * SECTOR} {put.seek} {put.skip} {put.count} || true"
        for put in case.puts
    ]
    lines += [
        f"status s >{where}/live; unload s; fi",
        f"detach c; cp c {where}/store; record {case.name} $o c",
        "",
    ]
    return "\n".join(lines)


_SPECIAL = r"""
option=PO chunk=8
cp in/origin o

writers() {  # writers NAME OPTION SECTORS: four at a time, through the page cache
    mkdir out/$1; rm -f c; truncate -s $(($3 * 512)) c; option=$2
    snap s o c $2 8
    for i in 0 1 2 3; do
        /bin/dd if=in/writes of=/dev/mapper/s bs=4096 conv=notrunc,fsync \
            seek=$((i * 700)) skip=$((i * 600)) count=500 2>/dev/null &
    done
    wait
    status s >out/$1/live
    unload s; detach c; cp c out/$1/store; record $1 o c
}
writers parallel PO 16200
writers parallel-overflow PO 8800
writers parallel-invalid P 8800
option=PO

merged() {  # merged NAME STORE ORIGIN
    cp $2 out/$1/store; cp $3 out/$1/origin; record $1 $3 $2
}
rm -f c; truncate -s 2867200 c
snap s o c PO 8
for i in 3 9 10 11 40 42 43; do put /dev/mapper/s 4096 $i $((i + 5)) 1; done
put /dev/mapper/s 4096 100 7 300
for i in 700 620 619 618 500 2; do put /dev/mapper/s 4096 $i $((i + 5)) 1; done
status s
mkdir out/merge-before out/merge-half out/merge-full
unload s; detach c; cp c out/merge-before/store; record merge-before o c

cp o om; cp c cm; attach om; attach cm; loop=$(loop_of om); n=$(sectors $loop)
dmsetup create slow --table "0 $n delay $loop 0 0 $loop 0 150"
dmsetup create m --table "0 $n snapshot-merge /dev/mapper/slow $(loop_of cm) P 8"
sleep 1
status m >out/merge-half/merging
unload m; unload slow; detach cm; detach om
merged merge-half cm om

attach om; attach cm
snap m om cm P 8 snapshot-merge
until [ "$(status m)" = "16/5600 16" ]; do sleep 0.1; done
unload m; detach cm; detach om
merged merge-full cm om

files() { mount -t ext4 $2 /dev/mapper/s mnt; (cd mnt; find . -type f | sort | xargs sha256sum) \
    >out/$1/files; umount mnt; }
mkdir mnt out/ext4-clean out/ext4-crashed
cp in/ext4 e; rm -f c; truncate -s 3M c
snap s e c PO 8
mount -t ext4 /dev/mapper/s mnt
for i in 1 2 3 4 5 6 7 8 9; do dd if=in/writes of=mnt/new$i bs=1000 skip=$i count=$((i * 9)); done
rm mnt/old1 mnt/old2 mnt/new3; mkdir mnt/directory; mv mnt/new4 mnt/directory; ln -s new5 mnt/link
echo changed >>mnt/old3
umount mnt
status s >out/ext4-clean/live
unload s; detach c; cp c out/ext4-clean/store; record ext4-clean e c
snap s e c PO 8; files ext4-clean "-o ro"
mount -t ext4 /dev/mapper/s mnt
for i in 1 2 3 4 5 6; do dd if=in/writes of=mnt/late$i bs=1000 skip=$i count=$((i * 7)); done
rm -r mnt/directory mnt/new5 mnt/old4
sync
dd if=in/writes of=mnt/later bs=1000 skip=20 count=30 conv=fsync
rm mnt/late1
cp c crashed
umount mnt; unload s; detach c; detach e
cp in/ext4 e; cp crashed out/ext4-crashed/store; record ext4-crashed e crashed
snap s e crashed PO 8; files ext4-crashed; unload s; detach crashed
cp in/ext4 out/ext4-clean/origin; cp in/ext4 out/ext4-crashed/origin
"""


def _ext4_origin() -> bytes:
    """A small ext4 filesystem like a LiveOS root: 4 KiB blocks, a journal, some files."""
    with tempfile.TemporaryDirectory() as name:
        tree, image = Path(name, "tree"), Path(name, "image")
        tree.mkdir()
        for number in range(1, 9):
            (tree / f"old{number}").write_bytes(pattern(b"f", 40 * number))
        options = ["-q", "-b", "4096", "-J", "size=4", "-U", _UUID, "-E", "lazy_itable_init=0"]
        options += ["-d", str(tree), str(image), "16M"]
        subprocess.run(["mke2fs", "-t", "ext4", *options], check=True)
        return image.read_bytes()


def _sort(
    suite: str, files: dict[str, bytes], facts: dict[str, dict[str, Any]], members: dict[str, bytes]
) -> None:
    """Spread what a guest left over facts and packed files."""
    for path, data in sorted(files.items()):
        case, _, item = path.partition("/")
        if not item:
            continue
        said = facts.setdefault(f"{suite}/{case}", {"packed": {}})
        if item in _BINARY:
            digest = hashlib.sha256(data).hexdigest()
            members[digest] = data
            said["packed"][item] = digest
        elif data:
            said[item] = data.decode().strip()


def _tar(members: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, data in sorted(members.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return archive.getvalue()


if __name__ == "__main__":
    main()
