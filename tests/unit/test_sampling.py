# SPDX-License-Identifier: Apache-2.0
"""What stands for all is spread over all, and the same in every run."""

from itertools import pairwise

import pytest

from tests.sampling import Sampling


@pytest.mark.parametrize(("count", "most"), [(4, 3), (11, 10), (57, 10), (1000, 12)])
def test_a_few_stand_for_all(count: int, most: int) -> None:
    chosen = list(Sampling(every=False).of(range(count), most))
    assert len(set(chosen)) == most
    assert chosen == sorted(chosen)
    assert chosen[0] == 0
    assert chosen[-1] == count - 1
    gaps = [after - before for before, after in pairwise(chosen)]
    assert max(gaps) < 2 * count / (most - 2)
    assert chosen == list(Sampling(every=False).of(range(count), most))


def test_all_of_few_and_all_when_asked() -> None:
    assert list(Sampling(every=False).of("abc", 3)) == ["a", "b", "c"]
    assert list(Sampling(every=True).of(range(50), 3)) == list(range(50))


def test_another_seed_chooses_others() -> None:
    sampling = Sampling(every=False)
    assert list(sampling.of(range(900), 9, 1)) != list(sampling.of(range(900), 9, 2))
