# SPDX-License-Identifier: Apache-2.0
"""``liveos prove``: show that a medium boots and remembers, without human help."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from liveos.host.luks import Key

LogDirectory = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Keep logs and screenshots here."),
]


class What(StrEnum):
    """What is to be shown.

    ``auto`` is ``boots`` for an ISO, ``read-only`` for a stick whose overlay takes no changes, and
    ``remembers`` for any other.
    """

    AUTO = "auto"
    BOOTS = "boots"
    REMEMBERS = "remembers"
    RESET = "reset"
    NO_TRACE = "no-trace"
    READ_ONLY = "read-only"


Show = Annotated[What, typer.Option("--show", help="What is to be shown.")]
KeyFile = Annotated[
    str | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="Type what is in this file when the console asks for a passphrase; - reads"
        " standard input.",
    ),
]


def prove(
    output: Output,
    target: Target,
    *,
    firmware: Firmware = FirmwareName.BIOS,
    attach: Attach = AttachmentName.AUTO,
    show: Show = What.AUTO,
    key_file: KeyFile = None,
    directory: LogDirectory = None,
    memory: Memory = "2G",
    cpus: Cpus = None,
) -> ExitStatus:
    """Prove that a medium boots, and that it remembers."""
    from liveos.cli.progress import reporter
    from liveos.host.machine.firmware import FirmwareKind
    from liveos.host.machine.qemu import Attachment
    from liveos.medium.stick import parse_image
    from liveos.operations.prove.proof import Showing, proof_document
    from liveos.operations.prove.proving import ProveRequest
    from liveos.operations.prove.proving import prove as run_proof

    path, name = parse_image(target)
    with reporter(output) as chosen, _key(key_file) as key:
        request = ProveRequest(
            firmware=FirmwareKind(firmware),
            image=name,
            attachment=None if attach == "auto" else Attachment(attach),
            showing=None if show == "auto" else Showing(show),
            memory_mib=memory_mib(memory),
            cpus=cpus,
            key=key,
            output=directory,
        )
        proof = run_proof(path, request, chosen)
    if output.as_json:
        output.document("prove", proof_document(proof))
    else:
        from liveos.cli.proof_view import proof_view

        output.show(*proof_view(proof))
    return ExitStatus.DONE if proof.proved else ExitStatus.PROBLEMS_FOUND


@contextmanager
def _key(key_file: str | None) -> Iterator["Key | None"]:
    """What is to be typed at boot, as long as the body lasts."""
    from liveos.cli.home.passphrase import read_key
    from liveos.host.luks import private_key

    if key_file is None:
        yield None
        return
    with private_key(*read_key(key_file)) as key:
        yield key
