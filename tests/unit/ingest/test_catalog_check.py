"""A catalogue as a whole: names exist, GTINs are right, limits fit where scopes meet."""

import pytest

from ingest.contracts.errors import CatalogError
from tests.unit.ingest.catalog_samples import NETWORK, catalog_of

BASE = "sites: [{site: A}, {site: B}]\nskus: [{sku: X, pack_units: 6, category: c}]\n"


def told(text: str) -> str:
    """Return the refusal of a catalogue."""
    with pytest.raises(CatalogError) as caught:
        catalog_of(text)
    return str(caught.value)


def test_the_sample_is_valid() -> None:
    """The catalogue that the other cases break is itself whole."""
    assert len(catalog_of(NETWORK).skus) == 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("lanes: [{from_site: A, to_site: Q, lead_time_ms: 1}]", "there is no site Q"),
        ("lanes: [{from_site: A, to_site: A, lead_time_ms: 1}]", "to itself"),
        ("devices: [{device: d, site: Q}]", "there is no site Q"),
        (
            "devices: [{device: d, site: A, channels: [{channel: a, sku: Q}]}]",
            "there is no SKU Q",
        ),
        (
            "devices: [{device: d, site: A, channels: [{channel: a}, {channel: a}]}]",
            "twice from the same time",
        ),
        (
            "devices: [{device: d, site: A, kind: scale, channels: [{channel: a, sku: X}]}]",
            "a scale needs the unit_weight_mg",
        ),
        (
            "devices: [{device: d, site: A, kind: distance, channels: [{channel: a, sku: X}]}]",
            "needs span_mm",
        ),
        ("policies: [{scope: sku, sku: Q}]", "there is no SKU Q"),
        ("policies: [{scope: category, category: q}]", "there is no category q"),
        ("policies: [{scope: sku_site, sku: X, site: Q}]", "there is no site Q"),
        ("policies: [{scope: sku, site: A}]", "scope sku names sku"),
        ("policies: [{scope: network}, {scope: network}]", "policy network is there twice"),
        ("policies: [{scope: network, min_units: 9, max_units: 8}]", "min_units 9 is above"),
        ("policies: [{scope: network, max_units: 5}]", "below one pack (6) of SKU X"),
        (
            "policies: [{scope: network, reorder_units_min: 9, reorder_units_max: 8}]",
            "reorder_units_min 9 is above reorder_units_max 8",
        ),
        ("policies: [{scope: network, capacity_units: 5}]", "capacity_units 5 is below one pack"),
        ("policies: [{scope: network, thresholds: learned}]", "should be 'fixed' or 'computed'"),
        ("policies: [{scope: network, service_level_permille: 1000}]", "less than or equal to 999"),
        (
            (
                "promotions: [{promotion: p, sku: Q, valid_from_ms: 1, valid_until_ms: 2,"
                " uplift_permille: 1}]"
            ),
            "there is no SKU Q",
        ),
        (
            "promotions: [{promotion: p, valid_from_ms: 2, valid_until_ms: 2, uplift_permille: 1}]",
            "valid_until is not after valid_from",
        ),
        ("rules: [{rule: r, channels: [q]}]", "there is no channel q"),
        ("rules: [{rule: r, channels: []}]", "at least 1 item"),
        ("channels: [{channel: c, url_variable: 'https://secret'}]", "environment variable"),
    ],
)
def test_what_does_not_fit_is_refused(more: str, words: str) -> None:
    """Each broken reference or rule is told in words."""
    assert words in told(f"{BASE}{more}\n")


@pytest.mark.parametrize(
    ("sites", "words"),
    [
        ("[{site: A, parent_site: Q}]", "there is no site Q"),
        ("[{site: A, parent_site: A}]", "site A would replenish from itself"),
        ("[{site: A, parent_site: B}, {site: B, parent_site: A}]", "replenish from itself"),
        ("[{site: A}, {site: A}]", "site A is there twice"),
        ("[{site: a/b}]", "should be a name without /, +, #"),
    ],
)
def test_sites_form_a_tree(sites: str, words: str) -> None:
    """Parents exist and never lead back."""
    assert words in told(f"sites: {sites}\n")


@pytest.mark.parametrize(
    ("skus", "words"),
    [
        ("[{sku: X, gtins: [{gtin: 4006381333932}]}]", "check digit of GTIN 4006381333932"),
        (
            "[{sku: X, gtins: [{gtin: 4006381333931}]}, {sku: Y, gtins: [{gtin: 04006381333931}]}]",
            "names SKU X already",
        ),
        (
            "[{sku: X, quantity_units_max: 5, gtins: [{gtin: 4006381333931, units: 6}]}]",
            "above the SKU's quantity_units_max",
        ),
        ("[{sku: X, supplier: q}]", "there is no supplier q"),
        ("[{sku: X, pack_units: 0}]", "greater than or equal to 1"),
    ],
)
def test_articles_are_checked(skus: str, words: str) -> None:
    """A GTIN has a right check digit and names one article, in whatever length it is written."""
    assert words in told(f"sites: [{{site: A}}]\nskus: {skus}\n")


def test_limits_are_checked_where_scopes_meet() -> None:
    """A site's maximum under an article's minimum is refused at that site, told once."""
    policies = (
        "policies:\n  - {scope: network, min_units: 1, max_units: 50}\n"
        "  - {scope: site, site: A, max_units: 10}\n  - {scope: sku, sku: X, min_units: 20}\n"
    )
    refused = told(BASE + policies).splitlines()
    expected = "policies[2].min_units: min_units 20 is above max_units 10 for SKU X at A"
    assert [line.partition(": ")[2] for line in refused] == [expected]
    catalog_of(BASE + policies + "  - {scope: sku_site, sku: X, site: A, max_units: 60}\n")


def test_floors_and_rooms_are_checked_where_scopes_meet() -> None:
    """An article's floor above a site's room is refused with file and line, at that site."""
    policies = (
        "policies:\n  - {scope: site, site: A, capacity_units: 10}\n"
        "  - {scope: sku, sku: X, reorder_units_min: 20}\n"
    )
    expected = (
        "catalog.yaml:5: policies[1].reorder_units_min: reorder_units_min 20 is above"
        " capacity_units 10 for SKU X at A"
    )
    assert told(BASE + policies) == expected


def test_a_promotion_says_its_dates_with_a_zone() -> None:
    """`valid_from` and `valid_until` are dates; its durations and names are those of a policy."""
    text = (
        "promotions:\n  - {promotion: p, category: c, uplift_permille: 1500,"
        " valid_from: 2026-03-01T00:00:00Z, valid_until: 2026-03-02T00:00:00Z}\n"
    )
    (promotion,) = catalog_of(BASE + text).promotions
    assert promotion.valid_until_ms - promotion.valid_from_ms == 86_400_000
    assert "says no time zone" in told(BASE + text.replace("02T00:00:00Z", "02"))
