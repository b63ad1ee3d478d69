# SPDX-License-Identifier: Apache-2.0
"""What is said of an encrypted home beside what its header tells."""

from dataclasses import replace

import pytest

from liveos.formats.binary import MemorySource
from liveos.medium.home.status import home_status
from tests.unit.formats.test_luks import EXPECTED, LUKS2
from tests.unit.medium.home.test_mounting import FEDORA
from tests.unit.operations.home.test_plans import found


@pytest.mark.parametrize(("plymouth", "way"), [(True, "livesys"), (False, "updates")])
def test_somebody_asks_for_the_passphrase(way: str, *, plymouth: bool) -> None:
    system = replace(FEDORA, plymouth=plymouth)
    status = home_status(found(source=MemorySource(LUKS2), system=system))
    assert status.luks == EXPECTED
    assert status.mounting.way == way
    assert not status.warnings


def test_an_unfinished_change_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    unfinished = replace(EXPECTED, unfinished=True)
    monkeypatch.setattr("liveos.medium.home.status.read_luks", lambda _: unfinished)
    status = home_status(found(source=MemorySource(LUKS2)))
    (warning,) = status.warnings
    assert warning.code == "unfinished-encryption"
    assert warning.repair
