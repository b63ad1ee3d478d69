# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Fetches the boot loaders of the same suite, so that the shim knows the kernel's signature. They
# are unpacked, not installed: live media carry them outside the root. The core image for BIOS is
# made by the suite's grub-mkimage.
set -eu
root=$1
build=$root/run/liveos-build

mkdir -p "$build/debs" "$build/loaders" "$build/out/loaders"
cd "$build/debs"
# shellcheck disable=SC2086 # a list of packages
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get download $LIVEOS_LOADER_PACKAGES
for package in *.deb; do
    dpkg-deb --extract "$package" "$build/loaders"
done
cp -r "$build/loaders/usr/lib/." "$build/out/loaders"
cp "$build/loaders/usr/share/grub/unicode.pf2" "$build/out/loaders"

printf '%s' "$LIVEOS_GRUB_EARLY_CONFIG" >"$build/early.cfg"
inside=/run/liveos-build
# shellcheck disable=SC2086 # a list of GRUB modules
chroot "$root" "$inside/loaders/usr/bin/grub-mkimage" \
    --directory "$inside/loaders/usr/lib/grub/i386-pc" --format i386-pc-eltorito \
    --prefix /boot/grub2 --config "$inside/early.cfg" \
    --output "$inside/out/loaders/eltorito.img" $LIVEOS_GRUB_MODULES
