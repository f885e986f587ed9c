"""Roadside messages of YD/T 3709-2020 and T/CSAE 53, 157: the message set as tables.

The notation is that of `v2x.ingest.uper_types`; field names keep the schema's spelling. ``2019`` is
the schema release of July 2019 (the trials of that year), ``2020`` that of the trials of October
2020, ``day2`` T/CSAE 157-2020, which adds to 2020 what its readers skip, and the messages of
`EXTENSIONS`. Which of the first two the printed YD/T 3709-2020 equals is not known; a frame does
not say which edition it is. Real frames of all five first messages, and an independent encoder on
random messages of every optional branch, agree with these tables bit by bit.

``LinkEx`` and ``ProhibitedZone`` (additions of a node in day2) are not known here: they are skipped
by their length.
"""

from functools import cache

from v2x.ingest.uper_types import Types, parsed

_OF_2019 = """
MessageFrame: x choice 3
    bsmFrame BasicSafetyMessage; mapFrame MapData; rsmFrame RoadsideSafetyMessage;
    spatFrame SPAT; rsiFrame RoadSideInformation
Position3D: 1
    lat 31{-900000000..900000001}; long 32{-1799999999..1800000001}; elevation?
    16{-4096..61439}
PositionConfidenceSet: 1
    pos e4{16}; elevation? e4{16}
PositionalAccuracy:
    semiMajor u8; semiMinor u8; orientation u16
MotionConfidenceSet: 3
    speedCfd? e3{8}; headingCfd? e3{8}; steerCfd? e2{4}
AccelerationSet4Way:
    long 12{-2000..2001}; lat 12{-2000..2001}; vert 8{-127..127}; yaw 16{-32767..32767}
VehicleSize: 1
    width u10; length u12; height? u7
VehicleClassification: x 1
    classification u8; fuelType? u4
PositionOffsetLLV: 1
    offsetLL PositionOffsetLL; offsetV? VerticalOffset
PositionOffsetLL: choice 3
    position-LL1 (lon s12, lat s12); position-LL2 (lon s14, lat s14); position-LL3 (lon s16,
    lat s16); position-LL4 (lon s18, lat s18); position-LL5 (lon s22, lat s22); position-LL6
    (lon s24, lat s24); position-LatLon (lon 32{-1799999999..1800000001}, lat
    31{-900000000..900000001})
VerticalOffset: choice 3
    offset1 s7; offset2 s8; offset3 s9; offset4 s10; offset5 s11; offset6 s12; elevation
    16{-4096..61439}
NodeReferenceID: 1
    region? u16; id u16
RoadsideSafetyMessage: x
    msgCnt u7; id o8; refPos Position3D; participants [1..16]4*ParticipantData
ParticipantData: x 6
    ptcType xe3{5}; ptcId u16; source xe3{8}; id? o8; secMark u16; pos PositionOffsetLLV;
    posConfidence PositionConfidenceSet; transmission? e3{8}; speed u13; heading 15{0..28800};
    angle? 8{-126..127}; motionCfd? MotionConfidenceSet; accelSet? AccelerationSet4Way; size
    VehicleSize; vehicleClass? VehicleClassification
BasicSafetyMessage: x 7
    msgCnt u7; id o8; secMark u16; timeConfidence? e6{40}; pos Position3D; posAccuracy?
    PositionalAccuracy; posConfidence? PositionConfidenceSet; transmission e3{8}; speed u13;
    heading 15{0..28800}; angle? 8{-126..127}; motionCfd? MotionConfidenceSet; accelSet
    AccelerationSet4Way; brakes BrakeSystemStatus; size VehicleSize; vehicleClass
    VehicleClassification; safetyExt? VehicleSafetyExtensions; emergencyExt?
    VehicleEmergencyExtensions
BrakeSystemStatus: 7
    brakePadel? e2{3}; wheelBrakes? b5; traction? e2{4}; abs? e2{4}; scs? e2{4}; brakeBoost?
    e2{3}; auxBrakes? e2{4}
VehicleSafetyExtensions: x 4
    events? xb13; pathHistory? PathHistory; pathPrediction? PathPrediction; lights? xb9
PathHistory: x 2
    initialPosition? FullPositionVector; currGNSSstatus? b8; crumbData
    [1..23]5*PathHistoryPoint
FullPositionVector: x 8
    utcTime? DDateTime; pos Position3D; heading? 15{0..28800}; transmission? e3{8}; speed?
    u13; posAccuracy? PositionalAccuracy; posConficence? PositionConfidenceSet;
    timeConfidence? e6{40}; motionCfd? MotionConfidenceSet
PathHistoryPoint: x 3
    llvOffset PositionOffsetLLV; timeOffset 16{1..65535}; speed? u13; posAccuracy?
    PositionConfidenceSet; heading? 8{0..240}
PathPrediction: x
    radiusOfCurve 16{-32767..32767}; confidence 8{0..200}
VehicleEmergencyExtensions: x 3
    responseType? xe3{7}; sirenUse? e2{4}; lightsUse? e3{8}
DDateTime: 7
    year? u12; month? 4{0..12}; day? u5; hour? 5{0..24}; minute? 6{0..60}; second? u16;
    offset? 11{-720..721}
RoadSideInformation: x 3
    msgCnt u7; moy? 20{0..527040}; id o8; refPos Position3D; rtes? [1..8]3*RTEData; rtss?
    [1..16]4*RTSData
RTEData: x 8
    rteId u8; eventType u16; eventSource xe3{6}; eventPos? PositionOffsetLLV; eventRadius?
    u16; description? Description; timeDetails? RSITimeDetails; priority? o1; referencePaths?
    [1..8]3*ReferencePath; referenceLinks? [1..16]4*ReferenceLink; eventConfidence? 8{0..200}
RTSData: x 6
    rtsId u8; signType u16; signPos? PositionOffsetLLV; description? Description; timeDetails?
    RSITimeDetails; priority? o1; referencePaths? [1..8]3*ReferencePath; referenceLinks?
    [1..16]4*ReferenceLink
Description: choice 1
    textString a[1..512]9; textGB2312 o[2..512]9
RSITimeDetails: 3
    startTime? 20{0..527040}; endTime? 20{0..527040}; endTimeConfidence? e6{40}
ReferencePath:
    activePath [1..32]5*PositionOffsetLLV; pathRadius u16
ReferenceLink: 1
    upstreamNodeId NodeReferenceID; downstreamNodeId NodeReferenceID; referenceLanes? b16
SPAT: x 3
    msgCnt u7; moy? 20{0..527040}; timeStamp? u16; name? a[1..63]6; intersections
    [1..32]5*IntersectionState
IntersectionState: x 3
    intersectionId NodeReferenceID; status b16; moy? 20{0..527040}; timeStamp? u16;
    timeConfidence? e6{40}; phases [1..16]4*Phase
Phase:
    id u8; phaseStates [1..16]4*PhaseState
PhaseState: x 1
    light xe4{9}; timing? TimeChangeDetails
TimeChangeDetails: x choice 1
    counting TimeCountingDown; utcTiming UTCTiming
TimeCountingDown: 5
    startTime 16{0..36001}; minEndTime? 16{0..36001}; maxEndTime? 16{0..36001}; likelyEndTime
    16{0..36001}; timeConfidence? 8{0..200}; nextStartTime? 16{0..36001}; nextDuration?
    16{0..36001}
UTCTiming: 5
    startUTCTime 16{0..36001}; minEndUTCTime? 16{0..36001}; maxEndUTCTime? 16{0..36001};
    likelyEndUTCTime 16{0..36001}; timeConfidence? 8{0..200}; nextStartUTCTime? 16{0..36001};
    nextEndUTCTime? 16{0..36001}
MapData: x 1
    msgCnt u7; timeStamp? 20{0..527040}; nodes [1..63]6*Node
Node: x 2
    name? a[1..63]6; id NodeReferenceID; refPos Position3D; inLinks? [1..32]5*Link
Link: x 5
    name? a[1..63]6; upstreamNodeId NodeReferenceID; speedLimits? SpeedLimitList; linkWidth?
    u15; points? PointList; movements? [1..32]5*Movement; lanes [1..32]5*Lane
Movement: 1
    remoteIntersection NodeReferenceID; phaseId? u8
Lane: x 6
    laneID u8; laneWidth? u15; laneAttributes? LaneAttributes; maneuvers? b12; connectsTo?
    [1..16]4*Connection; speedLimits? SpeedLimitList; points? PointList
LaneAttributes: 1
    shareWith? b10; laneType LaneTypeAttributes
LaneTypeAttributes: x choice 3
    vehicle xb8; crosswalk b16; bikeLane b16; sidewalk b16; median b16; striping b16;
    trackedVehicle b16; parking b16
Connection: 2
    remoteIntersection NodeReferenceID; connectingLane? ConnectingLane; phaseId? u8
ConnectingLane: 1
    lane u8; maneuver? b12
SpeedLimitList: list
    [1..9]4*RegulatorySpeedLimit
RegulatorySpeedLimit:
    type xe4{13}; speed u13
PointList: list
    [2..31]5*RoadPoint
RoadPoint: x
    posOffset PositionOffsetLLV
"""

_OF_2020 = """
FullPositionVector: x 7
    utcTime? DDateTime; pos Position3D; heading? 15{0..28800}; transmission? e3{8}; speed?
    u13; posAccuracy? PositionConfidenceSet; timeConfidence? e6{40}; motionCfd?
    MotionConfidenceSet
DDateTime: 7
    year? u12; month? 4{0..12}; day? u5; hour? u5; minute? 6{0..60}; second? u16; offset?
    11{-840..840}
MapData: x 1
    msgCnt u7; timeStamp? 20{0..527040}; nodes [1..32]5*Node
Link: x 4
    name? a[1..63]6; upstreamNodeId NodeReferenceID; speedLimits? SpeedLimitList; linkWidth
    u15; points? PointList; movements? [1..32]5*Movement; lanes [1..32]5*Lane
Lane: x 6
    laneID u8; laneWidth? u15; laneAttributes? LaneAttributes; maneuvers? b12; connectsTo?
    [1..8]3*Connection; speedLimits? SpeedLimitList; points? PointList
ReferencePath:
    activePath [2..32]5*PositionOffsetLLV; pathRadius u16
"""

_OF_DAY2 = """
MessageFrame: x choice 3
    bsmFrame BasicSafetyMessage; mapFrame MapData; rsmFrame RoadsideSafetyMessage;
    spatFrame SPAT; rsiFrame RoadSideInformation || msgFrameExt MessageFrameExt
Node: x 2
    name? a[1..63]6; id NodeReferenceID; refPos Position3D; inLinks? [1..32]5*Link ||
    inLinks-ex? [1..32]5*LinkEx; prohibitedzone? ProhibitedZone
Polygon: list
    [4..32]5*PositionOffsetLLV
RTSData: x 6
    rtsId u8; signType u16; signPos? PositionOffsetLLV; description? Description; timeDetails?
    RSITimeDetails; priority? o1; referencePaths? [1..8]3*ReferencePath; referenceLinks?
    [1..16]4*ReferenceLink || auxiliarySign? AuxiliarySign
AuxiliarySign: x 2
    signWithVehicleType? xb5; signDirection? xe3{8}
MessageFrameExt: x
    messageId u15; value open
SensorSharingMsg: x 4
    msgCnt u7; id o8; equipmentType xe2{4}; secMark u16; sensorPos Position3D; detectedRegion?
    [1..8]3*Polygon; participants? [1..512]9*DetectedPTCData; obstacles?
    [1..64]6*DetectedObstacleData; rtes? [1..8]3*RTEData
DetectedPTCData: x 10
    ptc ParticipantData; objSizeConfidence? ObjectSizeConfidence; detectedPTCType? xe4{11};
    typeConfidence? 8{0..200}; acc4WayConfidence? AccSet4WayConfidence; statusDuration?
    16{1..65535}; pathHistory? PathHistory; planningList? [1..8]3*Planning; tracking?
    16{1..65535}; polygon? Polygon; type-relatedExt? TypeRelatedExt
ObjectSizeConfidence: 1
    widthConf e4{14}; lengthConf e4{14}; heightConf? e4{14}
AccSet4WayConfidence:
    lonAccConfidence e3{8}; latAccConfidence e3{8}; vertAccConfidence e3{8}; yawRateCon e3{8}
Planning: x 4
    duration? 10{0..600}; planConfidence? 8{0..200}; drivingBehavior? xb14; pathPlanning?
    PathPlanning
PathPlanning: list
    [1..100]7*PathPlanningPoint
PathPlanningPoint: x 10
    posInMap? ReferenceLink; pos PositionOffsetLLV; posAccuracy? PositionConfidenceSet; speed?
    u13; speedCfd? e3{8}; heading? 15{0..28800}; headingCfd? e3{8}; accelSet?
    AccelerationSet4Way; acc4WayConfidence? AccSet4WayConfidence; estimatedTime? 16{1..65535};
    timeConfidence? 8{0..200}
TypeRelatedExt: x choice 1
    motorExt MotorDataExtension; non-motorExt Non-motorDataExtension
MotorDataExtension: x 5
    lights? xb9; vehAttitude? (pitch 14{-7200..7200}, roll 14{-7200..7200}, yaw
    15{-14400..14400}); vehAttitudeConfidence? (pitchConfidence e3{8}, rollRateConfidence
    e3{8}, yawRate e3{8}); vehAngVel? (pitchRate 16{-32767..32767}, rollRate
    16{-32767..32767}, yawRate 16{-32767..32767}); vehAngVelConfidence? (pitchRate e3{8},
    rollRate e3{8}, yawRate e3{8})
Non-motorDataExtension: x
    overallRadius 8{0..200}; non-motorData Non-motorData
Non-motorData: x 6
    basicType xe3{5}; propulsion? Propulsion; clusterSize? xe2{4}; attachment? xe3{7};
    personalExt? PersonalExt; roadWorkerExt? RoadWorkerExt; personalReq? PersonalReq
Propulsion: x choice 2
    human xe3{6}; animal xe2{4}; motor xe3{6}
PersonalExt: x 2
    useState? xb9; assistType? xb6
RoadWorkerExt: x 2
    workerType? xe3{7}; activityType? xb6
PersonalReq: x 1
    crossing? xe2{4}
DetectedObstacleData: x 9
    obsType xe4{13}; objTypeConfidence? 8{0..200}; obsId u16; source xe3{8}; secMark u16; pos
    PositionOffsetLLV; posConfidence PositionConfidenceSet; speed u13; speedCfd? e3{8};
    heading 15{0..28800}; headingCfd? e3{8}; verSpeed? u13; verSpeedConfidence? e3{8};
    accelSet? AccelerationSet4Way; size ObjectSize; objSizeConfidence? ObjectSizeConfidence;
    tracking? 16{1..65535}; polygon? Polygon
ObjectSize: 1
    width u10; length u10; height? u10
"""

TABLES: dict[str, str] = {
    "2019": _OF_2019,
    "2020": _OF_2019 + _OF_2020,
    "day2": _OF_2019 + _OF_2020 + _OF_DAY2,
}
"""Table by edition; of a type that stands twice the later one counts."""

MESSAGES = {
    "bsmFrame": "BasicSafetyMessage", "mapFrame": "MapData", "rsmFrame": "RoadsideSafetyMessage",
    "spatFrame": "SPAT", "rsiFrame": "RoadSideInformation",
}  # fmt: skip
"""Type by alternative of MessageFrame, in the order of its choice."""

SSM = 12
"""Message id of T/CSAE 157 that shares what a sensor sees."""

EXTENSIONS = {
    0: "TestMsg", 10: "RTCMcorrections", 11: "RoadsideCoordination", 12: "SensorSharingMsg",
    13: "VehIntentionAndRequest", 14: "PAMData", 15: "PersonalSafetyMessage", 16: "CLPMM",
    17: "VehiclePaymentMessage",
}  # fmt: skip
"""Messages of T/CSAE 157 by id; of these the tables hold the sensor sharing message alone."""


@cache
def types_of(edition: str) -> Types:
    """Types of an edition: ``2019``, ``2020`` or ``day2``."""
    return parsed(TABLES[edition])
