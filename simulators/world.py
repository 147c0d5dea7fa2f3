"""The physical world: shoppers, staff, deliveries and load cells. Pure: no clock, no I/O.

The world hears the pipeline's events as staff hear of tasks, and answers with physical acts, which
devices then report. The same seed and the same sequence of heard events give the same acts.
"""

import heapq
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from ingest.contracts.durations import MINUTE_MS, SECOND_MS
from simulators.demand import Shoppers, Wish
from simulators.gateway import Leaf
from simulators.network import TARE_G, Network, ShelfChannel, scanner_of
from simulators.oracle import Carriage, Oracle
from streams.contracts.events import NeedChanged, StreamEvent, TransferChanged
from streams.contracts.state import Need, Transfer

if TYPE_CHECKING:
    from random import Random

HANDLING_MS: Final = (MINUTE_MS, 3 * MINUTE_MS)
"""How long staff take from hearing of a transfer to the dispatch scan."""
DELIVERY_MS: Final = (8 * MINUTE_MS, 15 * MINUTE_MS)
LEAD_TIME_DEFAULT_MS: Final = 10 * MINUTE_MS
NOISE_SHARE: Final = 0.08
"""Standard deviation of a weight, in unit weights; cut off at `NOISE_SHARE_MAX`."""
NOISE_SHARE_MAX: Final = 0.4
HAND_SHARE: Final = 0.002
"""Share of readings taken while a hand rests on the shelf."""
ENDED_STATES: Final = frozenset({"held", "rejected", "cancelled", "expired"})
"""Told of one of these, staff put the units back on the shelf."""
HEARD_MAX: Final = 200_000
"""Transfers remembered as already acted upon."""


class Act(NamedTuple):
    """One event for a device to report; the device adds its name, boot and number."""

    source: str
    leaf: Leaf
    fields: dict[str, str | int | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRates:
    """How busy the world is, per second of its own time, over all sites."""

    wishes_per_s: float
    readings_per_s: float


class _Delivery(NamedTuple):
    site: str
    sku: str
    units: int


class World:
    """Everything physical, and the acts that devices saw."""

    def __init__(
        self, network: Network, rates: WorldRates, rng: "Random", oracle: Oracle, *, now_ms: int
    ) -> None:
        """Begin at `now_ms`; a known oracle's stock and units on their way go on."""
        self.network = network
        self.oracle = oracle
        self.now_ms = now_ms
        self.lost_sales_units = 0
        self._rng = rng
        self._sites = frozenset(network.sites)
        self._shoppers = Shoppers(
            network.shops, network.articles, wishes_per_s=rates.wishes_per_s, rng=rng
        )
        self._readings_per_s = rates.readings_per_s
        self._chores: list[tuple[int, int, Transfer | _Delivery | str]] = []
        self._chore_count = 0
        self._ordered: dict[str, int] = {}
        """Units ordered by open need."""
        self._heard: dict[str, bool] = {}
        """Transfers heard of; False once a transfer's units have left."""
        self._channels = {(one.site, one.sku): one for one in network.channels}
        self._touched: dict[tuple[str, str], None] = {}
        self._round: deque[ShelfChannel] = deque(network.channels)
        self._reading_debt = 0.0
        self._read_at_ms: dict[tuple[str, str], int] = {}
        oracle.watched = list(self._channels)
        for (site, sku), units in network.opening.items():
            if (site, sku) not in oracle.stock:
                oracle.open(site, sku, units)
        for carriage in oracle.carriages.values():
            self._plan(max(now_ms, carriage.due_at_ms), carriage.transfer_id)

    def hear(self, event: StreamEvent) -> None:
        """Take one of the pipeline's events, as the staff of a site would."""
        if isinstance(event, TransferChanged):
            self._hear_transfer(event.transfer)
        elif isinstance(event, NeedChanged):
            self._hear_need(event.need)

    def _hear_need(self, need: Need) -> None:
        if need.site not in self._sites:
            return
        # A request may grow while its first delivery is on the road: only the rest is ordered.
        ordered_units = self._ordered.get(need.need_id, 0)
        rest_units = need.quantity_units - ordered_units
        if need.state != "open":
            self._ordered.pop(need.need_id, None)
        elif rest_units > 0:
            self._ordered[need.need_id] = need.quantity_units
            delivery = _Delivery(need.site, need.sku, rest_units)
            self._plan(self.now_ms + self._rng.randrange(*DELIVERY_MS), delivery)

    def _hear_transfer(self, transfer: Transfer) -> None:
        name = transfer.transfer_id
        if not {transfer.from_site, transfer.to_site} <= self._sites:
            return  # of another network that the same installation has had
        if transfer.state == "approved" and self._first_heard(name):
            self._plan(self.now_ms + self._rng.randrange(*HANDLING_MS), transfer)
        elif transfer.state in ENDED_STATES and self._heard.get(name):
            # Not to be carried out after all; a release from hold is heard as approved again.
            del self._heard[name]

    def _first_heard(self, entity_id: str) -> bool:
        if entity_id in self._heard:
            return False
        if len(self._heard) >= HEARD_MAX:
            del self._heard[next(iter(self._heard))]
        self._heard[entity_id] = True
        return True

    def _plan(self, at_ms: int, chore: Transfer | _Delivery | str) -> None:
        self._chore_count += 1
        heapq.heappush(self._chores, (at_ms, self._chore_count, chore))

    def sleep(self, until_ms: int) -> None:
        """Let time pass with nobody in the shops, if `until_ms` is later than now."""
        if until_ms > self.now_ms:
            self.now_ms = until_ms
            self._shoppers.rest()

    def step(self, now_ms: int) -> list[Act]:
        """Let time pass up to `now_ms`; return what the devices saw, in order of time."""
        acts: list[Act] = []
        wishes = self._shoppers.wishes(self.now_ms, now_ms)
        for wish in wishes:
            self._chores_until(wish.at_ms, acts)
            self._carry_out(wish, acts)
        self._chores_until(now_ms, acts)
        self._reading_debt += self._readings_per_s * (now_ms - self.now_ms) / SECOND_MS
        self.now_ms = self.oracle.now_ms = now_ms
        self._read_some(acts)
        return acts

    def settle(self, now_ms: int) -> list[Act]:
        """Return one undisturbed reading of each channel; nothing moves any more."""
        self.now_ms = self.oracle.now_ms = max(now_ms, self.now_ms)
        return [self._reading(channel, hands=False) for channel in self.network.channels]

    def _carry_out(self, wish: Wish, acts: list[Act]) -> None:
        oracle = self.oracle
        if wish.action == "return":
            oracle.enter(wish.site, wish.sku, wish.units)
            acts.append(self._scan(wish.at_ms, (wish.site, wish.sku), wish.action, wish.units))
            return
        there = oracle.units(wish.site, wish.sku)
        units = min(there, wish.units)
        self.lost_sales_units += wish.units - units
        if units > 0:
            oracle.leave(wish.site, wish.sku, units)
            acts.append(self._scan(wish.at_ms, (wish.site, wish.sku), wish.action, units))

    def _chores_until(self, until_ms: int, acts: list[Act]) -> None:
        while self._chores and self._chores[0][0] <= until_ms:
            due_at_ms, _, chore = heapq.heappop(self._chores)
            at_ms = max(due_at_ms, self.now_ms)  # what was due in a sleep is done after it
            if isinstance(chore, Transfer):
                self._dispatch(chore, at_ms, acts)
            elif isinstance(chore, _Delivery):
                self._deliver(chore, at_ms, acts)
            else:
                self._arrive(chore, at_ms, acts)

    def _dispatch(self, transfer: Transfer, at_ms: int, acts: list[Act]) -> None:
        name, sku, site = transfer.transfer_id, transfer.sku, transfer.from_site
        units = min(transfer.quantity_units, self.oracle.units(site, sku))
        if not self._heard.get(name) or units <= 0:
            return
        self._heard[name] = False
        lead_time_ms = self.network.lanes.get((site, transfer.to_site), LEAD_TIME_DEFAULT_MS)
        carriage = Carriage(
            transfer_id=name,
            sku=sku,
            from_site=site,
            to_site=transfer.to_site,
            units=units,
            due_at_ms=at_ms + lead_time_ms,
        )
        self.oracle.depart(carriage)
        self._plan(carriage.due_at_ms, name)
        acts.append(self._scan(at_ms, (site, sku), "dispatch", units, name))

    def _arrive(self, transfer_id: str, at_ms: int, acts: list[Act]) -> None:
        one = self.oracle.arrive(transfer_id)
        acts.append(self._scan(at_ms, (one.to_site, one.sku), "arrive", one.units, transfer_id))

    def _deliver(self, delivery: _Delivery, at_ms: int, acts: list[Act]) -> None:
        site, sku, units = delivery
        self.oracle.enter(site, sku, units)
        acts.append(self._scan(at_ms, (site, sku), "receive", units))

    def _scan(
        self, at_ms: int, key: tuple[str, str], action: str, units: int, transfer_id: str = ""
    ) -> Act:
        site, sku = key
        fields: dict[str, str | int | bool] = {
            "observed_at_ms": at_ms,
            "action": action,
            "quantity": units,
            "sku": sku,
        }
        if transfer_id:
            fields["transfer_id"] = transfer_id
        if key in self._channels:
            self._touched[key] = None
        return Act(scanner_of(site), "scans", fields)

    def _read_some(self, acts: list[Act]) -> None:
        while self._reading_debt >= 1 and self._round:
            self._reading_debt -= 1
            if self._touched:
                # A shelf that was just touched reports before its turn.
                key = next(iter(self._touched))
                del self._touched[key]
                channel = self._channels[key]
            else:
                channel = self._round[0]
                self._round.rotate(-1)
            acts.append(self._reading(channel, hands=self._rng.random() < HAND_SHARE))

    def _reading(self, channel: ShelfChannel, *, hands: bool) -> Act:
        key = (channel.site, channel.sku)
        rng = self._rng
        # Two readings of one channel never share a time: the newer must win.
        observed_at_ms = max(self.now_ms, self._read_at_ms.get(key, -1) + 1)
        self._read_at_ms[key] = observed_at_ms
        share = max(-NOISE_SHARE_MAX, min(NOISE_SHARE_MAX, rng.gauss(0.0, NOISE_SHARE)))
        true_mg = self.oracle.units(*key) * channel.unit_weight_mg
        weight_g = TARE_G + round((true_mg + share * channel.unit_weight_mg) / 1_000)
        if hands:
            weight_g += rng.randrange(300, 3_000)
        fields: dict[str, str | int | bool] = {
            "observed_at_ms": observed_at_ms,
            "channel": channel.channel,
            "weight_g": weight_g,
        }
        return Act(channel.source, "readings", fields)
