# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Makes the root neutral, as a live image's must be: it knows nothing of the machine that built it.
set -eu
root=$1

# The bootstrap put the host's own files here, with the host's modes.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
echo liveos >"$root/etc/hostname"
: >"$root/etc/fstab"
: >"$root/etc/crypttab"
: >"$root/etc/resolv.conf"
# Empty, not absent: an absent one would make systemd ask first-boot questions on the console.
: >"$root/etc/machine-id"
echo "$LIVEOS_GENERATION" >"$root/usr/lib/liveos-generation"

for unit in liveos-report livesys; do
    [ ! -e "$root/etc/systemd/system/$unit.service" ] \
        || chroot "$root" systemctl enable "$unit.service"
done
