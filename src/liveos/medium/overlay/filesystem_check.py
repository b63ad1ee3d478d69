# SPDX-License-Identifier: Apache-2.0
"""What e2fsck says of the filesystem that a view shows, after a replay of its journal (F codes).

It runs on a sparse copy in a private file: of the metadata alone at first. A verdict "clean" of
that copy counts: whatever e2fsck had looked for outside would have been zeros, and a fault. Any
other verdict is asked for again on a copy of everything.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import RecoveredSource, recover
from liveos.formats.ext4.superblock import Superblock
from liveos.host.run import Completed, run
from liveos.host.tools import E2FSCK, Command
from liveos.medium.overlay.scratch import Blocks, Scratch, metadata_blocks, scratch_file
from liveos.report import Finding, Reporter, Severity

# fsck(8): 1 corrected, 2 restart, 4 left uncorrected; 8 is what it says of a broken superblock.
_CORRECTED, _LEFT = 1, 4
_STATUSES = frozenset(range(16))
_ROUTINE = ("e2fsck ", "Pass ")
_SUMMARY = re.compile(
    r"^\d+/\d+ files \(|^\*{5}|was not cleanly unmounted|FILE SYSTEM WAS MODIFIED"
)


class Corrections(Enum):
    """What e2fsck may change, as its option."""

    NONE = "-n"
    SAFE = "-p"
    ALL = "-y"


@dataclass(frozen=True, eq=False)
class FilesystemCheck:
    """The findings, the words of e2fsck, and the blocks that it corrected.

    ``recovered`` is the filesystem after the replay, where that was done here. ``corrections``
    are whole blocks by number, on top of it, or of the view where there was no replay.
    """

    findings: tuple[Finding, ...]
    words: str
    recovered: RecoveredSource | None = None
    corrections: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether no damage is left."""
        return all(finding.severity is not Severity.FATAL for finding in self.findings)


def check_filesystem(
    view: ByteSource, reporter: Reporter, corrections: Corrections = Corrections.NONE
) -> FilesystemCheck:
    """Check the ext filesystem in a view; nothing of the view is changed.

    :raises FormatError: it is no ext2, ext3 or ext4.
    :raises ToolMissingError: there is no e2fsck.
    """
    Superblock.checked(view)
    try:
        recovered = recover(view)
    except FormatError as error:
        said = _run_on(view, None, reporter, corrections, replay=True)
        return _result(said, (_unreplayed(error),), None)
    wanted = None if corrections is Corrections.ALL else _metadata(recovered)
    said = _run_on(recovered, wanted, reporter, corrections)
    if wanted is not None and said.status > _CORRECTED:
        said = _run_on(recovered, None, reporter, corrections)
    return _result(said, tuple(_journal_findings(recovered)), recovered)


@dataclass(frozen=True, slots=True)
class _Said:
    """How a run of e2fsck ended."""

    status: int
    words: str
    changes: Mapping[int, bytes]


def _metadata(source: ByteSource) -> Blocks | None:
    try:
        return metadata_blocks(Ext4(source))
    except FormatError:
        return None


def _run_on(
    source: ByteSource,
    wanted: Blocks | None,
    reporter: Reporter,
    corrections: Corrections,
    *,
    replay: bool = False,
) -> _Said:
    """Run e2fsck on a copy of these blocks, or of all; its status, words and corrections."""
    superblock = Superblock.checked(source)
    used = superblock.blocks - superblock.free_blocks if wanted is None else int(wanted.sum())
    with scratch_file(source, used * superblock.block_size) as scratch:
        scratch.fill(wanted, reporter)
        if replay and corrections is Corrections.NONE:
            _e2fsck(scratch, superblock, "-y", "-E", "journal_only")
        done = _e2fsck(scratch, superblock, "-f", corrections.value)
        words = f"{done.text}\n{done.stderr.decode('utf-8', 'replace')}"
        words = words.replace(f"{scratch.path}: ", "").replace(str(scratch.path), "it")
        keeps = _CORRECTED <= done.status < _LEFT
        return _Said(done.status, words.strip(), scratch.changes() if keeps else {})


def _e2fsck(scratch: Scratch, superblock: Superblock, *options: str) -> Completed:
    """A clock behind the live system's is no damage: e2fsck is told the later time."""
    latest = max(int(time.time()), superblock.mount_time, superblock.write_time)
    clock = (("E2FSCK_TIME", str(latest)),)
    return run(Command(E2FSCK, (*options, str(scratch.path)), _STATUSES, clock))


def _result(
    said: _Said, notes: tuple[Finding, ...], recovered: RecoveredSource | None
) -> FilesystemCheck:
    findings = (*notes, *_findings(said))
    return FilesystemCheck(findings, said.words, recovered, said.changes)


def _findings(said: _Said) -> Iterator[Finding]:
    problems = [line for line in said.words.splitlines() if _is_problem(line)]
    if said.status >= _LEFT:
        first = f": {problems[0]}" if problems else ""
        more = f" (and {len(problems) - 1} more lines)" if len(problems) > 1 else ""
        yield Finding(
            "F1",
            Severity.FATAL,
            f"the filesystem that the system would see is damaged{first}{more}",
            "let e2fsck correct it; files may be lost that were damaged",
        )
    elif said.status:
        yield Finding("F4", Severity.INFO, "e2fsck corrected the filesystem")


def _is_problem(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(_ROUTINE) and not _SUMMARY.search(line)


def _journal_findings(recovered: RecoveredSource) -> Iterator[Finding]:
    if recovered.corrupt_transaction is not None:
        yield Finding(
            "F2",
            Severity.FATAL,
            "the journal of its filesystem is damaged at transaction"
            f" {recovered.corrupt_transaction}; the kernel refuses to mount it",
            "replay it up to there, then let e2fsck correct the filesystem",
        )
    elif recovered.replayed:
        yield Finding(
            "F3",
            Severity.INFO,
            "its filesystem was not unmounted, as after a crash; its journal is in order, and is"
            f" replayed ({len(recovered.changed_blocks)} blocks) on the next start or by repair",
        )


def _unreplayed(error: FormatError) -> Finding:
    return Finding(
        "F2",
        Severity.FATAL,
        f"the journal of its filesystem cannot be replayed: {error}",
        "let e2fsck replay it, as far as it can",
    )
