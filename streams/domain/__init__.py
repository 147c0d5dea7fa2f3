"""The stock and planning models. Pure: standard library and msgspec only."""
