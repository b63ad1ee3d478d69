# SPDX-License-Identifier: Apache-2.0
"""Names in a directory of an unmounted ext4 exchanged at once, whatever kind of node has them."""

from liveos.errors import RefusedError
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import Node
from liveos.host.folders.ext4_editor import Ext4Editor
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.ext4_scratch import Change
from liveos.host.folders.ext4_window import window
from liveos.host.folders.unmounted import find


def exchange_names(folder: Ext4Folder, one: str, other: str) -> None:
    """What has the one name gets the other, in one transaction, files and directories alike.

    Both stay in their directory, so that no count changes.
    """
    with window(folder.volume) as found:
        editor = Ext4Editor(found, folder.volume, folder.directory)
        fs = editor.fs
        first, second = (_node(fs, folder, name) for name in (one, other))
        lines = [
            # unlink and ln leave the count of links alone.
            f"unlink {editor.path(one)}",
            f"unlink {editor.path(other)}",
            f"ln <{first.number}> {editor.path(other)}",
            f"ln <{second.number}> {editor.path(one)}",
        ]
        editor.apply(Change(lines, (first, second)))


def _node(fs: Ext4, folder: Ext4Folder, name: str) -> Node:
    node = find(fs, folder.directory, name)
    if node is None:
        raise RefusedError(f"{folder}/{name} is not there any more", hint="plan again")
    return node
