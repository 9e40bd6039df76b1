from __future__ import annotations

import pytest

from edge_asd.errors import InputError
from edge_asd.publish.topics import Topics


def test_topics_are_those_of_the_contract() -> None:
    topics = Topics("edge-asd", "pi-07")
    assert topics.availability() == "edge-asd/pi-07/availability"
    assert topics.info() == "edge-asd/pi-07/info"
    assert topics.health() == "edge-asd/pi-07/health"
    assert topics.state("pump-3") == "edge-asd/pi-07/pump-3/state"
    assert topics.event("pump-3") == "edge-asd/pi-07/pump-3/event"


@pytest.mark.parametrize("identifier", ["", "a/b", "a+", "#", "pump 3", "pümp", "a\n"])
def test_an_id_that_would_change_the_topic_is_refused(identifier: str) -> None:
    with pytest.raises(InputError, match="source: expected letters"):
        Topics("edge-asd", "pi-07").state(identifier)
    with pytest.raises(InputError, match="device: expected letters"):
        Topics("edge-asd", identifier).info()


@pytest.mark.parametrize(
    "topic",
    [
        "desk/7/answers",
        "/",
        "Halle 3/Antwort für Jürgen",
        "a/" * 127 + "a",
        "a" * 256,
        "edge-asd/pi-07/response/arm",
        "edge-asd/pi-08/response/arm/desk-7",
        "edge-asdx/pi-07/info",
        "desk/request",
        "response/7",
    ],
)
def test_where_an_answer_may_go(topic: str) -> None:
    assert Topics("edge-asd", "pi-07").takes_reply(topic, "homeassistant")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "desk/#",
        "desk/+/answers",
        "desk\0",
        "desk\x07",
        "desk\uffff",
        "desk\ud800",
        "$SYS/broker/uptime",
        "$share/group/desk",
        "a/" * 128 + "a",
        "a" * 257,
        "ü" * 129,
        "edge-asd",
        "edge-asd/pi-07",
        "edge-asd/pi-07/availability",
        "edge-asd/pi-07/info",
        "edge-asd/pi-07/p1/event",
        "edge-asd/pi-08/p1/state",
        "edge-asd/pi-07/request/disarm",
        "edge-asd/pi-07/response",
        "edge-asd/pi-07/response/a/request/b",
        "edge-asd//response/a",
        "plant/edge-asd/pi-09/request/disarm",
        "homeassistant",
        "homeassistant/status",
        "homeassistant/device/pi-07/config",
    ],
)
def test_where_no_answer_may_go(topic: str) -> None:
    assert not Topics("edge-asd", "pi-07").takes_reply(topic, "homeassistant")


def test_a_base_topic_of_several_parts_is_told_apart() -> None:
    topics = Topics("plant/hall/asd", "pi-07")
    assert topics.takes_reply("plant/hall/desk", "ha/prefix")
    assert topics.takes_reply("plant/hall/asd/pi-07/response/arm", "ha/prefix")
    assert not topics.takes_reply("plant/hall/asd/pi-07/info", "ha/prefix")
    assert not topics.takes_reply("ha/prefix/status", "ha/prefix")
