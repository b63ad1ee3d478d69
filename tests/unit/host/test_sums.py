# SPDX-License-Identifier: Apache-2.0
"""Against the values that everybody publishes."""

from liveos.host.sums import Summing, Sums

DIGITS = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"  # sha256sum(1)


def test_the_check_value_of_crc32() -> None:
    summing = Summing()
    assert b"".join(summing.through((b"1234", b"", b"56789"))) == b"123456789"
    assert summing.sums == Sums(DIGITS, 0xCBF43926)
