"""The oracle file: written whole or not at all."""

from pathlib import Path
from typing import Final

import msgspec

from ingest.contracts.errors import ShelfstreamError
from simulators.oracle import Oracle, OracleDocument, oracle_read

_DOCUMENTS: Final = msgspec.json.Decoder(OracleDocument)


class OracleFileError(ShelfstreamError):
    """There is no oracle file, or it can't be read."""


def oracle_save(path: Path, oracle: Oracle) -> None:
    """Write the oracle beside `path`, then put it in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f"{path.name}.new")
    written.write_bytes(msgspec.json.encode(oracle.document()))
    written.replace(path)


def oracle_load(path: Path) -> Oracle:
    """Return the oracle in a file.

    Raises:
        OracleFileError: There is none, or it is no oracle.
    """
    try:
        return oracle_read(_DOCUMENTS.decode(path.read_bytes()))
    except FileNotFoundError as error:
        raise OracleFileError(
            f"there is no oracle at {path}: run `shelfstream simulate` or `shelfstream replay`"
        ) from error
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise OracleFileError(f"{path} is no oracle file: {error}") from error
