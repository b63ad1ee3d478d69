# SPDX-License-Identifier: Apache-2.0
"""OpenPGP signatures, judged by gpgv, which trusts exactly the keys of a file that is named."""

from pathlib import Path

from liveos.errors import ProblemsFoundError, ToolFailedError
from liveos.host.run import run
from liveos.host.tools import GPGV, Command


def signed_text(path: Path, keyring: Path) -> str:
    """What is signed in a clear-signed file; lines around it are not.

    :raises ProblemsFoundError: no key of ``keyring`` has signed it, or not this text.
    """
    # gpgv takes a name without a slash for one in its own directory.
    words = ("--keyring", str(keyring.absolute()), "--output", "-", str(path.absolute()))
    try:
        return run(Command(GPGV, words)).text
    except ToolFailedError as error:
        raise ProblemsFoundError(
            f"{path} is not signed by a key of {keyring}: {error.message.splitlines()[-1]}",
            hint="get both files again, from where you trust them to be right",
        ) from error
