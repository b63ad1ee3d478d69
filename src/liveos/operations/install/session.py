# SPDX-License-Identifier: Apache-2.0
"""What is known only while a plan is carried out."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from liveos.errors import LiveosError
from liveos.host.block.claim import Claim
from liveos.host.run import run
from liveos.host.sums import Sums
from liveos.operations.install.shared_source import SharedSource
from liveos.operations.install.source_check import SourceCheck
from liveos.operations.plan import Plan
from liveos.operations.steps.images import MakeWritable
from liveos.operations.steps.stick import Place
from liveos.report import Finding, Reporter, Severity


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written: what must be read back."""

    place: Place
    size: int
    sums: Sums
    copied: bool


@dataclass(slots=True)
class Session:
    """What is known only while a plan is carried out.

    ``part`` is the file that is being made and has not got its name yet; ``published`` is true
    when it has, and ``touched`` when a target that existed has been changed. ``scratch`` is a
    directory in which the files of a filesystem are gathered. ``unread`` are files not yet
    compared;
    ``check`` is the check of the source while it is under way. ``shared`` is what it has in common
    with the sticks that are made beside this one, where it has the number ``reader``. ``claim``
    keeps a device for us. ``writable`` is a filesystem that is to be read-only again.
    """

    reporter: Reporter
    shared: SharedSource = field(default_factory=SharedSource)
    reader: int = 0
    claim: Claim | None = None
    writable: MakeWritable | None = None
    part: Path | None = None
    published: bool = False
    scratch: Path | None = None
    touched: bool = False
    check: SourceCheck | None = None
    written: list[Written] = field(default_factory=list)
    unread: list[Written] = field(default_factory=list)

    def note(self, written: Written) -> None:
        self.written.append(written)
        self.unread.append(written)

    def make_writable(self, step: MakeWritable) -> None:
        """Let a mounted filesystem be written until all is closed."""
        run(step.begin)
        self.writable = step

    def poll(self) -> None:
        """Stop early if that is wished, or if the source has been found damaged meanwhile."""
        self.shared.poll()
        if self.check is not None:
            self.check.poll()

    def discard(self) -> None:
        """Stop what runs beside, and remove the unfinished file."""
        self.close()
        if self.part is not None:
            with suppress(OSError):
                self.part.unlink()
            self.part = None
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch = None

    def close(self) -> None:
        """Read no more, and give everything back; also when all went well."""
        self.check = None
        self.shared.leave(self.reader)
        self.release()
        self._make_read_only()

    def _make_read_only(self) -> None:
        step, self.writable = self.writable, None
        if step is None:
            return
        try:
            run(step.end)
        except LiveosError as error:
            message = f"{step.mount} is still mounted for writing: {error.message}"
            finding = Finding("still-writable", Severity.WARNING, message, str(step.end))
            self.reporter.finding(finding)

    def release(self) -> None:
        """Give a device back."""
        if self.claim is not None:
            self.claim.release()
            self.claim = None

    def is_full(self, plan: Plan) -> bool:
        """Whether the host's filesystem, not the stick's, is what has no space left.

        Programs that write through a pipe do not always say why they failed.
        """
        if self.part is None or plan.target is None:
            return False
        space = os.statvfs(self.part.parent)
        return space.f_bavail * space.f_frsize < 1024 * 1024
