# SPDX-License-Identifier: Apache-2.0
"""What is done to the images of a stick, as plans."""
