"""Slow twin of the UPER decoder: reads, writes and invents values from a table of types.

One line a type: name | preamble | fields. Preamble ``x`` is an extension bit, ``k`` presence bits
follow from the question marks, ``choice`` has 3 index bits. Field codes: ``u16`` number of 16 bits,
``s12`` offset binary, ``15(0,28800)`` bounded, ``e4(16)`` enumeration, ``xe3(5)`` extensible one,
``b8`` and ``xb13`` bit strings, ``o8`` octets, ``T(1,16)4*Name`` list with 4-bit count.

Values are those of asn1tools: dict, (alternative, value), (octets, bits), and enumerations as
``v3``; absent fields have no key.
"""

import re

TABLE = """
MessageFrame | x choice | bsmFrame BasicSafetyMessage, mapFrame Nothing, rsmFrame \
RoadsideSafetyMessage, spatFrame Nothing, rsiFrame Nothing
Position3D | | lat 31(-900000000,900000001), long 32(-1799999999,1800000001), \
elevation? 16(-4096,61439)
PositionConfidenceSet | | pos e4(16), elevation? e4(16)
PositionalAccuracy | | semiMajor u8, semiMinor u8, orientation u16
MotionConfidenceSet | | speedCfd? e3(8), headingCfd? e3(8), steerCfd? e2(4)
AccelerationSet4Way | | long 12(-2000,2001), lat 12(-2000,2001), vert 8(-127,127), \
yaw 16(-32767,32767)
VehicleSize | | width u10, length u12, height? u7
VehicleClassification | x | classification u8, fuelType? u4
PositionOffsetLLV | | offsetLL PositionOffsetLL, offsetV? VerticalOffset
PositionOffsetLL | choice | position-LL1 LL1, position-LL2 LL2, position-LL3 LL3, \
position-LL4 LL4, position-LL5 LL5, position-LL6 LL6, position-LatLon LatLon
LL1 | | lon s12, lat s12
LL2 | | lon s14, lat s14
LL3 | | lon s16, lat s16
LL4 | | lon s18, lat s18
LL5 | | lon s22, lat s22
LL6 | | lon s24, lat s24
LatLon | | lon 32(-1799999999,1800000001), lat 31(-900000000,900000001)
VerticalOffset | choice | offset1 s7, offset2 s8, offset3 s9, offset4 s10, offset5 s11, \
offset6 s12, elevation 16(-4096,61439)
RoadsideSafetyMessage | x | msgCnt u7, id o8, refPos Position3D, \
participants T(1,16)4*ParticipantData
ParticipantData | x | ptcType xe3(5), ptcId u16, source xe3(8), id? o8, secMark u16, \
pos PositionOffsetLLV, posConfidence PositionConfidenceSet, transmission? e3(8), speed u13, \
heading 15(0,28800), angle? 8(-126,127), motionCfd? MotionConfidenceSet, \
accelSet? AccelerationSet4Way, size VehicleSize, vehicleClass? VehicleClassification
BasicSafetyMessage | x | msgCnt u7, id o8, secMark u16, timeConfidence? e6(40), pos Position3D, \
posAccuracy? PositionalAccuracy, posConfidence? PositionConfidenceSet, transmission e3(8), \
speed u13, heading 15(0,28800), angle? 8(-126,127), motionCfd? MotionConfidenceSet, \
accelSet AccelerationSet4Way, brakes BrakeSystemStatus, size VehicleSize, \
vehicleClass VehicleClassification, safetyExt? VehicleSafetyExtensions, \
emergencyExt? VehicleEmergencyExtensions
BrakeSystemStatus | | brakePadel? e2(3), wheelBrakes? b5, traction? e2(4), abs? e2(4), \
scs? e2(4), brakeBoost? e2(3), auxBrakes? e2(4)
VehicleSafetyExtensions | x | events? xb13, pathHistory? PathHistory, \
pathPrediction? PathPrediction, lights? xb9
PathHistory | x | initialPosition? FullPositionVector, currGNSSstatus? b8, \
crumbData T(1,23)5*PathHistoryPoint
FullPositionVector | x | utcTime? DDateTime, pos Position3D, heading? 15(0,28800), \
transmission? e3(8), speed? u13, posAccuracy? PositionalAccuracy, \
posConficence? PositionConfidenceSet, timeConfidence? e6(40), motionCfd? MotionConfidenceSet
PathHistoryPoint | x | llvOffset PositionOffsetLLV, timeOffset 16(1,65535), speed? u13, \
posAccuracy? PositionConfidenceSet, heading? 8(0,240)
PathPrediction | x | radiusOfCurve 16(-32767,32767), confidence 8(0,200)
VehicleEmergencyExtensions | x | responseType? xe3(7), sirenUse? e2(4), lightsUse? e3(8)
DDateTime | | year? u12, month? 4(0,12), day? u5, hour? 5(0,24), minute? 6(0,60), second? u16, \
offset? 11(-720,721)
"""

OF_2020 = """
FullPositionVector | x | utcTime? DDateTime, pos Position3D, heading? 15(0,28800), \
transmission? e3(8), speed? u13, posAccuracy? PositionConfidenceSet, timeConfidence? e6(40), \
motionCfd? MotionConfidenceSet
DDateTime | | year? u12, month? 4(0,12), day? u5, hour? u5, minute? 6(0,60), second? u16, \
offset? 11(-840,840)
"""

CODE = re.compile(
    r"(?:(?P<prefix>u|s|xe|e|xb|b|o|T)?(?:\((?P<a>-?\d+),(?P<b>-?\d+)\))?(?P<n>\d+)"
    r"(?:\((?P<lo>-?\d+)(?:,(?P<hi>-?\d+))?\))?(?:\*(?P<of>\w+))?|(?P<name>[A-Z]\w+))$"
)


def parsed(text):
    """Types by name: (extensible, is a choice, [(field, optional, code)])."""
    types = {}
    for line in text.strip().splitlines():
        name, preamble, fields = (part.strip() for part in line.split("|"))
        listed = []
        for part in re.split(r",\s+", fields):
            field, code = part.split()
            match = CODE.match(code)
            assert match, code
            listed.append((field.rstrip("?"), field.endswith("?"), match.groupdict()))
        types[name] = ("x" in preamble.split(), "choice" in preamble, listed)
    return types


EDITION = {"2019": parsed(TABLE), "2020": parsed(TABLE) | parsed(OF_2020)}


class RefusedError(Exception):
    """Carries the name of the reject code."""


class Reader:
    def __init__(self, data, types):
        self.text = "".join(f"{byte:08b}" for byte in data)
        self.p = 0
        self.types = types

    def take(self, n):
        if self.p + n > len(self.text):
            raise RefusedError("SHORT")
        piece = self.text[self.p : self.p + n]
        self.p += n
        return piece

    def number(self, n):
        return int(self.take(n) or "0", 2)

    def length(self):
        if not self.number(1):
            return self.number(7)
        if self.number(1):
            raise RefusedError("OVERSIZE")
        return self.number(14)

    def additions(self):
        if self.number(1):
            raise RefusedError("OVERSIZE")
        flags = self.take(self.number(6) + 1)
        for flag in flags:
            if flag == "1":
                self.take(8 * self.length())

    def message(self):
        value = self.type("MessageFrame")
        rest = self.text[self.p :]
        if len(rest) >= 8 or "1" in rest:
            raise RefusedError("TRAILING_DATA")
        return value

    def type(self, name):
        if name == "Nothing":
            raise RefusedError("UNKNOWN_MESSAGE")
        extensible, choice, fields = self.types[name]
        more = extensible and self.number(1)
        if choice:
            if more:
                raise RefusedError("UNKNOWN_MESSAGE")
            index = self.number(3)
            if index >= len(fields):
                raise RefusedError("BAD_MAGIC" if name == "MessageFrame" else "VALUE_RANGE")
            field, _, code = fields[index]
            return field, self.value(code)
        present = [not optional or bool(self.number(1)) for _, optional, _ in fields]
        value = {
            field: self.value(code)
            for (field, _, code), here in zip(fields, present, strict=True)
            if here
        }
        if more:
            self.additions()
        return value

    def bounded(self, n, lo, hi):
        raw = self.number(n) + lo
        if raw > hi:
            raise RefusedError("VALUE_RANGE")
        return raw

    def value(self, code):
        if code["name"]:
            return self.type(code["name"])
        kind, n = code["prefix"], int(code["n"])
        if kind == "u":
            return self.number(n)
        if kind == "s":
            return self.number(n) - (1 << (n - 1))
        if kind is None:
            return self.bounded(n, int(code["lo"]), int(code["hi"]))
        if kind == "o":
            return bytes(self.number(8) for _ in range(n))
        if kind == "T":
            count = self.bounded(n, int(code["a"]), int(code["b"]))
            return [self.type(code["of"]) for _ in range(count)]
        if kind == "xe" and self.number(1):
            if self.number(1):
                raise RefusedError("OVERSIZE")
            self.take(6)
            return None
        if kind in ("e", "xe"):
            return f"v{self.bounded(n, 0, int(code['lo']) - 1)}"
        if kind == "xb" and self.number(1):
            n = self.length()
        piece = self.take(n)
        size = -(-n // 8)
        return int(piece.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big"), n


def read(data, edition="2019"):
    """Value of a MessageFrame, or `RefusedError`."""
    return Reader(data, EDITION[edition]).message()


def invented(rng, name, edition="2019", fill=0.5):
    """Random value of a type; optional fields stand with probability `fill`."""
    types = EDITION[edition]

    def of_type(name):
        _, choice, fields = types[name]
        if choice:
            field, _, code = fields[rng.integers(len(fields))]
            return field, of_code(code)
        return {
            field: of_code(code)
            for field, optional, code in fields
            if not optional or rng.random() < fill
        }

    def of_code(code):
        if code["name"]:
            return of_type(code["name"])
        kind, n = code["prefix"], int(code["n"])
        if kind == "u":
            return spread(0, (1 << n) - 1)
        if kind == "s":
            return spread(-(1 << (n - 1)), (1 << (n - 1)) - 1)
        if kind is None:
            return spread(int(code["lo"]), int(code["hi"]))
        if kind == "o":
            return rng.bytes(n)
        if kind == "T":
            return [of_type(code["of"]) for _ in range(spread(int(code["a"]), int(code["b"])))]
        if kind in ("e", "xe"):
            return f"v{rng.integers(int(code['lo']))}"
        size = -(-n // 8)
        return (int(rng.integers(1 << n)) << (8 * size - n)).to_bytes(size, "big"), n

    def spread(lo, hi):
        edge = rng.random()
        return lo if edge < 0.05 else hi if edge < 0.1 else int(rng.integers(lo, hi + 1))

    return of_type(name)
