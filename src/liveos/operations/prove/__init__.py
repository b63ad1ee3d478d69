# SPDX-License-Identifier: Apache-2.0
"""``liveos prove``: two boots, a mark between them, and a judgement of what was seen."""

from liveos.operations.prove.proof import Proof
from liveos.operations.prove.proving import ProveRequest, prove

__all__ = ["Proof", "ProveRequest", "prove"]
