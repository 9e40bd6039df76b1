"""What a configuration asks for, with everything that it names read and checked: made whole, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edge_asd import golden
from edge_asd.audio import Channel, check_channel, find_recordings, probe_recording
from edge_asd.bundle import Bundle, read_bundle
from edge_asd.capture import Files, Microphone, Need, SourceAddress, Stdin, parse_source
from edge_asd.configuration import read_secret
from edge_asd.errors import InputError, named_by
from edge_asd.files import require_regular
from edge_asd.firmware import Firmware, Mqtt, Source
from edge_asd.interpreter import DelegateLibrary, Engine
from edge_asd.publish.spool_place import require_spool_place


class Post(NamedTuple):
    """One source to listen to."""

    source: Source
    address: SourceAddress
    bundle: Bundle
    """Without what only its self-test needs."""
    engine: Engine
    """What computes the bundle's nets."""
    shared: frozenset[Need]
    """What all sources of its microphone need of it; empty where it is none."""

    def is_same_as(self, other: Post) -> bool:
        """Return whether whoever listens for the one can go on for the other."""
        same_engine = (self.engine.threads, self.engine.delegate) == (other.engine.threads, other.engine.delegate)
        same_bundle = self.bundle.sha256 == other.bundle.sha256
        return same_engine and same_bundle and self._replace(engine=other.engine, bundle=other.bundle) == other


class Plan(NamedTuple):
    """What to listen to, and whom to tell."""

    firmware: Firmware
    where: Path
    """File of the configuration."""
    password: str | None
    """For the broker."""
    credentials: str
    """Digest of the files of the password, the certificates and the key, which are renewed under their old names."""
    posts: dict[str, Post]
    """The sources by name."""

    @property
    def files(self) -> frozenset[Path]:
        """The files that a change of which is a change of the plan."""
        bundles = (Path(post.bundle.where) for post in self.posts.values())
        return frozenset([self.where, *bundles, *_credentials(self.firmware.mqtt)])

    @property
    def needs(self) -> frozenset[Need]:
        """What is needed of microphones."""
        return frozenset(need for post in self.posts.values() for need in post.shared)


def make_plan(
    firmware: Firmware,
    where: Path,
    reading: Callable[[Path], None] = lambda _path: None,
    options: frozenset[str] = frozenset(),
) -> Plan:
    """Read and check all that a configuration names.

    Parameters
    ----------
    firmware, where
        The configuration, its paths absolute, and its file.
    reading
        Called with each file before it is read.
    options
        Settings of the one source that options of their names gave, and not the file.

    Raises
    ------
    InputError, CheckFailedError
        When a bundle, a secret or a source cannot be used, or something else stands in the place of the spool.
    """
    if firmware.spool.path is not None:
        with named_by(str(where)):
            require_spool_place(Path(firmware.spool.path))
    for file in _credentials(firmware.mqtt):
        reading(file)
    path = firmware.mqtt.password_file
    password = read_secret(Path(path), f"{where}: mqtt.password_file") if path else None
    addresses = {}
    for index, source in enumerate(firmware.sources):
        with named_by(_name(where, index, "source", options)):
            addresses[source.name] = _address(source)
    loaded: dict[Path, Bundle] = {}
    engines, bundles = {}, {}
    for index, source in enumerate(firmware.sources):
        engines[source.name] = engine = _engine(firmware)
        with named_by(_name(where, index, "bundle", options)):
            bundles[source.name] = _load(Path(source.bundle), engine, loaded, reading)
    needs = [
        Need(address.name, source.channel, bundles[source.name].recipe.sample_rate)
        for source in firmware.sources
        if isinstance(address := addresses[source.name], Microphone)
    ]
    posts = {}
    for source in firmware.sources:
        address = addresses[source.name]
        shared = frozenset(need for need in needs if isinstance(address, Microphone) and need.name == address.name)
        bundle = golden.without_samples(bundles[source.name])
        posts[source.name] = Post(source, address, bundle, engines[source.name], shared)
    return Plan(firmware, where, password, _digest(firmware.mqtt), posts)


def _name(where: Path, index: int, setting: str, options: frozenset[str]) -> str:
    """Return what a setting of a source is called by whoever gave it."""
    return f"--{setting}" if setting in options else f"{where}: sources[{index}].{setting}"


def _address(source: Source) -> SourceAddress:
    address = parse_source(source.source)
    if isinstance(address, Files):
        _require_audible(find_recordings(address.path), source.channel)
    if isinstance(address, Stdin):
        check_channel(source.source, source.channel, address.channels)
    return address


def _require_audible(paths: list[Path], channel: Channel) -> None:
    """Refuse recordings of which none can be heard; of several, those that cannot will be passed over."""
    for path in paths:
        try:
            check_channel(str(path), channel, probe_recording(path).channels)
        except InputError as error:
            refused = error
        else:
            return
    raise refused


def _load(path: Path, engine: Engine, loaded: dict[Path, Bundle], reading: Callable[[Path], None]) -> Bundle:
    """Return a bundle that has passed its self-test; sources that are judged by one share its arrays."""
    known = loaded.get(path)
    if known is None:
        reading(path)
        loaded[path] = read_bundle(path)
    # The processor is the same for all; a delegate is given up, or not, for each source.
    if known is None or engine.delegate is not None:
        golden.require(loaded[path], engine=engine)
    return loaded[path]


def _credentials(mqtt: Mqtt) -> list[Path]:
    tls = (mqtt.tls.ca_file, mqtt.tls.cert_file, mqtt.tls.key_file) if mqtt.tls else ()
    return [Path(file) for file in (mqtt.password_file, *tls) if file is not None]


def _digest(mqtt: Mqtt) -> str:
    digest = hashlib.sha256()
    for file in _credentials(mqtt):
        # What cannot be read is told, in words, by whoever uses it.
        with contextlib.suppress(OSError, InputError):
            require_regular(file, "a file")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _engine(firmware: Firmware) -> Engine:
    chosen = firmware.delegate
    if chosen is None:
        return Engine(firmware.threads)
    options = {name: str(value) for name, value in chosen.options.items()}
    return Engine(firmware.threads, DelegateLibrary(chosen.library, options, fallback=chosen.fallback == "cpu"))
