# SPDX-License-Identifier: Apache-2.0
"""ISO 9660 and what LiveOS media carry with it: Rock Ridge, El Torito, an implanted MD5."""
