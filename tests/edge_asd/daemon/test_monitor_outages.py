"""The daemon as a process of its own, while the broker is gone, mute or stopped under it."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.handmade import RATE, hum, write_handmade
from tests.waiting import free_port, wait_until

CONNACK_5 = bytes([0x20, 3, 0, 0, 0])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle, a recording of normal sound, and one that goes wrong and recovers."""
    folder = tmp_path_factory.mktemp("site")
    write_handmade(folder / "hum.easd")
    soundfile.write(folder / "long.wav", hum(120, 7), RATE)
    (folder / "wrong").mkdir()
    for index, wrong in enumerate([False, True, True, False, False, False]):
        soundfile.write(folder / "wrong" / f"{index}.wav", hum(4, 100 + index, wrong=wrong), RATE)
    return folder


@pytest.fixture
def run(site: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Daemons on one configuration, of the port and source given; they end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int, source: str, *options: str, **settings: str) -> subprocess.Popen[bytes]:
        config = site / "firmware.yaml"
        config.write_text(
            f"device: bench-1\nmqtt: {{host: 127.0.0.1, port: {port}, reconnect_max_s: 1}}\n"
            f"spool: {{path: bench-1.spool}}\nsources: [{{name: hum, bundle: hum.easd, source: '{source}'}}]\n"
        )
        command = [sys.executable, "-m", "edge_asd", "monitor", str(config), *options]
        environment = {**os.environ, "EDGE_ASD__WEB__ENABLED": "false", **settings}
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
    for file in site.glob("bench-1.spool*"):
        file.unlink()


def types_in_spool(path: Path) -> list[str]:
    if not path.exists():
        return []
    place = f"file:{path}?mode=ro"
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(place, uri=True)) as connection:
        return [row[0] for row in connection.execute("SELECT type FROM events ORDER BY place")]
    return []


def test_what_a_killed_daemon_had_to_tell_is_told_by_the_next(broker: Any, run: Any, site: Path) -> None:
    broker.stop()
    killed = run(broker.port, "file:wrong?speed=max")
    wait_until(lambda: "end" in types_in_spool(site / "bench-1.spool"))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    kept = types_in_spool(site / "bench-1.spool")
    broker.start()
    with broker.listener("edge-asd/bench-1/hum/event") as listener:
        run(broker.port, "file:long.wav")
        events = [message.json() for message in listener.wait_for(lambda _: True, len(kept), 60)]
    assert [event["type"] for event in events] == kept
    assert (events[0]["type"], events[-1]["type"]) == ("new", "end")
    assert all(event["is_historical"] for event in events)
    assert len({event["id"] for event in events}) == 1
    wait_until(lambda: types_in_spool(site / "bench-1.spool") == [])


def answer_nothing(server: socket.socket, connections: list[socket.socket]) -> None:
    """Accept every MQTT 5 connection, and acknowledge nothing."""
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(CONNACK_5)
            connections.append(connection)


def scored(port: int) -> float:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        for line in page.read().decode().splitlines():
            if line.startswith("edge_asd_windows_scored_total{"):
                return float(line.split()[-1])
    return 0.0


def test_scoring_goes_on_while_a_broker_that_acknowledges_nothing_is_left_again_and_again(run: Any) -> None:
    connections: list[socket.socket] = []
    web = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer_nothing, args=(server, connections), daemon=True).start()
        run(
            server.getsockname()[1],
            "file:long.wav",
            EDGE_ASD__MQTT__ACKNOWLEDGE_S="1",
            EDGE_ASD__WEB__ENABLED="true",
            EDGE_ASD__WEB__PORT=str(web),
        )
        wait_until(lambda: len(connections) >= 3 and scored(web) > 0)
        before = scored(web)
        wait_until(lambda: scored(web) >= before + 4)
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/metrics", timeout=5) as page:
            assert "edge_asd_" in page.read().decode()
        server.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()
