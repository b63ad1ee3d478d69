# SPDX-License-Identifier: Apache-2.0
"""Packs one small tree with every filesystem: ``python3 -m tests.data.make_filesystem_fixtures``.

The images go to ``filesystems.tar.xz``. Needs squashfs-tools, e2fsprogs and an erofs-utils that
has lzma and zstd (1.8 or later, built with both).
"""

import io
import lzma
import random
import subprocess
import tarfile
import tempfile
from pathlib import Path

FIXTURES = Path(__file__).parent / "filesystems.tar.xz"
UUID = "6c697665-6f73-4000-8000-000000000002"

_SQUASHFS = "mksquashfs TREE IMAGE -noappend -quiet -no-progress -all-root -nopad -b 4K -comp"
_EROFS = f"mkfs.erofs --quiet -T1700000000 -U{UUID} -x-1 --all-root"
_EXT = f"mke2fs -q -F -N 32 -b 1024 -U {UUID} -E root_owner=0:0 -d TREE"

COMMANDS = {
    "gzip.squashfs": f"{_SQUASHFS} gzip",
    "lzo.squashfs": f"{_SQUASHFS} lzo",
    "xz.squashfs": f"{_SQUASHFS} xz -Xbcj x86",
    "lz4.squashfs": f"{_SQUASHFS} lz4 -Xhc",
    "zstd.squashfs": f"{_SQUASHFS} zstd",
    "stored.squashfs": f"{_SQUASHFS} gzip -noI -noD -noF -noX",
    "plain.erofs": f"{_EROFS} -Enosbcrc IMAGE TREE",
    "chunks.erofs": f"{_EROFS} -Enosbcrc --chunksize=4096 IMAGE TREE",
    "indexes.erofs": f"{_EROFS} -Enosbcrc,force-chunk-indexes --chunksize=8192 IMAGE TREE",
    "checksum.erofs": f"{_EROFS} -L fixture IMAGE TREE",
    "lz4.erofs": f"{_EROFS} -Enosbcrc,ztailpacking -zlz4hc -C16384 IMAGE TREE",
    "lzma.erofs": f"{_EROFS} -Enosbcrc,fragments -zlzma -C65536 IMAGE TREE",
    "zstd.erofs": f"{_EROFS} -Enosbcrc,dedupe,fragments -zzstd -C16384 IMAGE TREE",
    "deflate.erofs": f"{_EROFS} -Enosbcrc -zdeflate -C8192 IMAGE TREE",
    "ext2.ext4": f"{_EXT} -t ext2 -L old IMAGE",
    "ext4.ext4": f"{_EXT} -t ext4 -O ^has_journal,^metadata_csum -L fixture IMAGE",
    "checksum.ext4": f"{_EXT} -t ext4 -O ^has_journal,metadata_csum IMAGE",
}
_EXT_SIZE = 400 << 10

# What is in the tree, as the tests expect it.
FILES = {
    "/hello": b"hello, world\n",
    "/empty": b"",
    "/Dir/Sub/blocks": b"".join(b"block %05d of a file\n" % number for number in range(1500)),
    "/noise": random.Random(11).randbytes(20_001),
    "/mixed": b"".join(random.Random(n).randbytes(1500) + bytes(7000) for n in range(6)),
    "/sparse": b"begin" + bytes(90_000) + b"end",
    "/islands": b"".join(b"island %d" % n + bytes(4000) for n in range(12)),
}
FILES["/again"] = b"not quite " + FILES["/mixed"] + FILES["/noise"]  # something to deduplicate
LINKS = {
    "/relative": "Dir/Sub/blocks",
    "/absolute": "/Dir/Sub",
    "/outside": "../../../../hello",
    "/loop": "loop",
    "/dangling": "nowhere",
    "/Dir/up": "..",
    "/long": "../" * 25 + "hello",  # longer than an ext inode holds
}


def make_tree(root: Path) -> None:
    for path, content in FILES.items():
        file = root / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    with (root / "sparse").open("r+b") as file_:
        file_.truncate(5)
        file_.seek(90_005)
        file_.write(b"end")
    for path, target in LINKS.items():
        (root / path[1:]).symlink_to(target)


def make_image(name: str, work: Path) -> bytes:
    image = work / name
    if name.endswith(".ext4"):
        with image.open("wb") as file:
            file.truncate(_EXT_SIZE)
    names = {"IMAGE": str(image), "TREE": str(work / "tree")}
    words = [names.get(word, word) for word in COMMANDS[name].split()]
    subprocess.run(words, check=True)
    return image.read_bytes()


def main() -> None:
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=packed, mode="w") as tar:
        work = Path(folder)
        (work / "tree").mkdir()
        make_tree(work / "tree")
        for name in COMMANDS:
            member = tarfile.TarInfo(name)
            data = make_image(name, work)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    FIXTURES.write_bytes(lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
