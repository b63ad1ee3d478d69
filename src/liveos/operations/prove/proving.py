# SPDX-License-Identifier: Apache-2.0
"""Prove that a medium boots and remembers: two boots in QEMU, a mark left in the first.

Nothing is written to the medium: both boots share a throw-away layer over it, and the kernel
arguments that bring the shell exist only there.
"""

import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from liveos.errors import UnsupportedError, UsageError
from liveos.formats.identify import identify
from liveos.host.firmware import FirmwareKind, find_uefi
from liveos.host.qemu import Accelerator, Attachment, Drive, Machine, best_accelerator
from liveos.operations.guests.guest import BootFiles, Guest, Patience
from liveos.operations.guests.kernel_words import PROOF_WORDS
from liveos.operations.guests.layer import make_layer
from liveos.operations.guests.machine import (
    choose_attachment,
    open_target,
    own_variables,
    workspace,
)
from liveos.operations.guests.menu_edits import edit_menus, is_iso
from liveos.operations.prove.judgement import find_memory, why_not_persistent
from liveos.operations.prove.observation import Observation
from liveos.operations.prove.proof import BootReport, Proof
from liveos.operations.prove.watched_boot import Task, watch_boot
from liveos.report import NullReporter, Reporter


@dataclass(frozen=True, slots=True)
class ProveRequest:
    """How to prove.

    ``attachment`` None is a CD for an ISO and a USB stick for anything else. ``persistence`` says
    whether changes must survive; None expects it of everything but an ISO. ``output`` takes logs
    and screenshots; None makes a directory for them.
    """

    firmware: FirmwareKind = FirmwareKind.BIOS
    attachment: Attachment | None = None
    persistence: bool | None = None
    memory_mib: int = 2048
    cpus: int | None = None
    output: Path | None = None
    accelerator: Accelerator | None = None
    patience: Patience = field(default_factory=Patience)


class Mark:
    """A file that the first boot writes and the second looks for, with a text nobody can guess.

    ``survived`` is None until a second boot has looked.
    """

    def __init__(self) -> None:
        self.survived: bool | None = None
        self._token = secrets.token_hex(8)

    def leave(self, guest: Guest, seen: Observation) -> list[str]:
        """Write the mark where changes to the root go, and to a home of its own."""
        problems = memory_problems(seen)
        for path in self._paths(seen):
            answer = guest.ask(f"mkdir -p {path.parent} && echo {self._token} > {path} && sync")
            if answer.status != 0:
                problems.append(f"the running system could not write: {answer.text.strip()}")
        return problems

    def look(self, guest: Guest, seen: Observation) -> list[str]:
        """Look for the marks that the first boot left."""
        lost = [
            path.parent
            for path in self._paths(seen)
            if guest.ask(f"cat {path}").text.strip() != self._token
        ]
        self.survived = not lost
        gone = [f"what the first boot wrote into {directory} is gone" for directory in lost]
        return memory_problems(seen) + gone

    def _paths(self, seen: Observation) -> list[Path]:
        places = ["/var/lib", *(["/home"] if seen.mount_at("/home") else [])]
        return [Path(place, f"liveos-proof-{self._token}") for place in places]


def prove(target: Path, request: ProveRequest, reporter: Reporter | None = None) -> Proof:
    """Boot a medium, twice where it should remember, and judge what it says.

    What does not hold is a problem of the proof, not an exception.

    :raises LiveosError: the proof could not be tried: a missing program, an unreadable target.
    """
    target = target.absolute()
    with open_target(target) as source:
        from_iso = is_iso(source)
        if identify(source) is None:
            # A machine would wait for it as long as patience lasts.
            raise UnsupportedError(
                f"{target} has no partition table and no filesystem: nothing in it can boot",
                hint=f"liveos inspect {target} says what can be seen of it",
            )
    must_remember = not from_iso if request.persistence is None else request.persistence
    mark = Mark()
    tasks: list[Task] = [mark.leave, mark.look] if must_remember else [_only_look]
    with workspace() as directory:
        boots, problems = _boot(target, request, tasks, directory, reporter or NullReporter())
    return Proof(
        target=target,
        firmware=request.firmware,
        boots=tuple(boots),
        marker_survived=mark.survived,
        problems=tuple(problems),
        not_shown=_not_shown(from_iso=from_iso, must_remember=must_remember),
    )


def memory_problems(seen: Observation) -> list[str]:
    """Why the changes to a running root will not last; empty when they will."""
    memory = find_memory(seen)
    if memory.persistent is False:
        return [f"booted, but its changes go to memory: {why_not_persistent(seen)}"]
    if memory.status_line in {"Invalid", "Overflow"}:
        return [f"booted, but its overlay takes no more changes: it is {memory.status_line}"]
    return []


def _boot(
    target: Path, request: ProveRequest, tasks: list[Task], directory: Path, reporter: Reporter
) -> tuple[list[BootReport], list[str]]:
    """Boot once for each task; after a boot with problems, no further one."""
    boots: list[BootReport] = []
    problems: list[str] = []
    output = _output_directory(request.output)
    steps = len(tasks) + 1
    reporter.step("prepare a throw-away layer", 1, steps)
    layer = directory / "layer.qcow2"
    menus = edit_menus(target, directory, PROOF_WORDS)
    make_layer(target, layer, menus.patches)
    with open_target(target) as source:
        attachment = choose_attachment(request.attachment, from_iso=is_iso(source))
    machine = _machine(directory, Drive(layer, attachment, "qcow2", throw_away=True), request)
    for number, task in enumerate(tasks, 1):
        reporter.step(f"boot {number} of {len(tasks)}", number + 1, steps)
        files = BootFiles(output, directory, number)
        report, found = watch_boot(machine, files, request.patience, task)
        boots.append(report)
        problems += [f"boot {number}: {problem}" for problem in found]
        if problems:
            break
    if problems and not menus.menus:
        problems.append("no boot menu was found that kernel arguments could be added to")
    return boots, problems


def _machine(directory: Path, drive: Drive, request: ProveRequest) -> Machine:
    firmware = find_uefi(request.firmware)
    return Machine(
        drive=drive,
        accelerator=request.accelerator or best_accelerator(),
        firmware=firmware,
        variables=own_variables(firmware, directory),
        memory_mib=request.memory_mib,
        cpus=request.cpus,
    )


def _only_look(_guest: Guest, _seen: Observation) -> list[str]:
    return []


def _output_directory(wanted: Path | None) -> Path:
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="liveos-proof-"))
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{wanted} cannot take the logs: {error.strerror}") from error
    return wanted.absolute()


def _not_shown(*, from_iso: bool, must_remember: bool) -> tuple[str, ...]:
    if must_remember:
        return ()
    if from_iso:
        return ("an ISO keeps nothing: whether changes survive was not looked at",)
    return ("whether changes survive was not asked for, and not looked at",)
