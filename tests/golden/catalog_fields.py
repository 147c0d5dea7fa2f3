"""The tables of docs/catalog.md, made from the contracts so that they can't fall behind."""

import re
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from ingest.catalog_openings import Opening
from ingest.contracts.alert_reference import AlertRule, NotificationChannel
from ingest.contracts.demand_reference import Promotion
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import (
    ChannelAssignment,
    Device,
    Gtin,
    Network,
    Site,
    Sku,
)
from ingest.contracts.supply_reference import Lane, Supplier

PAGE: Final = Path(__file__).parents[2] / "docs" / "catalog.md"
BEGIN: Final = "<!-- fields: made by `python -m tests.golden.update` -->\n"
END: Final = "<!-- end of fields -->\n"

_TABLES: Final[tuple[tuple[str, type[BaseModel]], ...]] = (
    ("network", Network),
    ("sites", Site),
    ("lanes", Lane),
    ("suppliers", Supplier),
    ("skus", Sku),
    ("skus: gtins", Gtin),
    ("devices", Device),
    ("devices: channels (CSV: assignments)", ChannelAssignment),
    ("policies", Policy),
    ("promotions", Promotion),
    ("channels", NotificationChannel),
    ("rules", AlertRule),
    ("stock import", Opening),
)


def tables_text() -> str:
    """Return all tables of fields, as Markdown."""
    return "\n".join(_table(title, model) for title, model in _TABLES)


def page_with_tables(page: str) -> str:
    """Return the page with its tables made anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{tables_text()}\n{END}{tail}"


def _table(title: str, model: type[BaseModel]) -> str:
    doc = re.sub(r"\s+", " ", model.__doc__ or "").strip()
    rows = [
        f"| `{name}` | {_type(part)} | {_default(model, name)} | {_described(part)} |"
        for name, part in model.model_json_schema()["properties"].items()
    ]
    head = ["| field | values | if left out | |", "| --- | --- | --- | --- |"]
    return "\n".join([f"### {title}", "", doc, "", *head, *rows, ""])


def _type(part: dict[str, Any]) -> str:
    options = [option for option in part.get("anyOf", [part]) if option.get("type") != "null"]
    option = options[0]
    if "enum" in option:
        return ", ".join(f"`{value}`" for value in option["enum"])
    if option.get("type") == "array":
        return "list"
    if option.get("type") == "integer":
        least, most = option.get("minimum"), option.get("maximum")
        return f"{least} to {most}" if most is not None else "whole number"
    return {"string": "text", "boolean": "true, false"}.get(str(option.get("type")), "")


def _default(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    if field.is_required():
        return "must be given"
    default = field.default
    if default is None:
        return "inherited"
    if default in ("", ()):
        return "empty"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _described(part: dict[str, Any]) -> str:
    return re.sub(r"\s+", " ", str(part.get("description", ""))).replace("|", "\\|")
