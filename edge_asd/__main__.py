"""`python -m edge_asd` is `edge-asd`."""

import sys

from edge_asd.isolation import search_path

if __name__ == "__main__":
    # Python put the current folder first; the command `edge-asd` takes no modules from there either.
    if sys.path[:1] != search_path()[:1]:
        del sys.path[0]
    from edge_asd.cli import main

    sys.exit(main())
