"""The fast lane's parser against any stream and any split."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters.mqtt_lane import MalformedPacketError, PacketParser
from tests.unit.ingest.test_mqtt_lane import publish

PUBLISHES = st.tuples(
    st.binary(max_size=20),
    st.integers(min_value=0, max_value=65_535),
    st.binary(max_size=400),
    st.binary(max_size=200),
)
CONTROLS = st.sampled_from([b"\xd0\x00", b"\x90\x04\x00\x01\x00\x00", b"\xe0\x02\x8e\x00"])


@given(
    packets=st.lists(PUBLISHES | CONTROLS, max_size=12),
    cuts=st.lists(st.integers(min_value=0, max_value=4_000), max_size=20),
)
def test_any_split_gives_the_same_messages(
    packets: list[tuple[bytes, int, bytes, bytes] | bytes], cuts: list[int]
) -> None:
    """However the stream is cut, the messages and the control packets are the same."""
    stream = b"".join(
        one if isinstance(one, bytes) else publish(one[0], one[1], one[2], one[3])
        for one in packets
    )
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    parser = PacketParser()
    for start, stop in itertools.pairwise(places):
        parser.feed(stream[start:stop])
    assert parser.publishes == [
        (one[0], one[1], one[2]) for one in packets if not isinstance(one, bytes)
    ]
    assert bytes(parser.control) == b"".join(one for one in packets if isinstance(one, bytes))


@given(stream=st.binary(max_size=300), piece=st.integers(min_value=1, max_value=50))
def test_garbage_is_refused_or_waited_for(stream: bytes, piece: int) -> None:
    """No bytes do anything but messages, control packets, or the one error."""
    parser = PacketParser()
    try:
        for start in range(0, len(stream), piece):
            parser.feed(stream[start : start + piece])
    except MalformedPacketError:
        return
    taken = len(parser.control) + sum(
        len(topic) + len(payload) for topic, _, payload in parser.publishes
    )
    assert taken <= len(stream)
