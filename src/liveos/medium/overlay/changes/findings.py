# SPDX-License-Identifier: Apache-2.0
"""Gathers what was found to differ, and makes one sorted report of it."""

from dataclasses import dataclass, field

from liveos.medium.overlay.changes.model import Changes


@dataclass(slots=True)
class Findings:
    """The lists of `Changes` while they are filled: in any order, with repetitions."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)

    def changes(self) -> Changes:
        """The report: a new path is only that, and what is modified is not told twice."""
        added, modified = set(self.added), set(self.modified)
        modified -= added
        return Changes(
            added=tuple(sorted(added)),
            removed=tuple(sorted(self.removed)),
            modified=tuple(sorted(modified)),
            renamed=tuple(sorted(self.renamed)),
            metadata=tuple(sorted(set(self.metadata) - added - modified)),
        )
