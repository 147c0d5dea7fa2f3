"""A fold with an error in it, on the real path: `verify` says so and ends with 1."""

from pathlib import Path

import pytest

from deploy.stack.plan import StackOptions
from tests.integration.pipeline import running_pipeline

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LINES = 1_000
WITHOUT_WORKER = StackOptions(time="driven", influx=False, only=("kafka", "mosquitto", "bridge-0"))


def order_log(path: Path) -> Path:
    """Write an order log of sales over four articles and three customers."""
    rows = ["invoiced_at,invoice,stock_code,quantity,unit_price,customer_id,country"]
    rows += [
        f"2011-01-04 {8 + n // 600:02d}:{n // 10 % 60:02d}:00,"
        f"{n},CLOCK-{n % 4},1,1.25,{n % 3},France"
        for n in range(LINES)
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("error", "figure"),
    [("miscounting", "differ_book"), ("forgetting", "lost")],
)
def test_an_error_in_the_fold_is_noticed(tmp_path: Path, error: str, figure: str) -> None:
    """Wrong books show as differing keys, a forgotten movement as a lost scan; never as exact."""
    with running_pipeline(tmp_path, WITHOUT_WORKER) as pipeline:
        worker = pipeline.start("tests.integration.broken_worker", error)
        try:
            log = order_log(tmp_path / "orders.csv")
            told = pipeline.run("replay", str(log), "--sites", "3", "--json")
            assert told.returncode == 0, told.stderr
            code, found = pipeline.verified()
        finally:
            worker.kill()
            worker.communicate()
    assert (code, found["exact"]) == (1, False)
    assert found["scans"] == LINES
    assert found[figure] > 0
