"""Properties of stock that is moved ahead of promotions."""

from collections import Counter
from typing import Final, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.demand import PromotionRecord
from ingest.contracts.durations import DAY_MS
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.supply import LaneRecord
from ingest.frames import SkuRecord
from streams.contracts.demand import PROMOTION_NEED
from streams.contracts.events import BreachCleared, BreachOpened, NeedChanged
from streams.contracts.state import TRANSFER_OPEN
from streams.domain.sensing import is_unknown
from tests.property.fold_scripts import (
    LONG_PACE_MS,
    STEPS_MAX,
    Step,
    long_scripts,
    run,
    script_of,
    scripts,
)
from tests.unit.streams.builders import SKU, Story, opening, reference, scan
from tests.unit.streams.demand_story import START_MS

SITES: Final = ("s1", "s2", "s3")


def test_scripts_foresee_promotions() -> None:
    """The scripts of the properties do what they are about: open, answer both ways, clear."""
    happened: Counter[str] = Counter()
    for seed in range(40):
        story = run(script_of(seed, STEPS_MAX, pace_ms=LONG_PACE_MS))
        opened = Counter(event.kind for event in story.events(BreachOpened))
        cleared = Counter(event.kind for event in story.events(BreachCleared))
        happened["opened"] += opened["promotion_shortage"]
        happened["cleared"] += cleared["promotion_shortage"]
        happened["moved"] += sum(bool(one.promotion) for one in story.transfers())
        asked = {one.need.need_id for one in story.events(NeedChanged) if one.need.promotion}
        happened["asked"] += len(asked)
    assert min(happened[name] for name in ("opened", "cleared", "moved", "asked")) >= 5


@given(st.one_of(scripts(), long_scripts()))
def test_nothing_is_kept_for_a_promotion_that_is_not_ahead(script: list[Step]) -> None:
    """After each input: records look ahead; breach and requests are of the present promotion."""

    def check(story: Story, _number: int) -> None:
        story.drain()
        store = story.fold._store
        for level in story.levels():
            place = (level.sku, level.site)
            rules = store.rules(*place)
            record = store.promotion_needs.get(place)
            if record is None:
                assert rules.promoted_units is None
            else:
                assert rules.promotion_lead_ms > 0
                assert record.due_ms > story.now_ms
                assert 0 <= record.needed_units <= record.aimed_units
            if rules.promoted_units is None and not is_unknown(level, rules):
                kinds = {breach.kind for breach in level.breaches}
                assert "promotion_shortage" not in kinds
            if is_unknown(level, rules):
                continue
            for need in story.needs():
                if need.state == "open" and (need.sku, need.site) == place and need.promotion:
                    assert need.promotion == rules.promotion
                    assert need.need_by_ms == rules.promotion_begins_ms

    run(script, check)


class World(NamedTuple):
    """Three sites that sell as foreseen, and a promotion."""

    sold: list[int]
    """Units a day at each site."""
    stocks: list[int]
    site: str
    days: int
    planned: int
    lead_days: int


WORLDS: Final = st.builds(
    World,
    st.lists(st.integers(0, 9), min_size=3, max_size=3),
    st.lists(st.integers(150, 900), min_size=3, max_size=3),
    st.sampled_from(("", *SITES)),
    st.integers(1, 4),
    st.sampled_from((0, 40, 200)),
    st.integers(0, 4),
)


@given(WORLDS)
def test_goods_for_a_promotion_go_one_way(world: World) -> None:
    """Sold as foreseen, no site gives for a promotion and gets for it, before or after."""
    sold, stocks, site, days, planned, lead_days = world
    story = _world(stocks, lead_days)
    seq = 0
    begins_ms = START_MS + 21 * DAY_MS
    until_ms = begins_ms + days * DAY_MS
    span = days * DAY_MS
    sale = PromotionRecord(
        "sale", begins_ms, begins_ms + span, 3_000, site=site, planned_units=planned
    )
    for day in range(28):
        if day == 16:
            story.tell(reference(sale))
        story.wait(DAY_MS // 2)
        for place, units in zip(SITES, sold, strict=True):
            here = begins_ms <= story.now_ms < until_ms and site in {"", place}
            today = (planned // days if planned else 3 * units) if here else units
            seq += 1
            if today:
                story.tell(scan("sale", today, seq=seq, site=place, observed_at_ms=story.now_ms))
        seq = _delivered(story, seq)
        story.wait(START_MS + (day + 1) * DAY_MS - story.now_ms)
        seq = _delivered(story, seq)
    moved = [one for one in story.transfers() if one.promotion]
    assert not {one.from_site for one in moved} & {one.to_site for one in moved}
    assert not [raw for raw in story.state if raw.startswith(PROMOTION_NEED.encode())]


def _world(stocks: list[int], lead_days: int) -> Story:
    story = Story()
    story.now_ms = START_MS
    policy = PolicyRecord(
        scope="network",
        min_units=0,
        max_units=10_000,
        autonomy="auto",
        promotion_lead_ms=max(1, lead_days * DAY_MS),
    )
    return story.tell(
        reference(SkuRecord(SKU, unit_cost_minor=100)),
        reference(policy),
        *(
            reference(LaneRecord(start, end, DAY_MS, 100))
            for start in SITES
            for end in SITES
            if start != end
        ),
        *(opening(units, site=site) for site, units in zip(SITES, stocks, strict=True)),
    )


def _delivered(story: Story, seq: int) -> int:
    """Let all that was approved leave and arrive; return the newest scan's number."""
    for one in story.transfers():
        if one.state not in TRANSFER_OPEN:
            continue
        name, units = one.transfer_id, one.quantity_units
        story.tell(
            scan("dispatch", units, seq=seq + 1, site=one.from_site, transfer_id=name),
            scan("arrive", units, seq=seq + 1, site=one.to_site, transfer_id=name),
        )
        seq += 1
    return seq
