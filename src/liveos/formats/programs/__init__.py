# SPDX-License-Identifier: Apache-2.0
"""Programs that firmware and boot loaders start: PE images, GRUB, Linux."""
