"""Which folds there are: the one place that names them all."""

from importlib import import_module
from typing import Final, cast

from streams.engine.fold import FoldSpec

FOLDS: Final = {
    "stock": ("streams.stock", "stock_spec"),
    "planning": ("streams.planning", "planning_spec"),
}
"""Name of a fold to the module and the function that make its spec; imported when it runs."""


def fold_spec(name: str) -> FoldSpec:
    """Return the spec of a fold named in `FOLDS`."""
    module, function = FOLDS[name]
    return cast(FoldSpec, getattr(import_module(module), function)())
