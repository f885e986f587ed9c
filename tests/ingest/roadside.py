"""What the tests of roadside messages share: vectors, schemas of another encoder, one decoder."""

import re
from functools import cache
from pathlib import Path

import asn1tools
import numpy as np

from v2x.frames import FrameBatch
from v2x.ingest.formats.ydt3709 import FORMATS
from v2x.ingest.j2735cn_types import types_of
from v2x.ingest.timestamps import parse_iso
from v2x.ingest.uper_plain import LATER
from v2x.observations import ident_of
from v2x.readings import Name
from v2x.sensors import Sensor, SensorTable

FORMAT = FORMATS[0]
RECV = parse_iso("2026-03-01T08:00:12.5Z")
RSM = bytes.fromhex(
    "205444c303030303031ccf6c240b13b661f0fce10a2000ec60734f65d2c5c5f7302b73841ac968384780a0060010"
    "6601830323e700ffff0800000000"
)
BSM = bytes.fromhex(
    "021fe020406080a0c0e11d4be99ed84816276cc3e5028800087d0e10219be8401fffd000640fa084c300"
)
RSI = bytes.fromhex(
    "4602e5fb0889860606060606399ed84816276cc3e1f9c1da060322a1064f8800c90262ebe47be777d0009c07d103"
    "e81bf830fc180011da00"
)
RSI_2020 = bytes.fromhex(
    "4602e5fb0889860606060606399ed84816276cc3e1f9c1da060322a1064f8800c90262ebe47be777d0001c07d103"
    "e81bf830fc180011da00"
)
SPAT = bytes.fromhex("3612e5fb0ee4800803701fe82000008a636000000f000f000f004b002589c0003c004b00")
MAP = bytes.fromhex(
    "141397ec00600dc07fa99ed84816276cc3e01e00dc07f80af0036c782753003ce44b03006e03fe0102c0102bd800"
    "1c01b80ffa03000020"
)
MAP_2020 = bytes.fromhex(
    "141397ec00c01b80ff533db0902c4ed987c03803701fe02bc00db1e09d4c00f3912c0c01b80ff8040b0040af6000"
    "e00dc07fd0180001"
)
SSM = bytes.fromhex(
    "802c000c29104444c30303030303129c4199ed84816276cc3e1f9c0200996000c34dee184b1e704800384000701c"
)
DAY1 = (Path(__file__).parent / "dsrc_subset.asn").read_text()
DIFFERS_2020 = (
    ("    posAccuracy PositionalAccuracy OPTIONAL,\n    posConficence PositionConfidenceSet "
     "OPTIONAL,\n", "    posAccuracy PositionConfidenceSet OPTIONAL,\n"),
    ("hour INTEGER (0..24)", "hour INTEGER (0..31)"),
    ("offset INTEGER (-720..721)", "offset INTEGER (-840..840)"),
    ("nodes SEQUENCE (SIZE (1..63))", "nodes SEQUENCE (SIZE (1..32))"),
    ("linkWidth INTEGER (0..32767) OPTIONAL", "linkWidth INTEGER (0..32767)"),
    ("connectsTo SEQUENCE (SIZE (1..16))", "connectsTo SEQUENCE (SIZE (1..8))"),
    ("activePath SEQUENCE (SIZE (1..32))", "activePath SEQUENCE (SIZE (2..32))"),
)  # fmt: skip
ADDED_DAY2 = (
    ("rsiFrame RoadSideInformation,\n    ...",
     "rsiFrame RoadSideInformation,\n    ...,\n    msgFrameExt MessageFrameExt"),
    ("inLinks SEQUENCE (SIZE (1..32)) OF Link OPTIONAL,\n    ...",
     "inLinks SEQUENCE (SIZE (1..32)) OF Link OPTIONAL,\n    ...,\n"
     "    inLinks-ex OCTET STRING OPTIONAL,\n    prohibitedzone OCTET STRING OPTIONAL"),
)  # fmt: skip
TYPES = {
    "bsmFrame": "BasicSafetyMessage", "mapFrame": "MapData", "rsmFrame": "RoadsideSafetyMessage",
    "spatFrame": "SPAT", "rsiFrame": "RoadSideInformation", "SensorSharingMsg": "SensorSharingMsg",
}  # fmt: skip


def edited(text, edits):
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def day2(text):
    text = edited(edited(text, DIFFERS_2020), ADDED_DAY2)
    at = text.index("RTSData ::=")
    end = text.index("    ...\n}", at)
    return text[:end] + "    ...,\n    auxiliarySign AuxiliarySign OPTIONAL" + text[end + 7 :]


def later(text):
    """A later edition: everything that may be extended has got something more."""
    text = edited(text, ADDED_DAY2[:1])

    def more(match):
        if "CHOICE" in match[1]:
            return match[1] + "    ...,\n    more OCTET STRING (SIZE (3))\n}"
        return (
            match[1] + "    ...,\n    more OCTET STRING (SIZE (3)) OPTIONAL,\n"
            "    last BOOLEAN OPTIONAL\n}"
        )

    text = re.sub(r"(\S+ ::= \w+ \{\n(?:(?!\n\}).)*?)    \.\.\.\n\}", more, text, flags=re.S)
    return text.replace(", ... }", ", ..., w0, w1 }")


@cache
def schema(edition):
    """Another encoder and decoder of an edition: 2019, 2020, day2, or one that is yet to come."""
    make = {
        "2019": lambda text: text, "2020": lambda text: edited(text, DIFFERS_2020),
        "day2": day2, "later": later,
    }[edition]  # fmt: skip
    return asn1tools.compile_string(make(DAY1), "uper")


def encoded(kind, value, edition="2019"):
    """Frame of a value of asn1tools; an SSM goes into its envelope."""
    spec = schema(edition)
    if kind in ("ssmFrame", "SensorSharingMsg"):
        inner = bytes(spec.encode("SensorSharingMsg", value))
        return bytes(
            spec.encode("MessageFrame", ("msgFrameExt", {"messageId": 12, "value": inner}))
        )
    return bytes(spec.encode("MessageFrame", (kind, value)))


def as_asn1tools(value, name, edition="day2"):
    """A plain value of the package, as asn1tools has it."""
    types = types_of(edition)

    def of_type(value, name):
        kind = types[name]
        if kind.items is not None:
            return of_code(value, kind.items)
        codes = {field.name: field.code for field in (*kind.fields, *kind.added)}
        if kind.choice:
            ((alternative, inner),) = value.items()
            return alternative, of_code(inner, codes[alternative])
        return {name: of_code(inner, codes[name]) for name, inner in value.items() if name != LATER}

    def of_code(value, code):
        if code.kind == "type":
            return of_type(value, code.of)
        if code.kind == "list":
            return [of_type(one, code.of) for one in value]
        if code.kind == "group":
            return {field.name: of_code(value[field.name], field.code) for field in code.fields}
        if code.kind == "enum":
            return f"v{value}"
        if code.kind == "bits":
            size = -(-len(value) // 8)
            return int(value.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big"), len(value)
        return value

    return of_type(value, name)


def as_plain(value, name, edition="day2"):
    """A value of asn1tools, as the package has it."""
    types = types_of(edition)

    def of_type(value, name):
        kind = types[name]
        if kind.items is not None:
            return of_code(value, kind.items)
        codes = {field.name: field.code for field in (*kind.fields, *kind.added)}
        if kind.choice:
            alternative, inner = value
            return {alternative: of_code(inner, codes[alternative])}
        return {name: of_code(inner, codes[name]) for name, inner in value.items()}

    def of_code(value, code):
        if code.kind == "type":
            return of_type(value, code.of)
        if code.kind == "list":
            return [of_type(one, code.of) for one in value]
        if code.kind == "group":
            return {field.name: of_code(value[field.name], field.code) for field in code.fields}
        if code.kind == "enum":
            return int(value[1:])
        if code.kind == "bits":
            octets, n = value
            return "".join(f"{byte:08b}" for byte in octets)[:n]
        return value

    return of_type(value, name)


def table(**kwargs):
    return SensorTable.of([Sensor("roadside", "ydt3709", **kwargs)])


def decode(payloads, recv=RECV, state=None, **kwargs):
    payloads = [payloads] if isinstance(payloads, bytes) else payloads
    batch = FrameBatch.of("ydt3709", payloads, [0] * len(payloads), [recv] * len(payloads))
    return FORMAT.decode(batch, table(**kwargs), state or FORMAT.new_state())


def said(made):
    """(name, value) of every reading."""
    return [
        (Name(n).name, v)
        for n, v in zip(made.readings.name.tolist(), made.readings.value.tolist(), strict=True)
    ]


def assert_rows(made, rows, readings, frame=0):
    """Rows of one frame equal the slow twin's; a reading of None is a hash."""
    seen = made.observations.take(made.observations.frame == frame)
    assert len(seen) == len(rows)
    for k, expected in enumerate(rows):
        for name, value in expected.items():
            got = getattr(seen, name)[k]
            if name == "ident":
                assert int(got) == ident_of(value)
                assert not value or made.idents[int(got)] == value
            else:
                np.testing.assert_allclose(got, value, rtol=1e-6, atol=1e-9, err_msg=name)
    told = made.readings.take(made.readings.frame == frame)
    got = [(Name(n).name, v) for n, v in zip(told.name, told.value, strict=True)]
    if not any(name in ("BSM_EVENTS", "SIREN", "BRAKE") for name, _ in readings):
        assert [n for n, _ in got] == [n for n, _ in readings]
    else:
        got = sorted(got)
    got = [
        v for v, (_, want) in zip((v for _, v in got), readings, strict=True) if want is not None
    ]
    np.testing.assert_allclose(got, [v for _, v in readings if v is not None], rtol=1e-12)


def assert_same(a, b):
    for name, *_ in a.schema():
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
