# SPDX-License-Identifier: Apache-2.0
"""Places at which something is cut off: every one, or a few that stand for them all.

``pytest --every-cut`` tries every one, as ``make test`` does; ``make check`` has no time for that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Numbered(Protocol[T_co]):
    """What can be had by its number: a list, or what is made when it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> T_co: ...


@dataclass(frozen=True)
class Sampling:
    """How many are tried."""

    every: bool

    def of(self, places: Numbered[T_co], most: int, seed: int = 0) -> Iterator[T_co]:
        """All in their order; or the first, the last, and one out of each equal stretch between.

        A fixed step would meet the same kind of write again and again. The dice fall alike in
        every run; another ``seed`` chooses others.
        """
        count = len(places)
        chosen = range(count) if self.every or count <= most else spread(count, most, Random(seed))
        return (places[number] for number in chosen)


def spread(count: int, most: int, dice: Random) -> list[int]:
    """``most`` of the first ``count`` numbers, in their order."""
    stretches = most - 2
    starts = [1 + (count - 2) * number // stretches for number in range(stretches + 1)]
    inner = [dice.randrange(*both) for both in pairwise(starts)]
    return [0, *inner, count - 1]
