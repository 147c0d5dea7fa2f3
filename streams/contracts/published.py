"""The published records as pydantic models: JSON Schema, AsyncAPI, validation off the hot path.

The msgspec structs beside this module are the one declaration; the models are derived from them,
so the two can't drift. On the wire a record is a msgpack array in field order; the schema
describes the object that `shelfstream log tail --json` and the API show.
"""

import types
from functools import cache
from typing import Any, Final, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel, ConfigDict, Field, create_model

from streams.contracts import (
    alerts,
    blindness,
    counts,
    demand,
    events,
    kpis,
    ledger,
    lots,
    orders,
    planogram,
    plans,
    purchases,
    serials,
    state,
    voids,
    witnesses,
)

_CONFIG: Final = ConfigDict(extra="forbid", strict=True, frozen=True)


def _translated(annotation: Any) -> Any:
    """Return the annotation with every struct in it replaced by its model."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return model_of(annotation)
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return Union[tuple(_translated(part) for part in arguments)]  # noqa: UP007 - built at run time
    if origin in (list, tuple, dict):
        return origin[tuple(_translated(part) for part in arguments)]
    return annotation


@cache
def model_of(struct: type[msgspec.Struct]) -> type[BaseModel]:
    """Return the pydantic model of a struct: same names, types, defaults and order of fields."""
    definitions: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        default: Any = ...
        if field.default is not msgspec.NODEFAULT:
            default = field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            default = Field(default_factory=field.default_factory)
        definitions[field.name] = (_translated(field.type), default)
    return create_model(struct.__name__, __config__=_CONFIG, __doc__=struct.__doc__, **definitions)


PUBLISHED: Final[dict[str, tuple[type[msgspec.Struct], ...]]] = {
    "shelfstream.stock": (
        state.Level,
        state.Transfer,
        state.Need,
        state.SkuBook,
        state.SkuNumber,
        state.DeviceState,
        demand.Demand,
        demand.LeadTime,
        demand.OrderSizes,
        demand.PromotionNeed,
        voids.Voided,
        planogram.Planogram,
        counts.CountRecord,
        counts.CountLine,
        lots.LotBook,
        lots.CarriedLots,
        lots.SkuRecalls,
        kpis.Kpi,
        orders.OrderLine,
        orders.OrderQueue,
        serials.SerialBook,
        witnesses.WitnessRecord,
    ),
    "shelfstream.movements": (ledger.Movement,),
    "shelfstream.events": (
        events.BreachOpened,
        events.BreachCleared,
        events.TransferChanged,
        events.NeedChanged,
        events.DeviceStatusChanged,
        events.CommandAccepted,
        events.CommandRefused,
        events.BarrierPassed,
        events.ThresholdChanged,
        counts.CountLineChanged,
        counts.CountSessionChanged,
        orders.OrderLineChanged,
        orders.OrderChanged,
        orders.BufferReleased,
        events.PurchaseChanged,
        lots.LotHeld,
        kpis.KpisClosed,
        serials.SerialFlagged,
        witnesses.WitnessGapChanged,
        blindness.BlindIntervalChanged,
    ),
    "shelfstream.plan-state": (
        plans.Shipment,
        plans.LaneBook,
        counts.CountSession,
        purchases.PurchaseOrder,
        orders.CustomerOrder,
    ),
    "shelfstream.alerts": (alerts.Alert,),
    "shelfstream.deliveries": (alerts.Delivery,),
}
"""Record structs that other systems may read, by topic."""


def published_models() -> dict[str, type[BaseModel]]:
    """Return the model of every published struct, by its name."""
    return {
        struct.__name__: model_of(struct) for structs in PUBLISHED.values() for struct in structs
    }


def checked(record: msgspec.Struct) -> BaseModel:
    """Return a record as its validated model.

    Raises:
        pydantic.ValidationError: The record breaks its own contract.
    """
    return model_of(type(record)).model_validate(_plain(record))


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {k: _plain(v) for k, v in msgspec.structs.asdict(value).items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value
