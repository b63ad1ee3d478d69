# SPDX-License-Identifier: Apache-2.0
#
# Packs the root into out/squashfs.img: as ext4 inside squashfs, as squashfs, or as EROFS ($LIVEOS_PAYLOAD).
set -eu
root=$1
inside=/run/liveos-build

# What the bootstrap needs while it runs and removes only after this step.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
rm -rf "$root"/etc/apt/apt.conf.d/00mmdebstrap "$root"/tmp/* "$root"/var/log/*.log "$root"/var/log/apt
rm -f "$root/usr/sbin/policy-rc.d"
mv -f "$root/usr/sbin/start-stop-daemon.REAL" "$root/usr/sbin/start-stop-daemon"

# The packers see the root through a bind mount without its submounts, and with empty /dev and /run over it: so
# /proc, /sys, /dev and /run are there and empty, whatever this very step has mounted or put there.
pack='
    mount --bind "$1" "$1$2/view"
    mount -t tmpfs -o mode=755 tmpfs "$1$2/view/dev"
    mount -t tmpfs -o mode=755 tmpfs "$1$2/view/run"
    case $LIVEOS_PAYLOAD in
        nested)
            mkdir -p "$1$2/nested/LiveOS"
            chroot "$1" mke2fs -q -F -t ext4 -b 4096 -m 0 -L Anaconda -d "$2/view" \
                "$2/nested/LiveOS/rootfs.img" "$LIVEOS_ROOTFS_SIZE"
            chroot "$1" dumpe2fs -h "$2/nested/LiveOS/rootfs.img" >"$1$2/out/facts/dumpe2fs"
            squash "$1$2/nested" "$1$2/out/squashfs.img"
            ;;
        squashfs)
            squash "$1$2/view" "$1$2/out/squashfs.img"
            ;;
        erofs)
            # The line per file that it prints would drown the log.
            chroot "$1" mkfs.erofs -zlzma,level=6 -C1048576 -Efragments "$2/out/squashfs.img" "$2/view" >/dev/null
            chroot "$1" dump.erofs -s "$2/out/squashfs.img" >"$1$2/out/facts/dump.erofs"
            ;;
    esac
'
squash='squash() { mksquashfs "$1" "$2" -comp zstd -Xcompression-level 3 -no-progress; }'
mkdir -p "$root$inside/view"
unshare --mount sh -euc "$squash $pack" pack "$root" "$inside"
chmod -R a+rX "$root$inside/out"
