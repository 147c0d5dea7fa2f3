"""The bridge benchmark's own sums: its load, its recount, its report."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.bench.bridge import (
    FULL,
    QUICK,
    Mix,
    Series,
    load_of,
    report_of,
)
from deploy.bench.bridge_contenders import KEYS, OURS, QUIX, TELEGRAF, wanted
from deploy.bench.bridge_limit import codec_events_per_cpu_s
from deploy.bench.bridge_load import (
    DEVICES,
    BridgeLoad,
    Recount,
    catalogue,
    events_in_frame,
    events_in_text,
    packets,
    site_of,
)
from deploy.bench.bridge_rounds import Contender, Measured
from deploy.bench.report import BenchOptions
from deploy.bench.telegraf_peer import configuration
from ingest.adapters.mqtt_lane import PacketParser, Publish
from ingest.catalog_check import check
from ingest.clocks import SourceClocks
from ingest.contracts.errors import BenchError
from ingest.contracts.settings import KafkaSettings, MqttSettings
from ingest.frames import INPUT_FRAMES, InputItem
from ingest.normalise import Normaliser
from tests.unit.ingest.catalog_samples import loaded
from tests.unit.ingest.doubles import inputs_of

NOW_MS = 1_700_000_000_000
OPTIONS = BenchOptions(quick=True, rounds=1, folder=Path())


def load(batch_events: int, messages: int = 250) -> BridgeLoad:
    """Return a small load."""
    return BridgeLoad(boot="b", messages=messages, rate_per_s=1_000, batch_events=batch_events)


def published(work: BridgeLoad) -> list[Publish]:
    """Return its messages as the bridge's lane reads them."""
    parser = PacketParser()
    parser.feed(b"".join(packets(work, NOW_MS)))
    assert not parser.control
    return parser.publishes


@pytest.mark.parametrize("batch_events", [1, 100])
def test_every_event_of_a_load_is_accepted(batch_events: int) -> None:
    """The bridge's own normaliser makes an input of each; nothing is refused."""
    assert not list(check(catalogue()))
    normaliser = Normaliser(loaded(catalogue()), SourceClocks(), partition_count=4)
    work, items = load(batch_events), list[InputItem]()
    for topic, _, payload in published(work):
        made = normaliser.normalise(topic.decode(), payload, NOW_MS)
        assert made.rejected == []
        assert len(made.ranges) == 1
        items += [item for _, item in inputs_of(made)]
    assert len(items) == work.events
    recount = Recount(work)
    recount.add(events_in_frame(INPUT_FRAMES.encode(items, received_at_ms=NOW_MS)))
    assert (recount.lost, recount.doubled) == (0, 0)


@pytest.mark.parametrize("batch_events", [1, 3])
def test_a_recount_finds_what_is_lost_and_what_is_doubled(batch_events: int) -> None:
    """In payloads as they are and within a line's quoted string; other loads count nothing."""
    work = load(batch_events)
    payloads = [payload for _, _, payload in published(work)]
    quoted = [b'x value="' + one.replace(b'"', b'\\"') + b'" 1\n' for one in payloads]
    recount = Recount(work)
    for record in [*quoted[1:], payloads[5], payloads[5]]:
        recount.add(events_in_text(record))
    recount.add([(0, "another load", 0)])
    assert recount.lost == batch_events
    assert recount.doubled == 2 * batch_events


def test_devices_take_turns_and_their_numbers_have_no_gap() -> None:
    """A receipt of a device is one range, as with real ones."""
    topics = [topic for topic, _, _ in published(load(1))]
    assert topics[:DEVICES] == topics[DEVICES : 2 * DEVICES]
    assert len(set(topics)) == DEVICES
    assert topics[7].split(b"/")[2].decode() == site_of(7)


def contender(key: str, *, is_slow: bool = False) -> Contender:
    """Return a bridge that is never started."""
    return Contender(
        key=key,
        name=key.title(),
        guarantee="",
        commands=(),
        topic="t",
        client_ids=(),
        found=events_in_text,
        is_slow=is_slow,
    )


def series(key: str, mix: Mix, cpu_s: float, *, lost: int = 0) -> Series:
    """Return one round of a bridge."""
    work = load_of(mix, contender(key), f"{key}-0")
    assert work is not None
    seen = Measured(cpu_s=cpu_s, wall_s=4.0, lost=lost, doubled=0, late_ms=3.0)
    return Series(contender(key), mix, [(work, seen)])


def test_a_report_tells_rates_ratios_and_who_is_absent() -> None:
    """Ratios are of messages a CPU-second; a peer without a figure has None."""
    one, batch = QUICK
    report = report_of(
        [series(OURS, one, 1.0), series(OURS, batch, 0.5), series(TELEGRAF, one, 2.0)],
        {QUIX: "why"},
        codec_only=1_000,
    )
    told = report.headline
    assert told["messages_per_cpu_s"] == one.messages
    assert told["events_per_cpu_s_batch100"] == batch.messages * 100 / 0.5
    assert told["events_per_cpu_s_codec_only"] == 1_000
    assert told["ratio_telegraf_cpu"] == 2.0
    assert told["ratio_telegraf_cpu_batch100"] is None
    assert (told["lost"], told["doubled"], told["absent"]) == (0, 0, {QUIX: "why"})
    assert not report.failures
    assert len(report.rows) == 3


def test_a_lost_event_of_ours_is_a_failure_and_a_peers_is_not() -> None:
    """The command ends with 1 where this bridge lost anything."""
    mix = FULL[0]
    assert report_of([series(OURS, mix, 1.0, lost=1)], {}, 0).failures
    assert not report_of([series(TELEGRAF, mix, 1.0, lost=1)], {}, 0).failures


def test_the_limit_is_of_the_codec_alone() -> None:
    """More events to a message cost less each, for a message has a cost of its own."""
    assert 0 < codec_events_per_cpu_s(1) < codec_events_per_cpu_s(100)


def test_slow_peers_have_smaller_loads() -> None:
    """A quick run leaves them out of the batches."""
    slow = contender(QUIX, is_slow=True)
    for mix in (*FULL, *QUICK):
        work = load_of(mix, slow, "x")
        assert (work.messages if work else 0) == mix.messages_slow < mix.messages


def test_bridges_are_chosen_by_key() -> None:
    """All, or few in a quick run, where none is named; a wrong name is told with the right ones."""
    assert wanted(OPTIONS) == (OURS, TELEGRAF)
    assert wanted(replace(OPTIONS, quick=False)) == KEYS
    assert wanted(replace(OPTIONS, only=(QUIX, OURS))) == (OURS, QUIX)
    with pytest.raises(BenchError, match="fluentd is no bridge here: there are ours, telegraf"):
        wanted(replace(OPTIONS, only=("fluentd",)))


def test_telegraf_is_told_to_acknowledge_late_and_to_wait_for_all() -> None:
    """Its configuration is TOML, with the promises that are measured."""
    text = configuration(KafkaSettings(), MqttSettings(), topic="t", client_id="c")
    told = tomllib.loads(text)
    (source,), (sink,) = told["inputs"]["mqtt_consumer"], told["outputs"]["kafka"]
    assert (source["qos"], source["persistent_session"], source["client_id"]) == (1, True, "c")
    assert (sink["required_acks"], sink["topic"]) == (-1, "t")
