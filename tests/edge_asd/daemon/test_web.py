"""The figures, fetched over HTTP as Prometheus does."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from edge_asd.clock import rfc3339
from edge_asd.daemon.metrics import exposition
from edge_asd.daemon.web import Page, WebServer
from edge_asd.firmware import Web
from edge_asd.publish import Health, SourceHealth, State, Statistics
from edge_asd.publish.payloads import Broker, Spool

WHEN = rfc3339(1.7e9)


@pytest.fixture
def page() -> Page:
    health = Health(
        ts=WHEN,
        uptime_s=12.5,
        cpu_temperature_c=None,
        rss_bytes=60_000_000,
        sources={
            "pump-3": SourceHealth(microphone="ok", frames_dropped=0, windows_scored=3),
            "fan_1": SourceHealth(microphone="gone", frames_dropped=160, windows_scored=0),
        },
    )
    state = State(ts=WHEN, source="pump-3", verdict="normal", score=1e-7, threshold=3.0, window_s=10, microphone="ok")
    unknown = replace(state, source="fan_1", verdict="unknown", score=None)
    return Page(health, Statistics(True, Spool(depth=2), Broker()), {"pump-3": state, "fan_1": unknown}, [], {})


@pytest.fixture
def server(page: Page) -> Iterator[WebServer]:
    with WebServer(Web(port=0), lambda: page) as running:
        yield running


def fetch(server: WebServer, path: str, method: str = "GET") -> tuple[int, str, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_a_path_that_is_no_text_is_written_out(page: Page) -> None:
    failed = {"pump-3": "/caf\udce9: expected a recording"}
    with WebServer(Web(port=0), lambda: page._replace(failed=failed)) as running:
        assert json.loads(fetch(running, "/healthz")[2])["failed"] == failed


def test_metrics_are_in_the_form_that_prometheus_reads(server: WebServer) -> None:
    status, kind, text = fetch(server, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    sample = r'edge_asd_[a-z_]+(\{[a-z]+="[A-Za-z0-9_-]+"(,[a-z]+="[A-Za-z0-9_-]+")*\})? -?[0-9.e+-]+'
    seen: set[str] = set()
    declared = ""
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            declared = line.split()[2]
            assert declared not in seen
            seen.add(declared)
            assert line.endswith(" counter") == declared.endswith("_total")
        elif not line.startswith("# HELP "):
            assert re.fullmatch(sample, line), line
            assert re.split(r"[ {]", line)[0] == declared
    assert 'edge_asd_windows_scored_total{source="pump-3"} 3.0' in text
    assert 'edge_asd_microphone{source="fan_1",state="gone"} 1.0' in text
    assert 'edge_asd_score{source="pump-3"} 1e-07' in text
    assert 'edge_asd_score{source="fan_1"}' not in text
    assert "edge_asd_cpu_celsius" not in text
    assert "edge_asd_broker_connected 1.0" in text


def test_healthz_is_ok_while_somebody_listens(server: WebServer) -> None:
    status, _, text = fetch(server, "/healthz")
    assert status == 200
    document = json.loads(text)
    assert (document["status"], document["sources"]) == ("ok", {"pump-3": "ok", "fan_1": "gone"})


@pytest.mark.parametrize("wrong", [{"stuck": ["pump-3"]}, {"failed": {"fan_1": "no channel 3"}}])
def test_healthz_fails_where_nobody_listens(page: Page, wrong: dict[str, object]) -> None:
    failing = page._replace(**wrong)  # type: ignore[arg-type]
    with WebServer(Web(port=0), lambda: failing) as server:
        status, _, text = fetch(server, "/healthz")
    assert status == 503
    assert json.loads(text)["status"] == "failing"


def test_whoever_asks_for_the_head_alone_or_with_a_query_is_answered(server: WebServer) -> None:
    assert fetch(server, "/healthz", "HEAD") == (200, "application/json", "")
    assert fetch(server, "/metrics?name=x") == fetch(server, "/metrics")


def test_there_is_nothing_else(server: WebServer) -> None:
    assert fetch(server, "/")[0] == 404
    assert fetch(server, "/../etc/passwd")[0] == 404


def test_whoever_connects_and_says_nothing_keeps_nobody_waiting(server: WebServer) -> None:
    assert server.port is not None
    with socket.create_connection(("127.0.0.1", server.port)):
        assert fetch(server, "/healthz")[0] == 200


def test_a_port_that_is_taken_is_said_and_no_more(
    server: WebServer, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    assert server.port is not None
    with WebServer(Web(port=server.port), lambda: page) as second:
        assert second.port is None
    assert f"no metrics on 127.0.0.1, port {server.port}" in caplog.text


def test_every_word_of_the_page_can_be_shown(page: Page) -> None:
    assert exposition(page.health, page.statistics, page.states).endswith("\n")
