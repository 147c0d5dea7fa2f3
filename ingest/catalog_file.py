"""A catalogue on disk: one YAML file, or a folder of YAML and CSV files, validated whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ingest.catalog_check import check
from ingest.catalog_csv import CSV_SECTIONS, read_csv
from ingest.catalog_faults import Fault, Mark, Marks, faults_of, refusal
from ingest.catalog_tree import Draft, translate
from ingest.catalog_yaml import read_yaml
from ingest.contracts.errors import CatalogError
from ingest.contracts.reference import CatalogFile

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
_YAML: Final = frozenset({".yaml", ".yml"})


@dataclass(frozen=True, slots=True)
class CatalogSource:
    """A valid catalogue and where its parts were read."""

    catalog: CatalogFile
    marks: Marks


def read_catalog_path(path: Path) -> CatalogSource:
    """Read and validate a catalogue.

    Raises:
        CatalogError: There is none, or it is refused: a line for each fault, with file and line.
    """
    if path.is_dir():
        names = sorted(p for p in path.iterdir() if p.suffix in {*_YAML, ".csv"})
    else:
        names = [path]
    if not names:
        raise CatalogError(f"{path} holds no YAML or CSV file")
    return catalog_source(
        (name.name if path.is_dir() else str(path), _text(name)) for name in names
    )


def catalog_source(texts: Iterable[tuple[str, str]]) -> CatalogSource:
    """Read and validate a catalogue of files by name and content.

    Raises:
        CatalogError: It is refused: a line for each fault, with file and line.
    """
    draft = Draft()
    files = [(name, Path(name), text) for name, text in texts]
    for name, path, text in sorted(files, key=lambda file: _order(file[1])):
        if path.suffix in _YAML:
            read_yaml(draft, name, text)
        elif path.suffix == ".csv" and path.stem in CSV_SECTIONS:
            read_csv(draft, name, path.stem, text)
        else:
            draft.marks[name,] = Mark(name, 1)
            draft.fault((name,), f"no file of a catalogue; CSV files are {', '.join(CSV_SECTIONS)}")
    translate(draft)
    try:
        catalog = CatalogFile.model_validate(draft.tree)
    except ValidationError as error:
        raise refusal([*draft.faults, *faults_of(error)], draft.marks) from error
    faults = [*draft.faults, *check(catalog)]
    if not catalog.sites:
        faults.append(Fault((), "a catalogue needs at least one site"))
    if faults:
        raise refusal(faults, draft.marks)
    return CatalogSource(catalog, draft.marks)


def _order(path: Path) -> tuple[int, str]:
    place = CSV_SECTIONS.index(path.stem) if path.stem in CSV_SECTIONS else -1
    return (place if path.suffix == ".csv" else -1, path.name)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise CatalogError(f"{path} is larger than {FILE_BYTES_MAX} bytes")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogError(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path} is no UTF-8 text: {error}") from error
