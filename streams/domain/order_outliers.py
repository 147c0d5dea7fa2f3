"""Order lines far beyond what customers usually order: told, and held back where a policy says so.

Usual is the exponentially weighted mean of what lines asked for at a level, and its deviation by
the squared error of each line: of constant size, and learned only where a policy judges by it. A
line teaches no more than what it is judged by, so that one absurd line does not become usual, while
sizes that really grow are followed step by step (winsorised: Tukey, Annals of Mathematical
Statistics 33, 1962). A breach is of one line; it ends with the line, or when a person accepts it.
"""

from math import sqrt
from typing import Final

from streams.contracts.alerts import AlertRaised
from streams.contracts.demand import OrderSizes
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.orders import OrderLine, Outlier
from streams.domain.arithmetic import MILLI
from streams.domain.catalogue import Rules
from streams.domain.demand import learned_moments
from streams.domain.positions import with_coming
from streams.domain.sensing import available_units
from streams.domain.store import Store

LINES_LEARNED_MIN: Final = 20
"""Lines before the deviation of sizes says anything."""
SIZE_WEIGHT: Final = 0.05


def limit_units(sizes: OrderSizes | None, rules: Rules) -> int:
    """Return the most that a line may ask for without being an outlier; 0 while there is none.

    `mean + deviations * deviation`, with no less deviation than Poisson's, and at most the policy's
    own maximum.
    """
    most_units = rules.order_line_units_max
    deviations = rules.order_outlier_deviations
    if not deviations or sizes is None or sizes.lines < LINES_LEARNED_MIN:
        return most_units
    learned_units = int(sizes.mean + deviations * deviation(sizes))
    return min(learned_units, most_units) if most_units else learned_units


def deviation(sizes: OrderSizes) -> float:
    """Return the deviation of sizes: lines that were all alike show too little of it."""
    return sqrt(max(sizes.variance, sizes.mean))


def judge(store: Store, line: OrderLine, rules: Rules) -> None:
    """Open a breach where a new line is an outlier, then learn what it asks for."""
    sizes = store.order_sizes.get((line.sku, line.site))
    limit = limit_units(sizes, rules)
    if 0 < limit < line.quantity_units:
        _open(store, line, rules, sizes or OrderSizes(), limit)
    learn(store, line, rules)


def learn(store: Store, line: OrderLine, rules: Rules) -> None:
    """Learn what a line asks for, once; where no policy judges by it, nothing is kept."""
    if not rules.order_outlier_deviations:
        return
    place = (line.sku, line.site)
    sizes = store.order_sizes.get(place) or OrderSizes()
    limit = limit_units(sizes, rules)
    units = min(line.quantity_units, limit) if limit else line.quantity_units
    sizes.lines += 1
    sizes.mean, sizes.variance = learned_moments(
        sizes.mean, sizes.variance, units, sizes.lines, weights=(SIZE_WEIGHT, SIZE_WEIGHT)
    )
    store.order_sizes.put(place, sizes)


def clear(store: Store, line: OrderLine) -> None:
    """End what was told of a line that ends, or that a person accepts."""
    outlier = line.outlier
    if outlier is None:
        return
    line.outlier = None
    level = store.level(line.sku, line.site)
    store.outbox.clear_breach(
        BreachCleared(
            breach_id=outlier.breach_id,
            sku=line.sku,
            site=line.site,
            kind="order_outlier",
            at_ms=store.now_ms,
            opened_at_ms=outlier.opened_at_ms,
            available_units=available_units(level, store.rules(line.sku, line.site)),
            threshold_units=outlier.limit_units,
            reference_version=store.clock.reference_version,
        )
    )


def follow_policy(store: Store, sku: str, site: str) -> None:
    """Forget the sizes of a level whose policy no longer judges by them; what was told stays."""
    if not store.rules(sku, site).order_outlier_deviations:
        store.order_sizes.remove((sku, site))


def _open(store: Store, line: OrderLine, rules: Rules, sizes: OrderSizes, limit: int) -> None:
    breach_id = store.next_id("breach", line.sku)
    line.outlier = Outlier(breach_id, store.now_ms, limit)
    level = store.level(line.sku, line.site)
    available = available_units(level, rules)
    numbers = _numbers(line, rules, sizes, limit)
    store.outbox.events.append(
        BreachOpened(
            breach_id=breach_id,
            sku=line.sku,
            site=line.site,
            kind="order_outlier",
            at_ms=store.now_ms,
            since_ms=store.now_ms,
            available_units=available,
            position_units=with_coming(level, available),
            threshold_units=limit,
            decided_from={**numbers, "reference_version": store.clock.reference_version},
            cause=f"{line.order_id}/{line.line}",
        )
    )
    raised = AlertRaised(
        alert_key=breach_id,
        kind="order_outlier",
        site=line.site,
        sku=line.sku,
        severity="warning",
        at_ms=store.now_ms,
        facts=numbers,
        text=f"order {line.order_id}, line {line.line}, asks for {line.quantity_units}",
    )
    store.outbox.alert(line.site, raised)


def _numbers(line: OrderLine, rules: Rules, sizes: OrderSizes, limit: int) -> dict[str, int]:
    """Return what the breach was decided from; `_milli` is thousandths of a unit."""
    numbers = {
        "quantity_units": line.quantity_units,
        "threshold_units": limit,
        "order_line_units_max": rules.order_line_units_max,
    }
    if rules.order_outlier_deviations:
        numbers |= {
            "usual_milli": round(sizes.mean * MILLI),
            "deviation_milli": round(deviation(sizes) * MILLI),
            "order_outlier_deviations": rules.order_outlier_deviations,
            "lines_learned": sizes.lines,
        }
    return numbers
