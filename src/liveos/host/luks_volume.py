# SPDX-License-Identifier: Apache-2.0
"""What is inside a LUKS volume, read and written as dm-crypt would do it, by an ordinary user.

cryptsetup finds the volume key, for whoever knows a passphrase; the rest is AES in XTS mode (see
``host.luks``). XTS goes by blocks of 16 bytes, so a sector that a power cut has torn shows old
bytes and new ones, as a sector without encryption would.
"""

import re

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import XTS

from liveos.errors import RefusedError, ToolFailedError, UnsupportedError
from liveos.formats.binary import ByteSource
from liveos.formats.luks import LuksHeader, read_luks
from liveos.host.folders.folder import StoredFile, check_range
from liveos.host.luks import Key
from liveos.host.memory_file import memory_file
from liveos.host.run import run
from liveos.host.tools import CRYPTSETUP, Command

_CIPHER = "aes-xts-plain64"
_IV_SECTOR = 512
_KEY_SIZES = frozenset({32, 64})
_MOST_HEADER = 64 << 20
# cryptsetup prints the key in rows of hexadecimal bytes.
_DUMP = re.compile(r"MK dump:((?:\s+[0-9a-f]{2}\b)+)")


def volume_key(source: ByteSource, key: Key, name: object) -> tuple[LuksHeader, bytes]:
    """The header of the volume ``name``, and the key that its contents are encrypted with.

    :raises RefusedError: this passphrase does not open it.
    :raises UnsupportedError: it is encrypted in a manner that liveos does not know.
    """
    header = read_luks(source)
    _require_known(header, source, name)
    with memory_file("luks-header", source.read_at(0, header.offset), size=source.size) as file:
        try:
            said = run(Command(CRYPTSETUP, (*_ASK, str(file.path))), stdin=key.secret()).text
        except ToolFailedError as error:
            raise RefusedError(
                f"{key} does not open {name}", hint="try another one; nothing was changed"
            ) from error
    dump = _DUMP.search(said)
    found = b"" if dump is None else bytes.fromhex(dump[1])
    if len(found) not in _KEY_SIZES:
        raise UnsupportedError(f"cryptsetup does not tell the key of {name}")
    return header, found


_ASK = (
    "luksDump", "--dump-master-key", "--batch-mode", "--disable-locks", "--key-file", "-",
)  # fmt: skip


def _require_known(header: LuksHeader, source: ByteSource, name: object) -> None:
    if header.unfinished:
        raise RefusedError(
            f"{name}: a change of its encryption was begun and is not finished",
            hint="cryptsetup reencrypt --resume-only finishes it",
        )
    if header.cipher != _CIPHER or not 0 < header.offset < min(source.size, _MOST_HEADER):
        raise UnsupportedError(
            f"{name} is encrypted by {header.cipher}, and liveos knows only {_CIPHER}",
            hint="change it with cryptsetup, on a machine where you are root",
        )


class EncryptedFile:
    """The contents of a volume that lies in ``file``: a `StoredFile` of ``size`` bytes."""

    def __init__(self, file: StoredFile, header: LuksHeader, key: bytes) -> None:
        self._file = file
        self._start, self._sector = header.offset, header.sector_size
        self._algorithm = AES(key)
        self.size = (file.size - header.offset) // self._sector * self._sector

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        first = offset // self._sector * self._sector
        stop = -(-(offset + length) // self._sector) * self._sector
        sealed = self._file.read_at(self._start + first, stop - first)
        plain = b"".join(
            self._cipher(first + at).decryptor().update(sealed[at : at + self._sector])
            for at in range(0, len(sealed), self._sector)
        )
        return plain[offset - first : offset - first + length]

    def write_at(self, offset: int, data: bytes) -> None:
        """Write any bytes; of sectors that they do not fill, the others stay."""
        check_range(self, offset, len(data))
        first = offset // self._sector * self._sector
        stop = -(-(offset + len(data)) // self._sector) * self._sector
        if (first, stop) != (offset, offset + len(data)):
            whole = bytearray(self.read_at(first, stop - first))
            whole[offset - first : offset - first + len(data)] = data
            data = bytes(whole)
        sealed = b"".join(
            self._cipher(first + at).encryptor().update(data[at : at + self._sector])
            for at in range(0, len(data), self._sector)
        )
        self._file.write_at(self._start + first, sealed)

    def flush(self) -> None:
        self._file.flush()

    def _cipher(self, offset: int) -> "Cipher[XTS]":
        # plain64: the number of the sector as 64 bits, and zeros behind.
        return Cipher(self._algorithm, XTS((offset // _IV_SECTOR).to_bytes(16, "little")))
