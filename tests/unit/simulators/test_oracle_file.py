"""The oracle's file: everything that is true survives it, whole or not at all."""

from pathlib import Path

import pytest

from simulators.adapters.files import OracleFileError, oracle_load, oracle_save
from simulators.oracle import Carriage, Oracle


def an_oracle() -> Oracle:
    """Return an oracle with something of everything."""
    oracle = Oracle()
    oracle.installation_id = "here"
    oracle.now_ms = 7
    oracle.open("shop-01", "TEA", 10)
    oracle.enter("shop-01", " odd/code ", 2)
    oracle.leave("shop-01", "TEA", 1)
    oracle.watched = [("shop-01", "TEA")]
    oracle.scanned("gateway-shop-01", "shop-01", "b", 0)
    oracle.scanned("gateway-shop-01", "shop-01", "b", 1)
    oracle.depart(
        Carriage(
            transfer_id="transfer-TEA-1",
            sku="TEA",
            from_site="shop-01",
            to_site="shop-02",
            units=4,
            due_at_ms=99,
        )
    )
    return oracle


def test_what_is_true_survives_the_file(tmp_path: Path) -> None:
    """Stock, ways, scans and sums come back as they were, and go on from there."""
    path = tmp_path / "new" / "oracle.json"
    oracle_save(path, an_oracle())
    again = oracle_load(path)
    assert again.document() == an_oracle().document()
    assert again.conserved()
    again.scanned("gateway-shop-01", "shop-01", "b", 2)
    assert again.scan_count == 3
    assert again.arrive("transfer-TEA-1").units == 4
    assert again.units("shop-02", "TEA") == 4


def test_a_save_replaces_the_file_as_a_whole(tmp_path: Path) -> None:
    """Nothing of a broken save before is left, and nothing lies beside it."""
    path = tmp_path / "oracle.json"
    path.with_name("oracle.json.new").write_text("half", encoding="utf-8")
    oracle_save(path, an_oracle())
    oracle_save(path, Oracle())
    assert oracle_load(path).document() == Oracle().document()
    assert [one.name for one in tmp_path.iterdir()] == ["oracle.json"]


def test_a_folder_is_no_oracle(tmp_path: Path) -> None:
    """Whatever keeps it from being read is told in one sentence."""
    with pytest.raises(OracleFileError, match="is no oracle file"):
        oracle_load(tmp_path)


def test_a_field_of_a_newer_version_is_not_dropped_silently(tmp_path: Path) -> None:
    """A file with more in it than is understood is refused."""
    path = tmp_path / "oracle.json"
    oracle_save(path, Oracle())
    path.write_bytes(path.read_bytes().replace(b'{"version"', b'{"more":1,"version"'))
    with pytest.raises(OracleFileError, match="more"):
        oracle_load(path)


def test_a_gap_in_the_numbers_is_our_own_fault() -> None:
    """The oracle trusts no device: a number that does not follow is caught at once."""
    oracle = an_oracle()
    with pytest.raises(AssertionError, match="without a gap"):
        oracle.scanned("gateway-shop-01", "shop-01", "b", 3)


def test_what_never_left_cannot_arrive() -> None:
    """And what has arrived does not arrive again."""
    oracle = an_oracle()
    oracle.arrive("transfer-TEA-1")
    with pytest.raises(KeyError):
        oracle.arrive("transfer-TEA-1")
