"""What a catalogue load would change: the stock fold run on a copy of committed state. Pure.

A fold is started on the state of a partition, is told what the load would tell it, and what it then
says and holds is compared with before. No time passes: a breach that has to dwell first is told as
waiting.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from ingest.contracts.topics import EVENTS
from ingest.frames import SkuRecord
from streams.contracts.demand import PROMOTION_NEED, Demand, PromotionNeed
from streams.contracts.events import (
    EVENT_FRAMES,
    BreachCleared,
    BreachOpened,
    NeedChanged,
    TransferChanged,
)
from streams.contracts.state import (
    DEMAND,
    LEVEL,
    SKU,
    Breach,
    Level,
    SkuBook,
    decode,
    key,
    key_parts,
)
from streams.domain.catalogue import Catalogue
from streams.domain.fold import StockFold
from streams.domain.thresholds import overlaid

LevelKey = tuple[str, str]
StructT = TypeVar("StructT", bound=msgspec.Struct)
_SKU_HEAD: Final = key(SKU, "")
_BOOK_DECODER: Final = msgspec.msgpack.Decoder(SkuBook)
_LEVEL_DECODER: Final = msgspec.msgpack.Decoder(Level)


class LevelPreview(msgspec.Struct, kw_only=True):
    """What would change at one SKU at one site."""

    sku: str
    site: str
    rules: dict[str, tuple[Any, Any]] = {}
    """Name of each rule that changes: before, after. Computed thresholds stand in `min_units` and
    `max_units`, what a promotion needs in `promoted_units`, as in the fold."""
    opens: list[str] = []
    """Kinds of the breaches that open at once."""
    waits: list[str] = []
    """Kinds of those that open after their dwell, if nothing moves."""
    clears: list[str] = []
    settles: list[str] = []
    """Kinds of flapping breaches that clear after their window, if nothing moves."""
    transfers: list[str] = []
    """Transfers that are made, or whose state changes: state, quantity and way."""
    needs: list[str] = []


def preview(
    state: Mapping[bytes, bytes], frames: Sequence[bytes], partition: int, partition_count: int
) -> list[LevelPreview]:
    """Return what frames of a load would change in a partition, in key order.

    Args:
        state: The partition's committed state; it is left as it is.
        frames: The input frames that the load would write, without a receive time.
        partition: Which partition.
        partition_count: Of the installation.

    Raises:
        InstallationError: The state is of another installation.
    """
    after = dict(state)
    fold = StockFold(partition, partition_count)
    fold.start(after)
    found: dict[LevelKey, LevelPreview] = {}
    for frame in frames:
        fold.fold(frame)
    changes = fold.drain()
    for raw, value in changes.state.items():
        if value is None:
            after.pop(raw, None)
        else:
            after[raw] = value
    _compare_rules(found, state, after)
    _compare_pending(found, state, after)
    for output in changes.outputs:
        if output.topic == EVENTS.name:
            for event in EVENT_FRAMES.decode(output.value).items:
                _take(found, event)
    return [found[place] for place in sorted(found)]


def _compare_rules(
    found: dict[LevelKey, LevelPreview], before: Mapping[bytes, bytes], after: Mapping[bytes, bytes]
) -> None:
    old, new = _rules(before), _rules(after)
    for place, rules in new.items():
        was = old.get(place)
        changed = {
            name: (was.get(name) if was is not None else None, value)
            for name, value in rules.items()
            if was is None or was.get(name) != value
        }
        if changed:
            _at(found, *place).rules = changed


def _rules(state: Mapping[bytes, bytes]) -> dict[LevelKey, dict[str, Any]]:
    catalogue = Catalogue()
    catalogue.load(state)
    found: dict[LevelKey, dict[str, Any]] = {}
    for raw, value in state.items():
        if not raw.startswith(_SKU_HEAD):
            continue
        book = _BOOK_DECODER.decode(value)
        for site in book.sites:
            rules = catalogue.resolve(book.sku, site, book.record or SkuRecord(book.sku))
            rules = overlaid(
                rules,
                _record(state, Demand, DEMAND, book.sku, site),
                _record(state, PromotionNeed, PROMOTION_NEED, book.sku, site),
            )
            found[book.sku, site] = msgspec.structs.asdict(rules)
    return found


def _record(
    state: Mapping[bytes, bytes], struct: type[StructT], kind: str, *place: str
) -> StructT | None:
    raw = key(kind, *place)
    record = decode(raw, state[raw]) if raw in state else None
    return record if isinstance(record, struct) else None


def _compare_pending(
    found: dict[LevelKey, LevelPreview], before: Mapping[bytes, bytes], after: Mapping[bytes, bytes]
) -> None:
    for raw, value in after.items():
        if before.get(raw) is value or key_parts(raw)[0] != LEVEL:
            continue
        level = _LEVEL_DECODER.decode(value)
        was = decode(raw, before[raw]) if raw in before else None
        known = {b.kind: b for b in was.breaches} if isinstance(was, Level) else {}
        waits = [b.kind for b in level.breaches if not b.breach_id and b.kind not in known]
        if waits:
            _at(found, level.sku, level.site).waits = list(waits)
        settles = [b.kind for b in level.breaches if _is_calm(b) and not _is_calm(known[b.kind])]
        if settles:
            _at(found, level.sku, level.site).settles = list(settles)


def _is_calm(breach: Breach) -> bool:
    return breach.calm_since_ms > 0


def _take(found: dict[LevelKey, LevelPreview], event: object) -> None:
    match event:
        case BreachOpened():
            row = _at(found, event.sku, event.site)
            row.opens = [*row.opens, event.kind]
        case BreachCleared():
            row = _at(found, event.sku, event.site)
            row.clears = [*row.clears, event.kind]
        case TransferChanged():
            moved = event.transfer
            row = _at(found, moved.sku, moved.to_site)
            text = f"{moved.state}: {moved.quantity_units} from {moved.from_site}"
            row.transfers = [*row.transfers, text]
        case NeedChanged():
            need = event.need
            row = _at(found, need.sku, need.site)
            source = need.from_site or "the supplier"
            row.needs = [*row.needs, f"{need.state}: {need.quantity_units} from {source}"]
        case _:
            pass


def _at(found: dict[LevelKey, LevelPreview], sku: str, site: str) -> LevelPreview:
    return found.setdefault((sku, site), LevelPreview(sku=sku, site=site))
