"""SAE J2735 messages as programs of `v2x.ingest.j2735cn_program`, and the columns that they fill.

All share one register. SPAT gives a wire row per movement event, one behind the last of a phase and
one behind the last phase of an intersection; MAP one per intersection. A PSM stays in the register,
and so do the pieces of an SDSM, its head and every object by itself, since what stands behind the
optional data of one cannot be found.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import I4, I8
from v2x.ingest.j2735_types import MAP, NAMES, PSM, SPAT, TYPES
from v2x.ingest.j2735cn_program import DEPTH, Mark, program

(
    ROW, REGION, NODE, STATUS, STAMP, PHASE, LIGHT, LIKELY, LEAST, LAT, LON, UP, SENDER, MAJOR,
    MINOR, ORIENTATION, SPEED, HEADING, TYPE, SOURCE, YEAR, MONTH, DAY, HOUR, MINUTE, OFFSET,
    SURE, NUMBER, AFTER, EAST, NORTH, ABOVE, FLAT_CFD, UP_CFD, SPEED_CFD, HEADING_CFD,
) = range(36)  # fmt: skip
COLUMNS = 36
WIRE = 11
"""Columns of the register, and how many of them the rows of SPAT and MAP have.

STAMP is milliseconds of the minute; OFFSET the zone's minutes; AFTER an object's own ms.
"""

EVENT, END_OF_PHASE, END_OF_INTERSECTION = range(3)
"""What a row of a SPAT is."""

MOST_ROWS = 16_384
"""Wire rows of one message at most: a value has 131,064 bits, a movement event 8."""


class Programs(NamedTuple):
    """Programs by message; an SDSM's in its two pieces."""

    spat: I4
    map: I4
    psm: I4
    head: I4
    object: I4


def _made(name: str, columns: dict[str, int], marks: dict[str, Mark]) -> I4:
    return program(TYPES, name, columns, marks, {})


def _signals() -> I4:
    at = "intersections"
    phase = f"{at}.states"
    event = f"{phase}.state-time-speed"
    return _made(
        NAMES[SPAT],
        {
            f"{at}.id.region": REGION, f"{at}.id.id": NODE, f"{at}.status": STATUS,
            f"{at}.timeStamp": STAMP, f"{phase}.signalGroup": PHASE, f"{event}.eventState": LIGHT,
            f"{event}.timing.likelyTime": LIKELY, f"{event}.timing.minEndTime": LEAST,
        },
        {
            at: Mark(clear=(REGION, STAMP + 1), row=(ROW, END_OF_INTERSECTION)),
            phase: Mark(row=(ROW, END_OF_PHASE)),
            event: Mark(clear=(LIKELY, LEAST + 1), row=(ROW, EVENT)),
        },
    )  # fmt: skip


def _geometry() -> I4:
    at = "intersections"
    return _made(
        NAMES[MAP],
        {
            f"{at}.id.region": REGION, f"{at}.id.id": NODE, f"{at}.refPoint.lat": LAT,
            f"{at}.refPoint.long": LON,
        },
        {at: Mark(clear=(REGION, NODE + 1), row=(-1, 0))},
    )  # fmt: skip


def _accuracy(at: str) -> dict[str, int]:
    return {
        f"{at}.semiMajor": MAJOR, f"{at}.semiMinor": MINOR, f"{at}.orientation": ORIENTATION,
    }  # fmt: skip


def _place(at: str) -> dict[str, int]:
    return {f"{at}.lat": LAT, f"{at}.long": LON, f"{at}.elevation": UP}


def _head() -> I4:
    when = "sDSMTimeStamp"
    return _made(
        "SensorDataSharingHead",
        {
            "sourceID": SENDER, "equipmentType": SOURCE, f"{when}.year": YEAR,
            f"{when}.month": MONTH, f"{when}.day": DAY, f"{when}.hour": HOUR,
            f"{when}.minute": MINUTE, f"{when}.second": STAMP, f"{when}.offset": OFFSET,
            **_place("refPos"), **_accuracy("refPosXYConf"),
        },
        {"": Mark(clear=(0, COLUMNS))},
    )  # fmt: skip


PROGRAMS = Programs(
    _signals(),
    _geometry(),
    _made(
        NAMES[PSM],
        {
            "basicType": TYPE, "secMark": STAMP, "id": SENDER, "speed": SPEED, "heading": HEADING,
            **_place("position"), **_accuracy("accuracy"),
        },
        {"": Mark(clear=(0, COLUMNS))},
    ),
    _head(),
    _made(
        "DetectedObjectCommonData",
        {
            "objType": TYPE, "objTypeCfd": SURE, "objectID": NUMBER, "measurementTime": AFTER,
            "pos.offsetX": EAST, "pos.offsetY": NORTH, "pos.offsetZ": ABOVE,
            "posConfidence.pos": FLAT_CFD, "posConfidence.elevation": UP_CFD, "speed": SPEED,
            "speedConfidence": SPEED_CFD, "heading": HEADING, "headingConf": HEADING_CFD,
        },
        {"": Mark(clear=(TYPE, TYPE + 1)), "pos": Mark(clear=(EAST, ABOVE + 1))},
    ),
)  # fmt: skip


class Scratch(NamedTuple):
    """What a message is read into: register (1, COLUMNS), its rows, and stack."""

    register: I4
    wire: I4
    stack: I8

    @classmethod
    def room(cls) -> "Scratch":
        """Room for the largest message."""
        return cls(
            np.zeros((1, COLUMNS), np.int32), np.empty((MOST_ROWS, WIRE), np.int32),
            np.empty(DEPTH, np.int64),
        )  # fmt: skip
