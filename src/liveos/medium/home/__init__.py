# SPDX-License-Identifier: Apache-2.0
"""Facts of the persistent home of an image: where it lies, and how it gets mounted."""
