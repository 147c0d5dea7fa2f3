"""`shelfstream explain` of what the planning fold holds: told, and folded again from the plans."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from deploy import refolds
from deploy.commands import explain, order
from deploy.planned import planned_of
from deploy.policy_origins import PolicyHistory
from ingest.contracts.durations import DAY_MS
from ingest.contracts.errors import InstallationError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.supply import LaneRecord, SupplierRecord
from ingest.contracts.topics import EVENTS, INPUTS, PLAN_STATE, PLANS
from ingest.frames import ReferenceInput
from ingest.partitions import partition_of
from streams.contracts.counts import CountAsked, CountLineAnswered
from streams.contracts.events import EVENT_FRAMES
from streams.contracts.plans import PLAN_FRAMES
from streams.contracts.purchases import PurchaseOrder
from streams.engine.adapters.reader import TopicRecord
from streams.engine.ports import APPLIED_KEY, Applied
from streams.engine.records import applied_record
from streams.planning import planning_spec
from tests.folds import PARTITIONS, FoldRun
from tests.unit.deploy.policy_loads import policy_history
from tests.unit.streams.builders import SKU, opening, policy
from tests.unit.streams.order_story import Orders
from tests.unit.streams.plan_story import line
from tests.unit.streams.supply_story import MILL, supplied_story

RUNNER = CliRunner()
APP = typer.Typer()
APP.command()(explain.explain)


class Recorded:
    """The topics of one planning fold as Kafka would give them, every partition's beginning."""

    def __init__(self, run: FoldRun, place: str) -> None:
        """Take the fold and the name by which its partition is chosen."""
        self.partition = partition_of(place, PARTITIONS)
        self.begins = {PLANS.name: 0, INPUTS.name: 0}
        self.inputs: list[bytes] = []
        self.plans = list(run.log)
        self.events = [value for topic, _, value in run.outputs if topic == EVENTS.name]
        self.state = {**run.state}
        self.applied_offset = len(self.plans) - 1

    async def read(
        self,
        _: KafkaSettings,
        topic: str,
        *,
        from_offsets: Mapping[int, int] | None = None,
        until_end: bool = False,
    ) -> AsyncIterator[list[TopicRecord]]:
        """Give a topic's records, and one that is of another partition."""
        assert until_end
        applied = applied_record(Applied("topic", self.applied_offset))
        assert applied.key == APPLIED_KEY
        kept: dict[str, list[tuple[bytes | None, bytes | None]]] = {
            PLANS.name: [(None, value) for value in self.plans],
            INPUTS.name: [(None, value) for value in self.inputs],
            EVENTS.name: [(None, value) for value in self.events],
            PLAN_STATE.name: [*self.state.items(), (applied.key, applied.value)],
        }
        partition = self.partition_of(topic)
        yield [
            TopicRecord(partition, offset, raw, value, 0)
            for offset, (raw, value) in enumerate(kept[topic])
        ]
        if partition not in (from_offsets or {}):
            yield [TopicRecord((partition + 1) % PARTITIONS, 0, b"other", b"", 0)]

    def partition_of(self, topic: str) -> int:
        """Return which partition of a topic is told."""
        return partition_of(SKU, PARTITIONS) if topic == INPUTS.name else self.partition

    async def bounds(
        self, _: KafkaSettings, topic: str, partition: int
    ) -> tuple[int, dict[int, int]]:
        """Tell where a partition begins."""
        assert partition == self.partition_of(topic)
        return self.begins[topic], {}


def _read_by(monkeypatch: pytest.MonkeyPatch, recorded: Recorded) -> Recorded:
    async def history(_: KafkaSettings) -> PolicyHistory:
        return policy_history(PARTITIONS)

    async def ends(_: KafkaSettings, __: str) -> dict[int, int]:
        return dict.fromkeys(range(PARTITIONS), 0)

    monkeypatch.setattr(refolds, "read_topic", recorded.read)
    monkeypatch.setattr(refolds, "bounds", recorded.bounds)
    monkeypatch.setattr(refolds, "end_offsets", ends)
    monkeypatch.setattr(explain, "read_history", history)
    return recorded


def _verdict(recorded: Recorded) -> str:
    last = len(recorded.plans) - 1
    return f"replay of {PLANS.name}/{recorded.partition} from offset 0 to {last}: "


def _purchases(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    story = supplied_story(SupplierRecord(MILL, order_wait_ms=DAY_MS)).tell(opening(4))
    story.ask("approve_purchase", f"purchase-{MILL}-1")
    return _read_by(monkeypatch, Recorded(story.planning, MILL))


def test_a_purchase_order_is_told_and_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events and its record come out the same, and the sentence names the offsets."""
    recorded = _purchases(monkeypatch)
    result = RUNNER.invoke(APP, [f"purchase-{MILL}-1", "--replay"])
    lines = result.output.splitlines()
    assert result.exit_code == 0, result.output
    assert lines[0] == f"purchase-{MILL}-1: of {MILL}, 1 line"
    assert lines[-1] == _verdict(recorded) + "the same"


def test_what_was_folded_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event, or a record, that the plans do not give: exit code 1, and it is named."""
    recorded = _purchases(monkeypatch)
    planned = planned_of(f"purchase-{MILL}-1")
    assert planned is not None
    wrong = planned.decoded(recorded.state[planned.state_key])
    assert isinstance(wrong, PurchaseOrder)
    wrong.expected_at_ms += 1
    recorded.state[planned.state_key] = msgspec.msgpack.encode(wrong)
    result = RUNNER.invoke(APP, [f"purchase-{MILL}-1", "--replay"])
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        1,
        _verdict(recorded) + "something else: its record in shelfstream.plan-state",
    )
    events = EVENT_FRAMES.decode(recorded.events[0])
    changed: Any = msgspec.structs.replace(events.items[0], cause="nobody")
    recorded.events[0] = EVENT_FRAMES.encode(
        [changed, *events.items[1:]], received_at_ms=events.received_at_ms
    )
    result = RUNNER.invoke(APP, [f"purchase-{MILL}-1", "--replay"])
    assert result.exit_code == 1
    assert "something else: its events and its record" in result.output


def test_a_record_is_compared_at_the_offset_it_had_come_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold that is behind its log differs in nothing; events that follow are no difference."""
    recorded = _purchases(monkeypatch)
    planned = planned_of(f"purchase-{MILL}-1")
    assert planned is not None
    run = FoldRun(planning_spec(), PLAN_FRAMES)
    frames = map(PLAN_FRAMES.decode, recorded.plans)
    while planned.state_key not in run.state:
        frame = next(frames)
        run.at(frame.received_at_ms, *frame.items)
    assert run.state[planned.state_key] != recorded.state[planned.state_key]
    recorded.state, recorded.applied_offset = run.state, len(run.log) - 1
    recorded.events = [value for topic, _, value in run.outputs if topic == EVENTS.name]
    result = RUNNER.invoke(APP, [f"purchase-{MILL}-1", "--replay"])
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        0,
        _verdict(recorded) + "the same",
    )


def test_events_whose_head_is_gone_still_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic of events may have lost what the plans still give."""
    recorded = _purchases(monkeypatch)
    assert len(recorded.events) > 1
    del recorded.events[0]
    assert RUNNER.invoke(APP, [f"purchase-{MILL}-1", "--replay"]).exit_code == 0


def test_a_log_that_no_longer_reaches_back_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, as for the inputs."""
    recorded = _purchases(monkeypatch)
    recorded.begins[PLANS.name] = 7
    result = RUNNER.invoke(APP, [f"purchase-{MILL}-1", "--replay"])
    assert isinstance(result.exception, InstallationError)
    assert str(result.exception) == (
        f"{PLANS.name}/{recorded.partition} begins at offset 7: what was before is not kept,"
        " so it can't be folded again from the beginning"
    )


def test_a_shipment_is_told_by_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no events: lines, times and why it closed come from the state."""
    run = FoldRun(planning_spec(), PLAN_FRAMES)
    run.at(0, ReferenceInput(1, LaneRecord("hub", "berlin", 1, capacity_units=6)))
    run.at(1_000, line("transfer-milk-1", 1_000))
    recorded = _read_by(monkeypatch, Recorded(run, "hub"))
    result = RUNNER.invoke(APP, ["shipment-hub>berlin-1"])
    assert "collecting, 4 units from hub to berlin" in result.output
    assert "takes more until 1970-01-01T00:01:01.000Z" in result.output
    run.at(2_000, line("transfer-tea-1", 2_000))
    recorded = _read_by(monkeypatch, Recorded(run, "hub"))
    result = RUNNER.invoke(APP, ["shipment-hub>berlin-1", "--replay"])
    assert result.output.splitlines() == [
        "shipment-hub>berlin-1: closed, 4 units from hub to berlin",
        "opened 1970-01-01T00:00:01.000Z by the first of its lines",
        "by the lane's terms of catalogue load 1",
        "closed 1970-01-01T00:00:02.000Z, may depart 1970-01-01T00:00:02.000Z",
        "it closed early: the next line did not fit",
        "  4 by transfer-milk-1",
        _verdict(recorded) + "the same",
    ]
    result = RUNNER.invoke(APP, ["shipment-hub>berlin-9"])
    assert isinstance(result.exception, explain.UnknownIdError)
    assert "which is kept for 7 days after it closed" in str(result.exception)


def test_a_count_is_told_and_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock fold's answers are in the plans, so the session comes out the same."""
    run = FoldRun(planning_spec(), PLAN_FRAMES)
    asked = CountAsked(
        command_id="c1", verb="open", site="hub", actor="ann", skus=["milk"], ttl_ms=DAY_MS
    )
    run.at(1_000, asked)
    answered = CountLineAnswered(
        session_id="count-hub-1", sku="milk", site="hub", state="counted", at_ms=1, actor="ann"
    )
    run.at(2_000, answered)
    recorded = _read_by(monkeypatch, Recorded(run, "hub"))
    result = RUNNER.invoke(APP, ["count-hub-1", "--replay"])
    assert result.output.splitlines()[-1] == _verdict(recorded) + "the same"
    assert "milk counted, by ann" in result.output


def test_a_customer_order_is_told_and_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `order-` and its id, or by its own command; its lines by the log that decided them."""
    orders = Orders(policy(autonomy="observe"), opening(10)).place("SO-17", {"milk": 4})
    recorded = _read_by(monkeypatch, Recorded(orders.plans, "SO-17"))
    recorded.events += [out.value for out in orders.stock.outputs if out.topic == EVENTS.name]
    recorded.inputs = list(orders.stock.log)
    result = RUNNER.invoke(APP, ["order-SO-17", "--replay"])
    assert result.exit_code == 0, result.output
    assert "line 1, milk at shop-1 reserved, 4 of 4 units held, catalogue load 1" in result.output
    assert "  free 10 = on hand 10 - reserved 0" in result.output
    assert "rules of milk at shop-1, catalogue load 1:" in result.output
    plans, inputs = result.output.splitlines()[-2:]
    assert plans == _verdict(recorded) + "the same"
    assert inputs.startswith(f"replay of {INPUTS.name}/{partition_of(SKU, PARTITIONS)} from")
    assert inputs.endswith(": the same")
    again = RUNNER.invoke(order.app, ["explain", "SO-17", "--replay"])
    assert again.output == result.output
    recorded.inputs = [*recorded.inputs[:1], *recorded.inputs[2:]]  # without its stock
    again = RUNNER.invoke(order.app, ["explain", "SO-17", "--replay"])
    assert again.exit_code == explain.DIFFERENT_CODE
    assert again.output.splitlines()[-2].endswith(": the same")
    assert again.output.splitlines()[-1].endswith("something else: its events")
    recorded.inputs, recorded.plans = list(orders.stock.log), recorded.plans[:1]
    again = RUNNER.invoke(order.app, ["explain", "SO-17", "--replay"])
    assert again.exit_code == explain.DIFFERENT_CODE
    assert again.output.splitlines()[-1].endswith(": the same")


@pytest.mark.parametrize("entity_id", ["shipment-hub", "purchase-mill-x", "count-7", "breach"])
def test_what_is_no_id_is_refused(entity_id: str) -> None:
    """Before anything is read."""
    result = RUNNER.invoke(APP, [entity_id])
    assert isinstance(result.exception, explain.UnknownIdError)


def test_what_is_no_id_is_told_with_an_example() -> None:
    """An order has a name of its own, and a command of its own."""
    told = str(RUNNER.invoke(APP, ["o1"]).exception)
    assert told.startswith("'o1' is no id such as transfer-milk-17; ")
    assert "`shelfstream order explain`" in told
