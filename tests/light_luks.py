# SPDX-License-Identifier: Apache-2.0
"""LUKS volumes that take the least work to open.

What the product asks of a processor for a second or two costs an emulated one half a minute.
"""

import sys
from pathlib import Path

LEAST_COST = ("--pbkdf-memory", "32", "--pbkdf-force-iterations", "4", "--pbkdf-parallel", "1")
_PROGRAM = (
    f"import sys; from liveos.host import luks; luks._KDF_COST = {LEAST_COST};"
    "from liveos.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


def command(*arguments: str | Path) -> list[str]:
    """A command line of the program, whose LUKS volumes are then such."""
    return [sys.executable, "-c", _PROGRAM, *map(str, arguments)]
