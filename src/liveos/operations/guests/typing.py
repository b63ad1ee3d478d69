# SPDX-License-Identifier: Apache-2.0
"""What can be typed on the console of a guest."""

from liveos.errors import UsageError
from liveos.host.luks import Key

_DELETE = 0x7F


def typeable(key: Key) -> bytes:
    """The bytes of a key, as a person would type them.

    :raises UsageError: there are control characters among them, such as a line's end.
    """
    secret = key.secret()
    if any(byte < ord(" ") or byte == _DELETE for byte in secret):
        raise UsageError(
            f"{key} has a line end or another character that nobody can type at boot",
            hint="the file must hold the passphrase and nothing else, not even a line end",
        )
    return secret
