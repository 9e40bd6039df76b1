"""Reading a firmware configuration, its paths made absolute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from edge_asd.configuration.loading import load, resolve_path
from edge_asd.firmware import Firmware, Source, Tls


def load_firmware(path: Path, *, environ: Mapping[str, str] | None = None, overrides: Iterable[str] = ()) -> Firmware:
    """Read a firmware configuration and make its paths absolute: in the file they are relative to its folder.

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
    return with_absolute_paths(load(path, Firmware, environ=environ, overrides=overrides), path)


def with_absolute_paths(firmware: Firmware, configuration: Path) -> Firmware:
    """Return the settings with every path absolute, those in `configuration` being relative to its folder."""

    def absolute(text: str | None) -> str | None:
        return None if text is None else str(resolve_path(text, configuration))

    tls = firmware.mqtt.tls
    if tls is not None:
        tls = Tls(ca_file=absolute(tls.ca_file), cert_file=absolute(tls.cert_file), key_file=absolute(tls.key_file))
    mqtt = replace(firmware.mqtt, password_file=absolute(firmware.mqtt.password_file), tls=tls)
    sources = [_with_absolute_source(source, configuration) for source in firmware.sources]
    return replace(firmware, mqtt=mqtt, sources=sources)


def _with_absolute_source(source: Source, configuration: Path) -> Source:
    kind, _, text = source.source.partition(":")
    origin = f"file:{resolve_path(text, configuration)}" if kind == "file" else source.source
    return replace(source, bundle=str(resolve_path(source.bundle, configuration)), source=origin)
