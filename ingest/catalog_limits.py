"""Floors and caps of stock as they come out at each SKU and site, once scopes are laid over. Pure.

A minimum of one scope can meet a maximum of another, so they are checked where they meet; each
pair of policies is told once.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from ingest.catalog_faults import Fault
from ingest.contracts.policy_reference import POLICY_ORDERED, Policy
from ingest.contracts.reference import CatalogFile, Sku

_Found: TypeAlias = tuple[int, int]
"""A value and the number of the policy that gives it."""

_ANYWHERE: Final = ""


def limit_faults(catalog: CatalogFile) -> list[Fault]:
    """Return the policies with a floor above the cap it meets, or a cap below a pack."""
    limits = _Limits(catalog)
    told: dict[tuple[str, int, int], Fault] = {}
    for sku in catalog.skus:
        for site in limits.sites(sku):
            for fault_key, fault in limits.faults(sku, site):
                told.setdefault(fault_key, fault)
    return list(told.values())


class _Limits:
    def __init__(self, catalog: CatalogFile) -> None:
        self._by_scope: dict[tuple[str, str, str, str], tuple[int, Policy]] = {}
        self._sites: set[str] = {_ANYWHERE}
        self._sku_sites: dict[str, set[str]] = {}
        for number, policy in enumerate(catalog.policies):
            name = (policy.scope, policy.site, policy.category, policy.sku)
            self._by_scope[name] = (number, policy)
            if policy.scope == "site":
                self._sites.add(policy.site)
            elif policy.scope == "sku_site":
                self._sku_sites.setdefault(policy.sku, set()).add(policy.site)

    def sites(self, sku: Sku) -> list[str]:
        """Return the sites at which anything is said that may differ, and anywhere."""
        return sorted(self._sites | self._sku_sites.get(sku.sku, set()))

    def faults(self, sku: Sku, site: str) -> Iterator[tuple[tuple[str, int, int], Fault]]:
        where = f"SKU {sku.sku}" + (f" at {site}" if site else "")
        for floor, cap in POLICY_ORDERED:
            least = self._found(sku, site, floor)
            most = self._found(sku, site, cap)
            if least is not None and most is not None and least[0] > most[0]:
                place = ("policies", least[1], floor)
                text = f"{floor} {least[0]} is above {cap} {most[0]} for {where}"
                yield (f"{floor} {cap}", least[1], most[1]), Fault(place, text)
        for cap in ("max_units", "capacity_units"):
            most = self._found(sku, site, cap)
            if most is not None and most[0] < sku.pack_units:
                place = ("policies", most[1], cap)
                text = f"{cap} {most[0]} is below one pack ({sku.pack_units}) of {where}"
                yield (cap, most[1], 0), Fault(place, text)

    def _found(self, sku: Sku, site: str, field: str) -> _Found | None:
        for name in (
            ("sku_site", site, "", sku.sku),
            ("sku", "", "", sku.sku),
            ("category", "", sku.category, ""),
            ("site", site, "", ""),
            ("network", "", "", ""),
        ):
            number, policy = self._by_scope.get(name, (0, None))
            value = getattr(policy, field) if policy is not None else None
            if value is not None:
                return value, number
        return None
