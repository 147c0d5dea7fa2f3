"""Numbers of things as people say them."""

from deploy.wording import counted


def test_one_is_not_several() -> None:
    """None and many are plural; thousands are set apart."""
    assert [counted(number, "line") for number in (0, 1, 2)] == ["0 lines", "1 line", "2 lines"]
    assert counted(1_200, "breach", "breaches") == "1,200 breaches"
