# SPDX-License-Identifier: Apache-2.0
"""``image.json``: what an installation has noted beside the image that it put on a stick."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from liveos.formats.binary import FormatError
from liveos.formats.tree import Node
from liveos.medium.volume import Volume

RECORD_NAME = "image.json"
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class NotedFile:
    """A file as it was written: ``partition`` is ``ESP`` or that of the image, ``LIVE``.

    ``size`` is in bytes, ``sha256`` in hexadecimal digits.
    """

    partition: str
    path: str
    size: int
    sha256: str


def find_record(volume: Volume, directory: str) -> tuple[Node, dict[str, Any]] | None:
    """The record of an image with what is in it; None where there is none that can be read."""
    node = volume.find_file(f"/{directory}/{RECORD_NAME}")
    if node is None or node.size > _LARGEST:
        return None
    try:
        facts = json.loads(volume.tree.open(node).read_at(0, node.size))
    except (FormatError, ValueError, RecursionError):
        return None
    return (node, facts) if isinstance(facts, dict) else None


def source_label(facts: dict[str, Any]) -> str | None:
    """The volume label of the ISO that an image came from."""
    source = facts.get("source")
    label = source.get("label") if isinstance(source, dict) else None
    return label if isinstance(label, str) and label else None


def noted_files(facts: dict[str, Any]) -> Iterator[NotedFile]:
    """The files with their sums; what is not noted as it should be is left out."""
    files = facts.get("files")
    for each in files if isinstance(files, list) else ():
        match each:
            case {
                "partition": str(partition), "path": str(path),
                "size": int(size), "sha256": str(digest),
            }:  # fmt: skip
                yield NotedFile(partition, path, size, digest)
            case _:
                continue
