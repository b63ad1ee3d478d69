# SPDX-License-Identifier: Apache-2.0
"""What is said of an encrypted home beside what its header tells."""

from dataclasses import replace

import pytest

from liveos.formats.binary import MemorySource
from liveos.medium.home.mounting import HomeWay
from liveos.medium.home.status import home_status
from tests.unit.formats.test_luks import EXPECTED, LUKS2
from tests.unit.medium.home.test_mounting import FEDORA
from tests.unit.operations.home.test_plans import found


@pytest.mark.parametrize(("plymouth", "codes"), [(True, []), (False, ["no-prompt"])])
def test_an_image_that_asks_nobody(codes: list[str], *, plymouth: bool) -> None:
    system = replace(FEDORA, plymouth=plymouth)
    status = home_status(found(source=MemorySource(LUKS2), system=system))
    assert status.luks == EXPECTED
    assert status.mounting.way is HomeWay.LIVESYS
    assert [each.code for each in status.warnings] == codes


def test_an_unfinished_change_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    unfinished = replace(EXPECTED, unfinished=True)
    monkeypatch.setattr("liveos.medium.home.status.read_luks", lambda _: unfinished)
    status = home_status(found(source=MemorySource(LUKS2)))
    (warning,) = status.warnings
    assert warning.code == "unfinished-encryption"
    assert warning.repair
