"""Every metric, by its name: its type, its labels, and its help text. ``docs/metrics.md`` has the same table. Pure.

Names begin with ``postfix_`` if postfix_exporter has the same metric (there without ``relay``), else with
``dms_relay_``. ``relay`` is the label of ``dms-relay queue``: the name of the relay, or with ``RELAY_ROUTING=maps``
the nexthop; ``direct``, ``unknown`` or ``other``.
"""

from __future__ import annotations

from dms_relay.model.values import frozen

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"


@frozen
class Metric:
    """One metric."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = ()


_OUTCOME = ("relay", "status", "dsn")
_LOGIN_TEST = ("relay", "nexthop", "login")
_TOKEN = ("relay", "username")

#: Counted in Postfix's log as it passes the image's entrypoint.
COUNTED = (
    Metric(
        "postfix_smtp_messages_processed_total",
        COUNTER,
        "Recipients tried at a relay: sent, deferred or bounced, with the class of the DSN",
        _OUTCOME,
    ),
    Metric(
        "postfix_smtp_delivery_delay_seconds",
        HISTOGRAM,
        "Time that each stage of a try took",
        ("relay", "stage"),
    ),
    Metric("postfix_smtpd_connects_total", COUNTER, "Connections of clients"),
    Metric("postfix_smtpd_messages_processed_total", COUNTER, "Messages that clients began to send"),
    Metric("postfix_smtpd_messages_rejected_total", COUNTER, "Refusals, by the code of the reply", ("code",)),
    Metric("postfix_cleanup_messages_processed_total", COUNTER, "Messages that entered the queue"),
    Metric("postfix_qmgr_messages_removed_total", COUNTER, "Messages that left the queue"),
    Metric("postfix_qmgr_messages_expired_total", COUNTER, "Messages returned because they waited too long"),
    Metric("postfix_bounce_non_delivery_notification_total", COUNTER, "Bounces sent to senders"),
    Metric(
        "dms_relay_untried_recipients_total",
        COUNTER,
        "Recipients that the queue manager put off or returned without a try",
        _OUTCOME,
    ),
    Metric(
        "dms_relay_delivery_delay_seconds",
        HISTOGRAM,
        "Time from a message's arrival to its delivery, for each delivered recipient",
        ("relay",),
    ),
    Metric("dms_relay_unparsed_deliveries_total", COUNTER, "Log lines that could not be parsed, and were not counted"),
    Metric("dms_relay_counting_since_timestamp_seconds", GAUGE, "When counting began at 0"),
)

#: What waits in the queue.
QUEUE = (
    Metric("dms_relay_queue_messages", GAUGE, "Messages that wait", ("relay",)),
    Metric("dms_relay_queue_recipients", GAUGE, "Recipients that wait", ("relay",)),
    Metric("dms_relay_queue_size_bytes", GAUGE, "Size of the messages that wait", ("relay",)),
    Metric("dms_relay_queue_oldest_age_seconds", GAUGE, "Age of the oldest message that waits, 0 for none", ("relay",)),
    Metric("dms_relay_queue_messages_by_queue", GAUGE, "Messages that wait, by Postfix's queue", ("relay", "queue")),
    Metric("dms_relay_queue_recipients_by_reason", GAUGE, "Recipients that wait, by reason", ("relay", "reason")),
    Metric(
        "dms_relay_queue_messages_by_sender",
        GAUGE,
        "Messages that wait, by the sender's domain if the configuration names it",
        ("relay", "sender_domain"),
    ),
    Metric("dms_relay_queue_listed_timestamp_seconds", GAUGE, "When the queue was last read"),
    Metric("dms_relay_queue_readable", GAUGE, "1 if the last reading of the queue succeeded, else 0"),
)

#: The state of the keeper, the inputs, tokens and logins.
STANDING = (
    Metric(
        "dms_relay_configuration_in_force_timestamp_seconds",
        GAUGE,
        "When the current configuration came into force",
    ),
    Metric("dms_relay_apply_due", GAUGE, "1 if the inputs have changed since they were applied, else 0"),
    Metric("dms_relay_wrong_inputs", GAUGE, "Errors in the inputs, which keep them from being applied"),
    Metric("dms_relay_troubles", GAUGE, "Number of problems that dms-relay status shows, without failed login tests"),
    Metric("dms_relay_login_test_success", GAUGE, "1 if the last login test succeeded, else 0", _LOGIN_TEST),
    Metric("dms_relay_login_test_duration_seconds", GAUGE, "How long the last login test took", _LOGIN_TEST),
    Metric("dms_relay_login_test_timestamp_seconds", GAUGE, "When logins were last tested"),
    Metric(
        "dms_relay_certificate_expiry_timestamp_seconds",
        GAUGE,
        "When the relay's certificate expires, as seen by the last login test",
        ("relay", "nexthop"),
    ),
    Metric("dms_relay_token_expiry_timestamp_seconds", GAUGE, "When the access token expires, 0 for none", _TOKEN),
    Metric("dms_relay_token_renewal_failed", GAUGE, "1 if the last renewal of the token failed, else 0", _TOKEN),
    Metric("dms_relay_keeper_running", GAUGE, "1 if dms-relay watch runs, else 0"),
    Metric("dms_relay_keeper_start_timestamp_seconds", GAUGE, "When dms-relay watch was started"),
    Metric("dms_relay_keeper_seen_timestamp_seconds", GAUGE, "When dms-relay watch was last seen at work"),
    Metric("dms_relay_keeper_children", GAUGE, "Programs that dms-relay watch runs at the moment"),
    Metric("dms_relay_postfix_running", GAUGE, "1 if Postfix runs, else 0"),
    Metric("dms_relay_build_info", GAUGE, "1, with the versions", ("version", "postfix_version")),
)

METRICS = {metric.name: metric for metric in (*COUNTED, *QUEUE, *STANDING)}
