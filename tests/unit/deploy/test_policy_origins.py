"""Which policy gave a rule under which catalogue load, found from the catalog topic alone."""

from deploy.catalog_audit import AUDIT, CHANGES_AUDITED_MAX
from deploy.explained_policies import relied_on
from deploy.policy_origins import PolicyHistory, Relied
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import CatalogFile, Sku, entity_kind
from tests.unit.deploy.policy_loads import loaded, policy_history

MILK = Sku(sku="milk", category="dairy", pack_units=4)
NETWORK = Policy(scope="network", min_units=1, max_units=50, autonomy="suggest", expedite=True)
SITE = Policy(scope="site", site="shop-1", min_units=2, dwell_ms=60_000)
CATEGORY = Policy(scope="category", category="dairy", min_units=3, hold_back_units=7)
ARTICLE = Policy(scope="sku", sku="milk", min_units=4, multiple_units=6)
LEVEL = Policy(scope="sku_site", sku="milk", site="shop-1", min_units=5)
ALL = (NETWORK, SITE, CATEGORY, ARTICLE, LEVEL)


def _told(history: PolicyHistory, version: int, *fields: str) -> list[str]:
    return history.lines(Relied(version, "milk", "shop-1", fields))


def test_the_narrowest_level_that_speaks_gives_a_rule() -> None:
    """Each field by itself: widest first, and what no policy says is told with its default."""
    history = PolicyHistory(loaded(CatalogFile(skus=(MILK,), policies=ALL)))
    fields = ("min_units", "max_units", "dwell_ms", "hold_back_units", "multiple_units")
    assert _told(history, 1, *fields, "expedite", "capacity_units") == [
        "rules of milk at shop-1, catalogue load 1:",
        "  network: max_units 50, expedite yes",
        "  site shop-1: dwell_ms 60000",
        "  category dairy: hold_back_units 7",
        "  sku milk: multiple_units 6",
        "  sku_site shop-1 milk: min_units 5",
        "  said by no policy: capacity_units none",
    ]
    for count, given in enumerate(("network", "site shop-1", "category dairy", "sku milk"), 1):
        wider = PolicyHistory(loaded(CatalogFile(skus=(MILK,), policies=ALL[:count])))
        assert _told(wider, 1, "min_units")[1] == f"  {given}: min_units {count}"


def test_the_pack_of_an_article_stands_in_where_no_policy_says() -> None:
    """As in the fold: what is moved is whole packs."""
    history = PolicyHistory(loaded(CatalogFile(skus=(MILK,))))
    assert _told(history, 1, "multiple_units")[1] == (
        "  said by no policy: multiple_units 4 (the article's pack)"
    )


def test_an_earlier_load_is_told_as_it_was() -> None:
    """Whatever was changed, added, removed or put into another category since."""
    first = CatalogFile(skus=(MILK,), policies=(NETWORK, CATEGORY))
    moved = MILK.model_copy(update={"category": "drinks", "pack_units": 8})
    raised = NETWORK.model_copy(update={"min_units": 9, "dwell_ms": 5, "max_units": None})
    second = CatalogFile(skus=(moved,), policies=(raised, LEVEL))
    third = CatalogFile(skus=(moved,), policies=(raised,))
    history = PolicyHistory(loaded(first, second, third))
    fields = ("min_units", "max_units", "dwell_ms", "multiple_units")
    assert _told(history, 1, *fields) == [
        "rules of milk at shop-1, catalogue load 1:",
        "  network: max_units 50",
        "  category dairy: min_units 3",
        "  said by no policy: dwell_ms 0, multiple_units 4 (the article's pack)",
    ]
    assert _told(history, 2, *fields)[1:] == [
        "  network: dwell_ms 5",
        "  sku_site shop-1 milk: min_units 5",
        "  said by no policy: max_units none, multiple_units 8 (the article's pack)",
    ]
    assert _told(history, 3, *fields)[1] == "  network: min_units 9, dwell_ms 5"


def test_what_is_not_written_down_is_not_guessed() -> None:
    """A later load that left no audit, or a part of one: the rules of now, and it is said."""
    first = CatalogFile(policies=(NETWORK,))
    second = CatalogFile(policies=(NETWORK.model_copy(update={"min_units": 9}),))
    records = loaded(first, second)
    lost = [one for one in records if entity_kind(one[0]) != AUDIT]
    assert _told(PolicyHistory(lost), 1, "min_units") == [
        (
            "rules of milk at shop-1 as load 2 has them, for not all that load 2 changed is"
            " written down:"
        ),
        "  network: min_units 9",
    ]
    many = tuple(Policy(scope="sku", sku=f"s{n}") for n in range(CHANGES_AUDITED_MAX))
    more = CatalogFile(policies=(second.policies[0], *many))
    assert "as load 2 has them" in _told(PolicyHistory(loaded(first, more)), 1, "min_units")[0]
    assert "as load" not in _told(PolicyHistory(loaded(first, more)), 2, "min_units")[0]


def test_a_load_that_nobody_knows_is_said() -> None:
    """Of an event from before it was recorded, or of another catalogue."""
    history = policy_history()
    unknown = "rules of milk at shop-1: under which catalogue load is not recorded"
    assert _told(history, 0, "min_units") == [unknown]
    gone = "rules of milk at shop-1: load 2 is not in the catalogue"
    assert _told(history, 2, "min_units") == [gone]


def test_nothing_is_relied_on_without_events() -> None:
    """A shipment has none."""
    assert relied_on([]) == []
