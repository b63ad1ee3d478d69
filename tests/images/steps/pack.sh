# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Packs the root into out/squashfs.img: as ext4 inside squashfs, as squashfs, or as EROFS
# ($LIVEOS_PAYLOAD). The filesystems whose details matter are made by the suite's own programs.
set -eu
root=$1

# What the bootstrap needs while it runs and removes only after this step.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
rm -rf "$root"/tmp/* "$root"/var/log/*.log "$root"/var/log/apt
rm -f "$root/etc/apt/apt.conf.d/00mmdebstrap" "$root/usr/sbin/policy-rc.d"
mv -f "$root/usr/sbin/start-stop-daemon.REAL" "$root/usr/sbin/start-stop-daemon"

# The packers see the root through a bind mount without its submounts, and with empty /dev and /run
# over it: so /proc, /sys, /dev and /run are there and empty, whatever this very step has mounted or
# put there. All of it in a mount namespace of its own, which takes the mounts with it.
unshare --mount sh -eu -s "$root" <<'INSIDE'
root=$1
inside=/run/liveos-build
build=$root$inside

squash() {
    mksquashfs "$1" "$build/out/squashfs.img" -comp zstd -Xcompression-level 3 -no-progress
}

mkdir "$build/view"
mount --bind "$root" "$build/view"
mount -t tmpfs -o mode=755 tmpfs "$build/view/dev"
mount -t tmpfs -o mode=755 tmpfs "$build/view/run"
case $LIVEOS_PAYLOAD in
    nested)
        rootfs=nested/LiveOS/rootfs.img
        mkdir -p "$build/nested/LiveOS"
        chroot "$root" mke2fs -q -F -t ext4 -b 4096 -m 0 -L Anaconda -d "$inside/view" \
            "$inside/$rootfs" "$LIVEOS_ROOTFS_SIZE"
        chroot "$root" dumpe2fs -h "$inside/$rootfs" >"$build/out/facts/dumpe2fs"
        squash "$build/nested"
        ;;
    squashfs)
        squash "$build/view"
        ;;
    erofs)
        # The line per file that it prints would drown the log.
        chroot "$root" mkfs.erofs -zlzma,level=6 -C1048576 -Efragments \
            "$inside/out/squashfs.img" "$inside/view" >/dev/null
        chroot "$root" dump.erofs -s "$inside/out/squashfs.img" >"$build/out/facts/dump.erofs"
        ;;
esac
INSIDE
