# SPDX-License-Identifier: Apache-2.0
"""Making and removing the persistent home of an image."""
