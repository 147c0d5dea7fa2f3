"""Rules: matching, repeats, words."""

from alerting import rules
from alerting.life import new_alert
from tests.unit.alerting.story import raised, rule


def test_an_empty_list_matches_everything_and_a_removed_rule_nothing() -> None:
    """Kinds and sites narrow; the least severity is included."""
    alert = new_alert(raised())
    assert rules.matches(rule(), alert)
    assert rules.matches(rule(severity_min="warning"), alert)
    assert not rules.matches(rule(severity_min="critical"), alert)
    assert not rules.matches(rule(sites=["rome"]), alert)
    assert not rules.matches(rule(kinds=["stockout"]), alert)
    assert not rules.matches(rule(removed=True), alert)


def test_a_repeat_is_never_faster_than_the_limit() -> None:
    """A rule that asks for a repeat a millisecond gets one in ten seconds."""
    assert rules.repeat_ms(rule(repeat_ms=1)) == rules.REPEAT_MS_MIN
    assert rules.repeat_ms(rule(repeat_ms=0)) == 0


def test_the_next_repeat_is_the_next_whole_interval_of_any_rule() -> None:
    """Intervals count from the beginning of the alert; no rule, no repeat."""
    alert = new_alert(raised(1_000))
    both = [rule("a", repeat_ms=60_000), rule("b", repeat_ms=25_000)]
    assert rules.next_repeat_at_ms(both, alert, 1_000) == 26_000
    assert rules.next_repeat_at_ms(both, alert, 60_000) == 61_000
    assert rules.next_repeat_at_ms([rule()], alert, 60_000) == 0


def test_words_name_what_and_where_and_the_numbers() -> None:
    """The title is one line; the body falls back to it."""
    alert = new_alert(raised(text="Milk is low"))
    assert rules.title(alert) == "Warning: Low stock: milk at berlin"
    assert rules.body(alert) == "Milk is low\navailable 3, threshold 5"
    silent = new_alert(raised(kind="device_silent", sku="", facts={}, severity="critical"))
    assert rules.title(silent) == "Critical: Device silent at berlin"
    assert rules.body(silent) == rules.title(silent)
    unknown = new_alert(raised(kind="cold_chain"))
    assert rules.title(unknown) == "Warning: Cold chain: milk at berlin"
