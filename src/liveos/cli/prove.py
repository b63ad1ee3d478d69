# SPDX-License-Identifier: Apache-2.0
"""``liveos prove``: show that a medium boots and remembers, without human help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from liveos.cli.machine_options import (
    Attach,
    AttachmentName,
    Cpus,
    Firmware,
    FirmwareName,
    Memory,
    Target,
    memory_mib,
)
from liveos.cli.output import Output
from liveos.errors import ExitStatus

LogDirectory = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Keep logs and screenshots here."),
]


class What(StrEnum):
    """What is to be shown; ``auto`` is ``boots`` for an ISO and ``remembers`` for a stick."""

    AUTO = "auto"
    BOOTS = "boots"
    REMEMBERS = "remembers"
    RESET = "reset"
    NO_TRACE = "no-trace"


Show = Annotated[What, typer.Option("--show", help="What is to be shown.")]


def prove(
    output: Output,
    target: Target,
    *,
    firmware: Firmware = FirmwareName.BIOS,
    attach: Attach = AttachmentName.AUTO,
    show: Show = What.AUTO,
    directory: LogDirectory = None,
    memory: Memory = "2G",
    cpus: Cpus = None,
) -> ExitStatus:
    """Prove that a medium boots, and that it remembers."""
    from liveos.cli.progress import reporter
    from liveos.host.machine.firmware import FirmwareKind
    from liveos.host.machine.qemu import Attachment
    from liveos.operations.prove.proof import Showing, proof_document
    from liveos.operations.prove.proving import ProveRequest
    from liveos.operations.prove.proving import prove as run_proof

    request = ProveRequest(
        firmware=FirmwareKind(firmware),
        attachment=None if attach == "auto" else Attachment(attach),
        showing=None if show == "auto" else Showing(show),
        memory_mib=memory_mib(memory),
        cpus=cpus,
        output=directory,
    )
    with reporter(output) as chosen:
        proof = run_proof(target, request, chosen)
    if output.as_json:
        output.document("prove", proof_document(proof))
    else:
        from liveos.cli.proof_view import proof_view

        output.show(*proof_view(proof))
    return ExitStatus.DONE if proof.proved else ExitStatus.PROBLEMS_FOUND
