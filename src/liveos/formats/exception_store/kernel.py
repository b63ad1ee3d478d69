# SPDX-License-Identifier: Apache-2.0
"""What differs between kernels that read the same store (reference section 1.10).

The on-disk version has been 1 throughout; these are the differences that an offline reader sees.
"""

from dataclasses import dataclass
from enum import Enum


class Duplicates(Enum):
    """Which of two records for the same chunk of the origin a reader takes."""

    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class KernelRules:
    """How a kernel reads and fills a store.

    ``skips_metadata``: loading never leaves the next free chunk on an area (CVE-2013-4299).
    ``can_overflow``: the table option ``PO`` keeps a full store readable instead of killing it.
    """

    duplicates: Duplicates
    skips_metadata: bool = True
    can_overflow: bool = True


BEFORE_3_12 = KernelRules(Duplicates.LAST, skips_metadata=False, can_overflow=False)
BEFORE_4_3 = KernelRules(Duplicates.LAST, can_overflow=False)
LINUX_6_1 = KernelRules(Duplicates.FIRST)
LINUX_6_12 = KernelRules(Duplicates.LAST)
