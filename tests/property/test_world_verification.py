"""Properties of proof: no single error of a ledger or a table passes, and no file is misread."""

import csv
import io
from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from simulators.oracle import Oracle
from simulators.orderlog import Skipped, columns_read, order_lines, survey
from simulators.replaying import Replay, expect_replay, replay_sites
from simulators.verification import Agreement, LedgerTally, LiveTable, agreement
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement, scan_cause
from streams.contracts.state import LEVEL, Level, key
from tests.unit.simulators.loopback import Loopback

SITE, SOURCE, BOOT = "shop-01", "gateway-shop-01", "b"
Scans = list[tuple[str, int]]
"""SKU and change of the book, in order of emission."""
scans = st.lists(
    st.tuples(st.sampled_from(["TEA", "JAM"]), st.integers(-5, 5).filter(bool)), min_size=1
)


def a_movement(seq: int, sku: str, units: int) -> Movement:
    """Return what a scan leaves in the ledger."""
    return Movement(
        movement_id=f"movement-{sku}-{seq}",
        sku=sku,
        site=SITE,
        kind="sale" if units < 0 else "return",
        bucket="on_hand",
        quantity_units=units,
        before_units=0,
        after_units=0,
        cause=scan_cause(SOURCE, BOOT, seq),
        effective_at_ms=0,
        recorded_at_ms=0,
    )


def found_in(emitted: Scans, breaks: Callable[[list[Movement], dict[str, int]], None]) -> Agreement:
    """Compare a true story after its ledger and its table went through `breaks`."""
    oracle = Oracle()
    ledger: list[Movement] = []
    book: dict[str, int] = {}
    for seq, (sku, units) in enumerate(emitted):
        oracle.scanned(SOURCE, SITE, BOOT, seq)
        oracle.enter(SITE, sku, units)
        ledger.append(a_movement(seq, sku, units))
        book[sku] = book.get(sku, 0) + units
    breaks(ledger, book)
    table, tally = LiveTable(), LedgerTally(oracle)
    for sku, units in book.items():
        level = Level(sku=sku, site=SITE, on_hand_units=units)
        table.take(key(LEVEL, sku, SITE), msgspec.msgpack.encode(level))
    tally.take(MOVEMENT_FRAMES.encode(ledger, received_at_ms=0))
    return agreement(oracle, table, tally)


@given(emitted=scans)
def test_a_true_story_is_exact(emitted: Scans) -> None:
    """Whatever was sold and brought back, also below zero."""
    found = found_in(emitted, lambda _ledger, _book: None)
    assert found.exact, found.differences


@given(emitted=scans, place=st.integers(min_value=0), error=st.integers(0, 5))
def test_no_single_error_passes(emitted: Scans, place: int, error: int) -> None:
    """Lost, doubled, changed, moved or renumbered: each of them alone spoils the verdict."""

    def breaks(ledger: list[Movement], book: dict[str, int]) -> None:
        at = place % len(ledger)
        one = ledger[at]
        if error == 0:
            del ledger[at]
        elif error == 1:
            ledger.append(one)
        elif error == 2:
            ledger[at] = msgspec.structs.replace(one, quantity_units=one.quantity_units + 1)
        elif error == 3:
            ledger[at] = msgspec.structs.replace(one, site="shop-02")
        elif error == 4:
            number = scan_cause(SOURCE, BOOT, len(ledger))
            ledger[at] = msgspec.structs.replace(one, cause=number)
        else:
            book[one.sku] += 1

    found = found_in(emitted, breaks)
    assert not found.exact
    assert found.differences


@given(
    rows=st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
            st.integers(-3, 3),
            st.sampled_from(["", "17850", "13047"]),
            st.integers(0, 59),
        ),
        max_size=40,
    ),
    site_count=st.integers(1, 5),
)
def test_what_is_played_is_what_was_summed(
    rows: list[tuple[str, int, str, int]], site_count: int
) -> None:
    """Whatever codes a file has: events sent at each site add up to the plain sum of the file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["invoiced_at", "invoice", "stock_code", "quantity", "customer_id"])
    writer.writerow(["2010-12-01", "1", "TEA", 1, ""])  # there is always something to move
    for code, quantity, customer, minute in rows:
        writer.writerow([f"2010-12-01 08:{minute:02d}", minute, code, quantity, customer])
    sites, columns = replay_sites(site_count), columns_read("")
    text.seek(0)
    found = survey(text, columns, site_count)
    text.seek(0)
    skipped = Skipped()
    link = Loopback()
    lines = order_lines(text, columns, site_count, skipped)
    replay = Replay(lines, sites, BOOT, driven=True)
    while not replay.done:
        for message in (*replay.feed(0, None), *replay.outgoing(0)):
            link.publish(message.topic, message.payload)
        for topic, payload in link.heard():
            replay.fleet.on_message(topic, payload, 0)
    oracle, sent = Oracle(), Oracle()
    expect_replay(oracle, found, sites, BOOT)
    for event in link.events:
        site = str(event["source"]).removeprefix("gateway-")
        units = int(str(event["quantity"])) * (1 if event["action"] == "return" else -1)
        sent.enter(site, str(event["sku"]), units)
    assert sent.stock == oracle.stock
    assert oracle.scan_count == len(link.events) == found.lines
    assert found.lines + skipped.total == len(rows) + 1
    assert oracle.conserved()
