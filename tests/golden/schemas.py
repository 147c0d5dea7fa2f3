"""The JSON Schema of every contract, as text that is kept beside the code."""

import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from ingest.catalog_openings import Opening
from ingest.contracts.commands import Command
from ingest.contracts.events import (
    DeadLetter,
    DeviceStatus,
    DrivenTime,
    Reading,
    Receipt,
    Scan,
)
from ingest.contracts.orders import OrderLine
from ingest.contracts.reference import ENTITY_MODELS, CatalogFile
from streams.contracts.published import published_models

FOLDER: Final = Path(__file__).parent / "schemas"
UPDATE: Final = "if the contract was changed on purpose, run `python -m tests.golden.update`"

_WIRE: Final = (Reading, Scan, DeviceStatus, Receipt, DrivenTime, DeadLetter)
_OTHER: Final = (Command, OrderLine, Opening, CatalogFile)


def contracts() -> dict[str, type[BaseModel]]:
    """Return every contract by the name of its golden file, without its ending."""
    named: dict[str, type[BaseModel]] = {f"wire.{model.__name__}": model for model in _WIRE}
    named |= {f"input.{model.__name__}": model for model in _OTHER}
    named |= {f"catalog.{model.__name__}": model for model in ENTITY_MODELS.values()}
    named |= {f"published.{name}": model for name, model in published_models().items()}
    return named


def schema_text(model: type[BaseModel]) -> str:
    """Return a contract's JSON Schema as it stands in its golden file."""
    return json.dumps(model.model_json_schema(), indent=1, sort_keys=True) + "\n"
