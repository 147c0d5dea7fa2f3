"""The catalog topic as loads leave it, for tests that ask what a policy said under which."""

from deploy.catalog_audit import audit_records
from deploy.catalog_records import catalog_records
from deploy.policy_origins import PolicyHistory
from ingest.catalog import Catalog
from ingest.catalog_changes import changes
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import (
    INSTALLATION_KEY,
    CatalogFile,
    Installation,
    Sku,
)

TopicRecords = list[tuple[str, bytes | None]]


def loaded(*loads: CatalogFile, partitions: int = 1) -> TopicRecords:
    """Return the records that loads leave one after another, in their order."""
    installation = Installation(
        installation_id="here", partition_count=partitions, time="wall", created_at_ms=1
    )
    records: TopicRecords = [(INSTALLATION_KEY, installation.model_dump_json().encode())]
    catalog = Catalog()
    for version, wanted in enumerate(loads, start=1):
        found, faults = changes(catalog.entities, wanted, now_ms=version)
        assert not faults
        writes = [
            *audit_records(found, version=version, at_ms=version, actor="ann", reason=""),
            *catalog_records(found, version=version, now_ms=version),
        ]
        new: TopicRecords = [((write.key or b"").decode(), write.value) for write in writes]
        for key, value in new:
            catalog.apply(key, value)
        records += new
    return records


def policy_history(partitions: int = 1) -> PolicyHistory:
    """Return one load: a network's policy as in stories, and one of an article at a shop."""
    wanted = CatalogFile(
        skus=(Sku(sku="milk", category="dairy", pack_units=4),),
        policies=(
            Policy(scope="network", min_units=10, max_units=30, autonomy="auto"),
            Policy(scope="sku_site", sku="milk", site="shop-1", min_units=12),
        ),
    )
    return PolicyHistory(loaded(wanted, partitions=partitions))
