"""`python -m edge_asd` is `edge-asd`."""

import sys

from edge_asd.cli import main

if __name__ == "__main__":
    sys.exit(main())
