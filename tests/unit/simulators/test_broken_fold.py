"""A closed loop with the real stock fold: exact when it is right, found out when it is not."""

from collections.abc import Callable
from random import Random

import pytest

from ingest.contracts.durations import MINUTE_MS
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.supply import LaneRecord
from ingest.contracts.topics import EVENTS, MOVEMENTS
from ingest.frames import (
    INPUT_FRAMES,
    InputItem,
    OpeningInput,
    ReadingInput,
    ReferenceInput,
    ScanInput,
)
from simulators.gateway import Gateway
from simulators.network import TARE_G, Network, network_made
from simulators.oracle import Oracle
from simulators.simulation import fleet_made
from simulators.verification import Agreement, LedgerTally, LiveTable, agreement
from simulators.world import Act, World, WorldRates
from streams.contracts.events import EVENT_FRAMES, StreamEvent
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.domain.fold import StockFold
from streams.domain.windows import SourceLanes

Breaker = Callable[[list[Movement]], list[Movement]]


class ClosedLoop:
    """A world, its devices, and the fold of a single partition, with repeats on the way."""

    def __init__(self, seed: int) -> None:
        """Open the network's stock in oracle and fold."""
        rng = Random(seed)
        self.network = network_made(8, 10, rng)
        self.oracle = Oracle()
        rates = WorldRates(wishes_per_s=0.05, readings_per_s=0.05)
        self.world = World(self.network, rates, rng, self.oracle, now_ms=0)
        self.fold = StockFold(0, 1)
        self.fold.start({})
        self.ledger: list[Movement] = []
        self.events: list[StreamEvent] = []
        self.table = LiveTable()
        self._rng = rng
        self._weights = {one.channel: one.unit_weight_mg for one in self.network.channels}
        self._gateways = {gateway.source: gateway for gateway in fleet_made(self.network, "b")}
        self._feed(reference(self.network), 0)

    def run(self, minutes: int) -> None:
        """Let time pass, in steps of a minute, and readings settle."""
        for minute in range(1, minutes + 1):
            at_ms = minute * MINUTE_MS
            self._feed(self._items(self.world.step(at_ms)), at_ms)
        end_ms = (minutes + 1) * MINUTE_MS
        self._feed(self._items(self.world.settle(end_ms)), end_ms)

    def _items(self, acts: list[Act]) -> list[InputItem]:
        items: list[InputItem] = []
        for act in acts:
            gateway = self._gateways[act.source]
            boot, seq = gateway.append(act.fields)
            if act.leaf == "scans":
                self.oracle.scanned(act.source, gateway.site, boot, seq)
            items += [self._item(act, gateway, seq)] * (2 if self._rng.random() < 0.1 else 1)
        return items

    def _item(self, act: Act, gateway: Gateway, seq: int) -> InputItem:
        fields = act.fields
        at_ms = int(fields["observed_at_ms"])
        if act.leaf == "scans":
            return ScanInput(
                sku=str(fields["sku"]),
                site=gateway.site,
                source=act.source,
                boot=gateway.boot,
                seq=seq,
                observed_at_ms=at_ms,
                historical=False,
                action=str(fields["action"]),  # type: ignore[arg-type] # the world's own words
                quantity_units=int(fields["quantity"]),
                transfer_id=str(fields.get("transfer_id", "")),
            )
        channel = str(fields["channel"])
        return ReadingInput(
            sku=channel.removeprefix("cell-"),
            site=gateway.site,
            location="",
            source=act.source,
            channel=channel,
            boot=gateway.boot,
            seq=seq,
            observed_at_ms=at_ms,
            historical=False,
            kind="weight_g",
            value=int(fields["weight_g"]),
            unit_weight_mg=self._weights[channel],
            tare_g=TARE_G,
        )

    def _feed(self, items: list[InputItem], at_ms: int) -> None:
        self.fold.fold(INPUT_FRAMES.encode(items, received_at_ms=at_ms))
        changes = self.fold.drain()
        for key, value in changes.state.items():
            self.table.take(key, value)
        for output in changes.outputs:
            if output.topic == MOVEMENTS.name:
                self.ledger += MOVEMENT_FRAMES.decode(output.value).items
            elif output.topic == EVENTS.name:
                for event in EVENT_FRAMES.decode(output.value).items:
                    self.events.append(event)
                    self.world.hear(event)

    def verified(self, breaker: Breaker = list) -> Agreement:
        """Compare table and ledger with the oracle, after `breaker` had the ledger."""
        tally = LedgerTally(self.oracle)
        tally.take(MOVEMENT_FRAMES.encode(breaker(self.ledger), received_at_ms=0))
        return agreement(self.oracle, self.table, tally)


def reference(network: Network) -> list[InputItem]:
    """Return the inputs of a catalogue load and of the opening stock."""
    policy = PolicyRecord(scope="network", min_units=6, max_units=40, autonomy="auto")
    lanes = [
        LaneRecord(from_site=a, to_site=b, lead_time_ms=ms) for (a, b), ms in network.lanes.items()
    ]
    return [
        ReferenceInput(1, policy),
        *(ReferenceInput(1, lane) for lane in lanes),
        *(
            OpeningInput("opening-1", sku, site, units)
            for (site, sku), units in network.opening.items()
        ),
    ]


@pytest.fixture(scope="module")
def story() -> ClosedLoop:
    """Return a loop after eight hours of shopping."""
    loop = ClosedLoop(seed=5)
    loop.run(minutes=480)
    return loop


def test_the_right_fold_is_exact(story: ClosedLoop) -> None:
    """Book, ledger and sensors agree with the truth, and transfers were really carried out."""
    found = story.verified()
    assert found.exact, found.differences
    assert found.keys == found.agree == 80
    kinds = {movement.kind for movement in story.ledger}
    assert {"sale", "return", "dispatch", "arrive", "receive", "opening"} <= kinds
    assert story.oracle.conserved()


def test_a_movement_that_vanishes_is_found(story: ClosedLoop) -> None:
    """One movement fewer in the ledger: one scan lost, one key whose sum is wrong."""

    def without_one_sale(ledger: list[Movement]) -> list[Movement]:
        place = next(i for i, movement in enumerate(ledger) if movement.kind == "sale")
        return ledger[:place] + ledger[place + 1 :]

    found = story.verified(without_one_sale)
    assert (found.exact, found.lost, found.differ_ledger) == (False, 1, 1)


def test_a_fold_that_takes_repeats_for_news_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its sequence windows the fold doubles scans, and the verification says so."""
    monkeypatch.setattr(SourceLanes, "admit", lambda *_args, **_options: "new")
    loop = ClosedLoop(seed=5)
    loop.run(minutes=60)
    found = loop.verified()
    assert not found.exact
    assert found.doubled > 0
    assert found.differ_book > 0
