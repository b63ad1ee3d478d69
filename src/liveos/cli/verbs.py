# SPDX-License-Identifier: Apache-2.0
"""Which verbs there are, each with the line that ``--help`` shows for it.

The verb NAME is the function NAME of the module ``liveos.cli.NAME``, and its line the first of
that function's docstring. A verb's module is imported when the verb is run.
"""

VERBS = {
    "inspect": "Show what a medium holds, layer by layer.",
    "list": "List the images on a stick, with what each remembers by.",
    "devices": "List the devices that can become a stick, with what is on them.",
    "install": "Install an image on a stick, with room to keep changes.",
    "remove": "Remove an image from a stick, with its memory.",
    "rename": "Give an image of a stick another name.",
    "default": "Choose which image of a stick starts by itself.",
    "update": "Put a newer ISO in the place of an image; its home stays.",
    "overlay": "See, check, repair and reshape the persistent overlay.",
    "home": "See, make and remove the persistent home.",
    "boot": "Start a medium in a virtual machine.",
    "prove": "Prove that a medium boots, and that it remembers.",
    "verify": "Compare a medium with what it should be: by sums in it, beside it and on sticks.",
    "litd": "Do what a livecd-iso-to-disk line asks for, and show it in the words of install.",
    "tools": "List the external programs and whether they are here.",
}

OVERLAY_VERBS = {
    "status": "Show how full an overlay is, and what will happen when it fills.",
    "check": "Say what is wrong with the overlay, what that does, and what repairs it.",
    "repair": "Make a damaged overlay usable again, in a new file or in place.",
    "diff": "Show which files an overlay changes, and what fills it.",
    "compact": "Give back the room of deleted files, and of what equals the root.",
    "merge": "Make one root image of the root and its changes.",
    "dump": "Write the list of changed chunks as text, exact enough to restore it.",
    "restore": "Make a store of a dump or a pack, or put it back into the store it came from.",
    "pack": "Make a small file of an overlay's metadata, without any contents, for a bug report.",
    "resize": "Make a snapshot overlay larger or smaller; what is in it stays.",
    "convert": "Make an overlay one of another kind; every change in it is kept.",
    "reset": "Forget every change: make the overlay an empty one of the same size.",
    "create": "Give an installed image an overlay that it was installed without.",
    "remove": "Delete the overlay of an image, with every change in it.",
}
"""Verbs after ``overlay``: functions of the modules ``liveos.cli.overlay.NAME``."""

HOME_VERBS = {
    "status": "Show the home of an image: its kind, size and keys, and what mounts it at boot.",
    "create": "Give an image a home of its own, which a reset of the overlay leaves alone.",
    "resize": "Make a home larger or smaller; every file in it stays.",
    "encrypt": "Make a plain home an encrypted one; every file in it stays.",
    "remove": "Delete the home of an image, with every file in it.",
}
"""Verbs after ``home``: functions of the modules ``liveos.cli.home.NAME``."""
