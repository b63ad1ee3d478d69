# SPDX-License-Identifier: Apache-2.0
"""The steps that plans are made of: closed unions of frozen dataclasses, one file for each wing.

``str(step)`` is the line that a dry run prints, with every path, size and identifier that will be
used; ``step.title`` is the short form that progress shows. Plans are made of them, and
``liveos.operations.execute`` hands each to the function that does it.
"""
