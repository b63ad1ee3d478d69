# SPDX-License-Identifier: Apache-2.0
"""Real live images of three generations, built from Debian packages and cached.

`python3 -m tests.images [nested|flat|erofs|all]` prints the path of each ISO on stdout, building it first if the cache
does not have it (two to four minutes each); `--list` only tells what there is; `--prune` removes what no recipe asks for
any more. A finished image is a directory `<generation>-<hash of builder and recipe>` in
`${LIVEOS_TEST_CACHE:-${XDG_CACHE_HOME:-~/.cache}/liveos-tests}` that holds `<generation>.iso` and `<generation>.json`: what
other programs (dpkg, dracut, blkid, dumpe2fs, unsquashfs, xorriso, checkisomd5) say about it, to compare ours with.
From Python: `image(NESTED).iso` and `image(NESTED).facts`.

The build needs an apt mirror (`LIVEOS_DEBIAN_MIRROR`, default http://deb.debian.org/debian) and runs as root, or as an
ordinary user who has sub-ids (mmdebstrap's `unshare` mode); which of the two is chosen by who is asking.

The images
----------
nested  Debian 12, dracut 059, kernel 6.1: ext4 in squashfs, tree and menus as Fedora 24-36 (isolinux); has a livesys.
flat    Debian 13, dracut 106, kernel 6.12: flat squashfs, tree and menus as Fedora 37-41 (GRUB 2 for BIOS); no livesys.
erofs   Debian 14, dracut 112, kernel 7.2: flat EROFS, tree and menus as Fedora 42 and later (kiwi); has a livesys.

Their menus wait as long as the real ones do (60 s, 60 s, 10 s) with the media check as default entry, and have no
`console=` on any line. A livesys uses `swap.img`, `home.img` and `persistenthome=` as Fedora's does; for a LUKS home it
takes the passphrase from fw_cfg `opt/org.liveos/home-passphrase` (no newline at its end) where QEMU offers one.

The report
----------
Each boot that reaches multi-user writes to the first serial port, whatever the boot line says:

    LIVEOS-REPORT begin
    name=value              one line per fact; an absent fact has an empty value
    LIVEOS-REPORT end

    generation      nested, flat or erofs
    firmware        bios, uefi or uefi-secure
    kernel          uname -r
    cmdline         /proc/cmdline
    boot_id         another one at each boot
    live            the live medium's mount: SOURCE FSTYPE OPTIONS, as findmnt prints them
    root            the root's mount, likewise
    home            /home's mount, likewise; empty when it is part of the root
    swap            swap files and devices in use, blank-separated
    overlay         snapshot, linear, overlayfs or none
    overlay_store   the file or directory that takes the writes, as the booted system sees it
    overlay_device  the mount that holds that store, as in `live`; empty, or a tmpfs, when the overlay is temporary
    overlay_status  dmsetup status live-rw, to the letter (only for snapshot and linear)
    overlay_table   dmsetup table live-rw (likewise)
    marker          /var/lib/liveos-marker as this boot found it, so: what an earlier boot left there
    users           accounts with an id from 1000 on
    failed_units    units that did not start

What a test may ask for, through QEMU's fw_cfg, so that no boot line needs editing:

    -fw_cfg name=opt/org.liveos/test,string=marker:TEXT,,poweroff       (QEMU wants commas doubled)

Actions: `marker:TEXT` writes /var/lib/liveos-marker; `poweroff` and `reboot` end the boot once everything else was done.
After the last one `LIVEOS-TEST done` is printed and the disks are synced. For anything else,
`-fw_cfg name=opt/org.liveos/script,file=FILE` runs a shell script as root, after the report and before the actions, and
prints its output between `LIVEOS-SCRIPT begin` and `LIVEOS-SCRIPT end STATUS`. Lines end in CR LF.
"""

from tests.images.cache import Image, image
from tests.images.recipes import EROFS, FLAT, NESTED, RECIPES, Recipe

__all__ = ["EROFS", "FLAT", "NESTED", "RECIPES", "Image", "Recipe", "image"]
