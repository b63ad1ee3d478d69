# SPDX-License-Identifier: Apache-2.0
"""``python -m liveos``."""

from liveos.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
