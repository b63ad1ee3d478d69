# SPDX-License-Identifier: Apache-2.0
"""How the steps for images of a stick are done."""
