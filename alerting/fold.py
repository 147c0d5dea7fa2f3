"""The alert fold: one alert a key, told by rules, repeated until somebody answers.

Rules and channels arrive as data and stand in the state. What is to be sent goes to the outbox
in the same transaction as the alert that caused it; the sender's results come back as inputs.
"""

from collections.abc import Sequence
from typing import Final

from alerting import life, rules
from ingest.contracts.durations import DAY_MS
from ingest.contracts.topics import DELIVERIES
from ingest.partitions import partition_of
from streams.command_answers import CommandAnswers
from streams.contracts.alerts import (
    ALERT,
    ALERT_INPUT_FRAMES,
    CHANNEL,
    DELIVERY_FRAMES,
    RULE,
    Alert,
    AlertAnswer,
    AlertClock,
    AlertEnded,
    AlertHappening,
    AlertItem,
    AlertRaised,
    AlertRuleInput,
    AlertVerb,
    ChannelInput,
    Delivery,
    DeliveryResult,
)
from streams.contracts.state import CLOCK, COMMAND, SEPARATOR, AnsweredCommand, key
from streams.engine.table import RecordTable
from streams.engine.timed import TimedFold

SILENCE_MS_MAX: Final = 30 * DAY_MS
"""A longer silence, or snooze, is refused: the alert would be forgotten, not put off."""
_LASTING: Final = frozenset({"silence", "snooze"})
_HAPPENINGS: Final[dict[AlertVerb, AlertHappening]] = {
    "silence": "silenced",
    "unsilence": "unsilenced",
    "snooze": "snoozed",
}

_STRUCTS: Final = {
    ALERT: Alert,
    CHANNEL: ChannelInput,
    RULE: AlertRuleInput,
    COMMAND: AnsweredCommand,
    CLOCK: AlertClock,
}
_CLOCK_KEY: Final = key(CLOCK)


class AlertFold(TimedFold[AlertItem]):
    """Alerts of the sites in this partition. Timers are named as the state keys they are of."""

    def __init__(self, partition_count: int) -> None:
        """Take the installation's partition count: deliveries go by channel, answers by site."""
        super().__init__(ALERT_INPUT_FRAMES, RecordTable(_STRUCTS, SEPARATOR), _CLOCK_KEY)
        self._partition_count = partition_count
        self._answers = CommandAnswers(self, partition_count)

    def apply(self, item: AlertItem) -> None:
        """Fold one item that is no tick."""
        match item:
            case AlertRaised():
                self._raised(item)
            case AlertEnded():
                self._ended(item)
            case AlertAnswer():
                self._answered(item)
            case DeliveryResult():
                alert = self._alert(item.alert_key)
                if alert is not None and life.put_result(alert, item):
                    self._put(alert)
            case ChannelInput():
                self._keep_reference(key(CHANNEL, item.channel), item)
            case AlertRuleInput():
                self._keep_reference(key(RULE, item.rule), item)
                self._plan_all_repeats()

    def wake(self, name: str) -> None:
        """Repeat an alert, or drop one (or a command id) that was kept long enough."""
        if self._answers.wake(name):
            return
        record = self.table.get(name.encode())
        if not isinstance(record, Alert) or record.state != "open":
            self.table.delete(name.encode())
            return
        if life.has_news(record):
            self._tell_news(record)
        elif record.snoozed_until_ms:
            record.snoozed_until_ms = 0
            self._send(record, rules.channels_of(self._rules_of(record)), "repeated")
            self._look(record)
        else:
            due = rules.repeats_due(self._rules_of(record), record, self.now_ms)
            self._send(record, rules.channels_of(due), "repeated")
            self._look(record)
        self._put(record)

    def rebuild(self) -> None:
        """Set the timers of all alerts and command ids in the table."""
        for _, alert in self.table.of_kind(ALERT):
            self._set_timer(alert)
        self._answers.rebuild()

    def clock_record(self) -> AlertClock:
        """Return the record that keeps this partition's now."""
        return AlertClock(now_ms=self.now_ms)

    def _raised(self, item: AlertRaised) -> None:
        alert = self._alert(item.alert_key)
        if alert is None:
            alert = life.new_alert(item)
        elif not life.raise_again(alert, item):
            return
        self._tell_news(alert)
        self._put(alert)

    def _ended(self, item: AlertEnded) -> None:
        alert = self._alert(item.alert_key)
        if alert is None or not life.clear(alert, item.at_ms):
            return
        if self.now_ms >= alert.silenced_until_ms:
            wanted = rules.channels_of(r for r in self._rules_of(alert) if r.clear_notice)
            self._send(alert, [c for c in wanted if c in alert.channels_told], "told")
        self._put(alert)

    def _answered(self, item: AlertAnswer) -> None:
        if not self._answers.begin(item):
            return
        alert = self._alert(item.alert_key)
        refusal = self._refusal(item, alert)
        if alert is not None and not refusal:
            self._carry_out(item, alert)
            self._put(alert)
        state = alert.state if alert is not None else ""
        self._answers.say(item, item.alert_key, item.site, refusal=refusal, state=state)

    def _refusal(self, item: AlertAnswer, alert: Alert | None) -> str:
        if alert is None:
            return "there is no such alert"
        if alert.state == "cleared":
            return "the alert is over"
        if item.verb == "snooze" and alert.state == "acknowledged":
            return "it is acknowledged: nothing of it comes that could be put off"
        if item.verb in _LASTING:
            if self._until_ms(item) <= self.now_ms:
                return f"the {item.verb} would be over already"
            if self._until_ms(item) - self.now_ms > SILENCE_MS_MAX:
                return f"a {item.verb} lasts {SILENCE_MS_MAX // DAY_MS} days at most"
        return ""

    def _until_ms(self, item: AlertAnswer) -> int:
        return item.until_ms or self.now_ms + item.for_ms

    def _carry_out(self, item: AlertAnswer, alert: Alert) -> None:
        if item.verb == "acknowledge":
            life.acknowledge(alert, item.actor, self.now_ms, item.reason)
            alert.next_repeat_at_ms = alert.snoozed_until_ms = 0
            return
        if item.verb == "snooze":
            alert.snoozed_until_ms = self._until_ms(item)
        else:
            alert.silenced_until_ms = self._until_ms(item) if item.verb == "silence" else 0
        life.add_answer(alert, self.now_ms, _HAPPENINGS[item.verb], item.actor, item.reason)
        if life.has_news(alert):
            self._tell_news(alert)
        else:
            self._plan_repeat(alert)

    def _tell_news(self, alert: Alert) -> None:
        if not life.has_news(alert):
            return
        if self.now_ms < alert.silenced_until_ms:
            alert.next_repeat_at_ms = alert.silenced_until_ms
            return
        alert.severity_told = rules.rank(alert.severity)
        alert.snoozed_until_ms = 0  # it was put off for what it was then
        self._send(alert, rules.channels_of(self._rules_of(alert)), "told")
        self._look(alert)

    def _look(self, alert: Alert) -> None:
        alert.looked_at_ms = self.now_ms
        self._plan_repeat(alert)

    def _plan_repeat(self, alert: Alert) -> None:
        if alert.state == "open" and not life.has_news(alert):
            found = self._rules_of(alert)
            alert.next_repeat_at_ms = rules.next_repeat_at_ms(found, alert, self.now_ms)

    def _plan_all_repeats(self) -> None:
        for _, alert in self.table.of_kind(ALERT):
            planned_ms = alert.next_repeat_at_ms
            self._plan_repeat(alert)
            if alert.next_repeat_at_ms != planned_ms:
                self._put(alert)

    def _send(self, alert: Alert, channels: Sequence[str], happening: AlertHappening) -> None:
        sent = []
        for name in channels:
            delivery_id = f"delivery-{alert.alert_key}-{alert.next_number}-{name}"
            channel: ChannelInput | None = self.table.get(key(CHANNEL, name))
            if channel is None:
                life.put_delivery(alert, delivery_id, "failed")
                life.add_note(alert, self.now_ms, "failed", f"{name}: no such channel")
            elif channel.enabled:
                life.put_delivery(alert, delivery_id, "sent")
                news = happening == "told" and alert.state == "open"
                self._deliver(alert, channel, delivery_id, alert.observed_at_ms if news else 0)
                sent.append(name)
        alert.next_number += 1 if channels else 0
        if sent:
            alert.channels_told = sorted({*alert.channels_told, *sent})
            life.add_note(alert, self.now_ms, happening, ", ".join(sent))

    def _deliver(
        self, alert: Alert, channel: ChannelInput, delivery_id: str, observed_at_ms: int
    ) -> None:
        delivery = Delivery(
            delivery_id=delivery_id,
            alert_key=alert.alert_key,
            site=alert.site,
            channel=channel.channel,
            url_variable=channel.url_variable,
            title=rules.title(alert),
            body=rules.body(alert),
            severity=alert.severity,
            at_ms=self.now_ms,
            observed_at_ms=observed_at_ms,
        )
        partition = partition_of(channel.channel, self._partition_count)
        self.outbox.add(DELIVERIES.name, partition, DELIVERY_FRAMES, delivery, self.now_ms)

    def _keep_reference(self, raw: bytes, item: ChannelInput | AlertRuleInput) -> None:
        known = self.table.get(raw)
        if known is not None and known.version > item.version:
            return
        if item.removed:
            self.table.delete(raw)
        else:
            self.table.put(raw, item)

    def _rules_of(self, alert: Alert) -> list[AlertRuleInput]:
        return [rule for _, rule in self.table.of_kind(RULE) if rules.matches(rule, alert)]

    def _alert(self, alert_key: str) -> Alert | None:
        alert: Alert | None = self.table.get(key(ALERT, alert_key))
        return alert

    def _put(self, alert: Alert) -> None:
        self.table.put(key(ALERT, alert.alert_key), alert)
        self._set_timer(alert)

    def _set_timer(self, alert: Alert) -> None:
        name = key(ALERT, alert.alert_key).decode()
        due_ms = life.due_ms(alert)
        if due_ms is None:
            self.timers.cancel(name)
        else:
            self.timers.set(name, due_ms)
