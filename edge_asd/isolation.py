"""Starts our own modules in other interpreters, which take nothing from the folder that they happen to be started in.

`python -m` and `python -c` put that folder first on the path: a file `numpy.py` lying beside someone's recordings
would be run. `-P`, which leaves it out, is of Python 3.11.
"""

# No more is imported than runs already when Python starts: `__main__` comes here while the folder is still on the path.
import os
import sys


def isolated_python(module: str, *arguments: str, site: bool = True) -> list[str]:
    """Return the command that calls `main` of a module of ours in another interpreter.

    It finds modules where this one does, in a virtual environment, an editable installation or along `PYTHONPATH`, but
    for the current folder.

    Parameters
    ----------
    module
        The module; its `main` takes a list of arguments and returns an exit status or None.
    arguments
        What it is given.
    site
        Whether Python looks for its installed packages, as usual. Where it need not, since it is told here where they
        are, it starts faster and needs less memory.
    """
    path = search_path(module.partition(".")[0])
    code = f"import sys; sys.path[:] = {path!r}; from {module} import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-I", *([] if site else ["-S"]), "-c", code, *arguments]


def search_path(*packages: str) -> list[str]:
    """Return where modules are looked for, without the current folder, unless one of our packages is there.

    Parameters
    ----------
    packages
        Our packages that have to be found, beside this one.
    """
    files = [__file__, *(sys.modules[name].__file__ for name in packages if name in sys.modules)]
    homes = list(dict.fromkeys(file.rsplit(os.sep, 2)[0] for file in files if file))
    at_home = any(map(_is_current, homes))
    kept = [path for path in sys.path if path and (at_home or not _is_current(path))]
    # An editable installation finds them in another way, which not every interpreter sets up.
    return [*kept, *(home for home in homes if home not in kept)]


def _is_current(path: str) -> bool:
    try:
        return os.path.samefile(path, os.curdir)  # noqa: PTH121 - pathlib is not there yet
    except OSError:
        return False
