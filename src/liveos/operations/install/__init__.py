# SPDX-License-Identifier: Apache-2.0
"""``liveos install``: an image onto a new stick."""
