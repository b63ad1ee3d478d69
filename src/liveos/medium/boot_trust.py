# SPDX-License-Identifier: Apache-2.0
"""Whether the signed loaders of a stick may start the kernel of another image.

shim has the certificate of its maker's authority in it, and lets GRUB start what that authority
has signed, or a key that the machine's owner has enrolled (images.md 2.4). Which certificate that
is, shim's file does not tell in a form to rely on; but the authorities that vouch for the GRUB
beside it, and for the kernels that it starts already, are those that it accepts.
"""

from collections.abc import Iterable, Sequence

from liveos.formats.programs.pe import Role
from liveos.medium.efi import is_chain_signed
from liveos.medium.model import Kernel, Loader


def distrust(
    loaders: Sequence[Loader], known: Iterable[Kernel], kernel: Kernel, name: str
) -> str | None:
    """A sentence on why Secure Boot would refuse ``kernel``; None where nothing speaks for that.

    :param loaders: those that are on the stick.
    :param known: kernels of images that these loaders came with.
    :param name: what people call the image of the kernel.
    """
    if not is_chain_signed(loaders, []):
        return None
    if not kernel.signers:
        return (
            f"with Secure Boot on, {name} will not start: its kernel is not signed; the other"
            " images will"
        )
    seconds = [loader for loader in loaders if loader.role == Role.GRUB]
    accepted = {each for loader in seconds for each in loader.issuers}
    accepted |= {each for other in known for each in other.issuers}
    if not accepted or accepted & set(kernel.issuers):
        return None
    return (
        f"with Secure Boot on, {name} may not start: its kernel is vouched for by"
        f" {_list(kernel.issuers)}, the stick's boot loaders and their kernels by"
        f" {_list(accepted)}; switch Secure Boot off for it, enroll its key, or install it on a"
        " stick of its own"
    )


def _list(names: Iterable[str]) -> str:
    return " and ".join(sorted(set(names)))
