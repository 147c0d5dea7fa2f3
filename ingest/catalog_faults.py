"""What is wrong with a catalogue: where and why, all of it told together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from ingest.contracts.errors import CatalogError
from ingest.contracts.patterns import refusal_words
from ingest.contracts.reference import CatalogFile

FAULTS_SHOWN_MAX: Final = 100

Place: TypeAlias = tuple[str | int, ...]
"""Where in a catalogue: section, place in the section, field, and so on inwards.

Faults of a file as such have a place that begins with the file's name.
"""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """Where in a file; lines count from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    place: Place
    text: str


Marks: TypeAlias = Mapping[Place, Mark]


def mark_of(place: Place, marks: Marks) -> Mark | None:
    """Return where a place, or the narrowest place around it that is known, stands."""
    for length in range(len(place), -1, -1):
        mark = marks.get(place[:length])
        if mark is not None:
            return mark
    return None


def refusal(faults: Sequence[Fault], marks: Marks) -> CatalogError:
    """Return the error that tells all faults, a line each, in the order of the files."""
    unknown = Mark("", 0)
    told = sorted({(mark_of(f.place, marks) or unknown, _sentence(f)) for f in faults})
    lines = [f"{mark.file}:{mark.line}: {text}" if mark.file else text for mark, text in told]
    more = len(lines) - FAULTS_SHOWN_MAX
    if more > 0:
        lines = [*lines[:FAULTS_SHOWN_MAX], f"and {more} more"]
    return CatalogError("\n".join(lines))


def faults_of(error: ValidationError) -> list[Fault]:
    """Return what pydantic found wrong."""
    return [
        Fault(tuple(part), _message(found)) for found in error.errors() for part in [found["loc"]]
    ]


def place_text(place: Place) -> str:
    """Return a place as people read it: `devices[2].channels[0].sku`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _message(found: Any) -> str:
    text = refusal_words(found)
    if found["type"] in {"missing", "extra_forbidden", "value_error"}:
        return "no such field" if found["type"] == "extra_forbidden" else text
    return f"{text}, not {str(found['input'])[:60]!r}"


def _sentence(fault: Fault) -> str:
    inside = fault.place if fault.place[:1] and fault.place[0] in CatalogFile.model_fields else ()
    return f"{place_text(inside)}: {fault.text}" if inside else fault.text
