"""The network that is simulated: sites, articles, lanes, shelf channels, opening stock. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ingest.contracts.durations import MINUTE_MS

if TYPE_CHECKING:
    from random import Random

DONOR_SHARE: Final = 6
"""One in so many shops is large and has stock to give away."""
WATCHED_SHARE: Final = 4
"""One in so many articles is watched by a shelf sensor, the best sellers first."""
TARE_G: Final = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """An article and how eagerly it is bought."""

    sku: str
    name: str
    category: str
    gtin: str
    unit_weight_mg: int
    unit_cost_minor: int
    eagerness: float
    """Share in all purchases, unscaled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfChannel:
    """A load cell under one article's place at one site."""

    site: str
    sku: str
    source: str
    channel: str
    unit_weight_mg: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Everything that does not change while the world runs."""

    shops: tuple[str, ...]
    donors: tuple[str, ...]
    """The large shops among `shops`."""
    warehouse: str
    """Everybody's parent site; sells nothing. Empty where there is none."""
    articles: tuple[Article, ...]
    lanes: Mapping[tuple[str, str], int]
    """Lead time in milliseconds by (from, to)."""
    channels: tuple[ShelfChannel, ...] = ()
    opening: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Units by (site, SKU)."""

    @property
    def sites(self) -> tuple[str, ...]:
        """All shops, then the warehouse."""
        return (*self.shops, self.warehouse) if self.warehouse else self.shops


def scanner_of(site: str) -> str:
    """Return the source of a site's scanner gateway."""
    return f"gateway-{site}"


def shelf_of(site: str) -> str:
    """Return the source of a site's shelf device."""
    return f"shelf-{site}"


def gtin13_of(number: int) -> str:
    """Return an EAN-13 of the range kept for use inside a company, with its check digit."""
    digits = f"20{number:010d}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"


def network_made(site_count: int, sku_count: int, rng: "Random") -> Network:
    """Return a made-up network; the same arguments and generator state give the same one.

    Args:
        site_count: Sites in all, the warehouse among them; at least 2.
        sku_count: Articles; at least 1.
        rng: Draws weights, costs, lead times and opening stock.

    Raises:
        ValueError: Too few sites or articles.
    """
    if site_count < 2 or sku_count < 1:  # noqa: PLR2004 - a shop and the warehouse
        raise ValueError("a network needs at least 2 sites and 1 article")
    shops = tuple(f"shop-{number:02d}" for number in range(1, site_count))
    donors = shops[::DONOR_SHARE]
    articles = tuple(_article(number, rng) for number in range(1, sku_count + 1))
    watched = articles[: max(1, sku_count // WATCHED_SHARE)]
    return Network(
        shops=shops,
        donors=donors,
        warehouse="warehouse",
        articles=articles,
        lanes={
            (donor, shop): rng.randrange(5, 20) * MINUTE_MS
            for donor in donors
            for shop in shops
            if donor != shop
        },
        channels=tuple(_channel(site, article) for site in shops for article in watched),
        opening=_opening(shops, donors, articles, rng),
    )


def _article(number: int, rng: "Random") -> Article:
    category = ("drinks", "snacks", "dairy", "bakery", "household")[number % 5]
    return Article(
        sku=f"SKU-{number:04d}",
        name=f"{category.capitalize()} {number}",
        category=category,
        gtin=gtin13_of(number),
        unit_weight_mg=rng.randrange(80, 1_500) * 1_000,
        unit_cost_minor=rng.randrange(50, 2_000),
        eagerness=1.0 / (number + 5),
    )


def _channel(site: str, article: Article) -> ShelfChannel:
    return ShelfChannel(
        site=site,
        sku=article.sku,
        source=shelf_of(site),
        channel=f"cell-{article.sku}",
        unit_weight_mg=article.unit_weight_mg,
    )


def _opening(
    shops: tuple[str, ...], donors: tuple[str, ...], articles: tuple[Article, ...], rng: "Random"
) -> dict[tuple[str, str], int]:
    opening: dict[tuple[str, str], int] = {}
    for article in articles:
        for shop in shops:
            large = shop in donors
            opening[shop, article.sku] = rng.randrange(60, 120) if large else rng.randrange(5, 24)
        opening["warehouse", article.sku] = rng.randrange(200, 400)
    return opening
