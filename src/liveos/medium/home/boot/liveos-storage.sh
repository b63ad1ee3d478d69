#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Put here by liveos, from the directory updates/ of the stick. Mounts the home of the image that
# has been started, or enables its swap, as the words on the kernel line say:
#
#   liveos.home=/LiveOS/home.img    a file of the stick, plain or LUKS
#   liveos.home=UUID=...            a partition; PARTUUID=, LABEL= and PARTLABEL= do it, too
#   liveos.swap=/LiveOS/swap.img
#
# Whatever goes wrong, the boot goes on without.
set -fu

LIVE=/run/initramfs/live
MAPPING=liveos-home
PATIENCE=120 # seconds, for a passphrase and for a partition

main() {
    case $1-$2 in
        home-start) start_home "$(word liveos.home)" ;;
        home-stop) stop_home ;;
        swap-start) start_swap "$(word liveos.swap)" ;;
    esac
}

# The value of the last name=value on the kernel line.
word() {
    value=
    for each in $(cat /proc/cmdline); do
        case $each in
            "$1"=*) value=${each#*=} ;;
        esac
    done
    printf '%s\n' "$value"
}

start_home() {
    device=$(device_of "$1") || fail "$1 is not there"
    mount_home "$device"
    done=$?
    # A loop device in use is given back when nobody uses it any more; one that is not, at once.
    case $device in
        /dev/loop*) losetup --detach "$device" ;;
    esac
    [ "$done" -eq 0 ] || fail "/home is that of the image"
}

mount_home() {
    if command -v cryptsetup >/dev/null && cryptsetup isLuks "$1"; then
        unlock "$1" || return 1
        mount "/dev/mapper/$MAPPING" /home && return 0
        cryptsetup close "$MAPPING"
        return 1
    fi
    mount "$1" /home
}

# Prints the device that holds a home.
device_of() {
    case $1 in
        /*)
            [ -f "$LIVE$1" ] && make_writable "$LIVE$1" && losetup --find --show "$LIVE$1"
            ;;
        UUID=* | PARTUUID=* | LABEL=* | PARTLABEL=*)
            kind=$(printf '%s' "${1%%=*}" | tr '[:upper:]' '[:lower:]')
            await "/dev/disk/by-$kind/${1#*=}"
            ;;
        *) return 1 ;;
    esac
}

await() {
    waited=0
    until [ -b "$1" ]; do
        [ "$waited" -lt "$PATIENCE" ] || return 1
        waited=$((waited + 1))
        sleep 1
    done
    readlink -f "$1"
}

make_writable() {
    [ -w "$1" ] || mount -o remount,rw "$LIVE"
}

# systemd-ask-password reaches the console, and Plymouth where that is running. No answer in time,
# or an empty one, means that nobody knows the passphrase.
unlock() {
    question="Passphrase of the home (none: start without it):"
    for _ in 1 2 3; do
        secret=$(systemd-ask-password --no-tty --timeout="$PATIENCE" --id=liveos-home \
            --icon=drive-harddisk "$question") || return 1
        [ -n "$secret" ] || return 1
        # The key is all that comes in; printf is a part of the shell, so nobody sees it run.
        printf '%s' "$secret" | cryptsetup open --key-file=- "$1" "$MAPPING" && return 0
        question="This does not open the home. Its passphrase (none: start without it):"
    done
    return 1
}

# systemd has unmounted what nobody used before it comes here.
stop_home() {
    tries=0
    while mountpoint -q /home && ! umount /home; do
        tries=$((tries + 1))
        [ "$tries" -lt 10 ] || fail "/home is in use"
        sleep 1
    done
    [ ! -e "/dev/mapper/$MAPPING" ] || cryptsetup close "$MAPPING"
}

start_swap() {
    file=$LIVE$1
    [ -f "$file" ] || fail "$1 is not there"
    make_writable "$file"
    # Where the filesystem has no swap files, a loop device does.
    swapon "$file" || swapon "$(losetup --find --show "$file")"
}

fail() {
    echo "liveos: $1" >&2
    exit 1
}

main "$@"
