# SPDX-License-Identifier: Apache-2.0
"""Trees taken out of a draft: what e2fsck says of the filesystem with the draft's blocks."""

import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource
from liveos.formats.ext4.reader import Ext4
from liveos.host.folders.ext4_draft import Draft
from liveos.host.folders.ext4_removal import remove_trees

pytestmark = pytest.mark.tools

FILES = [f"/{directory}/f{number}" for directory in "ab" for number in range(12)]


def run(*words: str | Path, stdin: bytes = b"", good: tuple[int, ...] = (0,)) -> bytes:
    done = subprocess.run(
        [str(word) for word in words], input=stdin, capture_output=True, check=False
    )
    assert done.returncode in good, (words, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(params=["metadata_csum", "^metadata_csum"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Files that share one block of attributes, as the kernel lets them; some have more names."""
    path = tmp_path / "image"
    run("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-O", request.param, path, "16M")
    requests = ["mkdir /a", "mkdir /b", "mkdir /b/c"]
    requests += [f"write {__file__} {name}" for name in FILES]
    requests += [f"ea_set {FILES[0]} user.same {'v' * 600}", "ln /a/f1 /b/again", "ln /a/f2 /a/two"]
    run("debugfs", "-w", "-f", "-", path, stdin="\n".join(requests).encode())
    told = run("debugfs", "-R", f"stat {FILES[0]}", path).decode()
    block = told.partition("File ACL: ")[2].split()[0]
    assert block != "0"
    shared = "\n".join(f"set_inode_field {name} file_acl {block}" for name in FILES)
    run("debugfs", "-w", "-f", "-", path, stdin=shared.encode())
    run("e2fsck", "-fy", path, good=(0, 1))
    run("e2fsck", "-fn", path)
    return path


@pytest.mark.parametrize("paths", [["/a"], ["/b/f3", "/a/two"], ["/a", "/b"], ["/b/c"]])
def test_what_is_left_is_in_order(image: Path, tmp_path: Path, paths: list[str]) -> None:
    draft_path = tmp_path / "draft"
    draft_path.touch()
    with FileSource(image) as source:
        draft = Draft.of(Ext4(source), draft_path)
        remove_trees(draft, paths)
        changed = {block: draft.read(block) for block in draft.changed().tolist()}
    with image.open("r+b") as file:
        for block, content in changed.items():
            file.seek(block * 4096)
            file.write(content)
    # Blocks of attributes that nobody has are for e2fsck to find, without asking.
    run("e2fsck", "-fp", image, good=(0, 1))
    run("e2fsck", "-fn", image)
    with FileSource(image) as source:
        left = {node.path for node in Ext4(source).walk()} - {"/lost+found"}
    every = {*FILES, "/a", "/b", "/b/c", "/b/again", "/a/two"}
    gone = {name for name in every for path in paths if f"{name}/".startswith(f"{path}/")}
    assert left == every - gone
