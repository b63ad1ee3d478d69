# SPDX-License-Identifier: Apache-2.0
"""Files of volumes that are being made, in the words of what works on finished sticks, too."""

import posixpath

from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import Folder, FolderFile, HostFolder
from liveos.host.volumes import Ext4Volume, FatVolume, MountedVolume, StagedVolume, Volume


def file_in(volume: Volume, path: str) -> FolderFile:
    """The place of the file at an absolute path of a volume; it need not exist."""
    directory, name = posixpath.split(path)
    return FolderFile(_folder(volume, directory), name)


def _folder(volume: Volume, directory: str) -> Folder:
    match volume:
        case FatVolume():
            return FatFolder(volume, directory)
        case Ext4Volume():
            return Ext4Folder(volume, directory)
        case StagedVolume() | MountedVolume():
            return HostFolder(volume.at(directory))
