"""The flap limit: what opens too often is held open until it has stayed clear, and told once."""

from typing import Any

import pytest

from ingest.contracts.policies import PolicyRecord
from ingest.frames import SkuRecord
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.state import RecentBreaches
from streams.domain.catalogue import Catalogue
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    T0,
    Story,
    lane,
    opening,
    policy,
    reading,
    reference,
    scan,
)

OPENS_MAX = 2
WINDOW_MS = 10_000
STEP_MS = 100


class Swinging:
    """A shop with a minimum of 10 that swings between 10 and 9, each swing a step long."""

    def __init__(self, **fields: Any) -> None:
        """Begin at 10, with a limit of two openings within ten seconds."""
        said = {
            "autonomy": "observe",
            "max_units": None,
            "flap_opens_max": OPENS_MAX,
            "flap_window_ms": WINDOW_MS,
            **fields,
        }
        self.story = Story().tell(policy(**said), opening(10))
        self._seq = 0

    def fall(self, after_ms: int = STEP_MS) -> None:
        """Sell one."""
        self._seq += 1
        self.story.tell(scan("sale", 1, seq=self._seq), after_ms=after_ms)

    def rise(self, units: int = 1, after_ms: int = STEP_MS) -> None:
        """Take one back."""
        self._seq += 1
        self.story.tell(scan("return", units, seq=self._seq), after_ms=after_ms)

    def swing(self, count: int) -> None:
        """Fall and rise, so many times."""
        for _ in range(count):
            self.fall()
            self.rise()

    def counts(self) -> tuple[int, int]:
        """Return how many breaches opened and cleared."""
        return len(self.story.events(BreachOpened)), len(self.story.events(BreachCleared))


def test_what_opens_too_often_is_held_until_it_has_stayed_clear() -> None:
    """Nine swings are three breaches; the third clears a window after the last swing."""
    shop = Swinging()
    shop.swing(9)
    assert shop.counts() == (3, 2)
    shop.story.wait(WINDOW_MS - 1)
    assert shop.counts() == (3, 2)
    shop.story.wait(1)
    assert shop.counts() == (3, 3)
    level = shop.story.level()
    assert (level.breaches, level.recent_breaches) == ((), ())
    assert len(shop.story.alerts(AlertRaised)) == len(shop.story.alerts(AlertEnded)) == 3


def test_it_is_said_once_that_a_breach_flaps() -> None:
    """In the event by its numbers, in the alert by its words; those before it say nothing."""
    shop = Swinging()
    shop.swing(9)
    *before, last = shop.story.events(BreachOpened)
    limits = {"flap_opens_max": OPENS_MAX, "flap_window_ms": WINDOW_MS}
    assert last.decided_from.items() >= limits.items()
    assert all("flap_opens_max" not in one.decided_from for one in before)
    texts = [
        (one.text[:8], "flap_opens_max" in one.facts) for one in shop.story.alerts(AlertRaised)
    ]
    assert texts == [("", False), ("", False), ("flapping", True)]


def test_each_crossing_begins_the_calm_anew() -> None:
    """Almost a window of calm, a crossing, and then a whole window."""
    shop = Swinging()
    shop.swing(3)
    shop.story.wait(WINDOW_MS - STEP_MS - 1)
    shop.swing(1)
    shop.story.wait(WINDOW_MS - 1)
    assert shop.counts() == (3, 2)
    shop.story.wait(1)
    assert shop.counts() == (3, 3)


def test_within_the_hysteresis_nothing_changes() -> None:
    """The calm begins above the hysteresis, and goes on below it as long as nothing is crossed."""
    shop = Swinging(hysteresis_units=2)
    shop.fall()
    for _ in range(2):
        shop.rise(3)
        for _ in range(3):
            shop.fall()
    assert shop.counts() == (3, 2)
    shop.rise(2)
    shop.story.wait(2 * WINDOW_MS)  # at 11 of 12: not calm yet
    assert shop.counts() == (3, 2)
    shop.rise()
    shop.fall()
    shop.story.wait(WINDOW_MS - STEP_MS)
    assert shop.counts() == (3, 3)


def test_openings_that_are_a_window_apart_do_not_count() -> None:
    """Two within the window are allowed, again and again."""
    shop = Swinging()
    for _ in range(4):
        shop.swing(2)
        shop.story.wait(WINDOW_MS)
    assert shop.counts() == (8, 8)


@pytest.mark.parametrize(("late_ms", "flaps"), [(WINDOW_MS - 1, True), (WINDOW_MS, False)])
def test_the_window_ends_after_its_last_millisecond(late_ms: int, flaps: bool) -> None:
    """An opening counts for less than a window."""
    shop = Swinging(flap_opens_max=1)
    shop.swing(1)
    shop.fall(after_ms=late_ms - STEP_MS)
    assert shop.story.level().breaches[0].flapping is flaps


def test_no_more_times_are_kept_than_the_limit_asks_for() -> None:
    """The state of a level does not grow with its breaches."""
    shop = Swinging()
    shop.swing(2)
    assert shop.story.level().recent_breaches == (
        RecentBreaches("low_stock", (T0 + STEP_MS, T0 + 3 * STEP_MS)),
    )
    shop.swing(50)
    [entry] = shop.story.level().recent_breaches
    assert len(entry.opened_at_ms) == OPENS_MAX


@pytest.mark.parametrize("off", [{"flap_opens_max": 0}, {"flap_window_ms": 0}])
def test_without_a_limit_nothing_is_kept_or_held(off: dict[str, int]) -> None:
    """Either 0 is off."""
    shop = Swinging(**off)
    shop.swing(5)
    assert shop.counts() == (5, 5)
    assert shop.story.level().recent_breaches == ()


@pytest.mark.parametrize("off", [{"flap_opens_max": 0}, {"flap_window_ms": 0}])
def test_a_held_breach_ends_with_its_limit(off: dict[str, int]) -> None:
    """A calm one clears with the load that takes the limit away; nothing of it is kept."""
    shop = Swinging()
    shop.swing(3)
    shop.story.tell(
        policy(
            autonomy="observe",
            max_units=None,
            **{"flap_opens_max": OPENS_MAX, "flap_window_ms": WINDOW_MS, **off},
        )
    )
    assert shop.counts() == (3, 3)
    assert shop.story.level().recent_breaches == ()


def test_kinds_are_counted_apart() -> None:
    """Low stock that flaps holds no stockout."""
    shop = Swinging()
    shop.swing(4)
    for _ in range(9):
        shop.fall()
    assert [one.kind for one in shop.story.events(BreachOpened)] == ["low_stock"] * 3
    shop.fall()
    shop.rise()
    kinds = [one.kind for one in shop.story.events(BreachCleared)]
    assert kinds == ["low_stock", "low_stock", "stockout"]
    assert {b.kind: b.flapping for b in shop.story.level().breaches} == {"low_stock": True}


def test_a_dwell_opens_and_the_limit_holds() -> None:
    """A crossing shorter than the dwell opens nothing, yet it ends the calm of what is held."""
    shop = Swinging(dwell_ms=50)
    for _ in range(3):
        shop.fall()
        shop.story.wait(50)
        shop.rise()
    assert shop.counts() == (3, 2)
    shop.story.wait(WINDOW_MS - STEP_MS)
    shop.fall(after_ms=0)
    shop.rise(after_ms=1)
    shop.story.wait(WINDOW_MS - 1)
    assert shop.counts() == (3, 2)
    shop.story.wait(1)
    assert shop.counts() == (3, 3)


def test_what_nobody_sees_is_not_calm() -> None:
    """A blind shelf ends the calm; it begins anew with what is seen afterwards."""
    story = Story().tell(
        policy(
            autonomy="observe",
            max_units=None,
            lead_witness="shelf",
            blind_after_ms=4_000,
            flap_opens_max=1,
            flap_window_ms=5_000,
        ),
        opening(10),
    )
    for number, units in enumerate((10, 9, 10, 9, 10)):
        story.tell(reading(units, at_ms=T0 + number), after_ms=STEP_MS)
    assert story.level().breaches[0].calm_since_ms == story.now_ms
    story.wait(4_001)
    assert story.level().breaches[0].calm_since_ms == 0
    story.wait(5_000)
    story.tell(reading(10, at_ms=T0 + 9), after_ms=STEP_MS)
    story.tell(reading(10, at_ms=T0 + 10), after_ms=3_000)
    assert len(story.events(BreachCleared)) == 1
    story.wait(2_000)
    assert len(story.events(BreachCleared)) == 2


@pytest.mark.parametrize("wait_ms", [1, 333, 1_000, 7_000])
def test_a_restore_changes_nothing(wait_ms: int) -> None:
    """A held breach is looked at again when its window is over, by a fold that was restored too."""
    plain, other = Swinging(), Swinging()
    plain.swing(3)
    other.swing(2)
    other.story.restore()
    other.swing(1)
    other.story.restore()
    other.story.wait(wait_ms)
    plain.story.wait(wait_ms)
    other.story.restore()
    for story in (plain.story, other.story):
        story.wait(WINDOW_MS - wait_ms - 1)
        assert len(story.events(BreachCleared)) == 2
        story.wait(1)
        assert len(story.events(BreachCleared)) == 3
    assert other.story.state == plain.story.state
    assert other.story.said() == plain.story.said()


def test_the_answer_to_a_held_shortage_stands() -> None:
    """Its proposal is not taken back and made again at each swing, only at the end."""
    shop = Swinging(autonomy="suggest", flap_opens_max=1)
    shop.story.tell(lane(DONOR), opening(60, site=DONOR))
    shop.swing(6)
    assert [one.state for one in shop.story.transfers()] == ["expired", "proposed"]
    shop.story.wait(WINDOW_MS)
    assert [one.state for one in shop.story.transfers()] == ["expired", "expired"]


def test_the_narrower_scope_wins_setting_by_setting() -> None:
    """Network, site, category, SKU, SKU-site, as of every setting of a policy."""
    catalogue = Catalogue()
    record = SkuRecord(SKU, category="dairy")
    found = []
    for number, scope in enumerate(("network", "site", "category", "sku", "sku_site"), 1):
        said = PolicyRecord(scope, SHOP, "dairy", SKU, flap_opens_max=number)  # type: ignore[arg-type]
        catalogue.set(said, removed=False)
        rules = catalogue.resolve(SKU, SHOP, record)
        found.append((rules.flap_opens_max, rules.flap_window_ms))
    assert found == [(number, 0) for number in range(1, 6)]


def test_a_limit_of_one_article_holds_there_only() -> None:
    """The level of another article opens and clears as ever."""
    shop = Swinging(flap_opens_max=0)
    shop.story.tell(reference(PolicyRecord("sku", sku="tea", flap_opens_max=1)))
    shop.swing(4)
    assert shop.counts() == (4, 4)
