"""What a load changes: the wanted catalogue beside the known one. Pure.

What a channel watched in the past decides what old readings mean, so the past is changed on
purpose only (`restated`, which corrects the versions it names). Any load keeps the versions it does
not name, as long as they began before now; planned ones that it leaves out are taken back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ingest.catalog_check import section_entities
from ingest.catalog_faults import Fault, Place
from ingest.contracts.reference import (
    CatalogFile,
    ChannelAssignment,
    Device,
    Entity,
    entity_key,
)

VERSIONS_KEPT_MAX: Final = 64
"""Versions of one channel that are kept, the newest ones."""

ChangeKind: TypeAlias = Literal["added", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One entity that a load adds, changes or removes."""

    kind: ChangeKind
    key: str
    entity: Entity
    """As it will be; where it is removed, as it was."""
    before: Entity | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that differ."""
        if self.before is None:
            return ()
        names = type(self.entity).model_fields
        return tuple(n for n in names if getattr(self.entity, n) != getattr(self.before, n))


def changes(
    known: Mapping[str, Entity], wanted: CatalogFile, *, now_ms: int, restated: bool = False
) -> tuple[list[Change], list[Fault]]:
    """Return what is to be changed, sorted by key, and what is refused.

    Args:
        known: The entities of the newest load by key.
        wanted: The whole catalogue as it should be.
        now_ms: UTC milliseconds: assignments that began before are past. 0 where time is driven.
        restated: The past is changed on purpose.
    """
    found: list[Change] = []
    faults: list[Fault] = []
    left = dict(known)
    for place, entity in section_entities(wanted):
        key = entity_key(entity)
        before = left.pop(key, None)
        after = entity
        if isinstance(entity, Device):
            past = before if isinstance(before, Device) else None
            merged = _Merge(past, now_ms=now_ms, restated=restated)
            after = merged.device(entity, place)
            faults += merged.faults
        if before is None:
            found.append(Change("added", key, after))
        elif before != after:
            found.append(Change("changed", key, after, before))
    found += [Change("removed", key, entity) for key, entity in left.items()]
    return sorted(found, key=lambda change: change.key), faults


class _Merge:
    """Lays the channels of a device over those that are known."""

    def __init__(self, known: Device | None, *, now_ms: int, restated: bool) -> None:
        self.faults: list[Fault] = []
        self._now_ms = now_ms
        self._restated = restated
        self._known: dict[str, dict[int, ChannelAssignment]] = {}
        for assigned in known.channels if known else ():
            versions = self._known.setdefault(assigned.channel, {})
            versions[assigned.valid_from_ms] = assigned

    def device(self, wanted: Device, place: Place) -> Device:
        given: dict[str, dict[int, ChannelAssignment]] = {}
        for number, assigned in enumerate(wanted.channels):
            at = (*place, "channels", number)
            dated = self._dated(assigned, at)
            given.setdefault(assigned.channel, {})[dated.valid_from_ms] = dated
            self._judge(dated, at)
        self._keep_past(given)
        merged = [
            versions[start_ms]
            for _, versions in sorted(given.items())
            for start_ms in sorted(versions)[-VERSIONS_KEPT_MAX:]
        ]
        return wanted.model_copy(update={"channels": tuple(merged)})

    def _dated(self, assigned: ChannelAssignment, at: Place) -> ChannelAssignment:
        """Say from when on, where the file does not."""
        if "valid_from_ms" in assigned.model_fields_set:
            return assigned
        versions = self._known.get(assigned.channel)
        if not versions:
            return assigned
        newest_ms = max((start for start in versions if start <= self._now_ms), default=0)
        newest_ms = newest_ms if self._now_ms else max(versions)
        same = assigned.model_copy(update={"valid_from_ms": newest_ms})
        if versions.get(newest_ms) == same or self._restated:
            return same
        if not self._now_ms:
            text = f"channel {assigned.channel} changes: say valid_from, since time is driven"
            self.faults.append(Fault(at, text))
        return assigned.model_copy(update={"valid_from_ms": self._now_ms})

    def _judge(self, assigned: ChannelAssignment, at: Place) -> None:
        versions = self._known.get(assigned.channel)
        past = assigned.valid_from_ms < self._now_ms or (versions and not self._now_ms)
        if self._restated or not versions or not past:
            return
        known = versions.get(assigned.valid_from_ms)
        newest = assigned.valid_from_ms > max(versions) and not self._now_ms
        if known != assigned and not newest:
            text = (
                f"channel {assigned.channel} would change in the past: say a later valid_from,"
                " leave it out for a change from now on, or restate"
            )
            self.faults.append(Fault(at, text))

    def _keep_past(self, given: dict[str, dict[int, ChannelAssignment]]) -> None:
        for channel, versions in self._known.items():
            past = {s: a for s, a in versions.items() if s < self._now_ms or not self._now_ms}
            if channel in given:
                given[channel] = past | given[channel]
            elif past:
                given[channel] = past
                if past[max(past)].sku:
                    end_ms = self._now_ms or max(past) + 1
                    ended = ChannelAssignment(channel=channel, valid_from_ms=end_ms)
                    given[channel][end_ms] = ended
