"""Every kind of decision, taken by real workers: explained, folded again, found if it is wrong."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.explanations import entity_of, explained, named_events
from deploy.refolds import recorded_events
from deploy.stack.plan import StackOptions
from ingest.contracts.durations import DAY_MS
from ingest.contracts.settings import HOME_VARIABLE, InstallationSettings, KafkaSettings, load
from ingest.contracts.topics import EVENTS, INPUTS
from ingest.frames import INPUT_FRAMES, InputItem, ReferenceInput
from ingest.partitions import partition_of
from streams.contracts.counts import CountLineChanged
from streams.contracts.events import (
    EVENT_FRAMES,
    BreachOpened,
    NeedChanged,
    PurchaseChanged,
    StreamEvent,
    ThresholdChanged,
    TransferChanged,
)
from streams.contracts.orders import OrderLineChanged
from streams.engine.adapters.reader import TopicWrite, write_transaction
from tests.integration.bridge_process import eventually
from tests.integration.pipeline import Pipeline, running_pipeline
from tests.unit.streams.builders import DONOR, SHOP, SKU, WAREHOUSE, opening, scan
from tests.unit.streams.demand_story import START_MS, Shop

pytestmark = [pytest.mark.integration, pytest.mark.slow]

BEGINS_MS = START_MS + 27 * DAY_MS
CATALOGUE: dict[str, list[dict[str, Any]]] = {
    "sites": [
        {"site": WAREHOUSE, "kind": "warehouse"},
        {"site": SHOP, "parent_site": WAREHOUSE},
        {"site": DONOR, "parent_site": WAREHOUSE},
    ],
    "suppliers": [{"supplier": "mill", "lead_time_days": 1, "order_wait_days": 1}],
    "lanes": [
        {"from_site": WAREHOUSE, "to_site": SHOP, "lead_time_days": 1, "cost_minor": 800},
        {"from_site": DONOR, "to_site": SHOP, "lead_time_hours": 1},
    ],
    "skus": [
        {"sku": SKU, "unit_cost_minor": 100},
        {"sku": "tea", "category": "drinks", "pack_units": 4},
        {"sku": "cake"},
        {"sku": "beans", "supplier": "mill", "unit_cost_minor": 100, "order_multiple_units": 5},
    ],
    "policies": [
        {"scope": "network", "min_units": 10, "max_units": 30, "autonomy": "auto"},
        {"scope": "category", "category": "drinks", "hold_back_units": 12},
        {"scope": "sku", "sku": SKU, "thresholds": "computed"},
        {"scope": "sku", "sku": "cake", "promotion_lead_days": 4},
        {"scope": "sku_site", "sku": "tea", "site": SHOP, "min_units": 8},
    ],
    "promotions": [
        {
            "promotion": "birthday",
            "sku": "cake",
            "site": SHOP,
            "valid_from_ms": BEGINS_MS,
            "valid_until_ms": BEGINS_MS + DAY_MS,
            "uplift_permille": 0,
            "planned_units": 60,
        }
    ],
}
SAME = "computed again: the same"


class Told:
    """A stack in which each kind of decision was taken, and its log of events."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Take the pipeline."""
        self.pipeline = pipeline
        environ = {HOME_VARIABLE: str(pipeline.home.path)}
        self.kafka = load(KafkaSettings, environ)
        self.partitions = load(InstallationSettings, environ).partition_count

    def run(self, *words: str) -> str:
        """Run a command that succeeds; return what it says."""
        told = self.pipeline.run(*words)
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout

    def write(self, *frames: tuple[int, Sequence[InputItem]]) -> None:
        """Write frames of one article at their times into the inputs."""
        sku = str(getattr(next(item for _, items in frames for item in items), "sku"))  # noqa: B009 - not every input has one
        place = partition_of(sku, self.partitions)
        records = [
            TopicWrite(
                INPUTS.name, place, None, INPUT_FRAMES.encode(list(items), received_at_ms=at_ms)
            )
            for at_ms, items in frames
        ]
        asyncio.run(write_transaction(self.kafka, "tests-explain", records))

    def events(self) -> list[StreamEvent]:
        """Return all that was told of anything that has an id."""
        return asyncio.run(recorded_events(self.kafka, None, lambda event: bool(entity_of(event))))

    def id_of(self, kind: type, words: str) -> str:
        """Return the first id of a kind whose explanation has these words, once there is one."""

        def found() -> str:
            events = self.events()
            for entity_id in dict.fromkeys(entity_of(e) for e in events if isinstance(e, kind)):
                if words in "\n".join(explained(named_events(events, entity_id))):
                    return entity_id
            return ""

        entity_id = eventually(found, f"{kind.__name__} with {words!r}")
        return str(entity_id)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Let a stack in driven time take a decision of every kind."""
    folder = tmp_path_factory.mktemp("explain")
    with running_pipeline(folder, StackOptions(time="driven", influx=False)) as pipeline:
        told = Told(pipeline)
        _load(told, folder, CATALOGUE)
        _tell_stories(told)
        yield told


def _load(told: Told, folder: Path, catalogue: dict[str, Any]) -> None:
    path = folder / "catalog.yaml"
    path.write_text(json.dumps(catalogue), encoding="utf-8")  # JSON is YAML
    told.run("catalog", "load", str(path), "--actor", "ann", "--reason", "test")


def _tell_stories(told: Told) -> None:
    shop = Shop(stock=1_000, autonomy="auto").days([20, 24, 16, 22, 18] * 5).turn()
    shop.story.tell(opening(50, site=WAREHOUSE))
    minimum = shop.story.events(ThresholdChanged)[-1].reorder_units
    shop.sell(shop.story.level().on_hand_units - minimum + 1)
    frames = [INPUT_FRAMES.decode(value) for value in shop.story.log]
    kept = [
        (frame.received_at_ms, [i for i in frame.items if not isinstance(i, ReferenceInput)])
        for frame in frames
    ]
    told.write(*[(at_ms, items) for at_ms, items in kept if items])
    now_ms = shop.story.now_ms
    for sku, at_donor, at_shop in (("tea", 40, 4), ("cake", 90, 24)):
        donor, own = opening(at_donor, site=DONOR, sku=sku), opening(at_shop, sku=sku)
        told.write((now_ms, [donor]), (now_ms, [own]))
    short = [opening(2, site=WAREHOUSE, sku="beans")], [opening(4, sku="beans")]
    told.write(*((now_ms, items) for items in short))
    told.id_of(PurchaseChanged, "")
    told.run("supplier", "approve", "purchase-mill-1", "--actor", "ann")
    told.write((now_ms, [scan("receive", 80, seq=1, site=WAREHOUSE, sku="beans")]))
    told.id_of(TransferChanged, "sent on for a request")
    told.run("command", "order-transfer", "beans", WAREHOUSE, SHOP, "3", "--actor", "ann")
    told.run("order", "place", "SO-1", f"beans@{WAREHOUSE}=2", "--wait", "--actor", "ann")
    opened = told.run("count", "open", "--site", WAREHOUSE, "beans", "--actor", "ann")
    session = opened.removeprefix("accepted: ").partition(",")[0]
    told.run("count", "enter", session, "beans", "40", "--actor", "ann")


CASES: dict[str, tuple[type, str, list[str]]] = {
    "threshold": (ThresholdChanged, "", [SAME, "  sku milk: thresholds computed"]),
    "breach": (BreachOpened, "low_stock of milk at shop-1", ["threshold-milk-", SAME]),
    "answer": (
        TransferChanged,
        "of tea from shop-2 to shop-1, an answer to a shortage",
        [
            "  donor shop-2: surplus 28 = available 40 - planned 0 - kept 12",
            SAME,
            "  sku_site shop-1 tea: min_units 8",
            "  category drinks: hold_back_units 12",
        ],
    ),
    "on request": (TransferChanged, "sent on for a request", [SAME, "  network: min_units 10"]),
    "promotion": (
        TransferChanged,
        "of cake from shop-2 to shop-1 for the promotion birthday",
        [SAME, "  sku cake: promotion_lead_ms 345600000"],
    ),
    "ordered": (TransferChanged, "ordered by a person", ["a person asked for 3"]),
    "request of a parent": (NeedChanged, "beans for shop-1 from hall", [SAME]),
    "request of a supplier": (NeedChanged, "beans for hall from the supplier mill", [SAME]),
    "purchase": (PurchaseChanged, "", ["terms of catalogue load 1", "need-beans-"]),
    "order": (OrderLineChanged, "", ["  free ", SAME]),
    "count": (CountLineChanged, " counted", ["  difference ", SAME]),
}


@pytest.mark.parametrize("case", CASES)
def test_each_kind_is_explained_and_its_log_agrees(told: Told, case: str) -> None:
    """Inputs, formula, load, the level of policy behind each rule; folded again, it is the same."""
    kind, words, wanted = CASES[case]
    entity_id = "order-SO-1" if case == "order" else told.id_of(kind, words)
    text = told.run("explain", entity_id, "--replay")
    lines = text.splitlines()
    assert "catalogue load 1" in text
    assert "differently" not in text
    assert any(line.startswith("rules of ") and "load 1:" in line for line in lines), text
    for part in wanted:
        assert part in text
    assert lines[-1].startswith("replay of shelfstream."), text
    assert lines[-1].endswith(": the same")


def test_a_shipment_names_the_terms_of_its_lane(told: Told) -> None:
    """It has no events: its record says which load they are of."""
    text = told.run("explain", f"shipment-{DONOR}>{SHOP}-1", "--replay")
    assert "by the lane's terms of catalogue load 1" in text.splitlines()
    assert text.splitlines()[-1].endswith(": the same")


def test_an_explanation_outlives_its_policy(told: Told, tmp_path: Path) -> None:
    """After another load the rules are told as they were when it was decided."""
    transfer_id = told.id_of(TransferChanged, "of tea from shop-2 to shop-1, an answer")
    before = told.run("explain", transfer_id)
    policies = [*CATALOGUE["policies"][:-1], {**CATALOGUE["policies"][-1], "min_units": 2}]
    moved = {"tea": "other", "beans": "drinks"}
    skus = [{**sku, "category": moved.get(sku["sku"], "")} for sku in CATALOGUE["skus"]]
    _load(told, tmp_path, {**CATALOGUE, "policies": policies, "skus": skus})
    told_then, rules_then = before.split("rules of ", 1)
    after = told.run("explain", transfer_id)  # that its surplus is gone may be told since
    assert after.startswith(told_then)
    assert f"rules of {rules_then}" in after


def test_what_nobody_decided_is_found(told: Told) -> None:
    """A transfer of one unit more than was decided: the formula and the log both say so."""
    transfer_id = told.id_of(TransferChanged, "of cake from shop-2 to shop-1 for the promotion")
    first: Any = named_events(told.events(), transfer_id)[0]
    units = first.transfer.quantity_units + 1
    changed = msgspec.structs.replace(first.transfer, quantity_units=units)
    wrong = msgspec.structs.replace(first, transfer=changed)
    place = partition_of("cake", told.partitions)
    frame = EVENT_FRAMES.encode([wrong], received_at_ms=first.at_ms)
    record = TopicWrite(EVENTS.name, place, None, frame)
    asyncio.run(write_transaction(told.kafka, "tests-tamper", [record]))
    found = told.pipeline.run("explain", transfer_id, "--replay")
    assert found.returncode == 1, found.stdout + found.stderr
    assert found.stdout.splitlines()[-1].endswith("something else: its events")
