"""What many tests share: a real MQTT broker on a free loopback port, and a subscriber that remembers what it saw."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import hypothesis
import pytest

from tests.waiting import free_port

# No test is about how long it takes; where everybody's changes are judged, the examples are the same for all of them.
hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("tests")

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
MOSQUITTO_SUB = shutil.which("mosquitto_sub")
# Retained by mosquitto itself: whoever gets it has subscribed.
_READY = "$SYS/broker/version"


class Message(NamedTuple):
    """A message as the subscriber saw it."""

    topic: str
    payload: str
    qos: int
    retained: bool

    def json(self) -> Any:
        return json.loads(self.payload)


class Listener:
    """A mosquitto_sub that runs from entering to leaving; its session outlives a restart of a persistent broker."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._seen: list[Message] = []
        self._news = threading.Condition()
        self._ready = threading.Event()

    def __enter__(self) -> Listener:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1
        )
        threading.Thread(target=self._read, daemon=True).start()
        assert self._ready.wait(10), "mosquitto_sub does not get through"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # mosquitto_sub has been seen to miss a SIGTERM.
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._news:
                fields = json.loads(line)
                message = Message(fields["topic"], str(fields["payload"]), fields["qos"], bool(fields["retain"]))
                if message.topic == _READY:
                    self._ready.set()
                else:
                    self._seen.append(message)
                self._news.notify_all()

    def messages(self, ending: str = "") -> list[Message]:
        """Messages so far on topics that end so, in the order they came."""
        with self._news:
            return [message for message in self._seen if message.topic.endswith(ending)]

    def wait_for(self, wanted: Callable[[Message], bool], count: int = 1, timeout_s: float = 15.0) -> list[Message]:
        """Wait until `count` messages are `wanted`, and return these."""
        found: list[Message] = []

        def enough() -> bool:
            found[:] = [message for message in self._seen if wanted(message)]
            return len(found) >= count

        with self._news:
            assert self._news.wait_for(enough, timeout_s), f"{len(found)} of {count} came; seen: {self._seen[-5:]}"
        return found


class Broker:
    """A mosquitto of one's own; further lines of its configuration in `options`."""

    def __init__(self, folder: Path, options: list[str]) -> None:
        self.port = free_port()
        self._configuration = folder / f"mosquitto-{self.port}.conf"
        # Started by root, mosquitto would become a user who cannot read the test's folder.
        lines = [f"listener {self.port} 127.0.0.1", "user root" if os.getuid() == 0 else "", *options]
        if not any(option.startswith(("allow_anonymous", "password_file")) for option in options):
            lines.append("allow_anonymous true")
        self._configuration.write_text("\n".join(lines) + "\n")
        self._log = folder / f"mosquitto-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", self._configuration], stdout=log, stderr=log)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError(self._log.read_text())

    def stop(self) -> None:
        if self._process is None:
            return
        until = time.monotonic() + 10
        while self._process.poll() is None:
            assert time.monotonic() < until, "mosquitto does not end"
            # It listens before it enters its loop, and forgets a signal that came in between.
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
        self._process = None

    def reload(self) -> None:
        """Have it read its passwords and access list again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def listener(self, topic: str = "#", *login: str) -> Listener:
        """Return a subscriber of `topic`; `login` are further arguments of mosquitto_sub."""
        if MOSQUITTO_SUB is None:
            pytest.skip("mosquitto_sub is not installed (Debian package mosquitto-clients)")
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-t", topic, "-t", _READY]
        session = ["-V", "5", "-q", "1", "-c", "-x", "600", "-i", f"listener-{time.monotonic_ns()}"]
        return Listener([MOSQUITTO_SUB, *where, *session, "--retain-as-published", "-F", "%j", *login])


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a daemon leaves for its next start from one test to another."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """Start brokers with lines of configuration; they end with the test."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (Debian package mosquitto)")
    with ExitStack() as stack:

        def make(*options: str) -> Broker:
            broker = Broker(tmp_path, list(options))
            broker.start()
            stack.callback(broker.stop)
            return broker

        yield make


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    """A broker that runs, lets everybody in, and forgets everything when it is stopped."""
    return make_broker()
