# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Keeps the kernel modules whose path matches $LIVEOS_MODULES, with what they need.
set -eu
root=$1

version=$(ls "$root/usr/lib/modules")
cd "$root/usr/lib/modules/$version"
# A line of modules.dep is "module: everything it needs, directly or not".
awk -v keep="^kernel/($LIVEOS_MODULES)" '
    { sub(":", "", $1) }
    $1 ~ keep { for (i = 1; i <= NF; i++) print $i }
' modules.dep | sort -u >"$root/run/kept-modules"
find kernel -name '*.ko*' | sort | comm -23 - "$root/run/kept-modules" | xargs rm
find kernel -type d -empty -delete
chroot "$root" depmod "$version"
