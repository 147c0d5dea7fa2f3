"""A count from its opening to its end, through the stock fold and the planning fold."""

from ingest.contracts.counts import CountLineInput
from ingest.contracts.topics import INPUTS, PLANS
from ingest.frames import INPUT_FRAMES, InputItem
from streams.contracts.counts import CountAsked, CountLineAnswered, CountSession
from streams.contracts.plans import PLAN_FRAMES
from streams.contracts.state import key
from streams.planning import planning_spec
from tests.folds import FoldRun
from tests.unit.streams.builders import SHOP, SKU, Story, opening, policy, scan

SESSION = f"count-{SHOP}-1"


class _Site:
    """Both folds with the log between them, as the engine would carry it."""

    def __init__(self, *first: InputItem) -> None:
        self.stock = Story().tell(*first)
        self.plans = FoldRun(planning_spec(), PLAN_FRAMES)
        self._read = {INPUTS.name: 0, PLANS.name: 0}

    def ask(self, verb: str, *, actor: str, units: int = 0, session_id: str = SESSION) -> None:
        """Send a command and carry everything it causes to and fro."""
        self.stock.now_ms += 10
        asked = CountAsked(
            command_id=f"{verb}-{self.stock.now_ms}",
            verb=verb,  # type: ignore[arg-type] # the tests name real verbs
            site=SHOP,
            actor=actor,
            session_id="" if verb == "open" else session_id,
            skus=[] if verb in {"close", "cancel"} else [SKU],
            quantity_units=units,
            counted_at_ms=self.stock.now_ms,
            ttl_ms=3_600_000,
        )
        self.plans.at(self.stock.now_ms, asked)
        self.settle()

    def settle(self) -> None:
        """Carry what the folds have told each other until nothing is left."""
        while True:
            inputs = self.plans.said(INPUTS.name, INPUT_FRAMES)[self._read[INPUTS.name] :]
            told = self.stock.plans(CountLineAnswered)[self._read[PLANS.name] :]
            if not inputs and not told:
                return
            self._read[INPUTS.name] += len(inputs)
            self._read[PLANS.name] += len(told)
            self.stock.tell(*[item for item in inputs if isinstance(item, CountLineInput)])
            if told:
                self.plans.at(self.stock.now_ms, *told)

    def session(self) -> CountSession:
        """Return the first session as written."""
        found = self.plans._fold.table.get(key("count_session", SESSION))  # type: ignore[attr-defined] # it is the planning fold
        assert isinstance(found, CountSession)
        return found


def test_a_difference_is_counted_approved_and_closed() -> None:
    """What was sold meanwhile stays sold; the session tells who counted and who approved."""
    site = _Site(policy(autonomy="observe", count_tolerance_units=1), opening(20))
    site.ask("open", actor="ann")
    assert site.session().lines[SKU].state == "open"
    site.ask("enter", actor="ann", units=15)
    assert site.session().lines[SKU].state == "waiting"
    site.stock.tell(scan("sale", 2, seq=1, observed_at_ms=site.stock.now_ms + 5), after_ms=5)
    site.settle()
    site.ask("approve", actor="ann")
    assert site.session().lines[SKU].state == "waiting"
    site.ask("approve", actor="bob")
    line = site.session().lines[SKU]
    assert (line.state, line.difference_units) == ("counted", -5)
    assert (line.counted_by, line.approved_by) == ("ann", "bob")
    assert site.stock.level().on_hand_units == 13
    site.ask("close", actor="ann")
    assert site.session().state == "closed"


def test_a_time_out_books_nothing_that_waits() -> None:
    """The line is missed, and the stock fold has forgotten it."""
    site = _Site(policy(autonomy="observe", count_tolerance_units=1), opening(20))
    site.ask("open", actor="ann")
    site.ask("enter", actor="ann", units=3)
    site.stock.now_ms += 3_600_000
    site.ask("close", actor="ann")
    assert (site.session().state, site.session().lines[SKU].state) == ("expired", "missed")
    assert site.stock.level().on_hand_units == 20
    assert not [raw for raw in site.stock.state if raw.startswith(b"count_line")]
