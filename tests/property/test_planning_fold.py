"""The planning fold: borders, drains and restores don't matter; no line is told twice."""

from collections import Counter
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.supply import LaneRecord, SupplierRecord
from ingest.contracts.topics import ALERT_INPUTS, DEAD_LETTERS, EVENTS, INPUTS
from ingest.frames import INPUT_FRAMES, CommandInput, FrameCodec, ReferenceInput, TickInput
from streams.contracts.alerts import ALERT_INPUT_FRAMES
from streams.contracts.counts import CountAsked, CountLineAnswered
from streams.contracts.events import EVENT_FRAMES
from streams.contracts.orders import (
    LineAsked,
    OrderAsked,
    OrderLineAnswered,
    OrderLineChanged,
)
from streams.contracts.plans import PLAN_FRAMES, ShipmentLine
from streams.contracts.purchases import PurchaseCommand, PurchaseVerb
from streams.contracts.units import UnitArrived, UnitPacked
from streams.planning import planning_spec
from tests.folds import FoldRun, run_cut, run_whole
from tests.unit.streams.plan_story import line, purchase_line, withdrawn

TIMES = st.integers(0, 200_000)
SITES = st.sampled_from(["berlin", "rome"])
ITEMS = st.one_of(
    st.builds(
        lambda number, at_ms, to_site, wait_ms: line(
            f"transfer-milk-{number}", at_ms, to_site=to_site, consolidation_ms=wait_ms
        ),
        st.integers(1, 6),
        TIMES,
        SITES,
        st.sampled_from([0, 20_000, 60_000]),
    ),
    st.builds(
        lambda number, to_site: withdrawn(f"transfer-milk-{number}", to_site=to_site),
        st.integers(1, 6),
        SITES,
    ),
    st.builds(TickInput, TIMES),
    st.builds(
        lambda number, verb, skus, session, actor, ttl_ms: CountAsked(
            command_id=f"c{number}",
            verb=verb,
            site="hub",
            actor=actor,
            session_id="" if verb == "open" else f"count-hub-{session}",
            skus=skus if verb == "open" else skus[:1],
            ttl_ms=ttl_ms,
        ),
        st.integers(0, 40),
        st.sampled_from(["open", "enter", "approve", "recount", "close", "cancel"]),
        st.permutations(["milk", "tea", "salt"]),
        st.integers(1, 2),
        st.sampled_from(["ann", "bob"]),
        st.sampled_from([30_000, 200_000]),
    ),
    st.builds(
        lambda sku, state, session, at_ms: CountLineAnswered(
            session_id=f"count-hub-{session}",
            sku=sku,
            site="hub",
            state=state,
            at_ms=at_ms,
            counted_by="ann",
        ),
        st.sampled_from(["milk", "tea"]),
        st.sampled_from(["open", "prefilled", "skipped", "waiting", "recount", "counted"]),
        st.integers(1, 2),
        TIMES,
    ),
    st.builds(
        lambda number, version, quantity, received, is_open: purchase_line(
            f"need-milk-{number}",
            version,
            quantity_units=quantity,
            received_units=received,
            open=is_open,
            revision=version,
            automatic=number % 2 == 0,
        ),
        st.integers(1, 4),
        st.integers(1, 9),
        st.integers(1, 40),
        st.integers(0, 20),
        st.sampled_from([True, True, True, False]),
    ),
    st.builds(
        lambda number, verb, need, command: PurchaseCommand(
            command_id=f"c{command}",
            verb=verb,
            order_id=f"purchase-mill-{number}",
            actor="ann",
            need_id=f"need-milk-{need}",
            quantity_units=7,
        ),
        st.integers(1, 3),
        st.sampled_from(get_args(PurchaseVerb)),
        st.integers(1, 4),
        st.integers(1, 20),
    ),
    st.builds(
        lambda to_site, capacity, from_ms: ReferenceInput(
            1,
            LaneRecord("hub", to_site, 1, capacity_units=capacity, depart_from_ms=from_ms),
        ),
        SITES,
        st.sampled_from([0, 6, 9]),
        st.sampled_from([0, 100_000]),
    ),
    st.builds(
        lambda wait_ms, least: ReferenceInput(
            1, SupplierRecord("mill", 50_000, order_wait_ms=wait_ms, order_units_min=least)
        ),
        st.sampled_from([0, 20_000]),
        st.sampled_from([0, 30]),
    ),
)
ORDER_IDS = st.sampled_from(["o1", "o2", "o3"])
ORDER_ITEMS = st.one_of(
    st.builds(
        lambda number, verb, name, fulfilment, ttl_ms: OrderAsked(
            command_id=f"o{number}",
            verb=verb,
            order_id=name,
            actor="ann",
            lines=[LineAsked("milk", "hub", 4), LineAsked("tea", "hub", 2)],
            fulfilment=fulfilment,
            back_order=number % 2 == 0,
            need_by_ms=number * 1_000,
            ttl_ms=ttl_ms,
        ),
        st.integers(0, 40),
        st.sampled_from(["place", "place", "fulfil", "cancel", "accept"]),
        ORDER_IDS,
        st.sampled_from(["whole", "partial"]),
        st.sampled_from([1, 20_000, 90_000]),
    ),
    st.builds(
        lambda name, number, state, units, outlier_id: OrderLineAnswered(
            changed=OrderLineChanged(
                order_id=name,
                line=number,
                sku="milk" if number == 1 else "tea",
                site="hub",
                state=state,
                at_ms=0,
                quantity_units=4,
                reserved_units=0 if state == "held" else units,
                outlier_id=outlier_id or ("breach-milk-1" if state == "held" else ""),
            )
        ),
        ORDER_IDS,
        st.integers(1, 2),
        st.sampled_from(
            ["reserved", "reserved", "waiting", "scheduled", "refused", "fulfilled", "held"]
        ),
        st.integers(0, 4),
        st.sampled_from(["", "", "breach-milk-9"]),
    ),
)
SSCCS = st.sampled_from(["376104250021234569", "376104250021234576"])
UNIT_ITEMS = st.one_of(
    st.builds(
        lambda sscc, sku, number, to_site, units: UnitPacked(
            sscc=sscc,
            transfer_id=f"transfer-{sku}-{number}",
            to_site=to_site,
            quantity_units=units,
        ),
        SSCCS,
        st.sampled_from(["milk", "tea"]),
        st.integers(1, 3),
        SITES,
        st.integers(-3, 9),
    ),
    st.builds(
        lambda sscc, site, seq: UnitArrived(
            sscc=sscc, site=site, source="till-1", boot="b1", seq=seq, observed_at_ms=seq
        ),
        SSCCS,
        SITES,
        st.integers(0, 9),
    ),
)
EACH = st.lists(ITEMS | ORDER_ITEMS | UNIT_ITEMS, min_size=1, max_size=5)
FRAMES = st.lists(st.tuples(TIMES, EACH), max_size=12)
CUTS = st.lists(st.sampled_from(["nothing", "drain", "restore"]), max_size=60)


SAID: list[tuple[str, FrameCodec[Any]]] = [
    (INPUTS.name, INPUT_FRAMES),
    (EVENTS.name, EVENT_FRAMES),
    (ALERT_INPUTS.name, ALERT_INPUT_FRAMES),
]


def _letters(run: FoldRun) -> list[bytes]:
    return [value for topic, _, value in run.outputs if topic == DEAD_LETTERS.name]


def _run() -> FoldRun:
    return FoldRun(planning_spec(), PLAN_FRAMES)


@given(FRAMES, CUTS)
def test_state_and_commands_depend_on_the_items_alone(frames: Any, cuts: list[str]) -> None:
    """Wherever frames end, drains fall and the fold is restored: the same state and commands."""
    whole, cut = _run(), _run()
    run_whole(whole, frames)
    run_cut(cut, frames, cuts)
    assert cut.state == whole.state
    for topic, codec in SAID:
        assert cut.said_when(topic, codec) == whole.said_when(topic, codec)
    assert _letters(cut) == _letters(whole)


@given(FRAMES)
def test_a_transfer_is_told_once_a_line_and_each_command_id_once(frames: Any) -> None:
    """Command ids never repeat, and a transfer has at most a command for each of its lines."""
    run = _run()
    run_whole(run, [*frames, (10**9, [TickInput(10**9)])])
    said = run.said(INPUTS.name, INPUT_FRAMES)
    commands = [item for item in said if isinstance(item, CommandInput)]
    ids = Counter(command.command_id for command in commands)
    assert all(count == 1 for count in ids.values())
    lines = Counter(
        item.transfer_id for _, items in frames for item in items if isinstance(item, ShipmentLine)
    )
    told = Counter(command.entity_id for command in commands if command.verb == "assign_shipment")
    assert all(told[transfer] <= lines[transfer] for transfer in told)
