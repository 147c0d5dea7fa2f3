"""Tasks to the floor: which, to whom, and at least once."""

import asyncio
import json
from typing import Any

import pytest

from alerting.contracts import FloorTask
from alerting.floor import FloorTasks
from alerting.tasks import tasks_of
from ingest.contracts.errors import DeliveryError
from streams.contracts.events import EVENT_FRAMES, BarrierPassed, StreamEvent, TransferChanged
from streams.contracts.lots import HoldCause, LotHeld
from streams.contracts.state import Transfer
from tests.unit.alerting.sender_fakes import FakeLog, FakePublisher


def _changed(state: Any, **fields: Any) -> TransferChanged:
    transfer = Transfer(
        **{
            "transfer_id": "transfer-milk-1",
            "sku": "milk",
            "from_site": "hub",
            "to_site": "berlin",
            "state": state,
            "quantity_units": 12,
            "version": 2,
            **fields,
        }
    )
    return TransferChanged(at_ms=5, transfer=transfer)


@pytest.mark.parametrize(
    ("changed", "tasks"),
    [
        (_changed("proposed"), []),
        (_changed("approved"), [("dispatch", "hub", 12)]),
        (_changed("in_transit", dispatched_units=10), [("expect_arrival", "berlin", 10)]),
        (_changed("dispatched", dispatched_units=10), [("expect_arrival", "berlin", 10)]),
        (_changed("cancelled"), [("cancelled", "hub", 12)]),
        (_changed("held"), [("cancelled", "hub", 12)]),
        (
            _changed("cancelled", dispatched_units=2),
            [("cancelled", "hub", 12), ("cancelled", "berlin", 12)],
        ),
        (_changed("received"), []),
    ],
)
def test_each_change_means_its_tasks(changed: TransferChanged, tasks: list[Any]) -> None:
    """Donor dispatches, recipient expects, called-off transfers are taken back."""
    assert [(it.task, it.site, it.quantity_units) for it in tasks_of(changed)] == tasks


def test_a_task_is_json_of_its_contract_on_the_sites_topic() -> None:
    """The floor reads what the contract says; other events are no tasks."""
    log, publisher = FakeLog(), FakePublisher()
    items: list[StreamEvent] = [
        BarrierPassed(barrier_id="b", partition=0, at_ms=1),
        _changed("approved"),
    ]
    log.append(EVENT_FRAMES.encode(items, received_at_ms=5))
    log.append(b"garbage")
    floor = FloorTasks(log, publisher)
    asyncio.run(floor.step())
    ((topic, payload),) = publisher.messages
    assert topic == "stock/v1/hub/tasks"
    task = FloorTask.model_validate_json(payload)
    assert task.task_id == "transfer-milk-1/dispatch/2"
    assert json.loads(payload)["to_site"] == "berlin"
    assert log.committed == {0: 2}
    assert floor.frames_refused == 1


def test_nothing_is_committed_before_the_broker_has_it() -> None:
    """Without a PUBACK the process ends, and the next one publishes the same task."""
    log, publisher = FakeLog(), FakePublisher()
    log.append(EVENT_FRAMES.encode([_changed("approved")], received_at_ms=5))
    publisher.away = True
    with pytest.raises(DeliveryError):
        asyncio.run(FloorTasks(log, publisher).step())
    assert log.committed == {}
    publisher.away = False
    log.restart()
    asyncio.run(FloorTasks(log, publisher).step())
    assert len(publisher.messages) == 1


@pytest.mark.parametrize(
    ("cause", "units", "task"),
    [
        ("recall", 4, "quarantine"),
        ("recall", 0, "quarantine"),
        ("arrival", 2, "quarantine"),
        ("lift", -4, "release"),
    ],
)
def test_held_stock_is_a_task_of_its_site(cause: HoldCause, units: int, task: str) -> None:
    """The lot is named, why, and how many units are known; none: look for it."""
    held = LotHeld(
        hold_id="hold-milk-9",
        sku="milk",
        site="berlin",
        lot="L1",
        cause=cause,
        quantity_units=units,
        quarantined_units=4,
        unknown_units=3,
        at_ms=5,
        reason="glass",
    )
    [found] = tasks_of(held)
    assert (found.task_id, found.site, found.lot) == (f"hold-milk-9/{task}/1", "berlin", "L1")
    assert (found.quantity_units, found.state, found.reason) == (abs(units), cause, "glass")
