# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay``: one module for each verb of the persistent overlay."""
