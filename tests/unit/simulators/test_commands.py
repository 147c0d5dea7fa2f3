"""The simulators' commands refuse in one sentence, before anything is loaded, sent or started."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import make_app
from deploy.commands.demo import DEMO_HOME_NAME
from deploy.stack.home import HOME_NAME_DEFAULT, Home, take_lock
from ingest.contracts.errors import ShelfstreamError
from ingest.contracts.settings import HOME_VARIABLE

HEADER = "invoiced_at,invoice,stock_code,quantity,unit_price,customer_id,country"
ROW = "2010-12-01 08:26:00,536365,TEA,1,2.55,17850,France"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder whose stack would be in driven time; no broker runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv("SHELFSTREAM_INSTALLATION_TIME", "driven")
    return tmp_path / "home"


def refusal(*words: str) -> str:
    """Run a command that must fail with one of our own errors; return its sentence."""
    told = CliRunner().invoke(make_app(words), list(words))
    assert isinstance(told.exception, ShelfstreamError), (told.output, told.exception)
    sentence = str(told.exception)
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("command", ["simulate", "demo"])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--faults", "fire"), "--faults: fire is no fault: choose from dup, disorder, offline,"),
        (("--sites", "1001"), "--sites: Input should be less than or equal to 1000"),
        (("--skus", "20001"), "--skus: Input should be less than or equal to 20000"),
        (("--rate", "10001"), "--rate: Input should be less than or equal to 10000"),
        (("--speed", "100001"), "--speed: Input should be less than or equal to 100000"),
    ],
)
def test_options_out_of_range_are_refused(
    command: str, words: Sequence[str], sentence: str
) -> None:
    """The option's name and its limit, and neither catalogue nor stack was touched."""
    assert refusal(command, *words).startswith(sentence)
    assert not (Path.cwd() / HOME_NAME_DEFAULT).exists()


def test_verify_without_an_oracle_says_where_one_comes_from(home: Path) -> None:
    """A file that was named must be there; it is told before Kafka is asked."""
    gone = home / "gone.json"
    assert refusal("verify", "--oracle", str(gone)) == (
        f"there is no oracle at {gone}: run `shelfstream simulate` or `shelfstream replay`"
    )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1}', '"\xff"']
)
def test_verify_refuses_what_is_no_oracle(tmp_path: Path, text: str) -> None:
    """Broken, of another version, or with parts missing: the file is named."""
    oracle = tmp_path / "odd.json"
    oracle.write_text(text, encoding="latin-1")
    assert refusal("verify", "--oracle", str(oracle)).startswith(f"{oracle} is no oracle file: ")


def test_a_replay_needs_driven_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In wall time the file's own time would be the past."""
    monkeypatch.setenv("SHELFSTREAM_INSTALLATION_TIME", "wall")
    log = an_order_log(tmp_path / "orders.csv")
    assert "start the stack with `shelfstream up --time driven`" in refusal("replay", str(log))


def an_order_log(path: Path, *rows: str, encoding: str = "utf-8") -> Path:
    """Write an order log of these rows, or of a single good one."""
    path.write_text("\n".join([HEADER, *(rows or [ROW])]) + "\n", encoding=encoding)
    return path


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Or that is no file at all."""
    assert refusal("replay", "gone.csv") == "gone.csv: No such file or directory"
    assert refusal("replay", str(tmp_path)) == f"{tmp_path}: Is a directory"


def test_broken_compression_is_told(tmp_path: Path) -> None:
    """A file that is not compressed, is cut off, or has a flipped bit."""
    log = tmp_path / "orders.csv.gz"
    log.write_text(HEADER, encoding="utf-8")
    assert "Not a gzipped file" in refusal("replay", str(log))
    whole = gzip.compress("\n".join([HEADER, *[ROW] * 5_000]).encode(), mtime=0)
    log.write_bytes(whole[:-20])
    assert "ended before the end-of-stream marker" in refusal("replay", str(log))
    log.write_bytes(whole[:-8] + b"12345678")
    assert "CRC check failed" in refusal("replay", str(log))


def test_another_encoding_is_told(tmp_path: Path) -> None:
    """Latin-1 is not guessed: a code would come out as another one."""
    row = ROW.replace("TEA", "Ünïcode")
    log = an_order_log(tmp_path / "orders.csv", row, encoding="latin-1")
    assert "'utf-8' codec can't decode byte" in refusal("replay", str(log))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    """Spreadsheets write one; the file is read to its first bad line all the same."""
    rows = [ROW, ROW.replace(",1,", ",many,")]
    log = an_order_log(tmp_path / "orders.csv", *rows, encoding="utf-8-sig")
    assert refusal("replay", str(log)).startswith("line 3: invalid literal for int()")


@pytest.mark.parametrize("speed", ["fast", "0", "-1", ""])
def test_an_odd_speed_is_refused(tmp_path: Path, speed: str) -> None:
    """Max, or a number above nothing."""
    log = an_order_log(tmp_path / "orders.csv")
    sentence = f"{speed!r} is no speed: write max, or a number above 0"
    assert refusal("replay", str(log), "--speed", speed) == sentence


def test_an_odd_map_is_refused(tmp_path: Path) -> None:
    """With the names that can be mapped."""
    log = an_order_log(tmp_path / "orders.csv")
    assert refusal("replay", str(log), "--map", "price=unit_price").startswith(
        "'price=unit_price' maps nothing: write NAME=COLUMN with invoiced_at, quantity, sku"
    )
    missing = "the file has no column 'Code'; it has invoiced_at, invoice"
    assert refusal("replay", str(log), "--map", "sku=Code").startswith(missing)


def test_a_second_demo_in_one_place_is_refused(tmp_path: Path) -> None:
    """The first one's home is left alone, its files too."""
    home = Home(tmp_path / HOME_NAME_DEFAULT / DEMO_HOME_NAME)
    with take_lock(home):
        mine = home.path / "oracle.json"
        mine.write_text(json.dumps({}), encoding="utf-8")
        sentence = refusal("demo", "--seconds", "1", "--no-influx")
        assert sentence == f"a demo already runs in {home.path}: end it first"
        assert mine.is_file()
