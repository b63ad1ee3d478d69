# SPDX-License-Identifier: Apache-2.0
"""What one ``menuentry`` of GRUB 2 starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from liveos.medium.menus.grub_script import Word
from liveos.medium.menus.text import medium_path
from liveos.medium.model import Entry, Firmware

_LINUX = frozenset({"linux", "linuxefi", "linux16", "kernel"})
_INITRD = frozenset({"initrd", "initrdefi", "initrd16"})
_MULTIBOOT = frozenset({"multiboot", "multiboot2", "xen_hypervisor"})
_MODULE = frozenset({"module", "module2", "xen_module"})
_OTHERS = frozenset({"chainloader", "configfile", "exit", "halt", "reboot", "fwsetup"})


@dataclass(slots=True)
class Started:
    """The boot commands of an entry, collected while its block is run."""

    command: str = "none"
    kernel: str | None = None
    options: tuple[Word, ...] = ()
    initrd: list[str] = field(default_factory=list)
    hypervisor: str | None = None
    hypervisor_options: tuple[Word, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, words: tuple[Word, ...], values: Mapping[str, str]) -> bool:
        """Take a command if it says what is started; ``values`` are the variables now."""
        # Options such as --nounzip belong to the command, not to what it starts.
        while words and str(words[0]).startswith("--"):
            words = words[1:]
        paths = [medium_path(word.expand(values)) for word in words]
        if name in _LINUX and words:
            self.command = name
            self._start(paths[0], words[1:], values)
        elif name in _INITRD:
            self.initrd = paths
        elif name in _MULTIBOOT and words:
            self.command, self.hypervisor, self.hypervisor_options = name, paths[0], words[1:]
        elif name in _MODULE and words and self.kernel is None:
            self._start(paths[0], words[1:], values)
        elif name in _MODULE and words:
            self.initrd.append(paths[0])
        elif name in _OTHERS:
            self.command, self.options = name, words
        else:
            return False
        return True

    def entry(self, title: str, label: str | None, firmware: Firmware, menu: str) -> Entry:
        """The entry, when its block has ended."""
        return Entry(
            title=title,
            firmware=firmware,
            menu=menu,
            label=label,
            kernel=self.kernel,
            initrd=tuple(self.initrd),
            options=tuple(str(word) for word in self.options),
            command=self.command,
            hypervisor=self.hypervisor,
            hypervisor_options=tuple(str(word) for word in self.hypervisor_options),
            variables=tuple(self.variables.items()),
        )

    def _start(self, kernel: str, options: tuple[Word, ...], values: Mapping[str, str]) -> None:
        self.kernel, self.options = kernel, options
        names = dict.fromkeys(name for word in options for name in word.variables)
        self.variables = {name: values[name] for name in names if name in values}
