"""Random scripts of a partition's life for the stock fold: what happens, and when.

A script is drawn from a seed while a fold runs along, so that scans and commands can name transfers
and requests that exist. Hypothesis shrinks the length.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from ingest.contracts.counts import CountLineAction, CountLineInput
from ingest.contracts.durations import DAY_MS
from ingest.contracts.order_lines import OrderAction, OrderLineInput
from ingest.contracts.planogram import NEVER_ENDS_MS, PlanogramRecord
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.supply import LaneRecord, SupplierRecord
from ingest.contracts.units import UnitArrivedInput
from ingest.frames import (
    TAG_DIGEST_BYTES,
    BarrierInput,
    CommandInput,
    CommandVerb,
    InputItem,
    OpeningInput,
    ReadingInput,
    ReferenceEntity,
    ReferenceInput,
    ScanAction,
    ScanInput,
    SiteRecord,
    SkuRecord,
    StatusInput,
    TickInput,
)
from streams.contracts.counts import COUNT_LINE, CountLine
from streams.contracts.orders import ORDER_LINE
from streams.contracts.state import NEED, TRANSFER, decode, key_parts
from streams.scan_movements import ScanFinder, lead_of, voided_movement
from tests.property.drawn_policies import drawn_policy, drawn_promotion
from tests.unit.streams.builders import T0, Story

SITES: Final = ("hall", "shop-1", "shop-2")
SKUS: Final = ("milk", "tea")
LOTS: Final = ("A", "B", "C")
SSCCS: Final = ("376104250021234569", "376104250021234576")
SERIALS: Final = ("S1", "S2", "S3", "S4")
STEPS_MAX: Final = 120
FLAP_OPENS_MAX: Final = 1
FLAP_WINDOW_MS: Final = 400
PACE_MS: Final = (0, 0, 1, 10, 40)
LONG_PACE_MS: Final = (0, 1, 3_600_000, DAY_MS // 2, DAY_MS, DAY_MS)
"""Demand is learned over days; answers to commands and ended transfers are forgotten meanwhile."""
Step = tuple[int, InputItem]
"""Milliseconds since the step before, and what happens."""

FIRST: Final[list[InputItem]] = [
    ReferenceInput(
        1,
        PolicyRecord(
            scope="network",
            min_units=8,
            max_units=20,
            autonomy="auto",
            hysteresis_units=1,
            thresholds="computed",
            count_tolerance_units=3,
            witness_dwell_ms=40,
            theft_drop_units=4,
            theft_window_ms=60,
            dead_stock_days=2,
            flap_opens_max=FLAP_OPENS_MAX,
            flap_window_ms=FLAP_WINDOW_MS,
            order_outlier_deviations=2,
            order_line_units_max=24,
            promotion_lead_ms=DAY_MS,
        ),
    ),
    ReferenceInput(
        1,
        PolicyRecord(
            scope="sku",
            sku="milk",
            lot_tracking="lots",
            near_expiry_ms=DAY_MS,
            serials_max=3,
            outlier_orders="hold",
        ),
    ),
    *(
        ReferenceInput(1, LaneRecord(start, end, 40, cooldown_ms=30))
        for start in SITES
        for end in SITES
        if start != end
    ),
    *(OpeningInput("import-0", sku, site, 15, 100) for sku in SKUS for site in SITES),
    *(OpeningInput("import-0", sku, "hall", 60, 100) for sku in SKUS),
]
"""What every script begins with: stock and lanes enough that something happens."""

_ACTIONS: Final[tuple[ScanAction, ...]] = (
    *("sale", "pick", "receive", "return", "waste", "count", "open", "adjust"),
    *("sale", "sale", "dispatch", "arrive", "dispatch", "arrive", "dispatch", "arrive"),
)
_VERBS: Final[tuple[CommandVerb, ...]] = (
    *("approve_transfer", "reject_transfer", "hold_transfer", "edit_transfer", "cancel_transfer"),
    *("lose_transfer", "reopen_transfer", "order_transfer", "assign_shipment", "close_need"),
    *("release_buffer", "order_need", "resize_need"),
    *("quarantine", "release_quarantine", "recall_lot", "lift_recall"),
)
_NEED_VERBS: Final = frozenset({"close_need", "order_need", "resize_need"})


def _scan(draw: Random, story: Story) -> InputItem:
    action = draw.choice(_ACTIONS)
    units = draw.randint(-9, 9) if action == "adjust" else draw.randint(0, 12)
    named = draw.choice(("", "", _entity(draw, story, TRANSFER)))
    sku = named.split("-")[1] if named else draw.choice(SKUS)
    sscc = draw.choice(("", "", *SSCCS)) if action in {"dispatch", "arrive"} else ""
    if action == "arrive" and sscc and draw.random() < 0.3:
        sku = ""  # the unit alone
    return ScanInput(
        sku=sku,
        site=draw.choice(SITES),
        source=draw.choice(("scanner-1", "scanner-2")),
        boot=draw.choice(("b1", "b2")),
        seq=draw.choice((draw.randint(0, 400), draw.randint(0, 4_000))),
        observed_at_ms=draw.choice((T0, story.now_ms)) + draw.randint(-500, 500),
        historical=draw.random() < 0.2,
        action=action,
        quantity_units=units,
        transfer_id=named,
        counterpart_site=draw.choice(("", *SITES)),
        unit_cost_minor=draw.choice((-1, 7, 100)),
        lot=draw.choice(("", *LOTS)),
        serial=draw.choice(("", "", "", *SERIALS)) if sku else "",
        sscc=sscc,
        expires_at_ms=draw.choice((0, T0 + 200, T0 + 900, T0 + draw.randint(0, 3) * DAY_MS)),
    )


def _unit(draw: Random, story: Story) -> InputItem:
    """Return what a unit brings of a transfer, as planning says it; the site may be another's."""
    transfer_id = _entity(draw, story, TRANSFER)
    return UnitArrivedInput(
        sscc=draw.choice(SSCCS),
        sku=transfer_id.split("-")[1],
        site=draw.choice(SITES),
        transfer_id=transfer_id,
        quantity_units=draw.randint(1, 12),
        source="scanner-1",
        boot="b1",
        seq=draw.randint(0, 400),
        observed_at_ms=story.now_ms,
    )


def _reading(draw: Random, _story: Story) -> InputItem:
    channel = draw.choice("0112234")
    value = draw.choice((9, 9, draw.randint(0, 30)))  # many say again what is known
    said: dict[str, Any] = {"kind": "units", "value": value}
    if channel == "2":
        value = 100 * draw.randint(0, 30) + draw.choice((-3, 0, 0, 3, 40))
        said = {"kind": "weight_g", "value": value, "unit_weight_mg": 100_000, "settle_ms": 30}
    elif channel == "3":
        tags = sorted(draw.sample(range(5), draw.randint(0, 5)))
        digests = b"".join(tag.to_bytes(TAG_DIGEST_BYTES, "big") for tag in tags)
        said = {"kind": "tags", "value": len(tags), "tag_digests": digests}
    elif channel == "4":
        said = {"kind": "beam", "value": draw.randint(0, 1)}
    return ReadingInput(
        sku=draw.choice(SKUS),
        site=draw.choice(SITES),
        location="aisle",
        source=draw.choice(("sensor-1", "sensor-2")),
        channel=channel,
        boot="b1",
        seq=draw.randint(0, 100),
        observed_at_ms=T0 + draw.randint(0, 500),
        historical=draw.random() < 0.2,
        report_interval_ms=draw.choice((0, 0, 50)),
        backroom=draw.random() < (0.8 if channel == "1" else 0.1),
        **said,
    )


def _status(draw: Random, _story: Story) -> InputItem:
    return StatusInput(
        device=draw.choice(("sensor-1", "sensor-2")),
        site=draw.choice(SITES),
        online=draw.random() < 0.5,
        boot=draw.choice(("b1", "b1", "b2")),
        battery_pct=draw.choice((-1, 5, 50)),
        sku=draw.choice(("", *SKUS)),
        channel=draw.choice("01234"),
    )


def _command(draw: Random, story: Story) -> InputItem:
    verb = draw.choice(_VERBS)
    entity_id = _entity(draw, story, NEED if verb in _NEED_VERBS else TRANSFER)
    return CommandInput(
        command_id=f"c{draw.randint(0, 500)}",
        verb=verb,
        sku=draw.choice(SKUS),
        entity_id=entity_id,
        actor="ann",
        expected_version=draw.choice((-1, -1, -1, 1)),
        quantity_units=draw.randint(0, 9),
        site=draw.choice(SITES),
        to_site=draw.choice(SITES),
        shipment_id="shipment-1",
        lot=draw.choice(("", *LOTS)),
    )


def void_command(story: Story, wanted: str, command_id: str) -> CommandInput:
    """Return the command that voids the scan which left the movement of this id."""
    finder = ScanFinder(wanted)
    for movement in story.movements():
        finder.take(0, movement)
    [found] = finder.scans()
    lead = lead_of(found)
    return CommandInput(
        command_id=command_id,
        verb="void_movement",
        sku=lead.sku,
        entity_id=lead.movement_id,
        actor="ann",
        movements=tuple(voided_movement(one) for one in found),
    )


def _void(draw: Random, story: Story) -> InputItem:
    movement = draw.choice(story.movements()[-12:])
    return void_command(story, movement.movement_id, f"v{draw.randint(0, 500)}")


def _entity(draw: Random, story: Story, kind: str) -> str:
    names = sorted(key_parts(raw)[1] for raw in story.state if key_parts(raw)[0] == kind)
    return draw.choice([f"{kind}-milk-999", *names[-6:]])


_ORDER_ACTIONS: Final[tuple[OrderAction, ...]] = (
    *("reserve", "reserve", "reserve", "release", "fulfil", "settle", "accept"),
)


def _order(draw: Random, story: Story) -> InputItem:
    order_id, sku, site = f"o{draw.randint(0, 9)}", draw.choice(SKUS), draw.choice(SITES)
    action = draw.choice(_ORDER_ACTIONS)
    known = sorted(raw for raw in story.state if key_parts(raw)[0] == ORDER_LINE)
    if action != "reserve" and known and draw.random() < 0.8:
        _, order_id, _, sku, site = key_parts(draw.choice(known))
    return OrderLineInput(
        order_id,
        1,
        sku,
        site,
        action,
        draw.randint(0, 30),
        priority=draw.randint(0, 2),
        need_by_ms=draw.choice((0, 0, story.now_ms + draw.choice((200, 8 * DAY_MS)))),
        when_short=draw.choice(("", "reserve", "wait", "wait", "refuse")),
        partial=draw.random() < 0.5,
        answer=draw.random() < 0.5,
    )


_COUNT_ACTIONS: Final[tuple[CountLineAction, ...]] = (
    *("open", "enter", "enter", "enter", "approve", "recount", "close"),
)


def _count(draw: Random, story: Story) -> InputItem:
    session_id, sku, site = draw.choice(("count-hall-1", "count-hall-2")), "milk", "hall"
    known = sorted(raw for raw in story.state if key_parts(raw)[0] == COUNT_LINE)
    action: CountLineAction = draw.choice(_COUNT_ACTIONS)
    units = draw.randint(0, 20)
    if action == "open" or not known or draw.random() < 0.1:
        sku, site = draw.choice(SKUS), draw.choice(SITES)
        action = action if draw.random() < 0.2 else "open"
    else:
        raw = draw.choice(known)
        line = decode(raw, story.state[raw])
        assert isinstance(line, CountLine)
        session_id, sku, site = line.session_id, line.sku, line.site
        units = max(0, story.level(site, sku).on_hand_units + draw.randint(-5, 5))
    return CountLineInput(
        session_id=session_id,
        sku=sku,
        site=site,
        action=action,
        actor=draw.choice(("ann", "bob")),
        quantity_units=units,
        counted_at_ms=draw.choice((0, 0, T0, story.now_ms - draw.randint(0, 200))),
        blind=draw.random() < 0.3,
    )


def _opening(draw: Random, _story: Story) -> InputItem:
    return OpeningInput(
        draw.choice(("import-1", "import-2")),
        draw.choice(SKUS),
        draw.choice(SITES),
        draw.randint(0, 30),
        draw.choice((0, 33, 100)),
    )


def _reference(draw: Random, _story: Story) -> InputItem:
    start, end = draw.sample(SITES, 2)
    entities: tuple[ReferenceEntity, ...] = (
        drawn_policy(draw, SITES, SKUS),
        LaneRecord(start, end, draw.choice((0, 50)), draw.randint(0, 2), draw.choice((0, 100))),
        SkuRecord(
            draw.choice(SKUS),
            category=draw.choice(("dairy", "dry")),
            unit_cost_minor=50,
            supplier="mill",
            order_units_min=draw.choice((0, 25)),
            order_multiple_units=draw.choice((0, 4)),
        ),
        SupplierRecord("mill", draw.choice((0, 3 * DAY_MS)), 500),
        SiteRecord(start, parent_site=draw.choice(("", end))),
    )
    return ReferenceInput(draw.randint(1, 3), draw.choice(entities), draw.random() < 0.2)


def _promotion(draw: Random, story: Story) -> InputItem:
    entity = drawn_promotion(draw, SITES, SKUS, story.now_ms)
    return ReferenceInput(draw.randint(1, 3), entity, draw.random() < 0.2)


def _planogram(draw: Random, story: Story) -> InputItem:
    """Return when a channel watches a level: any times around now, or never again."""
    ends_ms = [T0, T0 + 250, story.now_ms + draw.randint(-200, 200), NEVER_ENDS_MS]
    times_ms = sorted({0, *draw.sample(ends_ms, draw.randint(1, 4))})
    spans = tuple(zip(times_ms[::2], times_ms[1::2], strict=False))
    record = PlanogramRecord(
        draw.choice(("sensor-1", "sensor-2")),
        draw.choice("01234"),
        draw.choice((*SKUS, *SKUS, "")),
        draw.choice(SITES),
        spans,
    )
    return ReferenceInput(draw.randint(1, 3), record, draw.random() < 0.2)


def _tick(draw: Random, story: Story) -> InputItem:
    return TickInput(story.now_ms + draw.randint(0, 60))


def _barrier(_draw: Random, _story: Story) -> InputItem:
    return BarrierInput("barrier-1", 0)


_KINDS: Final[tuple[tuple[Callable[[Random, Story], InputItem], int], ...]] = (
    (_scan, 12),
    (_unit, 1),
    (_reading, 5),
    (_status, 2),
    (_command, 7),
    (_void, 2),
    (_count, 4),
    (_order, 4),
    (_opening, 1),
    (_reference, 2),
    (_promotion, 2),
    (_planogram, 1),
    (_tick, 1),
    (_barrier, 1),
)


def script_of(
    seed: int, length: int, only: tuple[type, ...] = (), pace_ms: tuple[int, ...] = PACE_MS
) -> list[Step]:
    """Return a script drawn from a seed; `only` leaves other inputs out."""
    draw = Random(seed)
    kinds, weights = zip(*_KINDS, strict=True)
    story = Story(partition_count=3)
    story.tell(*FIRST)
    script: list[Step] = []
    while len(script) < length:
        item = draw.choices(kinds, weights)[0](draw, story)
        if only and not isinstance(item, only):
            continue
        after_ms = draw.choice(pace_ms)
        story.tell(item, after_ms=after_ms)
        script.append((after_ms, item))
    return script


def scripts(*only: type) -> st.SearchStrategy[list[Step]]:
    """Return scripts of every length; `only` leaves other inputs out."""
    return st.builds(script_of, st.integers(0, 2**32), st.integers(0, STEPS_MAX), st.just(only))


def long_scripts() -> st.SearchStrategy[list[Step]]:
    """Return scripts of weeks, in which demand is learned and thresholds are computed."""
    lengths = st.integers(0, STEPS_MAX)
    return st.builds(script_of, st.integers(0, 2**32), lengths, pace_ms=st.just(LONG_PACE_MS))


def run(
    script: list[Step],
    after_each: Callable[[Story, int], Any] = lambda story, _: story.drain(),
) -> Story:
    """Fold a script, one frame a step; `after_each` drains, or restores, or does nothing."""
    story = Story(partition_count=3)
    story.tell(*FIRST)
    for number, (after_ms, item) in enumerate(script):
        story.fold_frame(item, after_ms=after_ms)
        after_each(story, number)
    story.drain()
    return story
