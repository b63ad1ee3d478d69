# SPDX-License-Identifier: Apache-2.0
"""From a medium to a machine that it can start: the facts that `boot` and `prove` share."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from liveos.errors import NotPermittedError, UsageError
from liveos.formats.binary import FileSource
from liveos.host.machine.firmware import FlashFile, UefiFirmware
from liveos.host.machine.qemu import Attachment


def open_target(target: Path) -> FileSource:
    """A file or device for reading.

    :raises UsageError: it is not there, or neither a file nor a device.
    :raises NotPermittedError: this user may not read it.
    """
    if not (target.is_file() or target.is_block_device()):
        raise UsageError(f"{target} is not an image file or device", hint="check the name")
    try:
        return FileSource(target)
    except PermissionError as error:
        raise NotPermittedError(
            f"{target} may not be read by this user", hint="use the right user, or a copy"
        ) from error


def choose_attachment(wanted: Attachment | None, *, from_iso: bool) -> Attachment:
    """As asked for; else a CD for an ISO, and a USB stick for anything else."""
    return wanted or (Attachment.CD if from_iso else Attachment.USB)


@contextmanager
def workspace() -> Iterator[Path]:
    """A directory for sockets and layers, gone afterwards. Sockets need a short path."""
    with tempfile.TemporaryDirectory(prefix="liveos-") as name:
        yield Path(name)


def own_variables(firmware: UefiFirmware | None, directory: Path) -> FlashFile | None:
    """A machine's own copy of its firmware's variable store, which it writes to."""
    if firmware is None:
        return None
    template = firmware.variables
    copy = directory / f"variables.{template.format}"
    shutil.copyfile(template.path, copy)
    copy.chmod(0o600)
    return FlashFile(copy, template.format)
