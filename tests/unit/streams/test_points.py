"""Records to line protocol: escapes, stamps, what is left out."""

import pytest

from ingest.contracts.errors import FrameError
from streams import line_protocol, points
from streams.contracts.blindness import BlindIntervalChanged
from streams.contracts.events import (
    EVENT_FRAMES,
    BarrierPassed,
    BreachCleared,
    BreachOpened,
    DeviceStatusChanged,
    NeedChanged,
    StreamEvent,
    TransferChanged,
)
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.contracts.state import LEVEL, Level, Need, SensedChannel, Transfer, key
from streams.contracts.state import SKU as SKU_KIND
from tests.unit.streams.builders import SHOP, SKU, T0, Story, policy, reading


def encoded(*items: StreamEvent) -> bytes:
    """Return a frame of events."""
    return EVENT_FRAMES.encode(list(items), received_at_ms=0)


def test_level_shows_book_and_available() -> None:
    """Available is on hand less what is reserved, quarantined or kept as buffer."""
    level = Level(
        sku="RETRO CLOCK",
        site="S1",
        on_hand_units=10,
        reserved_units=2,
        quarantined_units=1,
        buffer_units=3,
        updated_at_ms=5,
    )
    assert points.level_line(level) == (
        r"stock_level,site=S1,sku=RETRO\ CLOCK on_hand_units=10i,available_units=4i,"
        "reserved_units=2i,quarantined_units=1i,in_transit_in_units=0i,on_order_units=0i,"
        "value_minor=0i 5000000"
    )


def test_blind_channel_is_left_out_not_zero() -> None:
    """Unknown is not zero: a level whose only channel is blind has no sensed field."""
    level = Level(sku="a", site="b", sensed=(SensedChannel("d/1", 4, 1, 1, blind=True),))
    assert "sensed_units" not in points.level_line(level)
    level.sensed += (SensedChannel("d/2", 7, 1, 1),)
    assert "sensed_units=7i" in points.level_line(level)


def test_a_blind_interval_is_drawn_from_its_begin_to_its_end() -> None:
    """Why, and of how many channels, at its begin; how long it was at its end; one series."""
    story = Story().tell(policy(blind_after_ms=1_000), reading(6, at_ms=T0))
    story.wait(1_000).wait(700)
    story.tell(reading(6, at_ms=T0 + 9))
    told = story.events(BlindIntervalChanged)
    begun, ended = points.event_lines(None, encoded(*told))
    head = f"blind_interval,cause=silent,site={SHOP},sku={SKU} "
    name, number = told[0].blind_id, told[0].blind_id.rpartition("-")[2]
    assert (
        begun == f'{head}open=1i,channels=1i,blind_id="{name}" {(T0 + 1_000) * 10**6 + int(number)}'
    )
    assert ended.startswith(f'{head}open=0i,blind_ms=700i,blind_id="{name}" ')


def test_movements_of_one_millisecond_keep_apart() -> None:
    """The running number is the nanosecond, so that two sales at once are two points."""
    frame = MOVEMENT_FRAMES.encode(
        [
            Movement(
                movement_id=f"movement-a-{n}",
                sku="a",
                site="b",
                kind="sale",
                bucket="on_hand",
                quantity_units=-1,
                before_units=n,
                after_units=n - 1,
                cause="c",
                effective_at_ms=1,
                recorded_at_ms=9,
            )
            for n in (7, 8)
        ],
        received_at_ms=9,
    )
    stamps = [line.rpartition(" ")[2] for line in points.movement_lines(None, frame)]
    assert stamps == ["9000007", "9000008"]


def test_events_are_drawn_by_kind() -> None:
    """Breaches, transfers, needs and devices have a line each; a barrier has none."""
    transfer = Transfer(
        transfer_id="transfer-a-3",
        sku="a",
        from_site="S1",
        to_site="S2",
        state="approved",
        quantity_units=4,
    )
    need = Need(
        need_id="need-a-4",
        sku="a",
        site="S2",
        from_site="",
        state="open",
        quantity_units=6,
        opened_at_ms=1,
    )
    lines = points.event_lines(
        None,
        encoded(
            BreachOpened(
                breach_id="breach-a-2",
                sku="a",
                site="S2",
                kind="low_stock",
                at_ms=20,
                since_ms=15,
                available_units=1,
                position_units=1,
                threshold_units=3,
                observed_at_ms=12,
            ),
            BreachCleared(
                breach_id="breach-a-2",
                sku="a",
                site="S2",
                kind="low_stock",
                at_ms=30,
                opened_at_ms=20,
                available_units=5,
                threshold_units=3,
            ),
            TransferChanged(at_ms=21, transfer=transfer),
            NeedChanged(at_ms=22, need=need),
            DeviceStatusChanged(event_id="x", device="d", site="S2", online=False, at_ms=23),
            BarrierPassed(barrier_id="b", partition=0, at_ms=24),
        ),
    )
    assert [line.partition(",")[0] for line in lines] == [
        "breach",
        "breach",
        "transfer",
        "need",
        "device",
    ]
    assert "latency_ms=8i" in lines[0]
    assert "open_ms=10i" in lines[1]


def test_stock_topic_draws_levels_and_lots_only() -> None:
    """Levels and lots; other kinds of state, the engine's own records, tombstones leave none."""
    assert points.stock_lines(key(SKU_KIND, "a"), b"\x90") == []
    assert points.stock_lines(b"\x00applied", b"\x90") == []
    assert points.stock_lines(key(LEVEL, "a", "b"), None) == []


def test_text_is_escaped() -> None:
    """Quotes and backslashes in an id can't end a field."""
    assert line_protocol.text('a"b\\') == '"a\\"b\\\\"'
    assert line_protocol.tag("") == "-"
    assert line_protocol.tag("a=b,c d") == r"a\=b\,c\ d"


def test_foreign_bytes_are_an_error() -> None:
    """What is no frame is refused by name, for the sink to put into the dead letters."""
    with pytest.raises(FrameError):
        points.movement_lines(None, b"\x09nonsense")
