"""Logistic units: packed at dispatch, received by their SSCC alone, refused with a reason."""

import base64
import json
from typing import Any

import pytest

from ingest import wire
from ingest.contracts.events import DeadLetter
from ingest.contracts.topics import DEAD_LETTERS, INPUTS, PLANS
from ingest.contracts.units import UnitArrivedInput
from ingest.frames import INPUT_FRAMES, InputItem, ScanInput
from streams.contracts.plans import PLAN_FRAMES
from streams.contracts.state import key
from streams.contracts.units import UNIT, UnitPacked
from streams.domain.logistic_units import UNIT_KEPT_MS, UNIT_LINES_MAX
from streams.domain.packing import SSCCS_KEPT_MAX
from streams.planning import planning_spec
from tests.folds import FoldRun
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    Story,
    lane,
    opening,
    policy,
    scan,
)
from tests.unit.streams.test_domain_voids import void_of

PALLET, BOX = "376104250021234569", "376104250021234576"


class Carrier:
    """Both folds with the log between them."""

    def __init__(self) -> None:
        """Begin with milk and tea at the donor."""
        self.stock = Story().tell(policy(autonomy="observe", min_units=None), lane(DONOR))
        self.stock.tell(opening(50, site=DONOR), opening(30, site=DONOR, sku="tea"))
        self.plans = FoldRun(planning_spec(), PLAN_FRAMES)
        self._told = self._read = 0

    def tell(self, *items: InputItem) -> "Carrier":
        """Fold inputs, and let both folds come to rest."""
        self.stock.tell(*items)
        while True:
            told = [out.value for out in self.stock.outputs if out.topic == PLANS.name]
            asked = [item for raw in told[self._told :] for item in PLAN_FRAMES.decode(raw).items]
            self._told = len(told)
            self.plans.at(self.stock.now_ms, *asked)
            said = self.plans.said(INPUTS.name, INPUT_FRAMES)
            fresh = [item for item in said[self._read :] if isinstance(item, UnitArrivedInput)]
            self._read = len(said)
            if not fresh:
                return self
            self.stock.tell(*fresh)

    def letters(self) -> list[DeadLetter]:
        """Return the dead letters of the planning fold."""
        return [
            DeadLetter.model_validate_json(value)
            for topic, _, value in self.plans.outputs
            if topic == DEAD_LETTERS.name
        ]


def _packed(units: int, *, seq: int, sscc: str = PALLET, **more: Any) -> ScanInput:
    """Return a dispatch to the shop in a unit."""
    fields = {"site": DONOR, "counterpart_site": SHOP, **more}
    return scan("dispatch", units, seq=seq, sscc=sscc, **fields)


def _arrived(*, seq: int, sscc: str = PALLET, site: str = SHOP) -> ScanInput:
    """Return the scan of a unit by itself."""
    return scan("arrive", 1, seq=seq, sku="", sscc=sscc, site=site)


def test_a_unit_brings_all_that_was_packed_into_it() -> None:
    """Two articles by one scan, each on its transfer; nothing else moves."""
    carrier = Carrier().tell(_packed(10, seq=1), _packed(4, seq=2, sku="tea"))
    carrier.tell(_arrived(seq=1))
    assert [one.state for one in carrier.stock.transfers()] == ["received", "received"]
    assert [one.ssccs for one in carrier.stock.transfers()] == [[PALLET], [PALLET]]
    levels = [carrier.stock.level(SHOP, sku).on_hand_units for sku in ("milk", "tea")]
    assert levels == [10, 4]
    arrivals = [one for one in carrier.stock.movements() if one.kind == "arrive"]
    assert {one.cause for one in arrivals} == {f"scanner-{SHOP}/b1/1"}
    assert not carrier.letters()


def test_each_unit_of_a_transfer_brings_its_own() -> None:
    """A transfer of two pallets is received by halves."""
    carrier = Carrier().tell(_packed(10, seq=1))
    transfer_id = carrier.stock.transfer().transfer_id
    carrier.tell(_packed(5, seq=2, sscc=BOX, transfer_id=transfer_id), _arrived(seq=1))
    assert carrier.stock.transfer().state == "partly_received"
    carrier.tell(_arrived(seq=2, sscc=BOX))
    assert (carrier.stock.transfer().state, carrier.stock.level().on_hand_units) == ("received", 15)
    assert carrier.stock.transfer().ssccs == [PALLET, BOX]


@pytest.mark.parametrize(
    ("scanned", "reason", "words"),
    [
        (_arrived(seq=1, sscc=BOX), "unknown_unit", "no dispatch packed anything"),
        (_arrived(seq=1, site="shop-9"), "wrong_unit", f"goes to {SHOP}, and not to shop-9"),
    ],
)
def test_what_cannot_be_placed_is_a_dead_letter(
    scanned: ScanInput, reason: str, words: str
) -> None:
    """With the reason and the scan as the wire has it; no stock moves."""
    carrier = Carrier().tell(_packed(10, seq=1))
    ledger = len(carrier.stock.movements())
    carrier.tell(scanned)
    [letter] = carrier.letters()
    assert letter.reason == reason
    assert words in letter.detail
    sent = wire.SCANS.decode(base64.b64decode(letter.payload_base64))
    assert isinstance(sent, wire.Scan)
    assert (sent.sscc, sent.action, sent.seq) == (scanned.sscc, "arrive", scanned.seq)
    assert len(carrier.stock.movements()) == ledger


def test_a_unit_arrives_once() -> None:
    """The second scan is told, a repeat of the first one is not, and neither moves stock."""
    carrier = Carrier().tell(_packed(10, seq=1), _arrived(seq=1), _arrived(seq=1))
    assert not carrier.letters()
    carrier.tell(_arrived(seq=2))
    [letter] = carrier.letters()
    assert letter.detail == f"SSCC {PALLET} has arrived at {SHOP} already"
    assert carrier.stock.level().on_hand_units == 10


def test_what_was_taken_out_by_its_own_scan_does_not_arrive_again() -> None:
    """Three by the article's barcode, the rest by the unit's."""
    carrier = Carrier().tell(_packed(10, seq=1), scan("arrive", 3, seq=1, sscc=PALLET))
    carrier.tell(_arrived(seq=2))
    assert carrier.stock.level().on_hand_units == 10
    assert carrier.stock.transfer().state == "received"
    carrier = Carrier().tell(_packed(10, seq=1), scan("arrive", 10, seq=1, sscc=PALLET))
    carrier.tell(_arrived(seq=2))
    assert "by scans of its articles" in carrier.letters()[0].detail


def test_what_arrived_without_its_unit_is_only_noted() -> None:
    """Scanned by its article alone: the unit then finds nothing on its way, and says so."""
    carrier = Carrier().tell(_packed(10, seq=1), scan("arrive", 10, seq=1)).tell(_arrived(seq=2))
    last = carrier.stock.movements()[-1]
    assert (last.kind, last.flags) == ("refused", ["nothing_on_the_way"])
    assert carrier.stock.level().on_hand_units == 10


def test_the_unit_beside_an_article_says_which_transfer_arrives() -> None:
    """Not the oldest one; and a unit that no transfer left in is flagged, while stock moves."""
    carrier = Carrier().tell(_packed(10, seq=1, sscc=BOX), _packed(10, seq=2))
    carrier.tell(scan("arrive", 10, seq=1, sscc=PALLET))
    assert [one.state for one in carrier.stock.transfers()] == ["in_transit", "received"]
    carrier.tell(scan("arrive", 2, seq=2, sscc="376104250021234583"))
    assert carrier.stock.movements()[-1].flags == ["unknown_unit"]
    assert carrier.stock.level().on_hand_units == 12


def test_a_lost_unit_that_turns_up_is_found() -> None:
    """Its transfer was given up; the unit's scan still brings it."""
    carrier = Carrier().tell(_packed(10, seq=1))
    carrier.stock.wait(40 * 3_600_000)
    assert carrier.stock.transfer().state == "lost"
    carrier.tell(_arrived(seq=1))
    assert (carrier.stock.transfer().state, carrier.stock.level().on_hand_units) == ("received", 10)


def test_what_leaves_again_in_another_unit_is_not_in_the_first() -> None:
    """All that left was voided: the old SSCC brings nothing, by itself or beside the article."""
    carrier = Carrier().tell(_packed(10, seq=1))
    transfer_id = carrier.stock.transfer().transfer_id
    carrier.tell(void_of(carrier.stock, f"scanner-{DONOR}/b1/1"))
    assert carrier.stock.transfer().ssccs == []
    carrier.tell(_packed(10, seq=2, sscc=BOX, transfer_id=transfer_id), _arrived(seq=1))
    last = carrier.stock.movements()[-1]
    assert (last.kind, last.flags) == ("refused", ["nothing_on_the_way"])
    carrier.tell(scan("arrive", 1, seq=2, sscc=PALLET))
    assert carrier.stock.movements()[-1].flags == ["unknown_unit"]
    carrier.tell(_arrived(seq=3, sscc=BOX))
    assert (carrier.stock.transfer().state, carrier.stock.level().on_hand_units) == ("received", 10)


def test_a_dispatch_that_is_voided_leaves_the_other_unit_as_it_is() -> None:
    """What left in it still arrives by its SSCC."""
    carrier = Carrier().tell(_packed(10, seq=1))
    transfer_id = carrier.stock.transfer().transfer_id
    carrier.tell(_packed(5, seq=2, sscc=BOX, transfer_id=transfer_id))
    carrier.tell(void_of(carrier.stock, f"scanner-{DONOR}/b1/1"), _arrived(seq=1, sscc=BOX))
    assert (carrier.stock.transfer().state, carrier.stock.level().on_hand_units) == ("received", 5)


def test_a_unit_alone_too_late_for_its_window_is_a_letter_as_on_the_wire() -> None:
    """It has no article to be told by."""
    story = Story().tell(_arrived(seq=5_000), _arrived(seq=1))
    [output] = [output for output in story.outputs if output.topic == DEAD_LETTERS.name]
    sent = json.loads(base64.b64decode(json.loads(output.value)["payload_base64"]))
    assert (sent["sscc"], "sku" in sent) == (PALLET, False)


def test_units_are_limited_and_forgotten() -> None:
    """So many transfers a unit, so many units a transfer, so long a memory."""
    run = FoldRun(planning_spec(), PLAN_FRAMES)
    many = [
        UnitPacked(sscc=PALLET, transfer_id=f"transfer-t-{n}", to_site=SHOP, quantity_units=1)
        for n in range(UNIT_LINES_MAX + 1)
    ]
    run.at(1, *many)
    run.restore()
    assert key(UNIT, PALLET) in run.state
    run.at(UNIT_KEPT_MS)
    assert key(UNIT, PALLET) in run.state
    run.at(UNIT_KEPT_MS + 1)
    assert key(UNIT, PALLET) not in run.state
    carrier = Carrier().tell(_packed(1, seq=1))
    transfer_id = carrier.stock.transfer().transfer_id
    for number in range(SSCCS_KEPT_MAX):
        sscc = f"{number:018}"
        carrier.tell(_packed(1, seq=2 + number, sscc=sscc, transfer_id=transfer_id))
    assert len(carrier.stock.transfer().ssccs) == SSCCS_KEPT_MAX
    assert PALLET not in carrier.stock.transfer().ssccs
    assert carrier.tell(_arrived(seq=1)).stock.level().on_hand_units == 1
