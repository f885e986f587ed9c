"""CloudEvents 1.0: the attributes that travel with every revision of an alert.

Destinations put them where their protocol has a place: headers of a Kafka record, user properties
of an MQTT message, or one JSON object with the record in it.
"""

import json
from typing import Any

from v2x.alert import Alert


def key(alert: Alert) -> str:
    """Name of the revision: repeats have the same."""
    return f"{alert.id}.{alert.rev}"


def attributes(alert: Alert, source: str) -> dict[str, str]:
    """Attributes by name, all from the record; the standard wants extensions in lower case."""
    body = alert.body
    return {
        "specversion": "1.0",
        "id": key(alert),
        "type": "v2x.alert.v1",
        "source": source,
        "time": body["event_time"],
        "subject": alert.id,
        "partitionkey": alert.id,
        "sequence": str(alert.rev),
        "alerttype": alert.type,
        "severity": str(alert.severity),
        "condition": alert.condition,
        "state": body["state"],
        "drill": _bool(body["drill"]),
        "replay": _bool(body["replay"]),
    }


def structured(alert: Alert, source: str) -> bytes:
    """Envelope and record as one JSON object, canonical: the same revision, the same bytes."""
    event: dict[str, Any] = dict(attributes(alert, source))
    event["datacontenttype"] = "application/json"
    event["data"] = alert.body
    return json.dumps(
        event, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _bool(value: bool) -> str:
    return "true" if value else "false"
