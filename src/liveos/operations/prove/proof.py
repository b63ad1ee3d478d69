# SPDX-License-Identifier: Apache-2.0
"""What a proof found, and the document that scripts get of it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from liveos.host.machine.firmware import FirmwareKind
from liveos.operations.prove.home import Home
from liveos.operations.prove.judgement import Memory
from liveos.operations.prove.observation import Observation


class Showing(StrEnum):
    """What a proof shows of a medium.

    That it starts; that it keeps changes; that the menu's own entry empties the overlay, which
    then keeps changes again, and leaves a home of its own alone; that the menu's own entry starts
    it so that no change is kept; that it starts with what the overlay has, and adds nothing to it.
    """

    BOOTS = "boots"
    REMEMBERS = "remembers"
    RESET = "reset"
    NO_TRACE = "no-trace"
    READ_ONLY = "read-only"


@dataclass(frozen=True, slots=True)
class BootReport:
    """One boot.

    ``seconds`` is from power-on to the target that the system boots to. ``swap`` has the files and
    devices in use. ``seen`` is all that it said of its storage, from which the other facts are
    taken.
    """

    seconds: float | None = None
    kernel: str | None = None
    cmdline: str | None = None
    root: str | None = None
    overlay: Memory | None = None
    home: Home | None = None
    swap: tuple[str, ...] = ()
    asked_passphrase: bool | None = None
    serial_log: Path | None = None
    screenshot: Path | None = None
    seen: Observation | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What was shown.

    ``marker_survived`` is None where nothing was to survive, or no second boot was made.
    ``not_shown`` says in sentences what this proof does not cover. ``image`` is the name of the
    one that was asked for; None where that was not said.
    """

    target: Path
    firmware: FirmwareKind
    showing: Showing
    boots: tuple[BootReport, ...]
    marker_survived: bool | None
    problems: tuple[str, ...]
    not_shown: tuple[str, ...]
    image: str | None = None

    @property
    def proved(self) -> bool:
        """Everything that was asked for has been seen."""
        return not self.problems


def proof_document(proof: Proof) -> dict[str, Any]:
    """The proof in the shape that scripts rely on, but for the schema's name."""
    return {
        "target": str(proof.target),
        "image": proof.image,
        "proved": proof.proved,
        "firmware": str(proof.firmware),
        "shown": str(proof.showing),
        "boots": [_boot_document(boot) for boot in proof.boots],
        "marker_survived": proof.marker_survived,
        "problems": list(proof.problems),
        "not_shown": list(proof.not_shown),
    }


def _boot_document(boot: BootReport) -> dict[str, Any]:
    return {
        "seconds": boot.seconds,
        "kernel": boot.kernel,
        "cmdline": boot.cmdline,
        "root": boot.root,
        "overlay": None if boot.overlay is None else asdict(boot.overlay),
        "home": None if boot.home is None else asdict(boot.home),
        "swap": list(boot.swap),
        "asked_passphrase": boot.asked_passphrase,
        "serial_log": None if boot.serial_log is None else str(boot.serial_log),
        "screenshot": None if boot.screenshot is None else str(boot.screenshot),
    }
