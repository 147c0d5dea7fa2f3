"""What the policies of a catalogue load said, and which of them gave a rule. Pure.

The catalog topic keeps an entity's newest version only. What a policy said under an earlier load is
found by taking back, load by load, what the audit says was changed since.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from deploy.catalog_audit import AuditedChange, AuditedLoad, audited, said_fields
from ingest.catalog import Catalog
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import Sku, entity_name
from streams.domain.catalogue import Rules

_POLICY: Final = "policy "
_SKU: Final = "sku "
_UNSAID: Final = Rules()


class Relied(NamedTuple):
    """Rules that a decision went by: whose, and under which catalogue load."""

    version: int
    """0 where the event is of before that was recorded."""
    sku: str
    site: str
    fields: tuple[str, ...]
    """Fields of a policy, in the order in which they are told."""
    role: str = ""
    """Such as `donor`, where a decision goes by the rules of two sites."""


class PolicyHistory:
    """The catalogue as it is, and what its policies said under each load."""

    def __init__(self, records: Iterable[tuple[str, bytes | None]]) -> None:
        """Take the records of the catalog topic, in their order.

        Raises:
            CatalogError: A record can't be read.
        """
        kept = list(records)
        self.catalog = Catalog()
        for key, value in kept:
            self.catalog.apply(key, value)
        self._loads = {load.version: (load, changes) for load, changes in audited(kept)}
        self._named = {
            entity_name(key): entity
            for key, entity in self.catalog.entities.items()
            if isinstance(entity, Policy | Sku)
        }

    def lines(self, relied: Relied) -> list[str]:
        """Return each rule that was relied on, by the level of policy that gave it."""
        whose = f"{relied.sku} at {relied.site}" + (f" ({relied.role})" if relied.role else "")
        now = self.catalog.version
        if not 0 < relied.version <= now:
            why = f"load {relied.version} is not in the catalogue" if relied.version else ""
            return [f"rules of {whose}: {why or 'under which catalogue load is not recorded'}"]
        head = f"rules of {whose}, catalogue load {relied.version}:"
        unknown_load = self._unknown_load(relied.version)
        if unknown_load:
            head = (
                f"rules of {whose} as load {now} has them, for not all that load {unknown_load}"
                f" changed is written down:"
            )
        given = self._given(relied, now if unknown_load else relied.version)
        return [head, *(f"  {name}: {_told(said)}" for name, said in given)]

    def _given(self, relied: Relied, version: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield which policy gave which rules, the widest first; last what none of them says."""
        sku = self._said_at(_SKU + relied.sku, version)
        names = policy_names(relied.sku, relied.site, sku.get("category", ""))
        said = {name: self._said_at(_POLICY + name, version) for name in names}
        origin: dict[str, str] = {}
        for name in names:  # the narrower one wins
            origin |= {field: name for field in relied.fields if field in said[name]}
        for name in names:
            given = [field for field in relied.fields if origin.get(field) == name]
            if given:
                yield name, {field: said[name][field] for field in given}
        unsaid = [field for field in relied.fields if field not in origin]
        if unsaid:
            yield "said by no policy", {field: _unsaid(field, sku) for field in unsaid}

    def _said_at(self, name: str, version: int) -> dict[str, Any]:
        """Return what a policy or an article said as a load left it; nothing where it was not."""
        said = said_fields(self._named.get(name))
        for number in range(self.catalog.version, version, -1):
            _, changes = self._loads[number]
            for change in changes:
                if change.name == name:
                    said = _before(said, change)
        return said

    def _unknown_load(self, version: int) -> int:
        """Return the newest later load whose changes are not all written down; 0 for none."""
        for number in range(self.catalog.version, version, -1):
            if number not in self._loads or not _is_whole(*self._loads[number]):
                return number
        return 0


def policy_names(sku: str, site: str, category: str) -> list[str]:
    """Return the policies that may speak of a level, the widest first, as people name them."""
    categories = [f"category {category}"] if category else []
    return ["network", f"site {site}", *categories, f"sku {sku}", f"sku_site {site} {sku}"]


def _is_whole(load: AuditedLoad, changes: Sequence[AuditedChange]) -> bool:
    written = sum(1 for change in changes if change.name.startswith(_POLICY))
    return written == load.changed.get("policy", 0)


def _before(said: dict[str, Any], change: AuditedChange) -> dict[str, Any]:
    if change.kind == "added":
        return {}
    left = {field: value for field, value in said.items() if field not in change.after}
    return {**left, **change.before}


def _unsaid(field: str, sku: dict[str, Any]) -> Any:
    if field == "multiple_units":
        return f"{sku.get('pack_units', 1)} (the article's pack)"
    value = getattr(_UNSAID, field)
    return "none" if value is None else value


def _told(fields: dict[str, Any]) -> str:
    return ", ".join(f"{field} {_word(value)}" for field, value in fields.items())


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
