"""Whole roadside messages as plain data, both ways: for inspection, maps, encoders and tests.

The values are those of `v2x.ingest.uper_plain` by the tables of `v2x.ingest.j2735cn_types`. A
message of T/CSAE 157 that the tables hold goes by the name of its type, as if it were an
alternative of MessageFrame.
"""

from typing import Any, NamedTuple

from v2x.ingest.decoded import Reject
from v2x.ingest.j2735cn_events import event_name, sign_name
from v2x.ingest.j2735cn_parts import in_box
from v2x.ingest.j2735cn_types import EXTENSIONS, MESSAGES, TABLES, types_of
from v2x.ingest.uper_plain import LATER, Plain, RefusedError, read, write

SSM = "SensorSharingMsg"
_NAMES = {
    "bsmFrame": "bsm", "mapFrame": "map", "rsmFrame": "rsm", "spatFrame": "spat",
    "rsiFrame": "rsi", SSM: "ssm",
}  # fmt: skip


class Message(NamedTuple):
    """A message: alternative of MessageFrame or `SSM`, its value, and the edition it was read as.

    Of a message of T/CSAE 157 that the tables do not hold, `value` is its octets and `kind` the
    name of its type, or its id.
    """

    kind: str
    value: Plain
    edition: str


def read_message(frame: bytes, edition: str = "auto") -> Message:
    """Message of a frame; with ``auto`` the first edition that takes it whole.

    A MAP that several take is the one whose first node lies in the box of the district; one that
    2019 refuses must lie there or hold a link (`v2x.ingest.j2735cn_unit` says why).

    Raises
    ------
    RefusedError
        With the reason of the first edition tried.
    """
    first: RefusedError | None = None
    found: Message | None = None
    for name in ("2019", "day2") if edition == "auto" else (edition,):
        if name not in TABLES:
            raise RefusedError(Reject.UNKNOWN_EDITION)
        try:
            made = _read(frame, name)
        except RefusedError as refused:
            first = first or refused
            continue
        if made.kind != "mapFrame" or _in_district(made.value):
            return made
        linked = any("inLinks" in node for node in made.value["nodes"])
        if name != "day2" or edition != "auto" or linked:
            found = found or made
    if found is not None:
        return found
    raise first or RefusedError(Reject.UNKNOWN_EDITION)


def _read(frame: bytes, edition: str) -> Message:
    if frame and frame[0] >= 0x80:
        edition = "day2"
    ((kind, value),) = read("MessageFrame", frame, types_of(edition)).items()
    if kind.startswith(LATER):
        raise RefusedError(Reject.UNKNOWN_MESSAGE)
    if kind != "msgFrameExt":
        return Message(kind, value, edition)
    name = EXTENSIONS.get(value["messageId"], str(value["messageId"]))
    if name in types_of(edition):
        return Message(name, read(name, value["value"], types_of(edition)), edition)
    return Message(name, value["value"], edition)


def write_message(kind: str, value: Plain, edition: str = "2019") -> bytes:
    """UPER MessageFrame of a value; `ValueError` where it does not fit its type.

    `kind` is an alternative of MessageFrame, or `SSM`, which is always of ``day2``.
    """
    if kind in MESSAGES:
        return write("MessageFrame", {kind: value}, types_of(edition))
    types = types_of("day2")
    number = next(i for i, name in EXTENSIONS.items() if name == kind)
    inner = {"messageId": number, "value": write(kind, value, types)}
    return write("MessageFrame", {"msgFrameExt": inner}, types)


def readable(frame: bytes) -> bool:
    """Whether some edition takes the frame."""
    try:
        read_message(frame)
    except RefusedError:
        return False
    return True


def _in_district(value: Plain) -> bool:
    place = value["nodes"][0]["refPos"]
    return bool(in_box(place["lat"], place["long"]))


def plain(frame: bytes) -> dict[str, Any]:
    """What a frame says, as JSON-able data; nothing for bytes that are no message.

    ``message``, ``edition`` (the first that takes it) and ``value`` in wire units with octets in
    hex and descriptions as text; of an RSI what its events and signs are called.
    """
    try:
        kind, value, edition = read_message(frame)
    except RefusedError:
        return {}
    made = {"message": _NAMES.get(kind, kind), "edition": edition, "value": _jsonable(value)}
    if kind in ("rsiFrame", SSM):
        made["events"] = {
            str(e["rteId"]): event_name(e["eventType"]) for e in value.get("rtes", ())
        }
    if kind == "rsiFrame":
        made["signs"] = {str(e["rtsId"]): sign_name(e["signType"]) for e in value.get("rtss", ())}
    return made


def _jsonable(value: Plain) -> Any:
    if isinstance(value, dict):
        return {
            name: _text(inner) if name == "textGB2312" else _jsonable(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_jsonable(one) for one in value]
    return value.hex() if isinstance(value, bytes) else value


def _text(octets: bytes) -> str:
    """Text of a description in GB 18030, which holds the schema's GB 2312 and the units' GBK."""
    return octets.decode("gb18030", "replace")
