# SPDX-License-Identifier: Apache-2.0
"""The report of changed files against two trees that debugfs unpacks, after random changes."""

import hashlib
import json
import os
import random
import stat
from pathlib import Path
from typing import Any

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.tools.medium.media import make_ext4
from tests.tools.operations.overlay import stores
from tests.tools.operations.overlay.stores import fill, make, run
from tests.unit.formats.exception_store.kernel_model import KernelModel
from tests.unit.medium.overlay.changes.listings import changes_between

pytestmark = pytest.mark.tools

MIB = 1 << 20
VARIANTS = {
    "usual": ("-t", "ext4", "-b", "4096"),
    "small blocks": ("-t", "ext4", "-b", "1024", "-g", "2048"),
    "inline": ("-t", "ext4", "-b", "4096", "-O", "inline_data"),
    "indirect": ("-t", "ext3", "-b", "1024", "-I", "128"),
    "old": ("-t", "ext2", "-b", "1024"),
}


def listing(image: Path, to: Path) -> dict[str, dict[str, object]]:
    """What debugfs unpacks of an image."""
    to.mkdir()
    run("debugfs", "-R", f"rdump / {to}", image)
    found: dict[str, dict[str, object]] = {}
    for path in sorted(to.rglob("*")):
        status = path.lstat()
        content = ""
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        # It does not give links their times.
        timeless = stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode)
        mtime = None if timeless else int(status.st_mtime)
        found[f"/{path.relative_to(to)}"] = {
            "mode": status.st_mode,
            "mtime": mtime,
            "content": content,
        }
    return found


class Editor:
    """Changes an image at random by debugfs, and remembers what was moved."""

    def __init__(self, image: Path, scratch: Path, seed: int) -> None:
        self.image, self.scratch = image, scratch
        self.dice = random.Random(seed)
        self.requests: list[str] = []
        self.moved: dict[str, str] = {}

    def edit(self, files: list[str], folders: list[str]) -> None:
        self.dice.shuffle(files)
        for number, path in enumerate(files[:24]):
            self.change(path, f"{self.dice.choice(folders)}/new{number}", number)
        run("debugfs", "-w", "-f", "-", self.image, stdin="\n".join(self.requests).encode())
        run("e2fsck", "-fy", self.image, good=(0, 1))

    def change(self, path: str, name: str, number: int) -> None:
        """One change of eight kinds; debugfs moves by a link, and e2fsck counts the links."""
        content = self.scratch / f"content{number}"
        content.write_bytes(self.dice.randbytes(self.dice.randrange(90_000)))
        kinds = [
            [f"write {content} {name}"],
            [f"rm {path}"],
            [f"ln {path} {name}", f"unlink {path}"],
            [f"rm {path}", f"write {content} {path}"],
            [f"set_inode_field {path} mode 0100640"],
            [f"set_inode_field {path} mtime @1234567"],
            [f"symlink {name} {path}"],
            [f"mkdir {name}", f"mkdir {name}/sub"],
        ]
        requests = kinds[number % len(kinds)]
        self.requests += requests
        if requests[0].startswith("ln"):
            self.moved[path] = name


def make_root(tree: Path, dice: random.Random) -> tuple[list[str], list[str]]:
    """A tree of files; their paths, and those of the directories."""
    folders = ["/a", "/a/b", "/a/b/c", "/d", "/e"]
    files = []
    for folder in folders:
        (tree / folder[1:]).mkdir(parents=True)
        for number in range(12):
            path = f"{folder}/file{number}"
            (tree / path[1:]).write_bytes(dice.randbytes(dice.choice((0, 40, 5000, 60_000))))
            files.append(path)
    return files, folders


def make_origin(path: Path, tree: Path, *words: str) -> None:
    """An image made long ago: debugfs gives numbers that it uses again no new generation."""
    made = ("env", "E2FSPROGS_FAKE_TIME=1600000000", "mke2fs", "-q", "-F", *words)
    run(*made, "-d", tree, path, "16M")


def store_of(origin: Path, view: Path, store: Path, chunk_sectors: int = 8) -> None:
    model = KernelModel(bytearray(24 * MIB), origin.read_bytes(), chunk_sectors=chunk_sectors)
    fill(model, b"", view)
    store.write_bytes(model.device)


def diff(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    assert main(["overlay", "diff", "--json", *map(str, words)]) == ExitStatus.DONE
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def assert_same(document: dict[str, Any], before: Path, after: Path, moved: dict[str, str]) -> None:
    scratch = before.parent
    told = changes_between(
        listing(before, scratch / "before"), listing(after, scratch / "after"), moved
    )
    assert document["added"] == list(told.added)
    assert document["removed"] == list(told.removed)
    assert document["modified"] == list(told.modified)
    assert document["renamed"] == [list(pair) for pair in told.renamed]
    assert document["metadata"] == list(told.metadata)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("variant", VARIANTS)
def test_random_changes(
    variant: str, seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin, view, store = (tmp_path / name for name in ("rootfs.img", "view.img", "store"))
    files, folders = make_root(tmp_path / "tree", random.Random(seed))
    make_origin(origin, tmp_path / "tree", *VARIANTS[variant])
    view.write_bytes(origin.read_bytes())
    editor = Editor(view, tmp_path, seed)
    editor.edit(files, folders)
    store_of(origin, view, store)
    document = diff(capsys, store, "--origin", origin)
    assert len(document["added"]) > 5
    assert_same(document, origin, view, editor.moved)


def test_a_crashed_system_is_compared_after_the_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin, view, store = (tmp_path / name for name in ("rootfs.img", "view.img", "store"))
    files, folders = make_root(tmp_path / "tree", random.Random(4))
    (tmp_path / "tree/old1").touch()
    make_origin(origin, tmp_path / "tree", "-t", "ext4")
    view.write_bytes(origin.read_bytes())
    editor = Editor(view, tmp_path, 4)
    editor.edit(files, folders)
    stores._pending(tmp_path, view)
    store_of(origin, view, store)
    document = diff(capsys, store, "--origin", origin)
    assert {"/before", "/after"} <= set(document["added"])
    assert "/old1" in document["metadata"]  # another owner, which a user cannot unpack
    document["metadata"].remove("/old1")
    assert [each["code"] for each in document["warnings"]] == ["replayed"]
    after = stores.recovered(view, tmp_path / "recovered.img")
    assert_same(document, origin, after, editor.moved)


def test_two_stores_of_one_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second one goes on from the state of the first one, in chunks of another size."""
    names = ("rootfs.img", "one.img", "two.img", "store 1", "store 2")
    origin, one, two, store_1, store_2 = (tmp_path / name for name in names)
    files, folders = make_root(tmp_path / "tree", random.Random(9))
    make_origin(origin, tmp_path / "tree", "-t", "ext4")
    one.write_bytes(origin.read_bytes())
    Editor(one, tmp_path, 1).edit(files[:30], folders)
    two.write_bytes(one.read_bytes())
    run("debugfs", "-w", "-R", "mkdir /later", two)
    editor = Editor(two, tmp_path, 2)
    editor.edit(files[30:], ["/later"])
    store_of(origin, one, store_1)
    store_of(origin, two, store_2, chunk_sectors=16)
    document = diff(capsys, store_2, "--against", store_1, "--origin", origin)
    assert_same(document, one, two, editor.moved)
    assert len(document["added"]) > 5


def test_usage_is_what_debugfs_calls_the_owners(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = make(tmp_path)
    document = diff(capsys, case.store, "--origin", case.origin)
    sizes = {each["path"]: each["size"] for each in document["usage"]}
    for name in ("new1", "new3"):
        blocks = run("debugfs", "-R", f"blocks /{name}", case.view).decode().split()
        # The model may hold a chunk of the file's because another file was there before.
        size = len(blocks) * 1024 if _block_size(case.view) == 1024 else len(blocks) * 4096
        assert 0 < sizes[f"/{name}"] <= size
    assert "freed" in {each["use"] for each in document["usage"]}


def _block_size(image: Path) -> int:
    header = run("dumpe2fs", "-h", image).decode()
    return next(int(line.split()[-1]) for line in header.splitlines() if "Block size" in line)


def test_an_overlay_directory_on_a_stick(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an ordinary user makes it: the marks are those of a mount with ``userxattr``."""
    root, stick = tmp_path / "root", tmp_path / "stick"
    for path in ("usr/bin/tool", "etc/conf", "opt/old/file"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    upper = stick / "LiveOS/overlay-LIVE-1234-ABCD"
    (upper / "etc").mkdir(parents=True)
    (upper / "opt/new").mkdir(parents=True)
    (stick / "LiveOS/ovlwork").mkdir()
    (upper / "etc/conf").write_text("changed")
    (upper / "etc/fresh").write_text("fresh")
    os.setxattr(upper / "opt/new", "user.overlay.redirect", b"old")
    run("mksquashfs", root, stick / "LiveOS/squashfs.img", "-quiet", "-no-progress")
    image = make_ext4(tmp_path / "stick.img", stick, "LIVE")
    run("debugfs", "-w", "-f", "-", image,
        stdin=b"cd /LiveOS/overlay-LIVE-1234-ABCD/opt\nmknod old c 0 0\n")  # fmt: skip
    document = diff(capsys, image, "--extract", tmp_path / "out")
    assert document["added"] == ["/etc/fresh"]
    assert document["modified"] == ["/etc/conf"]
    assert document["renamed"] == [["/opt/old", "/opt/new"]]
    assert document["removed"] == []
    assert document["usage"] == [
        {"path": "/etc/conf", "size": 7, "use": "file"},
        {"path": "/etc/fresh", "size": 5, "use": "file"},
    ]
    assert (tmp_path / "out/files/etc/conf").read_text() == "changed"
