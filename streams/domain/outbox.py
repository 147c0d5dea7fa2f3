"""What the fold says to others, gathered until the next drain.

Items are grouped by topic and partition and cut into frames at the drain, so the frames' borders
depend on when a drain happens; the sequence of items in a partition does not.
"""

from typing import Final, TypeVar

import msgspec

from ingest.contracts.topics import ALERT_INPUTS, EVENTS, INPUTS, MOVEMENTS, PLANS
from ingest.frames import FRAME_ITEMS_MAX, FrameCodec, ScanInput
from ingest.partitions import partition_of
from streams.contracts.alerts import ALERT_INPUT_FRAMES, AlertEnded, AlertItem
from streams.contracts.events import EVENT_FRAMES, BreachCleared, StreamEvent, TransferChanged
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement, scan_cause
from streams.contracts.plans import PLAN_FRAMES, PlanItem
from streams.contracts.state import Clock, Transfer
from streams.engine.fold import Output
from streams.engine.records import dead_letter

ItemT = TypeVar("ItemT")

_JSON = msgspec.json.Encoder()
_NOT_WIRE: Final = frozenset({"site", "quantity_units"})


class Outbox:
    """The outputs of one partition since the last drain."""

    def __init__(self, partition: int, partition_count: int) -> None:
        """Take the partition that movements and events go to, and the count for the others."""
        self._partition = partition
        self._partition_count = partition_count
        self.movements: list[Movement] = []
        self.events: list[StreamEvent] = []
        self._plans: dict[int, list[PlanItem]] = {}
        self._alerts: dict[int, list[AlertItem]] = {}
        self._letters: list[Output] = []

    def plan(self, from_site: str, item: PlanItem) -> None:
        """Tell the planning fold, in the partition of the site a shipment leaves from."""
        partition = partition_of(from_site, self._partition_count)
        self._plans.setdefault(partition, []).append(item)

    def alert(self, site: str, item: AlertItem) -> None:
        """Tell the alert fold, in the partition of the site."""
        partition = partition_of(site, self._partition_count)
        self._alerts.setdefault(partition, []).append(item)

    def end_alert(self, alert_key: str, site: str, at_ms: int) -> None:
        """Tell the alert fold that what an alert was raised for is over."""
        self.alert(site, AlertEnded(alert_key=alert_key, site=site, at_ms=at_ms))

    def clear_breach(self, cleared: BreachCleared) -> None:
        """Tell that a breach is over, and end its alert."""
        self.events.append(cleared)
        self.end_alert(cleared.breach_id, cleared.site, cleared.at_ms)

    def tell_transfer(self, transfer: Transfer, cause: str, clock: Clock) -> None:
        """Tell what became of a transfer, and by which cause: the whole of it, as it is."""
        copied = msgspec.structs.replace(
            transfer,
            flags=list(transfer.flags),
            decided_from=dict(transfer.decided_from),
            ssccs=list(transfer.ssccs),
            served=dict(transfer.served),
        )
        changed = TransferChanged(
            at_ms=clock.now_ms,
            transfer=copied,
            cause=cause,
            reference_version=clock.reference_version,
        )
        self.events.append(changed)

    def too_old(self, scan: ScanInput, now_ms: int) -> None:
        """Write a scan that can't be told from a repeat to the dead letters, as on the wire."""
        cause = scan_cause(scan.source, scan.boot, scan.seq)
        event = {
            name: value
            for name, value in msgspec.structs.asdict(scan).items()
            if name not in _NOT_WIRE and (value or name != "sku")
        }
        event["quantity"] = scan.quantity_units
        letter = dead_letter(
            letter_id=f"too_old-{self._partition}-{cause}",
            reason="too_old",
            detail=f"scan {scan.seq} of session {scan.boot} is below the sequence window,"
            " or later than the session's end",
            origin=f"{INPUTS.name}/{self._partition}",
            payload=_JSON.encode(event),
            now_ms=now_ms,
        )
        self._letters.append(letter)

    def drain(self, now_ms: int) -> list[Output]:
        """Return all as frames stamped with the fold's now, by topic and partition; forget them."""
        outputs: list[Output] = []
        _frames(
            outputs,
            MOVEMENTS.name,
            self._partition,
            MOVEMENT_FRAMES,
            items=self.movements,
            now_ms=now_ms,
        )
        _frames(
            outputs, EVENTS.name, self._partition, EVENT_FRAMES, items=self.events, now_ms=now_ms
        )
        for partition in sorted(self._plans):
            items = self._plans[partition]
            _frames(outputs, PLANS.name, partition, PLAN_FRAMES, items=items, now_ms=now_ms)
        for partition in sorted(self._alerts):
            alerts = self._alerts[partition]
            _frames(
                outputs,
                ALERT_INPUTS.name,
                partition,
                ALERT_INPUT_FRAMES,
                items=alerts,
                now_ms=now_ms,
            )
        outputs.extend(self._letters)
        self.movements, self.events = [], []
        self._plans, self._alerts, self._letters = {}, {}, []
        return outputs


def _frames(
    outputs: list[Output],
    topic: str,
    partition: int,
    codec: FrameCodec[ItemT],
    *,
    items: list[ItemT],
    now_ms: int,
) -> None:
    for begin in range(0, len(items), FRAME_ITEMS_MAX):
        value = codec.encode(items[begin : begin + FRAME_ITEMS_MAX], received_at_ms=now_ms)
        outputs.append(Output(topic, partition, None, value))
