"""The bridge's counts as Prometheus metrics, on loopback only."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingest.metrics import BridgeCounts


class BridgeCollector(Collector):
    """Reads the counts when it is asked."""

    def __init__(
        self,
        counts: BridgeCounts,
        stale_acks: Callable[[], int],
        in_flight: Callable[[], int],
        clocks_flagged: Callable[[], int],
    ) -> None:
        """Take the counts and what is not among them."""
        self._counts = counts
        self._stale_acks = stale_acks
        self._in_flight = in_flight
        self._clocks_flagged = clocks_flagged

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        counts = self._counts
        totals = {
            "messages": counts.messages,
            "message_bytes": counts.message_bytes,
            "items": counts.items,
            "frames": counts.frames,
            "frame_bytes": counts.frame_bytes,
            "acknowledged": counts.acknowledged,
            "receipts": counts.receipts,
            "passed_over": counts.passed_over,
            "recovered": counts.recovered,
            "time_ignored": counts.time_ignored,
            "stale_acks": self._stale_acks(),
        }
        for name, value in totals.items():
            yield CounterMetricFamily(f"shelfstream_bridge_{name}", name, value=value)
        letters = CounterMetricFamily(
            "shelfstream_bridge_dead_letters", "dead letters by reason", labels=["reason"]
        )
        for reason, count in sorted(counts.letters.items()):
            letters.add_metric([reason], count)
        yield letters
        yield GaugeMetricFamily(
            "shelfstream_bridge_messages_in_flight", "not acknowledged", value=self._in_flight()
        )
        yield GaugeMetricFamily(
            "shelfstream_bridge_clocks_flagged",
            "sources whose clock is far off",
            value=self._clocks_flagged(),
        )


def serve_metrics(collector: BridgeCollector, port: int) -> None:
    """Serve a collector on a loopback port."""
    registry = CollectorRegistry()
    registry.register(collector)
    start_http_server(port, addr="127.0.0.1", registry=registry)
