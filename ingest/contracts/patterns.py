"""What fields of text look like, and the words that a refusal has in place of a pattern."""

from collections.abc import Mapping
from typing import Any, Final

NO_CONTROLS: Final = r"^[^\x00-\x1f]*$"
NAMED: Final = r"^[^\x00-\x1f]+$"
NO_LEVELS: Final = r"^[^\x00-\x1f/+#]*$"
"""A name that is a level of an MQTT topic, or empty."""
LEVEL_NAMED: Final = r"^[^\x00-\x1f/+#]+$"
BARCODE: Final = r"^\][A-Za-z][0-9]"
GTIN: Final = r"^([0-9]{8}|[0-9]{12}|[0-9]{13}|[0-9]{14})$"
ENTITY_ID: Final = r"^([a-z]+-[^\x00-\x1f]+-\d+)?$"
MOVEMENT_ID: Final = r"^movement-[^\x00-\x1f]+-\d+$"
CURRENCY: Final = r"^[A-Z]{3}$"
WEEKDAYS: Final = r"^((mon|tue|wed|thu|fri|sat|sun)( (mon|tue|wed|thu|fri|sat|sun))*)?$"
DATES: Final = r"^(\d{4}-\d{2}-\d{2}( \d{4}-\d{2}-\d{2})*)?$"
VARIABLE_OR_FILE: Final = r"^([A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+)$"

PATTERN_WORDS: Final[Mapping[str, str]] = {
    NO_CONTROLS: "should have no control characters",
    NAMED: "should be a name without control characters",
    NO_LEVELS: "should have no /, +, # or control characters",
    LEVEL_NAMED: "should be a name without /, +, # or control characters",
    BARCODE: "should begin with its symbology identifier, such as ]C1 or ]d2",
    GTIN: "should be a GTIN of 8, 12, 13 or 14 digits, such as 4006381333931",
    ENTITY_ID: "should be an id such as transfer-milk-17",
    MOVEMENT_ID: "should be an id such as movement-milk-17",
    CURRENCY: "should be three capital letters, such as EUR",
    WEEKDAYS: "should be days such as mon thu",
    DATES: "should be dates such as 2026-12-25 2026-12-26",
    VARIABLE_OR_FILE: "should name an environment variable, or be file: and a path",
}
"""By pattern: what a person should write."""


def refusal_words(found: Mapping[str, Any]) -> str:
    """Return what one of pydantic's errors says, in words where it would show a pattern."""
    pattern = found.get("ctx", {}).get("pattern", "")
    return PATTERN_WORDS.get(pattern) or str(found["msg"]).removeprefix("Value error, ")
