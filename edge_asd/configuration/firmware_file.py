"""Reading a firmware configuration, its paths made absolute."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from edge_asd.configuration.loading import load, resolve_path
from edge_asd.firmware import Firmware, Source, Tls


def load_firmware(path: Path, *, environ: Mapping[str, str] | None = None, overrides: Iterable[str] = ()) -> Firmware:
    """Read a firmware configuration and make its paths absolute: in the file they are relative to its folder.

    Where it names no spool, the default is filled in: `DEVICE-DIGEST.spool` in `$STATE_DIRECTORY`, else in
    `$XDG_STATE_HOME/edge-asd`, else in `~/.local/state/edge-asd`; the digest is that of the file's own path. Where it
    names no folder of clips, it is that beside the spool which ends in `.clips` instead.

    Parameters
    ----------
    path
        The YAML file.
    environ
        Environment whose `EDGE_ASD__…` variables override what the file says; none where left out.
    overrides
        `KEY=VALUE` options, stronger than both.

    Raises
    ------
    InputError
        When it cannot be read, or anything in it is unknown, missing, of the wrong type or out of range.
    """
    firmware = with_absolute_paths(load(path, Firmware, environ=environ, overrides=overrides), path)
    default = _spool_path(firmware.device, path, os.environ if environ is None else environ)
    spool = replace(firmware.spool, path=firmware.spool.path or str(default))
    evidence = replace(firmware.evidence, path=firmware.evidence.path or _beside(spool.path or str(default)))
    return replace(firmware, spool=spool, evidence=evidence)


def _beside(spool: str) -> str:
    return f"{spool.removesuffix('.spool')}.clips"


def _spool_path(device: str, configuration: Path, environ: Mapping[str, str]) -> Path:
    # The digest keeps two set-ups of one name on one machine from sending each other's events.
    digest = hashlib.sha256(os.fsencode(configuration.resolve())).hexdigest()[:8]
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    home = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME") or "/var/lib") / ".local" / "state"
    return (Path(given) if given else Path(home) / "edge-asd") / f"{device}-{digest}.spool"


def with_absolute_paths(firmware: Firmware, configuration: Path) -> Firmware:
    """Return the settings with every path absolute, those in `configuration` being relative to its folder."""

    def absolute(text: str | None) -> str | None:
        return None if text is None else str(resolve_path(text, configuration))

    tls = firmware.mqtt.tls
    if tls is not None:
        tls = Tls(ca_file=absolute(tls.ca_file), cert_file=absolute(tls.cert_file), key_file=absolute(tls.key_file))
    mqtt = replace(firmware.mqtt, password_file=absolute(firmware.mqtt.password_file), tls=tls)
    sources = [_with_absolute_source(source, configuration) for source in firmware.sources]
    spool = replace(firmware.spool, path=absolute(firmware.spool.path))
    evidence = replace(firmware.evidence, path=absolute(firmware.evidence.path))
    delegate = firmware.delegate
    # A name alone is for the system's loader to find.
    if delegate is not None and "/" in delegate.library:
        delegate = replace(delegate, library=absolute(delegate.library))
    return replace(firmware, mqtt=mqtt, sources=sources, spool=spool, evidence=evidence, delegate=delegate)


def _with_absolute_source(source: Source, configuration: Path) -> Source:
    kind, _, text = source.source.partition(":")
    origin = f"file:{resolve_path(text, configuration)}" if kind == "file" else source.source
    return replace(source, bundle=str(resolve_path(source.bundle, configuration)), source=origin)
