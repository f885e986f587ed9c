"""SAPIENT: which fields of a message are kept, in which columns of a walk's register.

`v2x.ingest.protobuf_walk` fills them. Columns behind CONTENT belong to the one content that a
message has, those from X on to the one place that this has.
"""

import numpy as np

from v2x.columns import I8
from v2x.ingest.protobuf_walk import Mark, table_of
from v2x.ingest.sapient_messages import SCHEMA

(
    STAMPED, SECONDS, NANOS, NODE, _, CONTENT, OBJECT, _, STATE, _, IDENT, _, EAST, NORTH, UP,
    EAST_SD, NORTH_SD, SYSTEM, LEVEL, REGIONS, ALERT, STATUS, ALERT_ID, _, NAME, _,
    CLASS, _, _, OWN, _, _, _, PLACE, X, Y, Z, X_SD, Y_SD, Z_SD, UNIT, DATUM, ZONE, _,
    AZIMUTH, ELEVATION, RANGE, AZIMUTH_SD, ELEVATION_SD, RANGE_SD,
) = range(50)  # fmt: skip
COLUMNS = 50
"""A text has two columns. CLASS are those of a class (confidence, type), OWN those of a status
entry (level, type, value) and of a node's definition (type)."""

ABSENT = -(1 << 40)
"""Number that was not sent, where that matters: those of the wire have 32 bits."""

UNSURE = 0x7FF8_0000_DEAD_BEEF
"""Confidence that was not sent: a NaN that no 4-byte number on the wire becomes."""

_MESSAGE = {field.name: number for number, field in SCHEMA["SapientMessage"].items()}
REGISTRATION, STATUS_REPORT, DETECTION_REPORT, ALERT_CONTENT = (
    _MESSAGE[name] for name in ("registration", "status_report", "detection_report", "alert")
)
RANGE_BEARING, LOCATION, NODE_LOCATION = 5, 6, 7
"""PLACE: numbers of the fields of a detection report, an alert and a status report."""

_LOCATION = {
    "x": X, "y": Y, "z": Z, "x_error": X_SD, "y_error": Y_SD, "z_error": Z_SD,
    "coordinate_system": UNIT, "datum": DATUM, "utm_zone": ZONE,
}  # fmt: skip
_BEARING = {
    "azimuth": AZIMUTH, "elevation": ELEVATION, "range": RANGE, "azimuth_error": AZIMUTH_SD,
    "elevation_error": ELEVATION_SD, "range_error": RANGE_SD, "coordinate_system": UNIT,
    "datum": DATUM,
}  # fmt: skip
_VELOCITY = {
    "east_rate": EAST, "north_rate": NORTH, "up_rate": UP, "east_rate_error": EAST_SD,
    "north_rate_error": NORTH_SD,
}  # fmt: skip
_CLASS = {"confidence": CLASS, "type": CLASS + 1}
_CLASSES = "detection_report.classification"
SUB_CLASSES = f"{_CLASSES}.sub_class"


def _under(path: str, fields: dict[str, int]) -> dict[str, int]:
    return {f"{path}.{name}": column for name, column in fields.items()}


def blank() -> I8:
    """What the columns are when nothing was sent."""
    made = np.zeros(COLUMNS, np.int64)
    for column in (EAST, NORTH, UP, EAST_SD, NORTH_SD, X, Y, Z, X_SD, Y_SD, Z_SD, AZIMUTH, RANGE,
                   AZIMUTH_SD, ELEVATION_SD, RANGE_SD):  # fmt: skip
        made.view(np.float64)[column] = np.nan
    made[[NODE, NODE + 1]] = -1
    made[[SYSTEM, LEVEL]] = ABSENT
    made[CLASS] = UNSURE
    return made


def _marks() -> dict[str, Mark]:
    made = {
        "timestamp": Mark(exclusive=(STAMPED, STAMPED + 1)),
        _CLASSES: Mark(element=(CLASS, CLASS + 3)),
        SUB_CLASSES: Mark(element=(CLASS, CLASS + 3)),
        "status_report.status": Mark(element=(OWN, OWN + 4)),
        "status_report.obscuration": Mark(counted=REGIONS),
        "registration.node_definition": Mark(element=(OWN, OWN + 1)),
    }
    for field in SCHEMA["SapientMessage"].values():
        if field.rivals:
            made[field.name] = Mark(exclusive=(CONTENT, COLUMNS), drops=True)
    for place in (
        "detection_report.range_bearing", "detection_report.location",
        "status_report.node_location", "alert.range_bearing", "alert.location",
    ):  # fmt: skip
        made[place] = Mark(exclusive=(PLACE, COLUMNS))
    return made


TABLE = table_of(
    SCHEMA,
    "SapientMessage",
    {
        "timestamp.seconds": SECONDS, "timestamp.nanos": NANOS, "node_id": NODE,
        "detection_report.object_id": OBJECT, "detection_report.state": STATE,
        "detection_report.id": IDENT,
        **_under("detection_report.location", _LOCATION),
        **_under("detection_report.range_bearing", _BEARING),
        **_under("detection_report.enu_velocity", _VELOCITY),
        **_under(_CLASSES, _CLASS), **_under(SUB_CLASSES, _CLASS),
        "status_report.system": SYSTEM, "status_report.power.level": LEVEL,
        "status_report.status.status_level": OWN, "status_report.status.status_type": OWN + 1,
        "status_report.status.status_value": OWN + 2,
        **_under("status_report.node_location", _LOCATION),
        "alert.alert_id": ALERT_ID, "alert.alert_type": ALERT, "alert.status": STATUS,
        **_under("alert.location", _LOCATION),
        "registration.name": NAME, "registration.node_definition.node_type": OWN,
    },
    _marks(),
    frozenset([SUB_CLASSES]),
)  # fmt: skip
