"""``python -m augmint``: the command line."""

import sys

from augmint.cli import main

sys.exit(main())
