# SPDX-License-Identifier: Apache-2.0
"""The file of sums that is offered beside an ISO: ``Fedora-…-CHECKSUM``, ``SHA256SUMS``.

Lines are those of coreutils' ``sha256sum``, plain or with ``--tag``. A clear-signed file has them
between the lines of its armour (RFC 9580, section 7).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TAGGED = re.compile(r"(SHA256|SHA384|SHA512) \((?P<name>.+)\) = (?P<sum>[0-9a-fA-F]+)")
_PLAIN = re.compile(r"(?P<sum>[0-9a-fA-F]+) [ *](?P<name>.+)")
_ALGORITHM_OF_LENGTH = {64: "sha256", 96: "sha384", 128: "sha512"}
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a file is to have: ``algorithm`` as hashlib calls it, ``digest`` in hexadecimal."""

    name: str
    algorithm: str
    digest: str


def is_signed(text: str) -> bool:
    """Whether a signature is in the file itself."""
    return text.lstrip().startswith(_SIGNED)


def checksums(text: str) -> Iterator[Checksum]:
    """The sums in there; lines that are none are left out."""
    for line in text.splitlines():
        found = _TAGGED.fullmatch(line.strip()) or _PLAIN.fullmatch(line.strip())
        if found is None:
            continue
        algorithm = _ALGORITHM_OF_LENGTH.get(len(found["sum"]))
        if algorithm is not None:
            # A path in there is not ours to follow: what counts is the name.
            yield Checksum(found["name"].rpartition("/")[2], algorithm, found["sum"].lower())
