"""Every Flux query of the dashboard, in one place: the next InfluxDB has another language.

`$site` is the dashboard's variable; `v.timeRangeStart` and its kin are Grafana's. `runnable`
puts literals in their stead, so that a test can run each query on a real InfluxDB.
"""

from typing import Final

_SITE: Final = "|> filter(fn: (r) => r.site =~ /^${site:regex}$/)"


def _from(measurement: str, field: str) -> str:
    return (
        'from(bucket: "${bucket}")\n'
        "  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n"
        f'  |> filter(fn: (r) => r._measurement == "{measurement}" and r._field == "{field}")'
    )


def _by_state(measurement: str, field: str, *, at_sites: bool) -> str:
    """Return how often things came into each state, of the chosen sites where they have one."""
    chosen = f"\n  {_SITE}" if at_sites else ""
    return f"""{_from(measurement, field)}{chosen}
  |> group(columns: ["state"])
  |> aggregateWindow(every: v.windowPeriod, fn: count, createEmpty: false)"""


def _held_by_site(measurement: str, field: str) -> str:
    """Return a sum over SKUs of what each level last said, by site."""
    return f"""{_from(measurement, field)}
  {_SITE}
  |> group(columns: ["site", "sku"])
  |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: true)
  |> fill(usePrevious: true)
  |> group(columns: ["site", "_time"])
  |> sum()
  |> group(columns: ["site"])"""


UNITS_BY_SITE: Final = _held_by_site("stock_level", "on_hand_units")
TRANSFERS_BY_STATE: Final = _by_state("transfer", "quantity_units", at_sites=False)
NEEDS_BY_STATE: Final = _by_state("need", "quantity_units", at_sites=True)

OUT_OF_STOCK: Final = f"""{_from("stock_level", "available_units")}
  {_SITE}
  |> last()
  |> filter(fn: (r) => r._value <= 0)
  |> group()
  |> count()"""

_BREACHES_OPEN: Final = f"""from(bucket: "${{bucket}}")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "breach"
    and (r._field == "open" or r._field == "breach_id"))
  {_SITE}
  |> pivot(rowKey: ["_time", "site", "sku", "kind"], columnKey: ["_field"], valueColumn: "_value")
  |> group(columns: ["site", "sku", "kind", "breach_id"])
  |> sort(columns: ["_time"])
  |> last(column: "open")
  |> filter(fn: (r) => r.open == 1)"""
"""By its id: of order outliers there may be several at a site of one article."""

OPEN_BREACHES: Final = f"""{_BREACHES_OPEN}
  |> group(columns: ["kind"])
  |> count(column: "open")
  |> rename(columns: {{open: "_value"}})"""

BREACH_TABLE: Final = f"""{_BREACHES_OPEN}
  |> group()
  |> keep(columns: ["_time", "site", "sku", "kind", "breach_id"])
  |> sort(columns: ["_time"], desc: true)
  |> limit(n: 100)"""

BLIND_NOW: Final = f"""{_from("blind_interval", "open")}
  {_SITE}
  |> group(columns: ["site", "sku"])
  |> sort(columns: ["_time"])
  |> last()
  |> filter(fn: (r) => r._value == 1)
  |> group()
  |> keep(columns: ["_time", "site", "sku", "cause"])
  |> sort(columns: ["_time"], desc: true)
  |> limit(n: 100)"""

MOVEMENTS_BY_KIND: Final = f"""{_from("stock_movement", "quantity_units")}
  {_SITE}
  |> group(columns: ["kind"])
  |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)"""

BOOK_AND_SHELF_GAP: Final = f"""book = {_from("stock_level", "on_hand_units")}
  {_SITE}
  |> last()
shelf = {_from("stock_level", "sensed_units")}
  {_SITE}
  |> last()
join(tables: {{book: book, shelf: shelf}}, on: ["site", "sku"])
  |> map(fn: (r) => ({{site: r.site, sku: r.sku, gap: r._value_book - r._value_shelf}}))
  |> filter(fn: (r) => r.gap != 0)
  |> group()
  |> limit(n: 100)"""

BREACH_LATENCY: Final = f"""{_from("breach", "latency_ms")}
  |> group()
  |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false)"""

READERS_LAG: Final = f"""{_from("pipeline_lag", "lag_records")}
  |> group(columns: ["group"])
  |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false)"""

STOCK_VALUE: Final = f"""{_from("stock_level", "value_minor")}
  {_SITE}
  |> last()
  |> group()
  |> sum()"""


ORDERS_BY_STATE: Final = _by_state("customer_order", "wanted_units", at_sites=False)
ORDER_LINES_SHORT: Final = f"""{_from("order_line", "short_units")}
  {_SITE}
  |> filter(fn: (r) => r._value > 0)
  |> group(columns: ["site"])
  |> aggregateWindow(every: v.windowPeriod, fn: count, createEmpty: false)"""
ORDER_FILL: Final = """from(bucket: "${bucket}")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "customer_order"
    and (r._field == "reserved_units" or r._field == "wanted_units")
    and (r.state == "confirmed" or r.state == "refused" or r.state == "expired"))
  |> group(columns: ["_field"])
  |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> filter(fn: (r) => r.wanted_units > 0)
  |> map(fn: (r) => ({_time: r._time,
    _value: float(v: r.reserved_units) / float(v: r.wanted_units)}))"""
PURCHASES_BY_STATE: Final = _by_state("purchase_order", "quantity_units", at_sites=False)
PURCHASES_OPEN: Final = """from(bucket: "${bucket}")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "purchase_order" and (r._field == "order_id"
    or r._field == "open_units" or r._field == "late"))
  |> pivot(rowKey: ["_time", "supplier", "state"], columnKey: ["_field"], valueColumn: "_value")
  |> group(columns: ["order_id"])
  |> sort(columns: ["_time"])
  |> last(column: "open_units")
  |> filter(fn: (r) => r.open_units > 0)
  |> group()
  |> keep(columns: ["_time", "supplier", "order_id", "state", "open_units", "late"])
  |> sort(columns: ["_time"], desc: true)
  |> limit(n: 100)"""
NEAR_EXPIRY_UNITS: Final = _held_by_site("lot_stock", "near_expiry_units")
EXPIRED_UNITS: Final = _held_by_site("lot_stock", "expired_units")
QUARANTINED_UNITS: Final = _held_by_site("stock_level", "quarantined_units")
COUNTS_BY_STATE: Final = _by_state("count_session", "lines", at_sites=True)
COUNT_VARIANCE: Final = f"""{_from("count_line", "difference_minor")}
  {_SITE}
  |> filter(fn: (r) => r.state == "counted")
  |> group(columns: ["site"])
  |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)"""


def _daily_rate(part: str, whole: str, measurement: str = "kpi") -> str:
    """Return a ratio of two sums, by site and day; of key figures of the days that were closed."""
    return f"""from(bucket: "${{bucket}}")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "{measurement}"
    and (r._field == "{part}" or r._field == "{whole}"))
  {_SITE}
  |> group(columns: ["site", "_field"])
  |> aggregateWindow(every: 1d, fn: sum, createEmpty: false)
  |> pivot(rowKey: ["_time", "site"], columnKey: ["_field"], valueColumn: "_value")
  |> filter(fn: (r) => exists r.{part} and exists r.{whole} and float(v: r.{whole}) > 0.0)
  |> map(fn: (r) => ({{_time: r._time, site: r.site,
    _value: float(v: r.{part}) / float(v: r.{whole})}}))
  |> group(columns: ["site"])"""


STOCKOUT_TIME_RATE: Final = _daily_rate("out_ms", "observed_ms")
FILL_RATE: Final = _daily_rate("filled_units", "asked_units")
OVERSTOCK_VALUE_RATE: Final = _daily_rate("excess_minor", "value_minor")
SENSOR_COVERAGE: Final = _daily_rate("sensed_ms", "total_ms")
BLIND_TIME_RATE: Final = _daily_rate("blind_ms", "total_ms")
COUNT_ACCURACY: Final = _daily_rate("accurate", "counted", "count_line")
DAYS_ON_HAND: Final = (
    _daily_rate("held_value", "issued_value")
    + """
  |> map(fn: (r) => ({r with _value: r._value / 86400.0}))"""
)

SITES: Final = """import "influxdata/influxdb/schema"
schema.tagValues(bucket: "${bucket}", tag: "site",
  start: v.timeRangeStart, stop: v.timeRangeStop)"""


def runnable(query: str, *, bucket: str, start: str, stop: str) -> str:
    """Return a query with literals for Grafana's variables; times are RFC 3339."""
    literals = {
        "${bucket}": bucket,
        "${site:regex}": ".*",
        "v.timeRangeStart": start,
        "v.timeRangeStop": stop,
        "v.windowPeriod": "1m",
    }
    for name, literal in literals.items():
        query = query.replace(name, literal)
    return query
