"""Sessions that test the built wheel on every Python it promises; `nox -s device` runs those found on this machine."""

import nox

nox.options.sessions = ["device"]
nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def device(session: nox.Session) -> None:
    """The device part: its tests, against the built wheel, with the device's own dependencies alone."""
    session.install("--quiet", "build")
    wheels = session.create_tmp()
    session.run("python", "-m", "build", "--wheel", "--outdir", wheels, ".", silent=True)
    session.install("--quiet", "--find-links", wheels, "--no-index", "--no-deps", "edge-asd")
    session.install("--quiet", *nox.project.load_toml("pyproject.toml")["project"]["dependencies"])
    session.install("--quiet", "pytest>=8", "hypothesis>=6", "jsonschema>=4")
    session.chdir(wheels)
    session.run("python", "-m", "pytest", "-q", "--rootdir", "/", session.invoked_from + "/tests/edge_asd")
