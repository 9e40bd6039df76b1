"""A broker inside this process, for plants that have none at hand: amqtt, on a free port of the loopback."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from amqtt.broker import Broker
from amqtt.errors import AMQTTError

from edge_asd.errors import InputError
from edge_asd_export.demo.folder import LOCAL, Address

_PATIENCE_S = 10.0


@contextmanager
def embedded_broker() -> Iterator[Address]:
    """Run a broker while the context lasts; everybody on this machine may connect, nothing outlasts it.

    Yields
    ------
    Address
        Where it listens.

    Raises
    ------
    InputError
        When it cannot be started.
    """
    # It tells of every packet and every client that leaves; what matters here is told by the subscriber.
    for talkative in ("amqtt", "transitions"):
        logging.getLogger(talkative).setLevel(logging.CRITICAL)
    address = Address(LOCAL, _free_port())
    loop = asyncio.new_event_loop()
    ready: Future[None] = Future()
    stopping = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(address, ready, stopping),), name="broker")
    thread.start()
    try:
        try:
            ready.result(_PATIENCE_S)
        except (AMQTTError, OSError) as error:
            raise InputError("broker", expected=f"to listen at {address}", found=str(error)) from error
        yield address
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stopping.set)
        thread.join(_PATIENCE_S)
        loop.close()


async def _serve(address: Address, ready: Future[None], stopping: asyncio.Event) -> None:
    try:
        broker = Broker(_configuration(address))
        await broker.start()
    except Exception as error:  # noqa: BLE001 - whoever waits for the broker is told
        ready.set_exception(error)
        return
    ready.set_result(None)
    await stopping.wait()
    await broker.shutdown()


def _configuration(address: Address) -> dict[str, object]:
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"{address.host}:{address.port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])
