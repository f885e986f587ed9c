"""Slow twin of the UPER decoder: reads, writes and invents values from a table of types.

One line a type: name | preamble | fields. Preamble ``x`` is an extension bit, ``k`` presence bits
follow from the question marks, ``choice3`` has 3 index bits, ``list`` is one. Field codes: ``u16``
number of 16 bits, ``s12`` offset binary, ``15(0,28800)`` bounded, ``e4(16)`` enumeration,
``xe3(5)`` extensible one, ``b8`` and ``xb13`` bit strings, ``o8`` octets, ``o(2,512)9`` and
``a(1,63)6`` octets and letters with a count, ``T(1,16)4*Name`` list with 4-bit count, ``open0``
octets by their length.

Values are those of asn1tools: dict, (alternative, value), (octets, bits), and enumerations as
``v3``; absent fields have no key. A message of T/CSAE 157 is read as if it were an alternative of
MessageFrame.
"""

import re

TABLE = """
MessageFrame | x choice3 | bsmFrame BasicSafetyMessage, mapFrame MapData, rsmFrame \
RoadsideSafetyMessage, spatFrame SPAT, rsiFrame RoadSideInformation
Position3D | | lat 31(-900000000,900000001), long 32(-1799999999,1800000001), elevation? \
16(-4096,61439)
PositionConfidenceSet | | pos e4(16), elevation? e4(16)
PositionalAccuracy | | semiMajor u8, semiMinor u8, orientation u16
MotionConfidenceSet | | speedCfd? e3(8), headingCfd? e3(8), steerCfd? e2(4)
AccelerationSet4Way | | long 12(-2000,2001), lat 12(-2000,2001), vert 8(-127,127), yaw \
16(-32767,32767)
VehicleSize | | width u10, length u12, height? u7
VehicleClassification | x | classification u8, fuelType? u4
PositionOffsetLLV | | offsetLL PositionOffsetLL, offsetV? VerticalOffset
PositionOffsetLL | choice3 | position-LL1 LL1, position-LL2 LL2, position-LL3 LL3, position-LL4 \
LL4, position-LL5 LL5, position-LL6 LL6, position-LatLon LatLon
VerticalOffset | choice3 | offset1 s7, offset2 s8, offset3 s9, offset4 s10, offset5 s11, offset6 \
s12, elevation 16(-4096,61439)
NodeReferenceID | | region? u16, id u16
RoadsideSafetyMessage | x | msgCnt u7, id o8, refPos Position3D, participants \
T(1,16)4*ParticipantData
ParticipantData | x | ptcType xe3(5), ptcId u16, source xe3(8), id? o8, secMark u16, pos \
PositionOffsetLLV, posConfidence PositionConfidenceSet, transmission? e3(8), speed u13, heading \
15(0,28800), angle? 8(-126,127), motionCfd? MotionConfidenceSet, accelSet? AccelerationSet4Way, \
size VehicleSize, vehicleClass? VehicleClassification
BasicSafetyMessage | x | msgCnt u7, id o8, secMark u16, timeConfidence? e6(40), pos Position3D, \
posAccuracy? PositionalAccuracy, posConfidence? PositionConfidenceSet, transmission e3(8), speed \
u13, heading 15(0,28800), angle? 8(-126,127), motionCfd? MotionConfidenceSet, accelSet \
AccelerationSet4Way, brakes BrakeSystemStatus, size VehicleSize, vehicleClass \
VehicleClassification, safetyExt? VehicleSafetyExtensions, emergencyExt? \
VehicleEmergencyExtensions
BrakeSystemStatus | | brakePadel? e2(3), wheelBrakes? b5, traction? e2(4), abs? e2(4), scs? \
e2(4), brakeBoost? e2(3), auxBrakes? e2(4)
VehicleSafetyExtensions | x | events? xb13, pathHistory? PathHistory, pathPrediction? \
PathPrediction, lights? xb9
PathHistory | x | initialPosition? FullPositionVector, currGNSSstatus? b8, crumbData \
T(1,23)5*PathHistoryPoint
FullPositionVector | x | utcTime? DDateTime, pos Position3D, heading? 15(0,28800), transmission? \
e3(8), speed? u13, posAccuracy? PositionalAccuracy, posConficence? PositionConfidenceSet, \
timeConfidence? e6(40), motionCfd? MotionConfidenceSet
PathHistoryPoint | x | llvOffset PositionOffsetLLV, timeOffset 16(1,65535), speed? u13, \
posAccuracy? PositionConfidenceSet, heading? 8(0,240)
PathPrediction | x | radiusOfCurve 16(-32767,32767), confidence 8(0,200)
VehicleEmergencyExtensions | x | responseType? xe3(7), sirenUse? e2(4), lightsUse? e3(8)
DDateTime | | year? u12, month? 4(0,12), day? u5, hour? 5(0,24), minute? 6(0,60), second? u16, \
offset? 11(-720,721)
RoadSideInformation | x | msgCnt u7, moy? 20(0,527040), id o8, refPos Position3D, rtes? \
T(1,8)3*RTEData, rtss? T(1,16)4*RTSData
RTEData | x | rteId u8, eventType u16, eventSource xe3(6), eventPos? PositionOffsetLLV, \
eventRadius? u16, description? Description, timeDetails? RSITimeDetails, priority? o1, \
referencePaths? T(1,8)3*ReferencePath, referenceLinks? T(1,16)4*ReferenceLink, eventConfidence? \
8(0,200)
RTSData | x | rtsId u8, signType u16, signPos? PositionOffsetLLV, description? Description, \
timeDetails? RSITimeDetails, priority? o1, referencePaths? T(1,8)3*ReferencePath, referenceLinks? \
T(1,16)4*ReferenceLink
Description | choice1 | textString a(1,512)9, textGB2312 o(2,512)9
RSITimeDetails | | startTime? 20(0,527040), endTime? 20(0,527040), endTimeConfidence? e6(40)
ReferencePath | | activePath T(1,32)5*PositionOffsetLLV, pathRadius u16
ReferenceLink | | upstreamNodeId NodeReferenceID, downstreamNodeId NodeReferenceID, \
referenceLanes? b16
SPAT | x | msgCnt u7, moy? 20(0,527040), timeStamp? u16, name? a(1,63)6, intersections \
T(1,32)5*IntersectionState
IntersectionState | x | intersectionId NodeReferenceID, status b16, moy? 20(0,527040), timeStamp? \
u16, timeConfidence? e6(40), phases T(1,16)4*Phase
Phase | | id u8, phaseStates T(1,16)4*PhaseState
PhaseState | x | light xe4(9), timing? TimeChangeDetails
TimeChangeDetails | x choice1 | counting TimeCountingDown, utcTiming UTCTiming
TimeCountingDown | | startTime 16(0,36001), minEndTime? 16(0,36001), maxEndTime? 16(0,36001), \
likelyEndTime 16(0,36001), timeConfidence? 8(0,200), nextStartTime? 16(0,36001), nextDuration? \
16(0,36001)
UTCTiming | | startUTCTime 16(0,36001), minEndUTCTime? 16(0,36001), maxEndUTCTime? 16(0,36001), \
likelyEndUTCTime 16(0,36001), timeConfidence? 8(0,200), nextStartUTCTime? 16(0,36001), \
nextEndUTCTime? 16(0,36001)
MapData | x | msgCnt u7, timeStamp? 20(0,527040), nodes T(1,63)6*Node
Node | x | name? a(1,63)6, id NodeReferenceID, refPos Position3D, inLinks? T(1,32)5*Link
Link | x | name? a(1,63)6, upstreamNodeId NodeReferenceID, speedLimits? SpeedLimitList, \
linkWidth? u15, points? PointList, movements? T(1,32)5*Movement, lanes T(1,32)5*Lane
Movement | | remoteIntersection NodeReferenceID, phaseId? u8
Lane | x | laneID u8, laneWidth? u15, laneAttributes? LaneAttributes, maneuvers? b12, connectsTo? \
T(1,16)4*Connection, speedLimits? SpeedLimitList, points? PointList
LaneAttributes | | shareWith? b10, laneType LaneTypeAttributes
LaneTypeAttributes | x choice3 | vehicle xb8, crosswalk b16, bikeLane b16, sidewalk b16, median \
b16, striping b16, trackedVehicle b16, parking b16
Connection | | remoteIntersection NodeReferenceID, connectingLane? ConnectingLane, phaseId? u8
ConnectingLane | | lane u8, maneuver? b12
SpeedLimitList | list | items T(1,9)4*RegulatorySpeedLimit
RegulatorySpeedLimit | | type xe4(13), speed u13
PointList | list | items T(2,31)5*RoadPoint
RoadPoint | x | posOffset PositionOffsetLLV
Polygon | list | items T(4,32)5*PositionOffsetLLV
AuxiliarySign | x | signWithVehicleType? xb5, signDirection? xe3(8)
MessageFrameExt | x | messageId u15, value open0
SensorSharingMsg | x | msgCnt u7, id o8, equipmentType xe2(4), secMark u16, sensorPos Position3D, \
detectedRegion? T(1,8)3*Polygon, participants? T(1,512)9*DetectedPTCData, obstacles? \
T(1,64)6*DetectedObstacleData, rtes? T(1,8)3*RTEData
DetectedPTCData | x | ptc ParticipantData, objSizeConfidence? ObjectSizeConfidence, \
detectedPTCType? xe4(11), typeConfidence? 8(0,200), acc4WayConfidence? AccSet4WayConfidence, \
statusDuration? 16(1,65535), pathHistory? PathHistory, planningList? T(1,8)3*Planning, tracking? \
16(1,65535), polygon? Polygon, type-relatedExt? TypeRelatedExt
ObjectSizeConfidence | | widthConf e4(14), lengthConf e4(14), heightConf? e4(14)
AccSet4WayConfidence | | lonAccConfidence e3(8), latAccConfidence e3(8), vertAccConfidence \
e3(8), yawRateCon e3(8)
Planning | x | duration? 10(0,600), planConfidence? 8(0,200), drivingBehavior? xb14, \
pathPlanning? PathPlanning
PathPlanning | list | items T(1,100)7*PathPlanningPoint
PathPlanningPoint | x | posInMap? ReferenceLink, pos PositionOffsetLLV, posAccuracy? \
PositionConfidenceSet, speed? u13, speedCfd? e3(8), heading? 15(0,28800), headingCfd? e3(8), \
accelSet? AccelerationSet4Way, acc4WayConfidence? AccSet4WayConfidence, estimatedTime? \
16(1,65535), timeConfidence? 8(0,200)
TypeRelatedExt | x choice1 | motorExt MotorDataExtension, non-motorExt Non-motorDataExtension
MotorDataExtension | x | lights? xb9, vehAttitude? VehAttitude, vehAttitudeConfidence? \
VehAttitudeConfidence, vehAngVel? VehAngVel, vehAngVelConfidence? VehAngVelConfidence
Non-motorDataExtension | x | overallRadius 8(0,200), non-motorData Non-motorData
Non-motorData | x | basicType xe3(5), propulsion? Propulsion, clusterSize? xe2(4), attachment? \
xe3(7), personalExt? PersonalExt, roadWorkerExt? RoadWorkerExt, personalReq? PersonalReq
Propulsion | x choice2 | human xe3(6), animal xe2(4), motor xe3(6)
PersonalExt | x | useState? xb9, assistType? xb6
RoadWorkerExt | x | workerType? xe3(7), activityType? xb6
PersonalReq | x | crossing? xe2(4)
DetectedObstacleData | x | obsType xe4(13), objTypeConfidence? 8(0,200), obsId u16, source \
xe3(8), secMark u16, pos PositionOffsetLLV, posConfidence PositionConfidenceSet, speed u13, \
speedCfd? e3(8), heading 15(0,28800), headingCfd? e3(8), verSpeed? u13, verSpeedConfidence? \
e3(8), accelSet? AccelerationSet4Way, size ObjectSize, objSizeConfidence? ObjectSizeConfidence, \
tracking? 16(1,65535), polygon? Polygon
ObjectSize | | width u10, length u10, height? u10
VehAngVelConfidence | | pitchRate e3(8), rollRate e3(8), yawRate e3(8)
VehAngVel | | pitchRate 16(-32767,32767), rollRate 16(-32767,32767), yawRate 16(-32767,32767)
VehAttitudeConfidence | | pitchConfidence e3(8), rollRateConfidence e3(8), yawRate e3(8)
VehAttitude | | pitch 14(-7200,7200), roll 14(-7200,7200), yaw 15(-14400,14400)
LatLon | | lon 32(-1799999999,1800000001), lat 31(-900000000,900000001)
LL6 | | lon s24, lat s24
LL5 | | lon s22, lat s22
LL4 | | lon s18, lat s18
LL3 | | lon s16, lat s16
LL2 | | lon s14, lat s14
LL1 | | lon s12, lat s12
"""

OF_2020 = """
FullPositionVector | x | utcTime? DDateTime, pos Position3D, heading? 15(0,28800), transmission? \
e3(8), speed? u13, posAccuracy? PositionConfidenceSet, timeConfidence? e6(40), motionCfd? \
MotionConfidenceSet
DDateTime | | year? u12, month? 4(0,12), day? u5, hour? u5, minute? 6(0,60), second? u16, \
offset? 11(-840,840)
ReferencePath | | activePath T(2,32)5*PositionOffsetLLV, pathRadius u16
MapData | x | msgCnt u7, timeStamp? 20(0,527040), nodes T(1,32)5*Node
Link | x | name? a(1,63)6, upstreamNodeId NodeReferenceID, speedLimits? SpeedLimitList, linkWidth \
u15, points? PointList, movements? T(1,32)5*Movement, lanes T(1,32)5*Lane
Lane | x | laneID u8, laneWidth? u15, laneAttributes? LaneAttributes, maneuvers? b12, connectsTo? \
T(1,8)3*Connection, speedLimits? SpeedLimitList, points? PointList
"""

CODE = re.compile(
    r"(?:(?P<prefix>u|s|xe|e|xb|b|open|o|a|T)?(?:\((?P<a>-?\d+),(?P<b>-?\d+)\))?(?P<n>\d+)"
    r"(?:\((?P<lo>-?\d+)(?:,(?P<hi>-?\d+))?\))?(?:\*(?P<of>[\w-]+))?|(?P<name>[A-Z][\w-]+))$"
)


def parsed(text):
    """Types by name: (extensible, index bits of a choice, [(field, optional, code)])."""
    types = {}
    for line in text.strip().splitlines():
        name, preamble, fields = (part.strip() for part in line.split("|"))
        listed = []
        for part in re.split(r",\s+", fields):
            field, code = part.split()
            match = CODE.match(code)
            assert match, code
            listed.append((field.rstrip("?"), field.endswith("?"), match.groupdict()))
        choice = re.search(r"choice(\d)", preamble)
        bits = int(choice[1]) if choice else -1 if preamble == "list" else 0
        types[name] = ("x" in preamble.split(), bits, listed)
    return types


EDITION = {"2019": parsed(TABLE), "2020": parsed(TABLE) | parsed(OF_2020)}
EDITION["day2"] = EDITION["2020"]


def is_swapped(lat, lon):
    """Whether a pair in 1e-7 degrees is a place of the district only once it is swapped."""
    return 30_000_000 <= lon <= 540_000_000 and 730_000_000 <= lat <= 1_360_000_000


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
        if self.text[:1] == "1":
            return self.extension()
        value = self.type("MessageFrame")
        self.end()
        return value

    def end(self):
        rest = self.text[self.p :]
        if len(rest) >= 8 or "1" in rest:
            raise RefusedError("TRAILING_DATA")

    def extension(self):
        if self.number(8) != 0x80:
            raise RefusedError("UNKNOWN_MESSAGE")
        inner = Reader(self.octets(self.length()), self.types)
        value = inner.type("MessageFrameExt")
        inner.end()
        if self.p != len(self.text):
            raise RefusedError("TRAILING_DATA")
        if value["messageId"] != 12:
            known = value["messageId"] in (0, 10, 11, 13, 14, 16, 17)
            raise RefusedError("NOTHING_TO_OBSERVE" if known else "UNKNOWN_MESSAGE")
        inner = Reader(value["value"], self.types)
        value = inner.type("SensorSharingMsg")
        inner.end()
        return "ssmFrame", value

    def octets(self, n):
        return bytes(self.number(8) for _ in range(n))

    def type(self, name):
        extensible, choice, fields = self.types[name]
        if choice < 0:
            return self.value(fields[0][2])
        more = extensible and self.number(1)
        if choice:
            if more:
                if self.number(1):
                    raise RefusedError("OVERSIZE")
                return f"later{self.number(6)}", self.octets(self.length())
            index = self.number(choice)
            if index >= len(fields):
                raise RefusedError("BAD_MAGIC" if name == "MessageFrame" else "VALUE_RANGE")
            field, _, code = fields[index]
            return field, self.value(code)
        present = [not optional or bool(self.number(1)) for _, optional, _ in fields]
        value = self.place(name) if name in ("Position3D", "LatLon") else {}
        value |= {
            field: self.value(code)
            for (field, _, code), here in zip(fields, present, strict=True)
            if here and field not in value
        }
        if more:
            self.additions()
        return value

    def place(self, name):
        """Latitude and longitude of a type: the latitude of a swapped pair may be none."""
        value = {}
        for field, optional, code in self.types[name][2]:
            if optional:
                continue
            if field == "lat":
                value[field] = self.number(31) - 900_000_000
            else:
                value[field] = self.value(code)
        lon = value.get("lon", value.get("long"))
        if value["lat"] > 900_000_001 and not is_swapped(value["lat"], lon):
            raise RefusedError("VALUE_RANGE")
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
        if kind == "open":
            return self.octets(self.length())
        if kind in ("o", "a") and code["a"]:
            n = self.bounded(n, int(code["a"]), int(code["b"]))
        if kind == "a":
            return "".join(chr(self.number(7)) for _ in range(n))
        if kind == "u":
            return self.number(n)
        if kind == "s":
            return self.number(n) - (1 << (n - 1))
        if kind is None:
            return self.bounded(n, int(code["lo"]), int(code["hi"]))
        if kind == "o":
            return self.octets(n)
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


def invented(rng, name, edition="2019", fill=0.5, largest=None):
    """Random value of a type; optional fields stand with probability `fill`.

    Lists have `largest` items at most, where their type allows so few.
    """
    types = EDITION[edition]

    def of_type(name):
        _, choice, fields = types[name]
        if choice < 0:
            return of_code(fields[0][2])
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
        if kind in ("o", "a") and code["a"]:
            n = spread(int(code["a"]), min(int(code["b"]), int(code["a"]) + 40))
        if kind == "a":
            return "".join(chr(c) for c in rng.integers(32, 127, n))
        if kind == "o":
            return rng.bytes(n)
        if kind == "T":
            count = spread(int(code["a"]), int(code["b"]))
            if largest is not None:
                count = min(count, max(largest, int(code["a"])))
            return [of_type(code["of"]) for _ in range(count)]
        if kind in ("e", "xe"):
            return f"v{rng.integers(int(code['lo']))}"
        size = -(-n // 8)
        return (int(rng.integers(1 << n)) << (8 * size - n)).to_bytes(size, "big"), n

    def spread(lo, hi):
        edge = rng.random()
        return lo if edge < 0.05 else hi if edge < 0.1 else int(rng.integers(lo, hi + 1))

    return of_type(name)
