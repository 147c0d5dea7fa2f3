"""One process a client id: heartbeats, by hand."""

from dataclasses import dataclass, field

import pytest

from ingest.adapters.mqtt_client import SUCCESS
from ingest.adapters.mqtt_presence import (
    ANSWER_S_MAX,
    HEARTBEAT_S,
    LOOK_S,
    RECONNECT_S,
    SILENCE_S,
    Presence,
)
from ingest.contracts.errors import BridgeTakenError
from ingest.contracts.settings import MqttSettings

TOPIC = "stock/v1/_bridge/bridge-0-of-1"
ME = "0002-me"


@dataclass
class Heard:
    """A message as paho hands it over."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass
class FakeClient:
    """Stands for paho's client; a script of messages arrives, one a loop."""

    presence: Presence | None = None
    arriving: list[Heard] = field(default_factory=list)
    published: list[tuple[str, bytes, bool]] = field(default_factory=list)
    subscribed: list[str] = field(default_factory=list)
    reconnects: int = 0
    up: bool = True
    clock_s: float = 100.0

    def reconnect(self) -> None:
        """Connect where the broker is up."""
        self.reconnects += 1
        if not self.up:
            raise ConnectionRefusedError("nobody listens")
        assert self.presence is not None
        self.presence._on_connect()

    def loop(self, timeout_s: float) -> int:
        """Let time pass and one message arrive."""
        self.clock_s += timeout_s
        if not self.up:
            return SUCCESS + 1
        if self.arriving:
            assert self.presence is not None
            self.presence._on_message(None, None, self.arriving.pop(0))  # type: ignore[arg-type] # it does not look
        return SUCCESS

    def subscribe(self, filters: list[tuple[str, int]]) -> None:
        """Write the filters down."""
        self.subscribed += [one for one, _ in filters]

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> None:
        """Write the message down."""
        assert qos == 0
        self.published.append((topic, payload, retain))

    def disconnect(self) -> None:
        """Part from the broker."""


@pytest.fixture
def client() -> FakeClient:
    """Give a client whose presence is not claimed yet."""
    one = FakeClient()
    presence = Presence(MqttSettings(), "bridge-0-of-1", ME, lambda: one.clock_s)
    presence._client = one  # type: ignore[assignment] # stands for it
    one.presence = presence
    return one


def _presence(client: FakeClient) -> Presence:
    assert client.presence is not None
    return client.presence


def _echo() -> Heard:
    return Heard(f"{TOPIC}/claim/{ME}", b"")


def _claimed(client: FakeClient) -> Presence:
    client.arriving = [_echo()]
    _presence(client).claim()
    return _presence(client)


def test_nobody_there_is_claimed_at_once(client: FakeClient) -> None:
    """The echo after the subscription proves that no presence was retained."""
    _claimed(client)
    assert client.published == [(TOPIC, ME.encode(), True)]
    assert client.subscribed == [TOPIC, f"{TOPIC}/claim/{ME}"]
    assert client.clock_s < 100.0 + SILENCE_S


def test_a_beating_heart_refuses_the_second(client: FakeClient) -> None:
    """It says which client id, and leaves the other's presence alone."""
    client.arriving = [
        Heard(TOPIC, b"0001-other", retain=True),
        _echo(),
        Heard(TOPIC, b"0001-other"),
    ]
    with pytest.raises(BridgeTakenError, match="another process serves bridge-0-of-1; end it"):
        _presence(client).claim()
    _presence(client).close()
    assert client.published == []


def test_what_a_crash_left_behind_is_overcome(client: FakeClient) -> None:
    """A retained presence whose heart does not beat counts for nothing after a while."""
    client.arriving = [Heard(TOPIC, b"0001-dead", retain=True), _echo()]
    _presence(client).claim()
    assert client.clock_s >= 100.0 + SILENCE_S
    assert client.published == [(TOPIC, ME.encode(), True)]


def test_a_last_will_frees_the_id_at_once(client: FakeClient) -> None:
    """The broker clears the topic of a killed process."""
    client.arriving = [Heard(TOPIC, b"0001-dead", retain=True), _echo(), Heard(TOPIC, b"")]
    _presence(client).claim()
    assert client.clock_s < 100.0 + SILENCE_S


def test_a_broker_that_does_not_answer_is_no_broker(client: FakeClient) -> None:
    """A refused login looks the same: no echo comes."""
    with pytest.raises(OSError, match="does not answer, or refuses the login"):
        _presence(client).claim()
    assert client.clock_s >= 100.0 + ANSWER_S_MAX
    _presence(client).close()
    assert client.published == []  # it never was ours to clear


def test_of_two_that_slipped_through_the_first_ends(client: FakeClient) -> None:
    """The one that started later lives on, whoever hears whom first."""
    presence = _claimed(client)
    client.arriving = [Heard(TOPIC, ME.encode()), Heard(TOPIC, b"0001-older")]
    for _ in range(2):
        client.clock_s += LOOK_S
        presence.poll()
    client.arriving = [Heard(TOPIC, b"0003-newer")]
    client.clock_s += LOOK_S
    with pytest.raises(BridgeTakenError, match="a later process serves bridge-0-of-1"):
        presence.poll()


def test_it_beats_once_a_second(client: FakeClient) -> None:
    """However often it is polled."""
    presence = _claimed(client)
    for _ in range(40):
        client.clock_s += HEARTBEAT_S / 10
        presence.poll()
    assert 4 <= len(client.published) <= 6


def test_it_comes_back_after_the_broker(client: FakeClient) -> None:
    """It tries every two seconds and does not end the bridge meanwhile."""
    presence = _claimed(client)
    client.up = False
    for _ in range(20):
        client.clock_s += RECONNECT_S / 4
        presence.poll()
    assert client.reconnects == 1 + 5
    client.up = True
    client.published.clear()
    client.clock_s += RECONNECT_S
    presence._reconnect(client.clock_s)
    client.clock_s += LOOK_S
    presence.poll()
    assert client.published == [(TOPIC, ME.encode(), True)]


def test_a_clean_end_clears_the_topic(client: FakeClient) -> None:
    """The next process need not wait; while another beats it is not ours to clear."""
    presence = _claimed(client)
    presence.close()
    assert client.published[-1] == (TOPIC, b"", True)
    client.published.clear()
    presence._on_message(None, None, Heard(TOPIC, b"0001-other"))  # type: ignore[arg-type] # it does not look
    presence.close()
    assert client.published == []
