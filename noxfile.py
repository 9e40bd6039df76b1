"""The device part on every Python that it promises; `nox` runs those that are found on this machine."""

from pathlib import Path

import nox

nox.options.error_on_missing_interpreters = False
nox.options.default_venv_backend = "venv"

PYPROJECT = nox.project.load_toml("pyproject.toml")


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def device(session: nox.Session) -> None:
    """Test the built wheel with the device's dependencies, beside the references that the tests compare it with."""
    root, built = Path(session.invoked_from), Path(session.create_tmp())
    session.install("--quiet", *PYPROJECT["project"]["dependencies"])
    session.install("--quiet", *nox.project.dependency_groups(PYPROJECT, "test"))
    session.run("python", "-m", "build", "--wheel", "--outdir", str(built), str(root), silent=True)
    wheel = max(built.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    session.install("--quiet", "--no-deps", "--force-reinstall", str(wheel))
    # The tests stand apart from the checkout, so that what they import is the wheel.
    session.chdir(built)
    Path("tests").unlink(missing_ok=True)
    Path("tests").symlink_to(root / "tests")
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir", ".", "-o", "pythonpath=."]
    session.run("python", "-m", "pytest", *options, *(session.posargs or ["tests/edge_asd"]))
