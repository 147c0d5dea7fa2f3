"""The stream benchmark's own sums: events, frames, rates, recounts, ratios."""

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.bench.counting import CountingFold, count_into
from deploy.bench.domain import book_of, books_of, preparation, scans
from deploy.bench.engine_worker import Taken, WatchedFold
from deploy.bench.engines import Size, ours, ours_full, parse_faust, parse_java, parse_quix
from deploy.bench.events import DECODE_EVENT, ENCODE, FRAMES, Event, events
from deploy.bench.peers.told import Progress, Told, told
from deploy.bench.preload import PARTITIONS, Log, as_frames, as_records
from deploy.bench.processes import Line
from deploy.bench.rates import Round, Sample, lag_slope, rate_of, short_rate_of
from deploy.bench.recount import difference, parse_total, totals_of
from deploy.bench.report import BenchOptions
from deploy.bench.rounds import samples_taken
from deploy.bench.stream import QUICK_BEGIN_S_MAX, Bench, chosen, in_turn
from deploy.bench.stream_report import Measured, stream_report
from deploy.bench.workload import QUICK, Workload
from ingest.contracts.errors import BenchError
from ingest.frames import INPUT_FRAMES
from ingest.partitions import partition_of
from streams.domain.fold import StockFold

COUNT = 3_000
KEYS = 40
OPTIONS = BenchOptions(quick=True, rounds=1, folder=Path())


def made(changes_pct: int = 100) -> list[tuple[int, Event]]:
    """Return a small workload."""
    return list(events(COUNT, changes_pct, PARTITIONS, keys=KEYS))


def test_events_are_of_one_size_and_in_the_partition_of_their_key() -> None:
    """45 bytes each, where Kafka's Java client would put them, the same every time."""
    found = made()
    assert {len(ENCODE(event)) for _, event in found} == {45}
    assert all(partition == partition_of(event.sku, PARTITIONS) for partition, event in found)
    assert found == made()
    assert len({event.sku for _, event in found}) == KEYS


@pytest.mark.parametrize(("changes_pct", "low", "high"), [(100, 3_000, 3_000), (5, 90, 220)])
def test_a_mix_changes_as_many_keys_as_it_says(changes_pct: int, low: int, high: int) -> None:
    """The others have no quantity."""
    assert low <= sum(event.quantity_units > 0 for _, event in made(changes_pct)) <= high


def test_frames_and_records_hold_the_same_events() -> None:
    """Full frames first, each partition's rest last; both are counted by partition."""
    in_frames, in_records = Counter[int](), Counter[int]()
    frames = list(as_frames(made(), FRAMES, in_frames))
    records = list(as_records(made(), in_records))
    assert in_frames == in_records == Counter(partition for partition, _ in made())
    for partition in range(PARTITIONS):
        framed = [e for p, _, v in frames if p == partition for e in FRAMES.decode(v).items]
        single = [DECODE_EVENT(v) for p, _, v in records if p == partition]
        assert framed == single
    log = Log(topic="t", frames=True, mix="all", events=COUNT, counts=in_frames, warm_events=0)
    assert log.events_in({0: 1}) == 500
    assert log.events_in(dict.fromkeys(range(PARTITIONS), 99)) == COUNT


@pytest.mark.parametrize("changes_pct", [100, 5])
def test_both_counting_loops_equal_the_recount(changes_pct: int) -> None:
    """The engine's fold, with restores in between, and the bare loop's, whatever the mix."""
    expected = totals_of(event for _, event in made(changes_pct))
    state: dict[bytes, bytes] = {}
    by_hand: dict[str, list[int]] = {}
    for _, _, value in as_frames(made(changes_pct), FRAMES, Counter()):
        fold = CountingFold()
        fold.start(state)
        fold.fold(value)
        state |= {key: body for key, body in fold.drain().state.items() if body is not None}
        assert fold.drain().state == {}
        count_into(FRAMES.decode(value).items, by_hand, {})
    found = dict(row for row in map(parse_total, state.keys(), state.values()) if row)
    assert difference(expected, found) == ""
    assert {sku: tuple(total) for sku, total in by_hand.items()} == expected


def test_a_lost_a_doubled_and_an_extra_key_are_told() -> None:
    """One event more or less in one key is enough, and so is a key that nobody wrote."""
    expected = totals_of(event for _, event in made())
    sku = next(iter(expected))
    number, units = expected[sku]
    assert "1 of 40 keys are wrong" in difference(expected, {**expected, sku: (number + 1, units)})
    assert "is None" in difference(expected, {k: v for k, v in expected.items() if k != sku})
    assert "1 too many" in difference(expected, {**expected, "sku-x": (1, 1)})


def test_changelogs_of_the_peers_are_read_as_they_write_them() -> None:
    """The same total from four encodings; an engine's own records are no totals."""
    total = ("sku-1", (2, 9))
    assert parse_total(b"sku-1", ENCODE([2, 9])) == total
    assert parse_total(b"\x00applied", b"?") is None
    assert parse_faust(b'"sku-1"', b"[2,9]") == total
    assert parse_quix(b'sku-1|"total"', b"[2,9]") == total
    assert parse_quix(b'null|"sku-1"', b"[2,9]") == total
    assert parse_quix(b"offset", b"17") is None
    assert parse_java(b"sku-1", (2).to_bytes(8, "big") + (9).to_bytes(8, "big")) == total


def test_rates_begin_after_the_warm_up() -> None:
    """What an engine needed to start counts neither as time nor as CPU."""
    seen = Round()
    looks = [(0.0, 10, 5.0), (10.0, 100, 6.0), (11.0, 600, 6.5), (12.0, 1_100, 7.0)]
    for number, look in enumerate(looks):
        seen.add(Sample(*look), number * 0.1)
    assert seen.events == 1_100
    rate = rate_of(seen, warm_events=100)
    assert (rate.events_per_s, rate.events_per_cpu_s) == (500.0, 1_000.0)
    assert rate.lag_slope_per_s == pytest.approx(-500.0)
    assert rate.broker_cpu_us == pytest.approx(200.0)
    with pytest.raises(BenchError, match="before it could be measured"):
        rate_of(seen, warm_events=1_100)


def test_a_clock_stops_with_as_much_under_way_as_it_started_with() -> None:
    """Half a second's work is folded, and not committed, at each look: it is no gain at the end."""
    seen = Round()
    for second in range(1, 11):
        seen.add(Sample(float(second), second * 100, second * 1.0), 0.0)
    seen.add(Sample(10.1, 1_050, 10.0), 0.0)
    rate = rate_of(seen, warm_events=100)
    assert (rate.events_per_s, rate.events_per_cpu_s) == (100.0, 100.0)


def test_a_short_run_is_timed_from_the_first_fold_to_the_last_commit() -> None:
    """What was folded before the first look is no gain: its folding is timed with its commit."""
    seen = Round()
    for fold in [(0.0, 0, 1.0), (1.0, 100, 1.5), (2.0, 600, 2.0), (3.0, 1_000, 2.5)]:
        seen.taken.append(Sample(*fold))
    # The first commit takes two seconds, and four fifths of the log are folded meanwhile.
    for *look, broker_s in [(0.5, 1, 1.2, 0.0), (3.5, 800, 2.6, 0.4), (4.0, 1_000, 3.0, 0.9)]:
        at_s, done, cpu_s = look
        seen.add(Sample(at_s, int(done), cpu_s), broker_s)
    rate = short_rate_of(seen, warm_events=100)
    assert (rate.events_per_s, rate.events_per_cpu_s) == (300.0, 600.0)
    assert rate.lag_slope_per_s == pytest.approx(-450.0)
    assert rate.broker_cpu_us == pytest.approx(1_000.0)
    assert rate_of(seen, warm_events=100).events_per_s == 400.0
    with pytest.raises(BenchError, match="before it could be measured"):
        short_rate_of(seen, warm_events=1_001)
    with pytest.raises(BenchError, match="too soon"):
        short_rate_of(seen, warm_events=1_000)


def test_a_lag_that_stands_still_has_no_slope() -> None:
    """Nor has a single look."""
    assert lag_slope([Sample(0.0, 5, 0.0), Sample(1.0, 5, 1.0)]) == 0
    assert lag_slope([Sample(0.0, 5, 0.0)]) == 0


@pytest.mark.parametrize("changes_pct", [100, 5])
def test_the_stock_fold_agrees_with_the_recount_of_scans(changes_pct: int) -> None:
    """Books after openings, sales and receipts; a scan sent again counts once; no breach opens."""
    skus = 12
    placed = [*preparation(skus, PARTITIONS), *scans(2_000, changes_pct, skus, PARTITIONS)]
    folds = [StockFold(partition, PARTITIONS) for partition in range(PARTITIONS)]
    state: dict[bytes, bytes | None] = {}
    topics: set[str] = set()
    for fold in folds:
        fold.start({})
    for partition, _, value in as_frames(placed, INPUT_FRAMES, Counter()):
        folds[partition].fold(value)
    for fold in folds:
        changes = fold.drain()
        state |= changes.state
        topics |= {output.topic for output in changes.outputs}
    rows = (book_of(key, value) for key, value in state.items() if value is not None)
    assert difference(books_of(item for _, item in placed), dict(r for r in rows if r)) == ""
    assert topics == {"shelfstream.movements"}


def test_a_watched_fold_tells_its_progress_once_a_transaction() -> None:
    """Frames folded so far, only after new ones, beside the fold's own changes."""
    watched = WatchedFold(CountingFold(), "progress", 3)
    watched.start({})
    frame = FRAMES.encode([made()[0][1]], received_at_ms=0)
    watched.fold(frame)
    watched.fold(frame)
    changes = watched.drain()
    assert len(changes.state) == 1
    assert [(o.topic, o.partition, o.value) for o in changes.outputs] == [("progress", 3, b"2")]
    assert watched.drain().outputs == []


def test_a_worker_tells_what_it_has_folded(capsys: pytest.CaptureFixture[str]) -> None:
    """Frames by partition, at most ten times a second, as the benchmark reads them."""
    taken = Taken()
    folds = [WatchedFold(CountingFold(), "progress", number, taken) for number in (0, 1)]
    frame = FRAMES.encode([made()[0][1]], received_at_ms=0)
    for fold in folds:
        fold.start({})
        fold.fold(frame)
    [line] = capsys.readouterr().out.splitlines()
    log = Log(topic="t", frames=True, mix="all", events=900, counts={0: 700, 1: 200}, warm_events=0)
    lines = [Line("ready", 1.0, 0.1), Line(line, 2.0, 0.5), Line('taken {"0":2,"1":1}', 3.0, 0.7)]
    assert list(samples_taken(log, lines)) == [Sample(2.0, 500, 0.5), Sample(3.0, 900, 0.7)]


def measured(key: str, per_s: float, *, wrong: str = "") -> Measured:
    """Return an engine that was measured once."""
    log = Log(topic="t", frames=True, mix="all", events=1, counts={0: 1}, warm_events=0)
    seen = Round()
    seen.add(Sample(0.0, 1, 0.0), 0.0)
    seen.add(Sample(1.0, 1 + int(per_s), 0.5), 0.1)
    return Measured(replace(ours(), key=key), log, [rate_of(seen, 1)], wrong)


def test_ratios_compare_medians_and_a_wrong_peer_has_none() -> None:
    """A peer whose state is wrong fails the report; one that is absent is null, with its reason."""
    rows = [
        measured("ours", 500_000),
        measured("bare", 625_000),
        measured("quix", 50_000, wrong="1 of 2 keys are wrong"),
    ]
    report = stream_report(rows, {"faust": "no network"}, OPTIONS, QUICK)
    assert report.headline["events_per_s"] == 500_000
    assert report.headline["events_per_cpu_s"] == 1_000_000
    assert report.headline["ratio_bare"] == 0.8
    assert report.headline["ratio_quix"] is None
    assert report.headline["ratio_faust"] is None
    assert report.headline["domain_events_per_s"] is None
    assert report.headline["absent"] == {"faust": "no network"}
    assert [failure.endswith("keys are wrong") for failure in report.failures] == [True]


def test_engines_are_chosen_by_name() -> None:
    """All that fit a quick run, or those that were named; a name that is none is refused."""
    slow = replace(ours(), key="slow", in_quick=False)
    engines = [ours(), slow, ours_full()]
    assert [e.key for e in chosen(engines, OPTIONS)] == ["ours", "domain"]
    assert len(chosen(engines, replace(OPTIONS, quick=False))) == 3
    assert [e.key for e in chosen(engines, replace(OPTIONS, only=("slow",)))] == ["slow"]
    with pytest.raises(BenchError, match="there are ours, slow, domain"):
        chosen(engines, replace(OPTIONS, only=("flink",)))


def test_this_engine_has_the_last_turns() -> None:
    """A quick run that is late leaves a peer out, never this engine; every size has its turn."""
    sizes: tuple[Size, ...] = ("frames", "java", "few", "few_frames", "records")
    others = [replace(ours(), key=size, argv=["peer"], size=size) for size in sizes]
    keys = [engine.key for engine in in_turn([ours(), ours_full(), *others])]
    assert keys == ["few", "records", "java", "few_frames", "frames", "domain", "ours"]


def test_a_peer_hears_what_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts, numbers and truths come back as they were."""
    words = ("bootstrap", "security_protocol", "sasl_mechanism", "username", "password")
    texts: dict[str, Any] = {word: word.upper() for word in (*words, "topic", "name", "folder")}
    given = Told(**texts, partition_count=4, frames=False, exactly_once=True, events=7)
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    assert told() == given


def test_progress_is_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The last events are told when the peer says that all is committed, not before."""
    progress = Progress(3)
    assert not progress.add(1)
    assert progress.add(2)
    assert capsys.readouterr().out == "progress 1\n"
    progress.say()
    assert capsys.readouterr().out == "progress 3\n"


def test_a_planned_log_is_what_is_made() -> None:
    """Its events are known before a record is made, which a peer is told; then by partition."""
    sizes = replace(QUICK, frames=COUNT, records=COUNT, domain=COUNT, domain_skus=12)
    records = replace(ours(), key="quix", size="records")
    workload = Workload(sizes)
    logs = [workload.log_for(engine, "all") for engine in (ours(), records, ours_full())]
    assert logs[:2] == [replace(log, events=COUNT, counts={}) for log in logs[:2]]
    assert workload.log_for(replace(ours(), key="bare"), "all") is logs[0]
    assert len(workload.logs) == len(logs)
    workload.make()
    assert [sum(log.counts.values()) for log in logs] == [log.events for log in logs]
    assert all(log.warm_events < log.events for log in logs)


def bench(options: BenchOptions, absent: dict[str, str]) -> Bench:
    """Return a run that began too long ago for a quick one to begin with another peer."""
    late_s = time.monotonic() - QUICK_BEGIN_S_MAX - 1
    return Bench(options, Workload(QUICK), absent, late_s, ExitStack())


def test_a_quick_run_starts_no_peer_late() -> None:
    """After its limit a peer is absent with the reason; this engine and one that is named go on."""
    place: Any = None
    quiet = replace(OPTIONS, say=lambda _: None)
    absent: dict[str, str] = {}
    peer = measured("quix", 1)
    peer.engine = replace(peer.engine, argv=["quix"])
    bench(quiet, absent).measure(place, peer, 0)
    assert "no time was left" in absent["quix"]
    going_on = [
        (quiet, measured("ours", 1)),
        (replace(quiet, quick=False), peer),
        (replace(quiet, only=("quix",)), peer),
    ]
    for options, each in going_on:
        with pytest.raises(AttributeError):  # it goes on to run the engine, and there is no stack
            bench(options, {}).measure(place, each, 0)
