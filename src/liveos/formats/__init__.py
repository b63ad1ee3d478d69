# SPDX-License-Identifier: Apache-2.0
"""On-disk formats: bytes <-> records, from their specifications alone.

Nothing here knows a tool, a policy or the rest of liveos; readers take a `ByteSource` and
raise `FormatError` for anything that is not what the specification allows.
"""
