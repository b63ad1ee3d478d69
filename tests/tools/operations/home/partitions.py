# SPDX-License-Identifier: Apache-2.0
"""Sticks whose home is a partition, made by other programs."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.tools.operations.home.pictures import lived_in
from tests.tools.operations.home.sticks import MIB, ext4_stick, run

HOME_TYPE = "933AC7E1-2EB4-4F13-B844-0E14E2AEF915"
GUID = "6C697665-6F73-4000-8000-0000000000AA"
_LIVE = 24
_START = 4 + _LIVE


@dataclass(frozen=True)
class Stick:
    """An image file with a GPT: partition 1 holds an image, partition 2 is its home."""

    path: Path
    scratch: Path

    def place(self, *, strict: bool = True) -> tuple[int, int]:
        """(offset, size) of the home in bytes, by sfdisk; if strict, of a table in order."""
        said = run("sfdisk", "--verify", self.path).decode()
        assert "No errors detected" in said or not strict
        table = run("sfdisk", "--dump", self.path).decode()
        row = re.search(
            rf"img2 : start= *(\d+), size= *(\d+), type={HOME_TYPE}, uuid={GUID}", table
        )
        assert row, table
        assert 'name="HOME"' in table
        return int(row[1]) * 512, int(row[2]) * 512

    def filesystem(self) -> Path:
        """The plain home, in the spelling of e2fsprogs."""
        return Path(f"{self.path}?offset={self.place()[0]}")

    def home(self, *, strict: bool = True) -> Path:
        """A copy of the home, as the kernel would find it."""
        offset, size = self.place(strict=strict)
        copy = self.scratch / "partition"
        with self.path.open("rb") as file, copy.open("wb") as out:
            file.seek(offset)
            out.write(file.read(size))
        return copy

    def live(self) -> bytes:
        """All bytes of the other partition."""
        return self.path.read_bytes()[4 * MIB : _START * MIB]


def stick_with_partition(
    scratch: Path, home: Path | None = None, mebibytes: int = 40, room: int = 64
) -> Stick:
    """A home of so many MiB, with so many behind it."""
    live = ext4_stick(scratch, mebibytes=_LIVE)
    live = live.rename(scratch / "live")
    path = scratch / "stick.img"
    with path.open("wb") as file:
        file.truncate((_START + mebibytes + room + 1) * MIB)
    script = (
        "label: gpt\n"
        f"start=4MiB, size={_LIVE}MiB, name=LIVE\n"
        f"start={_START}MiB, size={mebibytes}MiB, type={HOME_TYPE}, uuid={GUID}, name=HOME\n"
    )
    run("sfdisk", "-q", path, stdin=script.encode())
    home = home or lived_in(scratch / "made", scratch, mebibytes)
    with path.open("r+b") as file:
        file.seek(4 * MIB)
        file.write(live.read_bytes())
        file.seek(_START * MIB)
        file.write(home.read_bytes())
    live.unlink()
    return Stick(path, scratch)


def replayed(home: Path) -> Path:
    """After a mount: what e2fsck then finds wrong, it says."""
    done = subprocess.run(["e2fsck", "-fy", "-E", "journal_only", home], check=False)
    assert done.returncode in {0, 1}
    run("e2fsck", "-fn", home)
    return home
