"""Shoppers: who wants what, where and when. Pure; all chance comes from one generator."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from ingest.contracts.durations import SECOND_MS
from simulators.network import Article

if TYPE_CHECKING:
    from random import Random

RETURN_SHARE: Final = 0.01
WASTE_SHARE: Final = 0.005
BASKET_UNITS: Final = (1, 1, 1, 1, 2, 2, 3)


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody at a site wants, brings back, or breaks so many units."""

    at_ms: int
    site: str
    sku: str
    action: str
    """`sale`, `return` or `waste`."""
    units: int


class Shoppers:
    """A Poisson stream of wishes: shops alike, articles by their eagerness."""

    def __init__(
        self,
        shops: Sequence[str],
        articles: Sequence[Article],
        *,
        wishes_per_s: float,
        rng: "Random",
    ) -> None:
        """Take how many wishes a second (of the world's time) the whole network has."""
        self._shops = list(shops)
        self._skus = [article.sku for article in articles]
        self._weights = list(accumulate(article.eagerness for article in articles))
        self._wishes_per_s = wishes_per_s
        self._rng = rng
        self._next_at_ms: float | None = None

    def wishes(self, from_ms: int, to_ms: int) -> list[Wish]:
        """Return the wishes after `from_ms`, up to and including `to_ms`, in order of time."""
        if self._wishes_per_s <= 0:
            return []
        if self._next_at_ms is None:
            self._next_at_ms = from_ms + self._pause_ms()
        found = []
        while self._next_at_ms <= to_ms:
            found.append(self._wish(int(self._next_at_ms)))
            self._next_at_ms += self._pause_ms()
        return found

    def rest(self) -> None:
        """Forget when the next one comes: the next stream begins where it is asked for."""
        self._next_at_ms = None

    def _pause_ms(self) -> float:
        return self._rng.expovariate(self._wishes_per_s) * SECOND_MS

    def _wish(self, at_ms: int) -> Wish:
        rng = self._rng
        shop = self._shops[rng.randrange(len(self._shops))]
        sku = rng.choices(self._skus, cum_weights=self._weights)[0]
        units = BASKET_UNITS[rng.randrange(len(BASKET_UNITS))]
        draw = rng.random()
        if draw < RETURN_SHARE:
            return Wish(at_ms, shop, sku, "return", 1)
        if draw < RETURN_SHARE + WASTE_SHARE:
            return Wish(at_ms, shop, sku, "waste", 1)
        return Wish(at_ms, shop, sku, "sale", units)
