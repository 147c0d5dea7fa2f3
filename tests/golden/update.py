"""Write the golden files anew: `python -m tests.golden.update`, after a change made on purpose."""

from tests.golden.catalog_fields import PAGE, page_with_tables
from tests.golden.schemas import FOLDER, contracts, schema_text


def main() -> None:
    """Write every schema and the tables of docs/catalog.md; remove schemas of no contract."""
    FOLDER.mkdir(exist_ok=True)
    named = contracts()
    for path in FOLDER.glob("*.json"):
        if path.stem not in named:
            path.unlink()
    for name, model in named.items():
        (FOLDER / f"{name}.json").write_text(schema_text(model), encoding="utf-8")
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
