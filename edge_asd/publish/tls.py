"""Encryption of the connection to the broker."""

from __future__ import annotations

import ssl
from pathlib import Path

from edge_asd.errors import InputError
from edge_asd.files import require_regular
from edge_asd.firmware import Tls

_AUTHORITIES = "a file of PEM certificates"
_OWN = "a PEM certificate with its unencrypted key in key_file"


def tls_context(settings: Tls) -> ssl.SSLContext:
    """Return a context that checks the broker's certificate and name, and shows this device's own if it has one.

    Raises
    ------
    InputError
        When a certificate or key cannot be read.
    """
    context = _checking("mqtt.tls.ca_file", settings.ca_file)
    if settings.cert_file is not None:
        _show(context, settings.cert_file, settings.key_file)
    return context


def _checking(where: str, ca_file: str | None) -> ssl.SSLContext:
    if ca_file is not None:
        require_regular(Path(ca_file), _AUTHORITIES, where)
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise InputError(where, expected=_AUTHORITIES, found=f"{ca_file}: {error.strerror or error}") from error
    # Python asks from 3.13 on for extensions that the certificates of many a plant's own authority lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _show(context: ssl.SSLContext, cert_file: str, key_file: str | None) -> None:
    require_regular(Path(cert_file), _OWN, "mqtt.tls.cert_file")
    if key_file is not None:
        require_regular(Path(key_file), "the unencrypted key of cert_file", "mqtt.tls.key_file")
    try:
        # An encrypted key would ask on the terminal, where nobody is.
        context.load_cert_chain(cert_file, key_file, password=b"")
    except OSError as error:
        raise InputError(
            "mqtt.tls.cert_file",
            expected=_OWN,
            found=f"{cert_file}, {key_file}: {error.strerror or error}",
        ) from error
