# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - menu lines are as long as their authors made them
"""Boot menus in the forms of each era (images.md 1.1 to 1.8), in our own words.

``@LABEL@`` stands for the volume label.
"""

FEDORA_7_ISOLINUX = """\
default vesamenu.c32
timeout 100
menu background splash.jpg
menu title Welcome to Fedora 7!
label linux
  menu label Run from image
  menu default
  kernel vmlinuz
  append initrd=initrd.img root=CDLABEL=@LABEL@ rootfstype=iso9660 ro quiet rhgb liveimg
label check
  menu label Verify and run from image
  kernel vmlinuz
  append initrd=initrd.img root=CDLABEL=@LABEL@ rootfstype=iso9660 ro quiet rhgb liveimg check
label local
  menu label Boot from local drive
  localboot 0xffff
"""

FEDORA_10_ISOLINUX = FEDORA_7_ISOLINUX.replace("Run from image", "Boot").replace(
    "kernel vmlinuz", "kernel vmlinuz0"
).replace("initrd.img", "initrd0.img")  # fmt: skip

FEDORA_10_GRUB = """\
default=0
timeout=10
hiddenmenu
title Fedora 10
  kernel /EFI/boot/vmlinuz0 root=CDLABEL=@LABEL@ rootfstype=iso9660 ro quiet rhgb liveimg
  initrd /EFI/boot/initrd0.img
"""

FEDORA_14_ISOLINUX = """\
default vesamenu.c32
timeout 100
menu background splash.jpg
menu title Welcome to Fedora 14!
menu color border 0 #ffffffff #00000000
menu hidden
menu hiddenrowdir 5
label linux0
  menu label Boot
  kernel vmlinuz0
  append initrd=initrd0.img root=live:CDLABEL=@LABEL@ rootfstype=auto ro liveimg quiet rhgb rd_NO_LUKS
menu default
label linux0
  menu label Boot (Basic Video)
  kernel vmlinuz0
  append initrd=initrd0.img root=live:CDLABEL=@LABEL@ rootfstype=auto ro liveimg xdriver=vesa nomodeset
label check0
  menu label Verify and Boot
\tkernel\tvmlinuz0
\tappend\tinitrd=initrd0.img root=live:CDLABEL=@LABEL@ rootfstype=auto ro liveimg quiet  rhgb check
label memtest
  menu label Memory Test
  kernel memtest
label local
  menu label Boot from local drive
  localboot 0xffff
"""

FEDORA_14_GRUB = """\
default=0
splashimage=/EFI/boot/splash.xpm.gz
timeout 10
hiddenmenu

title Fedora 14
  kernel /EFI/boot/vmlinuz0 root=live:LABEL=@LABEL@ rootfstype=auto ro liveimg quiet
  initrd /EFI/boot/initrd0.img
title Verify and Boot Fedora 14
  kernel /EFI/boot/vmlinuz0 root=live:LABEL=@LABEL@ rootfstype=auto ro liveimg check
  initrd /EFI/boot/initrd0.img
"""

FEDORA_17_GRUB = FEDORA_14_GRUB.replace("/EFI/boot/", "/isolinux/").replace("14", "17")

FEDORA_23_ISOLINUX = """\
default vesamenu.c32
timeout 600
menu autoboot Starting Fedora Live in # second{,s}. Press any key to interrupt.
menu clear
menu title Fedora Live
label linux0
  menu label ^Start Fedora Live
  kernel vmlinuz0
  append initrd=initrd0.img root=live:CDLABEL=@LABEL@ rootfstype=auto ro rd.live.image quiet rhgb rd.luks=0 rd.md=0 rd.dm=0
  menu default
menu separator
menu begin ^Troubleshooting
  menu title Troubleshooting
label basic0
  menu indent count 5
  menu label Start Fedora Live in ^basic graphics mode.
  text help
\tTry this option out if you're having trouble starting
\tlabel nothing
  endtext
  append initrd=initrd0.img root=live:CDLABEL=@LABEL@ rootfstype=auto ro rd.live.image quiet nomodeset
  kernel vmlinuz0
label check0
  menu label ^Test this media & start Fedora Live
  kernel vmlinuz0
  append initrd=initrd0.img root=live:CDLABEL=@LABEL@ rootfstype=auto ro rd.live.image rd.live.check
label local
  menu label Boot from ^local drive
  localboot 0xffff
menu separator
label returntomain
  menu label Return to ^main menu.
  menu exit
menu end
"""

FEDORA_23_GRUB = """\
set default="1"

function load_video {
  insmod efi_gop
  insmod efi_uga
}

load_video
set gfxpayload=keep
insmod gzio

set timeout=60
### END /etc/grub.d/00_header ###

search --no-floppy --set=root -l '@LABEL@'

### BEGIN /etc/grub.d/10_linux ###
menuentry 'Start Fedora Live 23' --class fedora --class gnu-linux --class gnu --class os {
\tlinuxefi /isolinux/vmlinuz0 root=live:LABEL=@LABEL@ rd.live.image quiet rhgb rd.luks=0
\tinitrdefi /isolinux/initrd0.img
}
menuentry 'Test this media & start Fedora Live 23' --class fedora --class gnu-linux --class os {
\tlinuxefi /isolinux/vmlinuz0 root=live:LABEL=@LABEL@ rd.live.image rd.live.check quiet
\tinitrdefi /isolinux/initrd0.img
}
submenu 'Troubleshooting -->' {
\tmenuentry 'Start Fedora Live 23 in basic graphics mode' --class fedora --class os {
\t\tlinuxefi /isolinux/vmlinuz0 root=live:LABEL=@LABEL@ rd.live.image nomodeset quiet
\t\tinitrdefi /isolinux/initrd0.img
\t}
}
"""

CENTOS_GRUB = """\
set default="0"
set timeout=60
search --no-floppy --set=root -l '@LABEL@'
menuentry 'Start CentOS 7 Live' --class fedora --class os {
\tlinuxefi /isolinux/vmlinuz0 root=live:LABEL=@LABEL@ ro rd.live.image quiet rhgb
\tinitrdefi /isolinux/initrd0.img
}
menuentry 'Test this media & start CentOS 7 Live' {
\tlinuxefi /isolinux/vmlinuz0 root=live:LABEL=@LABEL@ ro rd.live.image rd.live.check
\tinitrdefi /isolinux/initrd0.img
}
"""

FEDORA_36_ISOLINUX = """\
default vesamenu.c32
timeout 600
display boot.msg
menu autoboot Starting Fedora-Workstation-Live 36 in # second{,s}.
label linux
  menu label ^Start Fedora-Workstation-Live 36
  kernel vmlinuz
  append initrd=initrd.img root=live:CDLABEL=@LABEL@  rd.live.image quiet rhgb
label check
  menu label Test this ^media & start Fedora-Workstation-Live 36
  menu default
  kernel vmlinuz
  append initrd=initrd.img root=live:CDLABEL=@LABEL@  rd.live.image rd.live.check quiet
menu separator
menu begin ^Troubleshooting
  menu title Troubleshooting Fedora-Workstation-Live 36
label basic
  menu label Start in ^basic graphics mode
  kernel vmlinuz
  append initrd=initrd.img root=live:CDLABEL=@LABEL@  rd.live.image nomodeset quiet rhgb
label local
  menu label Boot from ^local drive
  localboot 0xffff
label returntomain
  menu label Return to ^main menu
  menu exit
menu end
"""

FEDORA_36_GRUB = (
    FEDORA_23_GRUB.replace("Fedora Live 23", "Fedora-Workstation-Live 36")
    .replace("/isolinux/vmlinuz0", "/images/pxeboot/vmlinuz")
    .replace("/isolinux/initrd0.img", "/images/pxeboot/initrd.img")
    .replace("live:LABEL", "live:CDLABEL")
)

FEDORA_40_GRUB = """\
set default="1"
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  else
    insmod efi_gop
  fi
}
load_video
set timeout=60
search --no-floppy --set=root -l '@LABEL@'
menuentry 'Start Fedora-Workstation-Live 40' --class fedora --class gnu-linux --class os {
\tlinux /images/pxeboot/vmlinuz root=live:CDLABEL=@LABEL@  rd.live.image quiet rhgb
\tinitrd /images/pxeboot/initrd.img
}
menuentry 'Test this media & start Fedora-Workstation-Live 40' --class fedora {
\tlinux /images/pxeboot/vmlinuz root=live:CDLABEL=@LABEL@  rd.live.image rd.live.check quiet rhgb
\tinitrd /images/pxeboot/initrd.img
}
submenu 'Troubleshooting -->' {
\tmenuentry 'Start Fedora-Workstation-Live 40 in basic graphics mode' --class fedora {
\t\tlinux /images/pxeboot/vmlinuz root=live:CDLABEL=@LABEL@  rd.live.image nomodeset vga=791 quiet
\t\tinitrd /images/pxeboot/initrd.img
\t}
\tmenuentry 'Boot first drive' --class fedora {
\t\tchainloader (hd0)+1
\t}
\tmenuentry 'Boot second drive' --class fedora {
\t\tchainloader (hd1)+1
\t}
}
"""

KIWI_STUB = """\
set btrfs_relative_path="yes"
search --file --set=root /boot/0x5fca3d1e
set prefix=($root)/boot/grub2
configfile ($root)/boot/grub2/grub.cfg
"""

KIWI_FULL = """\
set default="1"
if [ "${grub_platform}" = "efi" ]; then
    function load_video {
        insmod efi_gop
    }
    set basicgfx="nomodeset"
else
    set basicgfx="nomodeset vga=791"
fi
export load_video basicgfx
if loadfont ($root)/boot/grub2/fonts/unicode.pf2; then
    set gfxmode=auto
    terminal_output gfxterm
fi
set timeout=10
set timeout_style=menu
search --file --set=root /boot/0x5fca3d1e
menuentry "Start Fedora-Workstation-Live" --class os --unrestricted {
    set gfxpayload=keep
    echo Loading kernel...
    linux ($root)/boot/x86_64/loader/linux quiet rhgb  root=live:CDLABEL=@LABEL@ rd.live.image
    echo Loading initrd...
    initrd ($root)/boot/x86_64/loader/initrd
}
menuentry "Test this media & start Fedora-Workstation-Live" --class os --unrestricted {
    set gfxpayload=keep
    linux ($root)/boot/x86_64/loader/linux quiet rhgb  root=live:CDLABEL=@LABEL@ rd.live.image rd.live.check
    initrd ($root)/boot/x86_64/loader/initrd
}
submenu "Troubleshooting -->" --class submenu {
    menuentry "Start Fedora-Workstation-Live in basic graphics mode" --class os {
        linux ($root)/boot/x86_64/loader/linux ${basicgfx} quiet rhgb  root=live:CDLABEL=@LABEL@ rd.live.image
        initrd ($root)/boot/x86_64/loader/initrd
    }
}
"""

OSBUILD_GRUB = """\
set default="0"
set timeout=60
search --no-floppy --set=root -l '@LABEL@'
menuentry 'Install Fedora 43' --class fedora --class gnu-linux --class gnu --class os {
\tlinux /images/pxeboot/vmlinuz root=live:CDLABEL=@LABEL@ rd.live.image quiet rhgb
\tinitrd /images/pxeboot/initrd.img
}
menuentry 'Test this media & install Fedora 43' --class fedora --class os {
\tlinux /images/pxeboot/vmlinuz root=live:CDLABEL=@LABEL@ rd.live.check rd.live.image quiet rhgb
\tinitrd /images/pxeboot/initrd.img
}
"""

SUSE_FULL = """\
set default=0
set timeout=10
search --file --set=root /boot/0x5fca3d1e
menuentry "openSUSE_Leap_15.2_KDE_Live" --class os --unrestricted {
    set gfxpayload=keep
    linux ($root)/boot/x86_64/loader/linux splash=silent quiet root=live:CDLABEL=@LABEL@ rd.live.image rd.live.overlay.persistent rd.live.overlay.cowfs=ext4
    initrd ($root)/boot/x86_64/loader/initrd
}
menuentry "Failsafe -- openSUSE_Leap_15.2_KDE_Live" --class os --unrestricted {
    linux ($root)/boot/x86_64/loader/linux ide=nodma root=live:CDLABEL=@LABEL@ rd.live.image rd.live.overlay.persistent
    initrd ($root)/boot/x86_64/loader/initrd
}
menuentry "Mediacheck" --class os --unrestricted {
    linux ($root)/boot/x86_64/loader/linux mediacheck=1 plymouth.enable=0 root=live:CDLABEL=@LABEL@
    initrd ($root)/boot/x86_64/loader/initrd
}
menuentry "Boot from Hard Disk" --class opensuse {
    exit
}
"""

DEBIAN_ISOLINUX = """\
label live-amd64
\tmenu label ^Live system (amd64)
\tmenu default
\tlinux /live/vmlinuz-6.1.0-18-amd64
\tinitrd /live/initrd.img-6.1.0-18-amd64
\tappend boot=live components quiet splash root=live:CDLABEL=@LABEL@ rd.live.dir=live rd.live.squashimg=filesystem.squashfs
"""

DEBIAN_GRUB = """\
source /boot/grub/config.cfg
menuentry "Live system (amd64)" --hotkey=l {
\tlinux\t/live/vmlinuz-6.1.0-18-amd64 boot=live components quiet splash findiso=${iso_path} root=live:CDLABEL=@LABEL@ rd.live.dir=live rd.live.squashimg=filesystem.squashfs iso-scan/filename=${iso_path}
\tinitrd\t/live/initrd.img-6.1.0-18-amd64
}
"""

DEBIAN_CONFIG = """\
set default=0
if [ x$feature_default_font_path = xy ] ; then
   font=unicode
else
   font=$prefix/unicode.pf2
fi
if loadfont $font ; then
  set gfxmode=800x600
fi
"""

LIVE_BOOT_GRUB = """\
set default=0
menuentry "Live system" {
\tlinux\t/live/vmlinuz boot=live components quiet splash findiso=${iso_path}
\tinitrd\t/live/initrd.img
}
"""

VOID_ISOLINUX = """\
UI vesamenu.c32
PROMPT 0
TIMEOUT 100
DEFAULT linux
LABEL linux
MENU LABEL Void Linux 6.3.12_1 x86_64
KERNEL /boot/vmlinuz
APPEND initrd=/boot/initrd root=live:CDLABEL=@LABEL@ init=/sbin/init ro rd.luks=0 rd.live.overlay.overlayfs=1
LABEL linuxram
MENU LABEL Void Linux 6.3.12_1 x86_64 (RAM)
KERNEL /boot/vmlinuz
APPEND initrd=/boot/initrd root=live:CDLABEL=@LABEL@ init=/sbin/init ro rd.luks=0 rd.live.ram
"""

VOID_GRUB = """\
export voidlive
set timeout=5
if [ cpuid -l ]; then
    menuentry "Void Linux 6.3.12_1 x86_64" --id "linux" {
        set gfxpayload="keep"
        linux (${voidlive})/boot/vmlinuz root=live:CDLABEL=@LABEL@ ro init=/sbin/init
        initrd (${voidlive})/boot/initrd
    }
    menuentry "Void Linux 6.3.12_1 x86_64 (RAM)" --id "linuxram" {
        linux (${voidlive})/boot/vmlinuz root=live:CDLABEL=@LABEL@ ro init=/sbin/init rd.live.ram
        initrd (${voidlive})/boot/initrd
    }
fi
"""

MANDRIVA_GRUB = """\
set default=0
menuentry "Start OpenMandriva Live" {
    linux /boot/vmlinuz0 root=live:CDLABEL=@LABEL@ rd.live.image quiet
    initrd /boot/liveinitrd.img
}
"""

QUBES_ISOLINUX = """\
default vesamenu.c32
timeout 600
label linux
  menu label Install Qubes R4.1
  kernel mboot.c32
  append xen.gz console=none --- vmlinuz inst.stage2=hd:LABEL=@LABEL@ i915.alpha_support=1 quiet rhgb --- initrd.img
label check
  menu label Test media and install Qubes R4.1
  menu default
  kernel mboot.c32
  append xen.gz console=none --- vmlinuz inst.stage2=hd:LABEL=@LABEL@ rd.live.check quiet rhgb --- initrd.img
"""

QUBES_GRUB = """\
set default="0"
search --no-floppy --set=root -l '@LABEL@'
menuentry 'Install Qubes OS R4.1' --class qubes {
\tmultiboot2 /images/pxeboot/xen.gz console=none
\tmodule2 /images/pxeboot/vmlinuz inst.repo=hdd:LABEL=@LABEL@:/ quiet rhgb
\tmodule2 /images/pxeboot/initrd.img
}
menuentry 'Test media and install Qubes OS R4.1' --class qubes {
\tmultiboot2 /images/pxeboot/xen.gz console=none
\tmodule2 --nounzip /images/pxeboot/vmlinuz inst.repo=hdd:LABEL=@LABEL@:/ rd.live.check quiet rhgb
\tmodule2 /images/pxeboot/initrd.img
}
"""
