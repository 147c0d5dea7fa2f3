"""Reference data: takes an entity of a catalogue load and looks again at what it concerns."""

from collections.abc import Callable, Iterator

from ingest.contracts.demand import PromotionRecord
from ingest.contracts.planogram import PlanogramRecord
from ingest.contracts.policies import PolicyRecord
from ingest.frames import ReferenceInput, SkuRecord
from streams.contracts.state import Reference
from streams.domain import expiry, order_outliers, promotions, serials, witnesses
from streams.domain.catalogue import Catalogue
from streams.domain.planogram import apply_planogram
from streams.domain.reviews import review
from streams.domain.store import Store


def apply_reference(store: Store, reference: ReferenceInput) -> None:
    """Take a new, changed or removed entity; levels it concerns are assessed, in key order."""
    clock = store.clock
    clock.reference_version = max(clock.reference_version, reference.version)
    entity, removed = reference.entity, reference.removed
    if isinstance(entity, SkuRecord):
        _apply_sku(store, entity, removed=removed)
    elif isinstance(entity, PlanogramRecord):
        apply_planogram(store, entity, removed=removed, reference_version=reference.version)
    else:
        _apply_rule(store, entity, removed=removed)


def _apply_rule(store: Store, entity: Reference, *, removed: bool) -> None:
    """Take what speaks of many levels."""
    followers = _policy_followers(store.catalogue)  # before: there may be something to forget
    foresaw = store.catalogue.foresees_promotions
    before = None
    if isinstance(entity, PromotionRecord):
        before = store.catalogue.promotion(entity.promotion)
    store.catalogue.set(entity, removed=removed)
    foresees = foresaw or store.catalogue.foresees_promotions
    if isinstance(entity, PolicyRecord):
        for sku_site in concerned(store, entity):
            for follow_policy in followers:
                follow_policy(store, *sku_site)
            review(store, *sku_site, "policy")
            if foresees:
                promotions.follow(store, *sku_site)
            store.touched[sku_site] = None
    elif isinstance(entity, PromotionRecord):
        for sku, site in _promoted(store, entity, before):
            review(store, sku, site, "promotion")
            if foresees:
                promotions.follow(store, sku, site)


def concerned(store: Store, policy: PolicyRecord) -> Iterator[tuple[str, str]]:
    """Yield the (SKU, site) of the levels that a policy may speak of, in key order."""
    skus = [policy.sku] if policy.scope in {"sku", "sku_site"} else sorted(store.skus)
    only_site = policy.site if policy.scope in {"site", "sku_site"} else ""
    for sku in skus:
        book = store.books.get(sku)
        if book is None:
            continue
        category = store.category(sku)
        if policy.scope == "category" and category != policy.category:
            continue
        for site in book.sites:
            if only_site in {"", site}:
                yield sku, site


def _promoted(
    store: Store, promotion: PromotionRecord, before: PromotionRecord | None
) -> Iterator[tuple[str, str]]:
    """Yield the levels of a promotion as it now is, and as it was before, in key order."""
    versions = [promotion] if before is None else [promotion, before]
    named = {one.sku for one in versions}
    for sku in sorted(store.skus) if "" in named else sorted(named):
        book = store.books.get(sku)
        if book is None:
            continue
        category = store.category(sku)
        here = [
            one.site for one in versions if one.sku in {"", sku} and one.category in {"", category}
        ]
        for site in book.sites if here else ():
            if "" in here or site in here:
                yield sku, site


def _apply_sku(store: Store, record: SkuRecord, *, removed: bool) -> None:
    book = store.book(record.sku)
    before = book.record or SkuRecord(record.sku)
    book.record = None if removed else record
    store.books.touch(record.sku)
    after = book.record or SkuRecord(record.sku)
    for site in book.sites:
        store.catalogue.cached_rules.pop((record.sku, site), None)
        if (before.category, before.pack_units) != (after.category, after.pack_units):
            for follow_policy in _policy_followers(store.catalogue):
                follow_policy(store, record.sku, site)
            if store.catalogue.foresees_promotions:
                promotions.follow(store, record.sku, site)
            store.touched[record.sku, site] = None


def _policy_followers(catalogue: Catalogue) -> list[Callable[[Store, str, str], None]]:
    """Return what forgets records of a level that its policy no longer asks for.

    Where no policy asks for lots, serial numbers or usual orders no level has any, and none is
    looked at.
    """
    followers: list[Callable[[Store, str, str], None]] = []
    if catalogue.lot_policies:
        followers.append(expiry.follow_policy)
    if catalogue.serial_policies:
        followers.append(serials.follow_policy)
    if catalogue.outlier_policies:
        followers.append(order_outliers.follow_policy)
    followers.append(witnesses.follow_policy)
    return followers
