# SPDX-License-Identifier: Apache-2.0
"""What the dracut that made an initramfs can do, by its release number.

The numbers are those of boot-contract.md. Releases are whole numbers: 100 came after 060.
"""

import re

OLD_SPELLINGS_ONLY_UNTIL = 7  # overlay=, live_dir=, liveimg: rd.live.* came with 008
READ_ONLY_SNAPSHOT_SINCE = 26
SQUASHIMG_SINCE = 28
TEMPORARY_SIZE_SINCE = 41
WRITE_THROUGH_SINCE = 44
_READ_ONLY_SNAPSHOT_BROKEN = 44  # its table says N: what the store holds is not looked at
OVERLAYFS_SINCE = 45
FLAT_SINCE = 49
OVERLAYFS_MODULE_SINCE = 58
EROFS_SINCE = 103
EROFS_MOUNTED_TWICE_UNTIL = 107  # dracut-ng #1384
NO_PROMPT_SINCE = 106
OVERLAYFS_WORD_UNTIL = 109  # 110 and later: rd.overlay, with effects of its own


def release(version: str | None) -> int | None:
    """The release number in a version such as ``059-4``, ``110+suse.1.g0`` or ``004``."""
    number = re.match(r"(?:dracut-)?(\d{1,6})", version or "")
    return int(number[1]) if number else None


def uses_read_only(release: int | None, *, snapshot: bool) -> bool:
    """Whether a persistent overlay can be used read-only; of every OverlayFS since there is one."""
    if not snapshot:
        return release is not None and release >= OVERLAYFS_SINCE
    return (
        release is not None
        and release >= READ_ONLY_SNAPSHOT_SINCE
        and release != _READ_ONLY_SNAPSHOT_BROKEN
    )
