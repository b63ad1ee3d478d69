# SPDX-License-Identifier: Apache-2.0
"""Who signed a PE image: certificates in its certificate table (Authenticode, PKCS #7).

Names only: whether a signature holds is for firmware and shim to judge.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from liveos.formats.binary import ByteSource, FormatError

_LARGEST_TABLE = 1 << 20
_MOST_SIGNATURES = 16
_HEADER_SIZE = 8
_PKCS_SIGNED_DATA = 0x0002


@dataclass(frozen=True, slots=True)
class Signature:
    """Common names of the signer and of the authority that vouches for it."""

    signer: str
    issuer: str


def read_signatures(source: ByteSource, offset: int, size: int) -> tuple[Signature, ...]:
    """The signatures in the certificate table at ``offset``; empty when its size is 0.

    :raises FormatError: the table is damaged.
    """
    if not size:
        return ()
    if size > _LARGEST_TABLE:
        raise FormatError(f"a certificate table of {size} bytes")
    table = source.read_at(offset, size)
    return tuple(_signature(data) for data in _signed_data(table))


def _signed_data(table: bytes) -> Iterator[bytes]:
    """The PKCS #7 parts of a table of WIN_CERTIFICATE structures."""
    position = 0
    for _ in range(_MOST_SIGNATURES):
        header = table[position : position + _HEADER_SIZE]
        length, kind = int.from_bytes(header[:4], "little"), int.from_bytes(header[6:], "little")
        if length <= _HEADER_SIZE:  # the end, or padding
            return
        if position + length > len(table):
            raise FormatError("a certificate is longer than its table")
        if kind == _PKCS_SIGNED_DATA:
            yield table[position + _HEADER_SIZE : position + length]
        position += length + -length % 8


def _signature(data: bytes) -> Signature:
    try:
        with warnings.catch_warnings(action="ignore"):
            # Old signing certificates bend the rules of DER; that is not what is asked here.
            certificates = pkcs7.load_der_pkcs7_certificates(data)
            signer = _leaf(certificates)
            return Signature(_common_name(signer.subject), _common_name(signer.issuer))
    except (ValueError, UnsupportedAlgorithm, IndexError) as error:
        raise FormatError(f"a signature cannot be read: {error}") from error


def _leaf(certificates: list[x509.Certificate]) -> x509.Certificate:
    """The certificate that no other one in the bag was made by: its owner signed the image."""
    issuers = {certificate.issuer for certificate in certificates}
    leaves = [certificate for certificate in certificates if certificate.subject not in issuers]
    return (leaves or certificates)[0]


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
