# SPDX-License-Identifier: Apache-2.0
"""Replay of journals beside ``e2fsck -E journal_only``, on logs that debugfs and a kernel wrote.

All blocks of the result are compared. Left out are what e2fsck changes at every run: the
superblock's time of the last write, its count of written kilobytes, and its checksum, which
covers both (its fields are compared, so it is the only one they explain).
"""

import random
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.ext4.journal import (
    BlockType,
    CommitBlock,
    JournalChecksumError,
    JournalCompat,
    JournalIncompat,
)
from liveos.formats.ext4.replay import RecoveredSource, recover
from liveos.formats.ext4.superblock import Superblock
from tests.data.make_journal_fixtures import MAGIC, fingerprint
from tests.unit.formats.ext4.journals import CRASHED, image, journal_of, log_blocks

pytestmark = pytest.mark.tools

_FILE_LIMIT = 64 << 20  # e2fsck makes an image larger when a tag names a block behind its end

# What mke2fs makes, and how debugfs is to open its journal.
KINDS = {
    "v3": ("-t ext4", "-c -v 3"),
    "v3-32bit": ("-t ext4 -O ^64bit", "-c -v 3"),
    "v2": ("-t ext4", "-c -v 2"),
    "v2-32bit": ("-t ext4 -O ^64bit", "-c -v 2"),
    "v1": ("-t ext4 -O ^metadata_csum", "-c"),
    "plain": ("-t ext4 -O ^metadata_csum", ""),
    "ext3": ("-t ext3", ""),
}
FEATURES = {
    "v3": JournalIncompat.CSUM_V3 | JournalIncompat.WIDE,
    "v3-32bit": JournalIncompat.CSUM_V3,
    "v2": JournalIncompat.CSUM_V2 | JournalIncompat.WIDE,
    "v2-32bit": JournalIncompat.CSUM_V2,
    "v1": JournalIncompat.WIDE,
    "plain": JournalIncompat.WIDE,
    "ext3": 0,
}
SCRIPTS = {
    # The later copy counts; a block that begins with the magic is escaped.
    "copies": ["jw -b 5000,5001,5002,5003 data", "jw -b 5002,5001 data", "jw -b 5010 data"],
    # A revoked block, one that is written again after it was revoked, one that never was there.
    "revokes": ["jw -b 5000,5001,5002 data", "jw -r 5001,5002,7000", "jw -b 5002 data"],
    "only revokes": ["jw -r 5000"],
    # More tags than one descriptor block holds.
    "many": ["jw -b " + ",".join(map(str, range(5000, 5300))) + " data"],
}


def e2fsck(data: bytes, folder: Path) -> tuple[bytes, str]:
    """What ``e2fsck -E journal_only`` makes of an image, and says."""
    path = folder / "replayed.img"
    path.write_bytes(data)
    command = ["prlimit", f"--fsize={_FILE_LIMIT}", "e2fsck", "-E", "journal_only", "-y", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return path.read_bytes()[: len(data)], done.stdout + done.stderr


def whole(source: RecoveredSource) -> bytes:
    return source.read_at(0, source.size)


def written_by_debugfs(kind: str, script: str, folder: Path) -> bytes:
    make, opening = KINDS[kind]
    path, data = folder / "image", folder / "data"
    with path.open("wb") as file:
        file.truncate(8 << 20)
    options = [*make.split(), "-b", "1024", "-J", "size=1"]
    subprocess.run(["mke2fs", "-q", "-F", *options, str(path)], check=True, capture_output=True)
    noise = random.Random(7).randbytes(300 << 10)
    data.write_bytes(noise[:2048] + MAGIC + noise[2052:])
    lines = [line.replace("data", str(data)) for line in SCRIPTS[script]]
    commands = "\n".join([f"jo {opening}", *lines, "jc", ""])
    subprocess.run(["debugfs", "-w", "-f", "-", str(path)], input=commands, text=True,
                   check=True, capture_output=True)  # fmt: skip
    return path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_logs_of_debugfs(kind: str, script: str, tmp_path: Path) -> None:
    """Revokes alone are no whole transaction for v1: debugfs does not count them into its sum."""
    before = written_by_debugfs(kind, script, tmp_path)
    journal = journal_of(before).superblock
    mask = JournalIncompat.CSUM_V2 | JournalIncompat.CSUM_V3 | JournalIncompat.WIDE
    assert journal.incompat & mask == FEATURES[kind]
    assert bool(journal.compat & JournalCompat.CHECKSUM) == (kind == "v1")
    after, said = e2fsck(before, tmp_path)
    recovered = recover(MemorySource(before))
    assert fingerprint(whole(recovered)) == fingerprint(after)
    corrupt = recovered.corrupt_transaction
    assert (f"transaction {corrupt} was corrupt" in said) == (corrupt is not None)
    assert fingerprint(before) != fingerprint(after)


@pytest.mark.parametrize("name", CRASHED)
def test_recorded_crashes(name: str, tmp_path: Path) -> None:
    """The e2fsck that is here agrees with the one that made the record."""
    after, _ = e2fsck(image(name), tmp_path)
    assert fingerprint(whole(recover(MemorySource(image(name))))) == fingerprint(after)


@pytest.mark.parametrize("changes", [{"start": 0}, {"errno": 5}, {"start": 0, "errno": 5}])
@pytest.mark.parametrize("name", ["ext4-1k", "ext3"])
def test_empty_logs_and_kept_errors(name: str, changes: dict[str, int], tmp_path: Path) -> None:
    journal = journal_of(image(name))
    superblock = replace(journal.superblock, **changes).sealed()  # type: ignore[arg-type]
    start = journal.superblock_offset
    data = image(name)[:start] + superblock.pack() + image(name)[start + 1024 :]
    after, _ = e2fsck(data, tmp_path)
    assert fingerprint(whole(recover(MemorySource(data)))) == fingerprint(after)


@pytest.mark.parametrize("name", ["ext4-1k", "ext3", "sums-v1", "ext4-narrow", "around", "data"])
def test_damaged_logs(name: str, tmp_path: Path) -> None:
    """Bytes of the log are replaced; where ours gives a filesystem, it is that of e2fsck.

    Where it gives none, e2fsck complains, or writes behind the end of the filesystem or over the
    log that it is reading. What lies
    behind the fields of a commit block stays as it is: kernels take a block without it for cut
    off, but whole, and so does ours; e2fsck 1.47.0 does not.
    """
    chance, outcomes = random.Random(name), Counter[str]()
    for _ in range(30):
        data = damaged(name, chance)
        after, said = e2fsck(data, tmp_path)
        try:
            recovered = recover(MemorySource(data))
        except JournalChecksumError:
            assert "checksum" in said
            outcomes["refused"] += 1
        except FormatError as error:
            explained = "Invalid argument" in said or "the journal holds" in str(error)
            outcomes["refused" if explained else "unexplained"] += 1
        else:
            assert fingerprint(whole(recovered)) == fingerprint(after)
            assert ("was corrupt" in said) == (recovered.corrupt_transaction is not None)
            outcomes["same"] += 1
    assert outcomes["same"] > 3
    assert not outcomes["unexplained"]


def damaged(name: str, chance: random.Random) -> bytes:
    data, journal = bytearray(image(name)), journal_of(image(name))
    heads = log_blocks(image(name))
    for _ in range(chance.choice((1, 1, 2))):
        offset, header = chance.choice(heads)
        end = CommitBlock.layout().size if header.kind == BlockType.COMMIT else 80
        if header.kind == BlockType.DESCRIPTOR and chance.random() < 0.3:
            offset, end = offset + journal.superblock.block_size, 1024  # the first copy
        place = offset + chance.randrange(end)
        data[place] = chance.choice((0, 255, data[place] ^ 1 << chance.randrange(8)))
    return bytes(data)


def test_damaged_transactions_are_marked_as_e2fsck_does(tmp_path: Path) -> None:
    commits = [at for at, header in log_blocks(image("data")) if header.kind == BlockType.COMMIT]
    data = bytearray(image("data"))
    data[commits[3] + 16] ^= 1
    after, said = e2fsck(bytes(data), tmp_path)
    recovered = recover(MemorySource(bytes(data)))
    assert f"transaction {recovered.corrupt_transaction} was corrupt" in said
    assert Superblock.unpack(after, 1024).state == Superblock.read(recovered, 1024).state == 3
    assert fingerprint(whole(recovered)) == fingerprint(after)
