"""The partition of a key is Kafka's own."""

import pytest

from ingest.partitions import murmur2, partition_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ],
)
def test_the_hash_is_the_java_clients(text: str, number: int) -> None:
    """The numbers of Kafka's own test, signed as Java has them."""
    assert murmur2(text.encode()) == number & 0xFFFFFFFF


def test_the_sign_is_dropped_and_not_the_distance() -> None:
    """Java masks the sign bit before the modulo; another choice would move half of the keys."""
    assert partition_of("foobar", 7) == ((-790_332_482) & 0x7FFFFFFF) % 7
    assert partition_of("smör", 1) == 0
    assert {partition_of(f"sku-{number}", 4) for number in range(50)} == {0, 1, 2, 3}
