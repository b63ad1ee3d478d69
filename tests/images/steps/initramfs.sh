# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Builds the live initramfs with the root's own dracut. It goes to the media, not into the root:
# there it would only take space, and real live roots do not hold theirs either.
set -eu
root=$1
out=/run/liveos-build/out

version=$(ls "$root/usr/lib/modules")
mkdir -p "$root$out/facts"
chroot "$root" dracut --quiet --force --no-hostonly --no-hostonly-cmdline \
    --compress "$LIVEOS_COMPRESS" \
    --add "dmsquash-live pollcdrom overlayfs" --omit plymouth \
    --add-drivers "$LIVEOS_INITRAMFS_DRIVERS" \
    --filesystems "$LIVEOS_INITRAMFS_FILESYSTEMS" \
    "$out/initrd.img" "$version"
chmod 644 "$root$out/initrd.img"
cp "$root/boot/vmlinuz-$version" "$root$out/vmlinuz"

echo "$version" >"$root$out/facts/kernel"
# shellcheck disable=SC2016 # the braces are dpkg-query's
chroot "$root" dpkg-query --show --showformat '${Version}' dracut-core >"$root$out/facts/dracut"
chroot "$root" lsinitrd --file usr/lib/dracut/modules.txt "$out/initrd.img" \
    >"$root$out/facts/initramfs-modules"
chroot "$root" dpkg-query --show >"$root$out/facts/packages"
