"""Write the golden files anew: `python -m tests.golden.update`, after a change made on purpose."""

from tests.golden.catalog_fields import PAGE, page_with_tables
from tests.golden.drawn import DASHBOARD, LINES, dashboard_text, lines_text
from tests.golden.schemas import FOLDER, contracts, schema_text


def main() -> None:
    """Write schemas, points, dashboard and the tables of docs/catalog.md; drop other schemas."""
    FOLDER.mkdir(exist_ok=True)
    named = contracts()
    for path in FOLDER.glob("*.json"):
        if path.stem not in named:
            path.unlink()
    for name, model in named.items():
        (FOLDER / f"{name}.json").write_text(schema_text(model), encoding="utf-8")
    LINES.write_text(lines_text(), encoding="utf-8")
    DASHBOARD.write_text(dashboard_text(), encoding="utf-8")
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
