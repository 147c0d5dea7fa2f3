"""Which partition a key lives in: Kafka's murmur2, computed here and never left to a client."""

from functools import lru_cache
from typing import Final

_MASK: Final = 0xFFFFFFFF
_M: Final = 0x5BD1E995
_KEYS_CACHED_MAX: Final = 1 << 17


def murmur2(data: bytes) -> int:
    """Return Kafka's 32-bit murmur2 of `data`, unsigned.

    Source: org.apache.kafka.common.utils.Utils.murmur2, seed 0x9747b28c.
    """
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = (k * _M) & _MASK
        k ^= k >> 24
        k = (k * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    rest = data[whole:]
    if rest:
        h ^= int.from_bytes(rest, "little")
        h = (h * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=_KEYS_CACHED_MAX)
def partition_of(key: str, partition_count: int) -> int:
    """Return the partition of a key (a SKU, a site, a device), as Kafka's Java client would."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partition_count
