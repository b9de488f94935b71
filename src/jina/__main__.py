"""`python -m jina` is the command `jina`."""

import sys

from jina.cli import main

if __name__ == "__main__":
    sys.exit(main())
