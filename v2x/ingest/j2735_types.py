"""SAE J2735 and J3224: what this package reads of the message set, as tables.

The notation is that of `v2x.ingest.uper_types`. The standard's own schema is not ours to give out;
these rows are facts about bits, from public code and from the parts that ISO/TS 19091 and ETSI
TS 103 301 share with it. How sure each part is:

=====================  =========================================================================
frame, BSM core        public frames with known values, read and written byte for byte
BSM part II, regional  carried by their length
MAP, SPAT              public frames of 350 and 31 bytes, read and written byte for byte; branches
                       those do not have (computed lanes, restrictions, data parameters, advisory
                       speeds, manoeuvre assist) are from the ISO/ETSI text alone
PSM                    up to the heading: a public frame; the 18 optional fields behind it are not
                       read
SDSM (J3224)           all but the optional data of an object: a public frame with known values;
                       where the one extension bit beside an object's presence bit stands is not
                       settled, and is read either way
SDSM optional data     not read: no public frame was found that shows its layout
=====================  =========================================================================
"""

from v2x.ingest.uper_types import Types, parsed

MAP, SPAT, BSM, PSM, SDSM = 18, 19, 20, 32, 41
NAMES = {
    MAP: "MapData", SPAT: "SPAT", BSM: "BasicSafetyMessage", PSM: "PersonalSafetyMessage",
    SDSM: "SensorDataSharingMessage",
}  # fmt: skip
"""Type by message id (DSRCmsgID)."""

TYPES: Types = parsed("""
MessageFrame: x
    messageId u15; value open
Regional:
    regionId u8; regExtValue open
Position3D: x 2
    lat 31{-900000000..900000001}; long 32{-1799999999..1800000001}; elevation?
    16{-4096..61439}; regional? [1..4]2*Regional
PositionalAccuracy:
    semiMajor u8; semiMinor u8; orientation u16
PositionConfidenceSet:
    pos e4{16}; elevation e4{16}
AccelerationSet4Way:
    long 12{-2000..2001}; lat 12{-2000..2001}; vert 8{-127..127}; yaw 16{-32767..32767}
BasicSafetyMessage: x 2
    coreData BSMcoreData; partII? [1..8]3*PartII; regional? [1..4]2*Regional
PartII:
    id u6; value open
BSMcoreData:
    msgCnt u7; id o4; secMark u16; lat 31{-900000000..900000001}; long
    32{-1799999999..1800000001}; elev 16{-4096..61439}; accuracy PositionalAccuracy;
    transmission e3{8}; speed u13; heading 15{0..28800}; angle 8{-126..127}; accelSet
    AccelerationSet4Way; brakes BrakeSystemStatus; size VehicleSize
BrakeSystemStatus:
    wheelBrakes b5; traction e2{4}; abs e2{4}; scs e2{4}; brakeBoost e2{3}; auxBrakes e2{4}
VehicleSize:
    width u10; length u12
PersonalSafetyMessage: x
    present b18; basicType xe3{5}; secMark u16; msgCnt u7; id o4; position Position3D;
    accuracy PositionalAccuracy; speed u13; heading 15{0..28800}
DDateTime: 7
    year? u12; month? 4{0..12}; day? u5; hour? u5; minute? 6{0..60}; second? u16; offset?
    11{-840..840}
SensorDataSharingMessage: 1
    msgCnt u7; sourceID o4; equipmentType xe2{4}; sDSMTimeStamp DDateTime; refPos Position3D;
    refPosXYConf PositionalAccuracy; refPosElConf? e4{16}; objects [1..256]8*DetectedObject
SensorDataSharingHead: 1
    msgCnt u7; sourceID o4; equipmentType xe2{4}; sDSMTimeStamp DDateTime; refPos Position3D;
    refPosXYConf PositionalAccuracy; refPosElConf? e4{16}
DetectedObject: 0
    present b2; common DetectedObjectCommonData
DetectedObjectCommonData: 7
    objType xe2{4}; objTypeCfd 7{0..101}; objectID u16; measurementTime 12{-1500..1500};
    timeConfidence e6{40}; pos PositionOffsetXYZ; posConfidence PositionConfidenceSet;
    speed u13; speedConfidence e3{8}; speedZ? u13; speedConfidenceZ? e3{8}; heading
    15{0..28800}; headingConf e3{8}; accel4way? AccelerationSet4Way; accCfdX? e3{8};
    accCfdY? e3{8}; accCfdZ? e3{8}; accCfdYaw? e3{8}
PositionOffsetXYZ: 1
    offsetX 16{-32767..32767}; offsetY 16{-32767..32767}; offsetZ? 16{-32767..32767}
SPAT: x 3
    timeStamp? 20{0..527040}; name? a[1..63]6; intersections [1..32]5*IntersectionState;
    regional? [1..4]2*Regional
IntersectionReferenceID: 1
    region? u16; id u16
IntersectionState: x 6
    name? a[1..63]6; id IntersectionReferenceID; revision u7; status b16; moy?
    20{0..527040}; timeStamp? u16; enabledLanes? [1..16]4*LaneID; states
    [1..255]8*MovementState; maneuverAssistList? [1..16]4*ConnectionManeuverAssist; regional?
    [1..4]2*Regional
LaneID:
    id u8
MovementState: x 3
    movementName? a[1..63]6; signalGroup u8; state-time-speed [1..16]4*MovementEvent;
    maneuverAssistList? [1..16]4*ConnectionManeuverAssist; regional? [1..4]2*Regional
MovementEvent: x 3
    eventState e4{10}; timing? TimeChangeDetails; speeds? [1..16]4*AdvisorySpeed; regional?
    [1..4]2*Regional
TimeChangeDetails: 5
    startTime? 16{0..36111}; minEndTime 16{0..36111}; maxEndTime? 16{0..36111}; likelyTime?
    16{0..36111}; confidence? u4; nextTime? 16{0..36111}
AdvisorySpeed: x 5
    type xe2{4}; speed? 9{0..500}; confidence? e3{8}; distance? 14{0..10000}; class? u8;
    regional? [1..4]2*Regional
ConnectionManeuverAssist: x 5
    connectionID u8; queueLength? 14{0..10000}; availableStorageLength? 14{0..10000};
    waitOnStop? e1{2}; pedBicycleDetect? e1{2}; regional? [1..4]2*Regional
MapData: x 8
    timeStamp? 20{0..527040}; msgIssueRevision u7; layerType? xe3{8}; layerID? 7{0..100};
    intersections? [1..32]5*IntersectionGeometry; roadSegments? [1..32]5*RoadSegment;
    dataParameters? DataParameters; restrictionList? [1..254]8*RestrictionClassAssignment;
    regional? [1..4]2*Regional
DataParameters: x 4
    processMethod? a[1..255]8; processAgency? a[1..255]8; lastCheckedDate? a[1..255]8;
    geoidUsed? a[1..255]8
RestrictionClassAssignment:
    id u8; users [1..16]4*RestrictionUserType
RestrictionUserType: x choice 1
    basicType xe4{13}; regional [1..4]2*Regional
IntersectionGeometry: x 5
    name? a[1..63]6; id IntersectionReferenceID; revision u7; refPoint Position3D; laneWidth?
    u15; speedLimits? [1..9]4*RegulatorySpeedLimit; laneSet [1..255]8*GenericLane;
    preemptPriorityData? [1..32]5*SignalControlZone; regional? [1..4]2*Regional
RoadSegment: x 4
    name? a[1..63]6; id IntersectionReferenceID; revision u7; refPoint Position3D; laneWidth?
    u15; speedLimits? [1..9]4*RegulatorySpeedLimit; roadLaneSet [1..255]8*GenericLane;
    regional? [1..4]2*Regional
SignalControlZone: x
    zone Regional
RegulatorySpeedLimit:
    type xe4{13}; speed u13
GenericLane: x 7
    laneID u8; name? a[1..63]6; ingressApproach? u4; egressApproach? u4; laneAttributes
    LaneAttributes; maneuvers? b12; nodeList NodeListXY; connectsTo? [1..16]4*Connection;
    overlays? [1..5]3*LaneID; regional? [1..4]2*Regional
LaneAttributes: 1
    directionalUse b2; sharedWith b10; laneType LaneTypeAttributes; regional? Regional
LaneTypeAttributes: x choice 3
    vehicle xb8; crosswalk b16; bikeLane b16; sidewalk b16; median b16; striping b16;
    trackedVehicle b16; parking b16
NodeListXY: x choice 1
    nodes [2..63]6*NodeXY; computed ComputedLane
NodeXY: x 1
    delta NodeOffsetPointXY; attributes? NodeAttributeSetXY
NodeOffsetPointXY: choice 3
    node-XY1 (x s10, y s10); node-XY2 (x s11, y s11); node-XY3 (x s12, y s12); node-XY4
    (x s13, y s13); node-XY5 (x s14, y s14); node-XY6 (x s16, y s16); node-LatLon (lon
    32{-1799999999..1800000001}, lat 31{-900000000..900000001}); regional Regional
NodeAttributeSetXY: x 7
    localNode? [1..8]3*NodeAttribute; disabled? [1..8]3*SegmentAttribute; enabled?
    [1..8]3*SegmentAttribute; data? [1..8]3*LaneDataAttribute; dWidth? s10; dElevation? s10;
    regional? [1..4]2*Regional
NodeAttribute:
    value xe4{12}
SegmentAttribute:
    value xe6{38}
LaneDataAttribute: x choice 3
    pathEndPointAngle 9{-150..150}; laneCrownPointCenter 8{-128..127}; laneCrownPointLeft
    8{-128..127}; laneCrownPointRight 8{-128..127}; laneAngle 9{-180..180}; speedLimits
    [1..9]4*RegulatorySpeedLimit; regional [1..4]2*Regional
ComputedLane: x 4
    referenceLaneId u8; offsetXaxis Axis; offsetYaxis Axis; rotateXY? 15{0..28800};
    scaleXaxis? s12; scaleYaxis? s12; regional? [1..4]2*Regional
Axis: choice 1
    small 12{-2047..2047}; large 16{-32767..32767}
Connection: 4
    connectingLane ConnectingLane; remoteIntersection? IntersectionReferenceID; signalGroup?
    u8; userClass? u8; connectionID? u8
ConnectingLane: 1
    lane u8; maneuver? b12
""")
