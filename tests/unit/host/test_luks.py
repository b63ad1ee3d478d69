# SPDX-License-Identifier: Apache-2.0
"""Keys stay secret; what cryptsetup makes of it all is in tests/tools."""

from pathlib import Path
from uuid import UUID

import pytest

from liveos.errors import RefusedError
from liveos.host.luks import HEADER_SIZE, EncryptedSink, Key, format_command, private_key

SECRET = b"correct horse"


def test_a_key_does_not_show_its_secret() -> None:
    with private_key("the key file k", SECRET) as key:
        assert key.secret() == SECRET
        assert "horse" not in repr(key) + str(key)
        assert str(key) == "the key file k"
        assert isinstance(key, Key)


@pytest.mark.parametrize("secret", [b"", bytes((1 << 20) + 1)])
def test_what_is_no_key(secret: bytes) -> None:
    with pytest.raises(RefusedError, match="the passphrase"), private_key("the passphrase", secret):
        pass


def test_the_command_has_no_secret_and_says_everything_that_a_default_could_change() -> None:
    uuid = UUID("6c697665-6f73-4000-8000-000000000001")
    words = str(format_command(Path("/volume"), Path("/proc/1/fd/3"), uuid)).split()
    assert words[:2] == ["cryptsetup", "luksFormat"]
    assert words[-1] == "/volume"
    options = {"--pbkdf": "argon2id", "--type": "luks2", "--uuid": str(uuid), "--key-file": "-"}
    assert all(words[words.index(name) + 1] == value for name, value in options.items())
    assert int(words[words.index("--offset") + 1]) * 512 == HEADER_SIZE


class Recorded:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.written: dict[int, bytes] = {}

    def write_at(self, offset: int, data: bytes) -> None:
        self.written[offset] = data

    def flush(self) -> None:
        pass


def test_every_sector_is_encrypted_for_its_own_place() -> None:
    """The same data twice in one place are the same, in two places they are not."""
    sink = Recorded()
    volume = EncryptedSink(sink, 8 * 4096, bytes(range(64)))
    volume.write_at(0, bytes(8192))
    volume.write_at(4096, bytes(4096))
    first, again = sink.written[HEADER_SIZE], sink.written[HEADER_SIZE + 4096]
    assert len(first) == 8192
    assert first[:4096] != first[4096:]
    assert again == first[4096:]
