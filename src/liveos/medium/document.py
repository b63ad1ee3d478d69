# SPDX-License-Identifier: Apache-2.0
"""Facts of a medium as the documents that scripts rely on."""

from typing import Any

from liveos.medium.listing import ListedImage, Listing
from liveos.medium.menus.text import kernel_line
from liveos.medium.model import (
    Boot,
    Entry,
    Image,
    Initramfs,
    Kernel,
    Loader,
    Medium,
    Overlay,
    Partition,
    Root,
    Store,
)
from liveos.medium.overlay.room import Room
from liveos.medium.persistence import usable_kinds
from liveos.report import Finding

SCHEMA = "liveos/inspect/1"
Document = dict[str, Any]


def to_document(medium: Medium) -> Document:
    """The facts as plain data; sizes in bytes, absent facts None."""
    md5 = medium.implanted_md5
    return {
        "schema": SCHEMA,
        "kind": str(medium.kind),
        "path": str(medium.path),
        "label": medium.label,
        "size": medium.size,
        "images": [_image(image) for image in medium.images],
        "boot": _boot(medium.boot),
        "partitions": [_partition(partition) for partition in medium.partitions],
        "implanted_md5": None if md5 is None else {"md5": md5.md5, "supported": md5.supported},
        "warnings": [_finding(finding) for finding in medium.warnings],
    }


def listing_document(listing: Listing) -> Document:
    """The images in short (``liveos/list/1``)."""
    return {
        "kind": str(listing.kind),
        "path": str(listing.path),
        "label": listing.label,
        "size": listing.size,
        "free_size": listing.free,
        "images": [_listed(each) for each in listing.images],
        "warnings": [_finding(finding) for finding in listing.warnings],
    }


def _listed(listed: ListedImage) -> Document:
    image, room = listed.image, listed.room or Room()
    overlay = _overlay(image.overlay)
    if overlay is not None:
        overlay |= {"size": room.size, "free_size": room.free, "fullness": room.fullness}
    return {
        "name": image.name,
        "title": listed.title,
        "default": listed.is_default,
        "family": str(image.family),
        "root": {"form": listed.form, **_root(image.root)},
        "dracut": listed.dracut,
        "kernel": listed.kernel,
        "overlay": overlay,
        "home": _store(image.home),
        "swap": _store(image.swap),
    }


def _image(image: Image) -> Document:
    return {
        "name": image.name,
        "family": str(image.family),
        "root": _root(image.root),
        "kernels": [_kernel(each) for each in image.kernels],
        "initramfs": [_initramfs(each) for each in image.initramfs],
        "entries": [_entry(entry) for entry in image.entries],
        "persistence": [str(kind) for kind in usable_kinds(image.persistence)],
        "no_persistence": {
            str(option.kind): option.reason for option in image.persistence if not option.usable
        },
        "overlay": _overlay(image.overlay),
        "home": _store(image.home),
        "swap": _store(image.swap),
    }


def _root(root: Root) -> Document:
    return {
        "path": root.file.path if root.file else None,
        "container": str(root.container),
        "compression": root.compression,
        "nested": root.nested,
        "filesystem": root.filesystem,
        "label": root.label,
        "uuid": root.uuid,
        "apparent_size": root.apparent_size,
        "used_size": root.used_size,
        "stored_size": root.stored_size,
    }


def _kernel(kernel: Kernel) -> Document:
    return {
        "path": kernel.file.path,
        "version": kernel.version,
        "signers": list(kernel.signers),
    }


def _initramfs(initramfs: Initramfs) -> Document:
    return {
        "path": initramfs.file.path,
        "dracut": initramfs.dracut,
        "modules": list(initramfs.modules),
        "kernel": initramfs.kernel,
    }


def _entry(entry: Entry) -> Document:
    return {
        "title": entry.title,
        "firmware": str(entry.firmware),
        "menu": entry.menu,
        "submenu": list(entry.submenu),
        "default": entry.default,
        "command": entry.command,
        "kernel": entry.kernel,
        "initrd": list(entry.initrd),
        "options": kernel_line(entry.options),
        "hypervisor": entry.hypervisor,
    }


def _overlay(overlay: Overlay | None) -> Document | None:
    if overlay is None:
        return None
    return {
        "kind": str(overlay.kind),
        "path": overlay.path,
        "size": overlay.size,
        "state": overlay.state,
    }


def _store(store: Store | None) -> Document | None:
    if store is None:
        return None
    return {
        "path": store.path,
        "place": "file" if store.partition is None else "partition",
        "partition": store.partition,
        "size": store.size,
        "encrypted": store.encrypted,
        "filesystem": store.filesystem,
        "label": store.label,
        "uuid": store.uuid,
    }


def _boot(boot: Boot) -> Document:
    return {
        "bios": boot.bios,
        "uefi": list(boot.uefi),
        "secure_boot": boot.secure_boot,
        "loaders": [_loader(loader) for loader in boot.loaders],
    }


def _loader(loader: Loader) -> Document:
    return {
        "path": loader.path,
        "firmware": str(loader.firmware),
        "arch": loader.arch,
        "role": loader.role,
        "signers": list(loader.signers),
        "sbat": list(loader.sbat),
    }


def _partition(partition: Partition) -> Document:
    return {
        "number": partition.number,
        "name": partition.name,
        "type": partition.type,
        "offset": partition.offset,
        "size": partition.size,
        "filesystem": partition.filesystem,
        "label": partition.label,
        "uuid": partition.uuid,
    }


def _finding(finding: Finding) -> Document:
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "message": finding.message,
        "repair": finding.repair,
    }
