"""Timers of a restored state, found in one pass that decodes no record whole.

Nearly every level that a sensor watches has a due time, and a partition may have a million of
them. So levels are not armed one by one: their keys wait in a bucket for the second in which they
are due, and are armed when it comes. A bucket comes up before anything that is due in it, so
what happens is the same as if all had been armed.
"""

from collections.abc import Callable, Mapping
from math import inf
from typing import Final

import msgspec

from ingest.contracts.policies import PolicyRecord
from streams.contracts.state import LEVEL, SEPARATOR
from streams.domain.catalogue import PolicyKey, policy_key
from streams.domain.timers import TimerKey, Timers

BUCKET: Final = ""
"""Kind of a bucket's timer; it sorts before all others, for it must come up before them."""
BUCKET_MS: Final = 1_000
_LEVEL_PREFIX: Final = (LEVEL + SEPARATOR).encode()


class _CellTimes(msgspec.Struct, array_like=True, gc=False):
    """The leading fields of `LoadCell`."""

    offset_parts: int = 0
    foreign_parts: int = 0
    confidence_pct: int = 0
    settle_ms: int = 0
    pending_at_ms: int = 0


class _ChannelTimes(msgspec.Struct, array_like=True, gc=False):
    """The leading fields of `SensedChannel`."""

    channel: msgspec.Raw
    units: int
    observed_at_ms: int
    received_at_ms: int
    blind: bool = False
    boot: msgspec.Raw = msgspec.Raw()
    seq: int = 0
    cell: _CellTimes | None = None


class _BreachTimes(msgspec.Struct, array_like=True, gc=False):
    """The leading fields of `Breach`."""

    kind: msgspec.Raw
    since_ms: int
    breach_id: str = ""
    threshold_units: int = 0
    available_units: int = 0
    observed_at_ms: int = 0
    refused_sites: msgspec.Raw = msgspec.Raw()
    opened_at_ms: int = 0
    flapping: bool = False
    calm_since_ms: int = 0


class _LevelTimes(msgspec.Struct, array_like=True, gc=False):
    """The leading fields of `Level`, those before `sensed` of no interest here."""

    sku: str
    site: str
    on_hand_units: int = 0
    reserved_units: int = 0
    quarantined_units: int = 0
    buffer_units: int = 0
    in_transit_in_units: int = 0
    in_transit_out_units: int = 0
    on_order_units: int = 0
    value_minor: int = 0
    sensed: list[_ChannelTimes] = []
    breaches: list[_BreachTimes] = []


_DECODER = msgspec.msgpack.Decoder(_LevelTimes)


class BlindAges:
    """After how long a channel turns blind, straight from the policies: `Rules` cost far more."""

    def __init__(
        self, policies: Mapping[PolicyKey, PolicyRecord], category_of: Callable[[str], str]
    ) -> None:
        """Take all policies and the category of a SKU, which is asked only where one needs it."""
        self._said = {
            policy_key(policy): policy.blind_after_ms
            for policy in policies.values()
            if policy.blind_after_ms is not None
        }
        self._scopes = {key[0] for key in self._said}
        self._category_of = category_of

    def of(self, sku: str, site: str) -> int:
        """Return what `Rules.blind_after_ms` would be, in milliseconds."""
        scopes, said = self._scopes, self._said
        found: int | None = None
        if "sku_site" in scopes:
            found = said.get(("sku_site", site, "", sku))
        if found is None and "sku" in scopes:
            found = said.get(("sku", "", "", sku))
        if found is None and "category" in scopes:
            found = said.get(("category", "", self._category_of(sku), ""))
        if found is None and "site" in scopes:
            found = said.get(("site", site, "", ""))
        if found is None and "network" in scopes:
            found = said.get(("network", "", "", ""))
        return found or 0


class RestoredLevels:
    """Keys of restored levels by the bucket in which they are due."""

    def __init__(self) -> None:
        """Begin with none."""
        self._buckets: dict[int, list[bytes]] = {}

    def load(self, state: Mapping[bytes, bytes], ages: BlindAges, timers: Timers) -> list[bytes]:
        """Put each level that has a due time into its bucket; return the keys of all else."""
        buckets: dict[int, list[bytes]] = {}
        others: list[bytes] = []
        decode = _DECODER.decode
        for raw, value in state.items():
            if not raw.startswith(_LEVEL_PREFIX):
                others.append(raw)
                continue
            due_ms = _due_ms_least(decode(value), ages)
            if due_ms != inf:
                buckets.setdefault(int(due_ms) // BUCKET_MS, []).append(raw)
        self._buckets = buckets
        for number in buckets:
            timers.arm((BUCKET, str(number)), number * BUCKET_MS)
        return others

    def take(self, number: str) -> list[TimerKey]:
        """Return the timer keys of a bucket's levels, in key order, and forget the bucket."""
        raws = sorted(self._buckets.pop(int(number), ()))
        return [tuple(raw.decode().split(SEPARATOR)) for raw in raws]


def _due_ms_least(times: _LevelTimes, ages: BlindAges) -> float:
    """Return a time before which a level is not due, and which is near; infinite for never."""
    due_ms = inf
    for channel in times.sensed:
        if not channel.blind and channel.received_at_ms < due_ms:
            due_ms = channel.received_at_ms
    if due_ms != inf:
        due_ms += ages.of(times.sku, times.site) or inf
    for channel in times.sensed:
        cell = channel.cell
        if cell is not None and cell.pending_at_ms:
            due_ms = min(due_ms, cell.pending_at_ms + cell.settle_ms)
    for breach in times.breaches:
        if not breach.breach_id:
            due_ms = min(due_ms, breach.since_ms)  # its dwell may be nothing
        elif breach.calm_since_ms:
            due_ms = min(due_ms, breach.calm_since_ms)  # so may its window
    return due_ms
