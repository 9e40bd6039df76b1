"""How the device fares, over HTTP: `/metrics` for Prometheus, `/healthz` for whoever watches over it."""

from __future__ import annotations

import http.server
import json
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from edge_asd.daemon.metrics import CONTENT_TYPE, exposition
from edge_asd.firmware import Web
from edge_asd.publish import Health, State, Statistics

_log = logging.getLogger(__name__)

_TIMEOUT_S = 5.0


class Page(NamedTuple):
    """What is shown."""

    health: Health
    statistics: Statistics
    states: dict[str, State]
    stuck: list[str]
    """Sources whose listener neither scores nor says why it does not."""
    failed: dict[str, str]
    """What is wrong with sources that are listened to no more."""


class WebServer:
    """Serves from a thread of its own while its context is entered.

    An address that cannot be had is said in the log and nothing more: whoever listens must not depend on it.

    Parameters
    ----------
    settings
        Where to listen for requests.
    page
        Gives what is shown; called from any thread.
    """

    def __init__(self, settings: Web, page: Callable[[], Page]) -> None:
        self._settings, self._page = settings, page
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def port(self) -> int | None:
        """TCP port; None where there is none."""
        return self._server.server_address[1] if self._server else None

    def __enter__(self) -> WebServer:
        handler = type("Handler", (_Handler,), {"page": staticmethod(self._page)})
        address = (self._settings.host, self._settings.port)
        try:
            self._server = _Server(address, handler)
        except OSError as error:
            _log.warning("no metrics on %s, port %d: %s", *address, error)
            return self
        threading.Thread(target=self._server.serve_forever, name="web", daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer's own would ask the name service who we are, which may take its time.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, _request: Any, client_address: Any) -> None:
        _log.warning("a request from %s failed", client_address, exc_info=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    page: Callable[[], Page]
    timeout = _TIMEOUT_S
    server_version = "edge-asd"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            page = self.page()
            self._answer(200, CONTENT_TYPE, exposition(page.health, page.statistics, page.states))
        elif path == "/healthz":
            document = _healthz(self.page())
            status = 200 if document["status"] == "ok" else 503
            self._answer(status, "application/json", json.dumps(document, ensure_ascii=False) + "\n")
        else:
            self._answer(404, "text/plain; charset=utf-8", "there are /metrics and /healthz\n")

    do_HEAD = do_GET  # noqa: N815 - so called by http.server

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - so called by http.server
        _log.debug(format, *arguments)

    def _answer(self, status: int, kind: str, text: str) -> None:
        # A path in what has failed may be no text.
        content = text.encode(errors="backslashreplace")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _healthz(page: Page) -> dict[str, Any]:
    """Return the answer: `ok` unless a listener hangs or has failed; a lost microphone is no reason to restart."""
    return {
        "status": "failing" if page.stuck or page.failed else "ok",
        "broker": "connected" if page.statistics.connected else "not connected",
        "sources": {name: source.microphone for name, source in page.health.sources.items()},
        "stuck": page.stuck,
        "failed": page.failed,
    }
