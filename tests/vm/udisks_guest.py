# SPDX-License-Identifier: Apache-2.0
"""The real udisksd and polkitd in a guest, from the disk of `tests.vm.guest_python`.

Their files are linked to where systemd, the bus, udev and polkit look for them, as the packages'
own scripts would have installed them: the bus starts both through systemd, as on any desktop.
"""

from liveos.operations.guests.guest import Guest
from tests.vm.guest_python import MOUNT, command
from tests.vm.visits import tell

USER = "ann"
_RULE = "/etc/polkit-1/rules.d/10-sticks.rules"
_ACTIONS = "/usr/share/polkit-1/actions"

# Users and directories come from the packages' own sysusers and tmpfiles.
DAEMONS = f"""
ln -s {MOUNT}/usr/libexec/udisks2 /usr/libexec/udisks2
ln -s {MOUNT}/usr/lib/polkit-1 /usr/lib/polkit-1
mkdir -p /run/udev/rules.d /var/lib/udisks2 /usr/share/polkit-1/rules.d {_ACTIONS}
ln -sf {MOUNT}{_ACTIONS}/*UDisks2* {_ACTIONS}/
ln -sf {MOUNT}/usr/share/dbus-1/system.d/*UDisks2* /usr/share/dbus-1/system.d/
ln -sf {MOUNT}/usr/share/dbus-1/system.d/*PolicyKit1* /usr/share/dbus-1/system.d/
ln -sf {MOUNT}/usr/share/dbus-1/system-services/*UDisks2* /usr/share/dbus-1/system-services/
ln -sf {MOUNT}/usr/share/dbus-1/system-services/*PolicyKit1* /usr/share/dbus-1/system-services/
cp {MOUNT}/lib/systemd/system/udisks2.service /run/systemd/system/
cp {MOUNT}/lib/systemd/system/polkit.service /run/systemd/system/
cp {MOUNT}/lib/udev/rules.d/80-udisks2.rules /run/udev/rules.d/
systemd-sysusers {MOUNT}/usr/lib/sysusers.d/polkitd.conf
systemd-sysusers --inline 'u {USER} 1500'
systemd-tmpfiles --create {MOUNT}/usr/lib/tmpfiles.d/polkitd.conf
systemctl daemon-reload
systemctl reload dbus
udevadm control --reload
udevadm trigger --settle --subsystem-match=block
"""


def allow(guest: Guest, *actions: str) -> None:
    """A rule of the administrator's: the ordinary user may do these things with sticks."""
    names = ", ".join(f'"org.freedesktop.udisks2.{each}"' for each in actions)
    rule = (
        "polkit.addRule(function(action, subject) {"
        f' if ([{names}].indexOf(action.id) >= 0 && subject.user == "{USER}")'
        " return polkit.Result.YES; });"
    )
    tell(guest, f"echo '{rule}' > {_RULE}\nsystemctl restart polkit")


def as_user(*words: str) -> str:
    """A line for the guest's shell that runs the program as the ordinary user."""
    own = f"setpriv --reuid={USER} --regid={USER} --clear-groups --no-new-privs"
    return f"{own} {command(*words)}"
