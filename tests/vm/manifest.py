# SPDX-License-Identifier: Apache-2.0
"""A tree with files of every kind, made in a guest, and a list of all that its root shows.

Perl does both, as every Debian root has it: xattrs are system calls (x86-64) to it.
"""

import base64
import gzip

from liveos.operations.guests.guest import Guest
from tests.vm.visits import tell

# lsetxattr(2) 189, lchown(2) 94. A capability is cap_net_raw=ep of vfs_cap_data, revision 2; the
# access list gives user 1000 rwx, as fs/posix_acl.c stores it.
_MAKE = r"""
use strict; use POSIX qw(mkfifo);
my $top = '/var/lib/tree'; mkdir $top; chdir $top or die;
sub put { my ($path, $text) = @_; open my $f, '>', $path or die $path; print $f $text; close $f }
sub xattr { my ($path, $name, $value) = @_;
  syscall(189, $path, $name, $value, length $value, 0) == 0 or die "$path $name $!" }
put('plain', "text\n"); put('empty', ''); put('large', join '', map { "$_\n" } 1 .. 200000);
put('mode', ''); chmod 04751, 'mode'; put('secret', 's'); chmod 0, 'secret';
put('owned', 'o'); chown 1234, 4321, 'owned'; put("blank and \xc3\xa4 \"quote\"", 'n');
put('x' x 255, 'longest name'); put('tick', 't'); utime 1000000000, 1234567890, 'tick';
put('one', 'linked'); link 'one', 'two'; mkdir 'deep'; link 'one', 'deep/three';
symlink 'plain', 'link'; symlink '/nowhere/' . 'y' x 200, 'dangling';
my $theirs = 'owned-link'; symlink 's', $theirs; syscall(94, $theirs, 77, 88);
mkfifo('fifo', 0640); system('mknod', 'char', 'c', 10, 200); system('mknod', 'block', 'b', 7, 300);
open my $s, '>', 'sparse'; truncate $s, 30000000; seek $s, 20000000, 0; print $s 'here'; close $s;
mkdir 'sticky'; chmod 01777, 'sticky'; mkdir 'setgid'; chmod 02750, 'setgid';
xattr('plain', 'user.color', 'blue'); xattr('plain', 'user.empty', '');
xattr('deep', 'user.of-directory', "\0\1\2"); xattr('large', 'user.long', 'v' x 900);
xattr('mode', 'security.capability', pack('V5', 0x02000001, 0x2000, 0, 0, 0));
xattr('owned', 'system.posix_acl_access', pack('V(vvV)5', 2, 1, 6, -1, 2, 7, 1000, 4, 4, -1,
  16, 7, -1, 32, 4, -1));
xattr('empty', 'trusted.mine', 'root only');
chdir '/';
unlink '/etc/issue.net'; rename '/etc/login.defs', '/etc/login.defs.renamed';
chmod 0600, '/etc/debian_version'; chown 5, 5, '/etc/debconf.conf';
open my $a, '>>', '/etc/issue'; print $a "appended\n"; close $a;
system('rm -rf /usr/share/lintian /usr/share/base-files /etc/skel');
mkdir '/etc/skel'; put('/etc/skel/anew', 'in an opaque directory');
unlink '/etc/localtime'; mkdir '/etc/localtime';
system('sync');
"""

# llistxattr(2) 195, lgetxattr(2) 192. Of hard links, a path tells which others are the same file.
_LIST = r"""
use strict; use Fcntl ':mode';
my (%seen, %sums, @lines);
for (`find /var/lib/tree /etc -type f -print0 | xargs -0 sha256sum -z | tr '\\0' '\n'`) {
  chomp; $sums{$2} = $1 if /^(\w+)  (.*)/ }
sub names { my $path = shift; my $buffer = "\0" x 65536;
  my $size = syscall(195, $path, $buffer, 65536);
  return () if $size <= 0;
  return sort grep { !/^trusted\.overlay\./ } split /\0/, substr $buffer, 0, $size }
sub value { my ($path, $name) = @_; my $buffer = "\0" x 65536;
  my $size = syscall(192, $path, $name, $buffer, 65536);
  return unpack 'H*', substr $buffer, 0, $size > 0 ? $size : 0 }
sub visit { my $path = shift; my @s = lstat $path or return;
  return if $path =~ m{^/(proc|sys|dev|run|tmp|home|boot|root)/|^/var/(log|tmp|cache|lib/systemd)/};
  my $ours = $path =~ m{^/var/lib/tree};
  my $directory = S_ISDIR($s[2]);
  my @facts = ($path, sprintf('%o', $s[2]), $s[4], $s[5]);
  push @facts, $directory ? '-' : "size $s[7]", $directory ? '-' : "links $s[3]";
  push @facts, "device $s[6]" if S_ISCHR($s[2]) || S_ISBLK($s[2]);
  push @facts, 'to ' . readlink $path if S_ISLNK($s[2]);
  push @facts, "time $s[9]" if $ours && !$directory || S_ISREG($s[2]);
  push @facts, 'same as ' . ($seen{"$s[0] $s[1]"} ||= $path) if $ours && $s[3] > 1 && !$directory;
  push @facts, map { "$_=" . value($path, $_) } names($path);
  push @facts, $sums{$path} if $sums{$path};
  push @lines, join ' | ', @facts;
  return unless $directory;
  opendir my $d, $path or return; my @inner = sort grep { !/^\.\.?$/ } readdir $d; closedir $d;
  visit($path eq '/' ? "/$_" : "$path/$_") for @inner }
visit('/');
print "$_\n" for @lines;
"""
_PIECE = 900


def make_tree(guest: Guest) -> None:
    """Files of every kind in /var/lib/tree, and all kinds of changes to files of the image."""
    _run(guest, _MAKE)


def list_root(guest: Guest) -> dict[str, str]:
    """What the root shows, by path; of what systems change at each boot, nothing."""
    packed = _run(guest, _LIST, " | gzip -9 | base64 -w 0")
    lines = (
        gzip.decompress(base64.b64decode(packed)).decode("utf-8", "surrogateescape").splitlines()
    )
    return {line.partition(" | ")[0]: line for line in lines}


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is not the same, line by line."""
    lines = []
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            lines += [f"- {before.get(path)}", f"+ {after.get(path)}"]
    return lines


def _run(guest: Guest, script: str, then: str = "") -> str:
    """A terminal takes short lines only, so the script goes in pieces."""
    packed = base64.b64encode(script.encode()).decode()
    pieces = [packed[start : start + _PIECE] for start in range(0, len(packed), _PIECE)]
    tell(guest, "\n".join(["rm -f /run/script", *(f"printf %s {p} >>/run/script" for p in pieces)]))
    return tell(guest, "base64 -d /run/script >/run/script.pl && perl /run/script.pl" + then)
