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
