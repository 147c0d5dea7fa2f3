"""What holds for the stock fold whatever happens to a partition."""

from collections import Counter, defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.durations import HOUR_MS
from ingest.contracts.topics import DEAD_LETTERS, EVENTS
from ingest.frames import INPUT_FRAMES, CommandInput, ReadingInput, ReferenceInput, ScanInput
from streams.contracts.events import (
    BreachCleared,
    BreachOpened,
    CommandAccepted,
    CommandRefused,
    TransferChanged,
)
from streams.contracts.ledger import scan_cause
from streams.contracts.orders import ORDER_LINE, OrderLine
from streams.contracts.state import TRANSFER_OPEN, decode, key_parts
from streams.contracts.units import UnitArrived
from streams.contracts.voids import kind_in_effect
from streams.domain import store
from streams.domain.transfers import number_of
from tests.property.fold_scripts import (
    FIRST,
    SITES,
    STEPS_MAX,
    Step,
    long_scripts,
    run,
    scripts,
)
from tests.unit.streams.builders import T0, Story


def _on_the_way(transfer: Any) -> int:
    return int(transfer.dispatched_units - transfer.received_units - transfer.lost_units)


@given(
    st.one_of(scripts(), long_scripts()),
    st.sets(st.integers(0, STEPS_MAX)),
    st.sets(st.integers(0, STEPS_MAX)),
)
def test_state_and_outputs_do_not_depend_on_drains_or_restores(
    script: list[Step], drained: set[int], restored: set[int]
) -> None:
    """A fold that drains seldom and is restored in between says and keeps the same."""

    def now_and_then(story: Story, number: int) -> None:
        if number in restored:
            story.restore()
        elif number in drained:
            story.drain()

    plain = run(script)
    other = run(script, now_and_then)
    assert other.state == plain.state
    assert other.said() == plain.said()


@given(st.one_of(scripts(), scripts(ReadingInput)), st.integers(0, 2))
def test_state_does_not_depend_on_which_levels_stand_decoded(
    script: list[Step], cached_max: int
) -> None:
    """A fold that keeps hardly a level decoded, and forgets it at each drain, keeps the same."""
    plain = run(script)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "LEVELS_CACHED_MAX", cached_max)
        other = run(script)
    assert other.state == plain.state
    assert other.said() == plain.said()


@given(scripts(), st.data())
def test_frame_borders_do_not_matter(script: list[Step], data: st.DataObject) -> None:
    """Items received together fold the same in one frame as in many."""
    plain = run([(0, item) for _, item in script])
    story = Story(partition_count=3)
    items = [*FIRST, *(item for _, item in script)]
    while items:
        size = data.draw(st.integers(1, len(items)))
        frame, items = items[:size], items[size:]
        story.fold.fold(INPUT_FRAMES.encode(frame, received_at_ms=T0))
    story.drain()
    assert story.state == plain.state
    assert story.said() == plain.said()


@given(scripts())
def test_duplicates_change_nothing(script: list[Step]) -> None:
    """Readings, scans and commands may come twice, at once and again at the end."""
    repeatable = (ReadingInput, ScanInput, CommandInput)
    twice: list[Step] = []
    for after_ms, item in script:
        twice.append((after_ms, item))
        if isinstance(item, repeatable):
            twice.append((0, item))
    twice.extend((0, item) for _, item in script if isinstance(item, repeatable))
    plain, other = run(script), run(twice)
    assert other.state == plain.state
    told, told_again = plain.said(), other.said()
    letters = told.pop((DEAD_LETTERS.name, 0), [])
    letters_again = told_again.pop((DEAD_LETTERS.name, 0), [])
    assert told_again == told
    assert set(letters) <= set(letters_again)


@given(scripts(ReadingInput), st.randoms(use_true_random=False))
def test_readings_may_come_in_any_order(script: list[Step], shuffle: Any) -> None:
    """The newest observed reading of each channel counts, whatever the order, once it settled.

    Rounds of tags apart: what a tag's presence is judged by is the order of the rounds.
    """
    history = [item for _, item in script if isinstance(item, ReadingInput) and item.kind != "tags"]
    by_time = {
        (entry.sku, entry.site, entry.source, entry.channel, entry.observed_at_ms, entry.seq): entry
        for entry in history
    }
    unique = list(by_time.values())
    shuffled = list(unique)
    shuffle.shuffle(shuffled)

    def seen(entries: list[ReadingInput]) -> list[Any]:
        story = run([(0, entry) for entry in entries]).wait(HOUR_MS)
        return [
            (level.sku, level.site, [(c.channel, c.units, c.observed_at_ms) for c in level.sensed])
            for level in story.levels()
        ]

    assert seen(shuffled) == seen(unique)


@given(st.one_of(scripts(), long_scripts()))
def test_the_table_is_the_sum_of_the_ledger(script: list[Step]) -> None:
    """Book, reserved and value of each level are the sums of its movements; each id is once."""
    story = run(script)
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    values: dict[tuple[str, str], int] = defaultdict(int)
    for movement in story.movements():
        place = (movement.sku, movement.site)
        sums[*place, movement.bucket] += movement.quantity_units
        assert movement.after_units == movement.before_units + movement.quantity_units
        if movement.bucket == "on_hand":
            assert movement.after_units == sums[*place, "on_hand"]
            values[place] += movement.value_minor
    for level in story.levels():
        place = (level.sku, level.site)
        assert level.on_hand_units == sums[*place, "on_hand"]
        assert level.reserved_units == sums[*place, "reserved"]
        assert level.quarantined_units == sums[*place, "quarantined"]
        assert level.value_minor == values[place]
        assert level.on_hand_units or level.value_minor == 0
    ids = [movement.movement_id for movement in story.movements()]
    assert len(ids) == len(set(ids))


@given(scripts(ScanInput))
def test_each_scan_leaves_one_movement_at_its_site(script: list[Step]) -> None:
    """No scan vanishes: it has a movement of its own, or a dead letter, or is a repeat.

    One of a unit alone is handed on to the planning fold.
    """
    story = run(script)
    found = Counter(
        (movement.cause, movement.site)
        for movement in story.movements()
        if movement.bucket == "on_hand" and movement.kind != "dispatch_inferred"
    )
    letters = {output.key for output in story.outputs if output.topic.endswith("dead-letters")}
    handed_on = {
        (scan_cause(unit.source, unit.boot, unit.seq), unit.site)
        for unit in story.plans(UnitArrived)
    }
    seen: set[tuple[str, str, int, bool]] = set()
    for _, item in script:
        assert isinstance(item, ScanInput)
        name = (item.source, item.boot, item.seq, item.historical)
        cause = scan_cause(item.source, item.boot, item.seq)
        if name in seen:
            continue
        seen.add(name)
        posted = found[cause, item.site] >= 1 if item.sku else (cause, item.site) in handed_on
        assert posted or f"too_old-0-{cause}".encode() in letters


@given(scripts())
def test_units_are_conserved(script: list[Step]) -> None:
    """On hand, on the way and lost are what came in from outside less what went out."""
    story = run(script)
    inside = {"dispatch", "dispatch_inferred", "arrive"}
    outside: dict[str, int] = defaultdict(int)
    for movement in story.movements():
        carried = kind_in_effect(movement) in inside and movement.transfer_id
        if movement.bucket == "on_hand" and not carried:
            outside[movement.sku] += movement.quantity_units
    for transfer in story.transfers():
        assert min(_on_the_way(transfer), transfer.received_units, transfer.lost_units) >= 0
    for sku in {level.sku for level in story.levels()}:
        on_hand = sum(level.on_hand_units for level in story.levels() if level.sku == sku)
        moving = sum(
            _on_the_way(transfer) + transfer.lost_units
            for transfer in story.transfers()
            if transfer.sku == sku
        )
        assert on_hand + moving == outside[sku]
    for site in SITES:
        sums = sum(
            movement.quantity_units
            for movement in story.movements()
            if movement.bucket == "in_transit" and movement.site == site
        )
        moving = sum(_on_the_way(t) for t in story.transfers() if t.to_site == site)
        assert sums == moving


@given(st.one_of(scripts(), long_scripts()))
def test_breaches_open_and_clear_in_turn(script: list[Step]) -> None:
    """Of each kind at each level: opened, cleared, opened; a clear names the opened one.

    Of order outliers there is one a line, as often as there are lines.
    """
    story = run(script)
    is_open: dict[tuple[str, str, str], str] = {}
    for event in story.items(EVENTS.name, msgspec.Struct):
        if not isinstance(event, BreachOpened | BreachCleared):
            continue
        of_line = event.breach_id if event.kind == "order_outlier" else ""
        place = (event.sku, event.site, event.kind + of_line)
        if isinstance(event, BreachOpened):
            assert place not in is_open
            is_open[place] = event.breach_id
        else:
            assert is_open.pop(place) == event.breach_id
    assert is_open == _open_in_state(story)


def _open_in_state(story: Story) -> dict[tuple[str, str, str], str]:
    """Return the id of each breach that the state holds open, by where and of what kind it is."""
    found = {
        (level.sku, level.site, str(breach.kind)): breach.breach_id
        for level in story.levels()
        for breach in level.breaches
        if breach.breach_id
    }
    for book in story.lot_books():
        if book.breach_id:
            found[book.sku, book.site, "near_expiry"] = book.breach_id
    for record in story.witnesses():
        for watch in record.watches:
            if watch.breach_id:
                found[record.sku, record.site, watch.kind] = watch.breach_id
    for line in story.order_lines():
        if line.outlier is not None:
            assert line.state not in {"released", "fulfilled", "refused"}
            breach_id = line.outlier.breach_id
            found[line.sku, line.site, f"order_outlier{breach_id}"] = breach_id
    return found


@given(scripts())
def test_nobody_is_asked_to_give_what_it_must_keep(script: list[Step]) -> None:
    """An automatic transfer never takes a donor below what it keeps."""
    story = run(script)
    for event in story.events(TransferChanged):
        numbers = event.transfer.decided_from
        if event.transfer.version == 1 and event.transfer.breach_id:
            free = numbers["donor_available_units"] - numbers["donor_planned_units"]
            assert free - event.transfer.quantity_units >= numbers["donor_kept_units"]


@given(st.one_of(scripts(), long_scripts()))
def test_a_position_counts_nothing_twice(script: list[Step]) -> None:
    """What a level expects, has on order and owes is what transfers, requests and orders say."""
    story = run(script)
    lines = [
        decode(raw, story.state[raw]) for raw in story.state if key_parts(raw)[0] == ORDER_LINE
    ]
    needs = {need.need_id: need for need in story.needs()}
    for level in story.levels():
        expected = planned = 0
        for transfer in story.transfers():
            if transfer.sku != level.sku or transfer.state not in TRANSFER_OPEN:
                continue
            to_leave = max(0, transfer.quantity_units - transfer.dispatched_units)
            if transfer.to_site == level.site:
                expected += to_leave + _on_the_way(transfer)
            if transfer.from_site == level.site:
                planned += to_leave
        assert (level.in_transit_in_units, level.in_transit_out_units) == (expected, planned)
        here = [
            need
            for need in needs.values()
            if need.state == "open" and (need.sku, need.site) == (level.sku, level.site)
        ]
        here.sort(key=lambda need: number_of(need.need_id))
        assert level.need_id == (here[0].need_id if here else "")
        on_order = sum(need.quantity_units - need.received_units for need in here)
        assert level.on_order_units == on_order
        assert all(need.received_units < need.quantity_units for need in here)
        owed = sum(
            need.quantity_units - need.received_units
            for need in needs.values()
            if need.state == "open"
            and (need.sku, need.from_site) == (level.sku, level.site)
            and need.owed
        )
        for line in lines:
            assert isinstance(line, OrderLine)
            if line.state == "waiting" and (line.sku, line.site) == (level.sku, level.site):
                owed += line.quantity_units - line.reserved_units
        assert level.backordered_units == owed


@given(scripts())
def test_each_command_is_answered_once(script: list[Step]) -> None:
    """Accepted or refused, and never again."""
    story = run(script)
    answers = Counter(event.command_id for event in story.events(CommandAccepted))
    answers.update(event.command_id for event in story.events(CommandRefused))
    asked = {item.command_id for _, item in script if isinstance(item, CommandInput)}
    assert answers == Counter(asked)


@given(scripts(ReferenceInput, ScanInput))
def test_reference_data_survives_a_restore(script: list[Step]) -> None:
    """Rules after a restore are those before it: the next shortage is judged the same."""
    plain, other = run(script), run(script, lambda story, _: story.restore())
    assert other.movements() == plain.movements()
    assert other.state == plain.state
