"""Ids of what the stock fold names: `{kind}-{sku}-{running number}`."""


def sku_of(entity_id: str) -> str:
    """Return the SKU inside `{kind}-{sku}-{number}`.

    Raises:
        ValueError: The text has not that form.
    """
    kind, _, rest = entity_id.partition("-")
    sku, _, number = rest.rpartition("-")
    if not kind or not sku or not number.isdigit():
        raise ValueError(f"{entity_id!r} is no id such as transfer-milk-17")
    return sku
