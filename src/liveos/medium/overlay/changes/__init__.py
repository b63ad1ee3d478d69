# SPDX-License-Identifier: Apache-2.0
"""What files an overlay changes, and what fills it.

What counts as a change, for all kinds of overlay:

- *added*, *removed*: a path that only one side has, unless it was renamed;
- *renamed*: the same file or directory under another name. For ext4 that is the same inode
  (number, generation, time of birth), for an OverlayFS its redirects and origins. What is in a
  renamed directory is not renamed one by one. A second name of a file is added, a name fewer
  removed;
- *modified*: the content of a file, the target of a link, or the type of a node; where a
  directory became something else, or the reverse, it is removed and added;
- *metadata*: mode, owner, extended attributes, device number; for all but directories, the time
  of the last change too, if nothing else is different. A directory's time changes with its
  entries, which are told anyway. Other times do not count.
"""
