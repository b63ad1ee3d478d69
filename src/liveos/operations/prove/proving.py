# SPDX-License-Identifier: Apache-2.0
"""Prove that a medium boots and remembers: boots in QEMU, with marks left in one for the next.

Nothing is written to the medium: the boots share a throw-away layer over it, and the kernel
arguments that bring the shell exist only there.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from liveos.errors import UnsupportedError, UsageError
from liveos.formats.identify import identify
from liveos.host.luks import Key
from liveos.host.machine.firmware import FirmwareKind, find_uefi
from liveos.host.machine.qemu import Accelerator, Attachment, Drive, Machine, best_accelerator
from liveos.medium.inspect import inspect
from liveos.medium.model import Medium
from liveos.operations.guests.choices import Choice, choices, shown_entries
from liveos.operations.guests.guest import BootFiles, Guest, Patience
from liveos.operations.guests.kernel_words import PROOF_WORDS
from liveos.operations.guests.layer import Patch, make_layer, patch_layer
from liveos.operations.guests.machine import (
    choose_attachment,
    open_target,
    own_variables,
    workspace,
)
from liveos.operations.guests.menu_edits import MenuEdits, edit_menus, is_iso
from liveos.operations.guests.typing import typeable
from liveos.operations.prove.expectation import expect, has_encrypted_home, image_problems
from liveos.operations.prove.mark import Mark
from liveos.operations.prove.observation import Observation
from liveos.operations.prove.proof import BootReport, Proof, Showing
from liveos.operations.prove.rounds import Round, is_read_only, rounds
from liveos.operations.prove.stick import stick_problems
from liveos.operations.prove.watched_boot import watch_boot
from liveos.report import NullReporter, Reporter


@dataclass(frozen=True, slots=True)
class ProveRequest:
    """How to prove.

    ``attachment`` None is a CD for an ISO and a USB stick for anything else. ``showing`` None
    expects of everything but an ISO that it remembers, or that it reads and adds nothing where its
    menu says so. ``key`` opens an encrypted home. ``output`` takes logs and screenshots; None makes
    a directory for them. ``image`` names one of several; None is what starts by itself.
    """

    firmware: FirmwareKind = FirmwareKind.BIOS
    image: str | None = None
    attachment: Attachment | None = None
    showing: Showing | None = None
    memory_mib: int = 2048
    cpus: int | None = None
    key: Key | None = None
    output: Path | None = None
    accelerator: Accelerator | None = None
    patience: Patience = field(default_factory=Patience)


def prove(target: Path, request: ProveRequest, reporter: Reporter | None = None) -> Proof:
    """Boot a medium, as often as what is to be shown takes, and judge what it says.

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
    medium = _inspect(target)
    secret = None if request.key is None else typeable(request.key)
    shown = shown_entries(target, request.firmware)
    own = choices(medium, shown, request.firmware, request.image)
    showing = request.showing or _default_showing(own, from_iso=from_iso)
    mark = Mark()
    start = None if request.image is None else own[0].position
    plan = rounds(showing, own, mark, start)
    judged = [_with_stick(medium, secret, each, request.image) for each in plan]
    with workspace() as directory:
        boots, problems = _boot(target, request, judged, directory, reporter or NullReporter())
    return Proof(
        target=target,
        image=request.image,
        firmware=request.firmware,
        showing=showing,
        boots=tuple(boots),
        marker_survived=mark.survived,
        problems=tuple(problems),
        not_shown=tuple(_not_shown(showing, medium, secret, from_iso=from_iso)),
    )


def _inspect(target: Path) -> Medium | None:
    """What is known of a medium; None where it cannot be read, which it may boot for all that."""
    with suppress(UnsupportedError):
        return inspect(target)
    return None


def _default_showing(own: Sequence[Choice], *, from_iso: bool) -> Showing:
    if from_iso:
        return Showing.BOOTS
    reads = bool(own) and is_read_only(own[0].entry)
    return Showing.READ_ONLY if reads else Showing.REMEMBERS


def _with_stick(
    medium: Medium | None, secret: bytes | None, each: Round, image: str | None
) -> Round:
    """The round, with a look first at whether the system uses what the stick has."""

    def judged(guest: Guest, seen: Observation) -> list[str]:
        expected = expect(medium, seen.cmdline)
        return [
            *image_problems(seen.cmdline, image),
            *stick_problems(guest, seen, expected, secret),
            *each.task(guest, seen),
        ]

    return replace(each, task=judged)


def _boot(
    target: Path, request: ProveRequest, plan: list[Round], directory: Path, reporter: Reporter
) -> tuple[list[BootReport], list[str]]:
    """Boot once for each round; after a boot with problems, no further one."""
    boots: list[BootReport] = []
    problems: list[str] = []
    output = _output_directory(request.output)
    steps = len(plan) + 1
    reporter.step("prepare a throw-away layer", 1, steps)
    layer = directory / "layer.qcow2"
    choosing = any(each.entry is not None for each in plan)
    menus = _chosen(plan[0], target, directory, choosing=choosing)
    make_layer(target, layer, menus.patches)
    with open_target(target) as source:
        attachment = choose_attachment(request.attachment, from_iso=is_iso(source))
    machine = machine_for(directory, Drive(layer, attachment, "qcow2", throw_away=True), request)
    secret = None if request.key is None else request.key.secret()
    before = plan[0]
    for number, each in enumerate(plan, 1):
        reporter.step(f"boot {number} of {len(plan)}", number + 1, steps)
        if choosing and _choice(each) != _choice(before):
            chosen = _chosen(each, target, directory, choosing=True)
            # The guest may have changed what lies around menus: only what differs is written.
            patch_layer(layer, _others(chosen, menus))
            before, menus = each, chosen
        files = BootFiles(output, directory, number)
        report, found = watch_boot(machine, files, request.patience, each.task, secret)
        boots.append(report)
        problems += [f"boot {number}: {problem}" for problem in found]
        if problems:
            break
    if problems and not menus.menus:
        problems.append("no boot menu was found that kernel arguments could be added to")
    return boots, problems


def _choice(each: Round) -> tuple[int | None, bool]:
    return each.entry, each.writable


def _others(new: MenuEdits, old: MenuEdits) -> tuple[Patch, ...]:
    there = set(old.patches)
    return tuple(patch for patch in new.patches if patch not in there)


def _chosen(each: Round, target: Path, directory: Path, *, choosing: bool) -> MenuEdits:
    """What lets the menu start what a round wants."""
    entry = (each.entry or 0) if choosing else None
    return edit_menus(target, directory, PROOF_WORDS, entry, writable=each.writable)


def machine_for(directory: Path, drive: Drive, request: ProveRequest) -> Machine:
    """The machine of a request; ``directory`` takes what its firmware remembers."""
    firmware = find_uefi(request.firmware)
    return Machine(
        drive=drive,
        accelerator=request.accelerator or best_accelerator(),
        firmware=firmware,
        variables=own_variables(firmware, directory),
        memory_mib=request.memory_mib,
        cpus=request.cpus,
    )


def _output_directory(wanted: Path | None) -> Path:
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="liveos-proof-"))
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{wanted} cannot take the logs: {error.strerror}") from error
    return wanted.absolute()


def _not_shown(
    showing: Showing, medium: Medium | None, secret: bytes | None, *, from_iso: bool
) -> Iterator[str]:
    if showing is Showing.BOOTS and from_iso:
        yield "an ISO keeps nothing: whether changes survive was not looked at"
    elif showing is Showing.BOOTS:
        yield "whether changes survive was not asked for, and not looked at"
    if secret is None and has_encrypted_home(medium):
        yield "whether the encrypted home opens: without --key-file no passphrase was typed"
