"""Brokers that want certificates or passwords, made by openssl and mosquitto's own tool."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Broker

MakeBroker = Callable[..., "Broker"]


def users(folder: Path, **passwords: str) -> str:
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed (Debian package mosquitto)")
    file = folder / "passwords"
    file.touch()
    for name, password in passwords.items():
        subprocess.run([tool, "-b", file, name, password], check=True, capture_output=True)
    return f"password_file {file}"


class Certificates:
    """A certificate authority and what it signed, by openssl."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed (Debian package openssl)")
        self.folder = folder
        self.ca = self._make("ca", "-x509", "-addext", "basicConstraints=critical,CA:TRUE")
        self._signed("broker", "subjectAltName=DNS:localhost")
        self._signed("device", "subjectAltName=DNS:pi-07")

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def _make(self, name: str, *options: str) -> str:
        key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            self.path(f"{name}.key"),
        ]
        out = ["-subj", f"/CN={name}", "-out", self.path(f"{name}.pem")]
        subprocess.run(["openssl", "req", "-new", *key, *out, *options], check=True, capture_output=True)
        return self.path(f"{name}.pem")

    def _signed(self, name: str, extension: str) -> None:
        request = self._make(name)
        (self.folder / f"{name}.ext").write_text(extension)
        ca = ["-CA", self.ca, "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days", "2"]
        out = ["-extfile", self.path(f"{name}.ext"), "-out", self.path(f"{name}.crt")]
        subprocess.run(["openssl", "x509", "-req", "-in", request, *ca, *out], check=True, capture_output=True)


def encrypted(make_broker: MakeBroker, certificates: Certificates, *options: str) -> Broker:
    files = {"cafile": certificates.ca, "certfile": certificates.path("broker.crt")}
    keyfile = f"keyfile {certificates.path('broker.key')}"
    return make_broker(*(f"{option} {file}" for option, file in files.items()), keyfile, *options)
