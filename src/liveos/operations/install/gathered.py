# SPDX-License-Identifier: Apache-2.0
"""How filesystems are made that need all their files at once."""

import shutil
from typing import assert_never

from liveos.errors import RefusedError
from liveos.host.volumes import StagedVolume
from liveos.operations.install.session import Session
from liveos.operations.steps.layouts import LayoutStep, MakeApart, MakeWithFiles, StartTree

_OURS = frozenset({"tree", "image", "prototype"})


def perform_layout_step(step: LayoutStep, session: Session) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    match step:
        case StartTree():
            _start(step.volume, session)
        case MakeApart():
            _start(step.volume, session)
            step.maker.build(step.volume, session.reporter.progress)
            _end(session)
        case MakeWithFiles():
            # Its own read-back compares the filesystem with all that is in it.
            session.unread = [each for each in session.unread if each.place.volume != step.volume]
            step.maker.build(step.volume, session.reporter.progress)
            _end(session)
        case _:
            assert_never(step)


def _start(volume: StagedVolume, session: Session) -> None:
    scratch = volume.scratch
    if scratch.is_dir():  # a killed run has left it
        names = {path.name for path in scratch.iterdir()}
        if not names <= _OURS:
            raise RefusedError(f"{scratch} is in the way", hint="remove or rename it")
        shutil.rmtree(scratch)
    scratch.mkdir(mode=0o700)
    session.scratch = scratch
    volume.tree.mkdir()
    volume.tree.chmod(0o755)  # whatever the umask is: it is what root of the stick gets


def _end(session: Session) -> None:
    if session.scratch is not None:
        shutil.rmtree(session.scratch)
        session.scratch = None
