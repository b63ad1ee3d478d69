# SPDX-License-Identifier: Apache-2.0
"""What a LiveOS medium is: bytes and machine in, facts out."""
