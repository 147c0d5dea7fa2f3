"""What the bridge tells of itself."""

from prometheus_client import CollectorRegistry, generate_latest

from ingest.adapters.metrics import BridgeCollector
from ingest.clocks import CLOCK_OFFSET_MS_LIMIT, SourceClocks
from tests.unit.ingest.doubles import Rig, as_json, reading

READINGS = "stock/v1/oslo/scale-1/readings"


def _told(rig: Rig, clocks: SourceClocks | None = None) -> dict[str, float]:
    registry = CollectorRegistry()
    known = clocks or rig.bridge.clocks
    registry.register(
        BridgeCollector(
            rig.bridge.counts,
            stale_acks=lambda: rig.source.stale_acks,
            in_flight=lambda: rig.bridge.in_flight,
            clocks_flagged=lambda: len(known.flagged()),
        )
    )
    lines = generate_latest(registry).decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def test_counts_are_told_as_they_are() -> None:
    """Two good events, one bad: every total and the reason."""
    rig = Rig()
    rig.source.stale_acks = 4
    payloads = [as_json(reading(1)), as_json([reading(2), reading("x")])]
    for payload in payloads:
        rig.source.put(READINGS, payload)
    rig.run()
    told = _told(rig)
    assert told["shelfstream_bridge_messages_total"] == 2
    assert told["shelfstream_bridge_message_bytes_total"] == sum(map(len, payloads))
    assert told["shelfstream_bridge_items_total"] == 2
    assert told["shelfstream_bridge_frames_total"] == 1
    assert told['shelfstream_bridge_dead_letters_total{reason="bad_schema"}'] == 1
    assert told["shelfstream_bridge_acknowledged_total"] == 2
    assert told["shelfstream_bridge_receipts_total"] == 1
    assert told["shelfstream_bridge_stale_acks_total"] == 4
    assert told["shelfstream_bridge_messages_in_flight"] == 0


def test_clocks_far_off_are_counted() -> None:
    """Exactly the limit is not flagged, a millisecond more is."""
    for behind_ms, flagged in ((CLOCK_OFFSET_MS_LIMIT, 0), (CLOCK_OFFSET_MS_LIMIT + 1, 1)):
        clocks = SourceClocks()
        for place in range(20):
            at_ms = 1_700_000_000_000 + place * 10_000
            clocks.corrected_ms("s", at_ms - behind_ms, False, at_ms)
        assert _told(Rig(), clocks)["shelfstream_bridge_clocks_flagged"] == flagged
