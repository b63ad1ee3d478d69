# SPDX-License-Identifier: Apache-2.0
"""Volumes as cryptsetup sees them; their contents are in tests/tools/operations/home."""

import json
import os
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from liveos.host.luks import HEADER_SIZE, format_command

pytestmark = pytest.mark.tools

UUID_1 = UUID("6c697665-6f73-4000-8000-00000000000b")


def test_what_a_guess_costs(tmp_path: Path) -> None:
    """Argon2id with 256 MiB, where RFC 9106, section 4, recommends at least 64 MiB.

    How many rounds take two seconds on this machine is cryptsetup's to measure; here it need not.
    """
    volume, own_key = tmp_path / "volume", tmp_path / "key"
    own_key.write_bytes(os.urandom(64))
    with volume.open("wb") as file:
        file.truncate(HEADER_SIZE + (1 << 20))
    command = format_command(volume, own_key, UUID_1)
    line = [command.tool.name, *command.arguments, "--pbkdf-force-iterations", "4"]
    subprocess.run(line, input=b"a", check=True)
    words = ["cryptsetup", "luksDump", "--dump-json-metadata", str(volume)]
    dump = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    (slot,) = dump["keyslots"].values()
    assert (slot["kdf"]["type"], slot["kdf"]["memory"]) == ("argon2id", 256 << 10)
