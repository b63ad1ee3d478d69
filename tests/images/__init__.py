# SPDX-License-Identifier: Apache-2.0
"""Real live images of three generations, built from Debian packages and cached.

`python3 -m tests.images [nested|flat|erofs|all]` prints the path of each ISO on stdout, building it
first if the cache does not have it (one to two minutes each). `--list` only tells what there is;
`--prune` removes what no recipe asks for any more. From Python: `image(NESTED).iso`, and
`image(NESTED).facts` for what other programs say about it.

A finished image is a directory `<generation>-<hash of builder and recipe>` in the cache,
`${LIVEOS_TEST_CACHE:-${XDG_CACHE_HOME:-~/.cache}/liveos-tests}`. It holds `<generation>.iso` and
`<generation>.json`: the answers of dpkg, dracut, blkid, dumpe2fs, dump.erofs, unsquashfs, xorriso
and checkisomd5, to compare ours with.

The build needs an apt mirror (`LIVEOS_DEBIAN_MIRROR`, default http://deb.debian.org/debian). It
runs as root, or in namespaces as an ordinary user who has sub-ids; it sees who is asking.

The images
----------
nested  Debian 12, dracut 059, kernel 6.1. ext4 in squashfs; tree and menus as Fedora 24 to 36
        (isolinux). Has a livesys.
flat    Debian 13, dracut 106, kernel 6.12. Flat squashfs; tree and menus as Fedora 37 to 41
        (GRUB 2 for BIOS). Has no livesys.
erofs   Debian 14, dracut 112, kernel 7.2. Flat EROFS; tree and menus as Fedora 42 and later (kiwi).
        Has a livesys.

Menus wait as long as the real ones (60, 60 and 10 seconds) with the media check as default entry,
and have no `console=` on any line. Who does not want to wait sends an Enter key.

The livesys uses `swap.img`, `home.img` and `persistenthome=` as Fedora's does. The passphrase of a
LUKS home is taken from fw_cfg `opt/org.liveos/home-passphrase`, all of it, so without a newline at
its end; otherwise it is asked for.

The report
----------
Each boot, once it has reached multi-user, writes to the first serial port, whatever the boot line
says. A line ends in CR LF, an absent fact has an empty value:

    LIVEOS-REPORT begin
    name=value
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
overlay_store   the file or directory that takes the writes: a file's path starts where its
                filesystem does, or at the root of the booted system
overlay_device  the mount that holds that store, as in `live`; when the overlay is temporary: empty,
                or a tmpfs
overlay_status  dmsetup status live-rw, to the letter (not for overlayfs)
overlay_table   dmsetup table live-rw (not for overlayfs)
marker          /var/lib/liveos-marker as this boot found it: what an earlier boot left there
users           accounts with an id from 1000 on
failed_units    units that did not start

What a test may ask for
-----------------------
It asks through QEMU's fw_cfg, so that no boot line needs editing (a comma is doubled for QEMU):

    -fw_cfg name=opt/org.liveos/test,string=marker:TEXT,,poweroff
    -fw_cfg name=opt/org.liveos/script,file=FILE

`marker:TEXT` writes /var/lib/liveos-marker; `poweroff` or `reboot` ends the boot once everything
else was done. The script is a shell script for root; it runs after the report and before the
actions, and what it prints appears between `LIVEOS-SCRIPT begin` and `LIVEOS-SCRIPT end STATUS`.
When the actions were done and the disks synced, `LIVEOS-TEST done` appears.
"""

from tests.images.cache import Image, image
from tests.images.recipes import EROFS, FLAT, NESTED, RECIPES, Recipe

__all__ = ["EROFS", "FLAT", "NESTED", "RECIPES", "Image", "Recipe", "image"]
