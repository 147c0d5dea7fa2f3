"""Numbers of things as people say them. Pure."""


def counted(number: int, one: str, many: str = "") -> str:
    """Return `1 line`, `2 lines`, `1,200 lines`: a number and its noun, by default with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
