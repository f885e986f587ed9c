"""Messages of SAPIENT, BSI Flex 335 v2.0, as tables: field numbers, names, types.

From the published ``.proto`` files (Dstl, ``bsi_flex_335_v2_0``, Apache-2.0); the tests compare
every row with the descriptors of an independent build of them. A name within a name stands without
a dot, ``RegistrationDuration``. Numbers that are missing were used by earlier editions.
"""

from typing import Any

from v2x.ingest.protobuf import Schema, schema_of, serialize

SCHEMA: Schema = schema_of(
    """
SapientMessage: 1 timestamp Timestamp, 2 node_id string, 3 destination_id string,
  4 registration Registration|, 5 registration_ack RegistrationAck|,
  6 status_report StatusReport|, 7 detection_report DetectionReport|, 8 task Task|,
  9 task_ack TaskAck|, 10 alert Alert|, 11 alert_ack AlertAck|, 12 error Error|,
  13 additional_information string
Timestamp: 1 seconds long!, 2 nanos int!
Registration: 1 node_definition RegistrationNodeDefinition[], 2 icd_version string, 3 name string,
  4 short_name string, 5 capabilities RegistrationCapability[],
  6 status_definition RegistrationStatusDefinition,
  7 mode_definition RegistrationModeDefinition[], 8 dependent_nodes string[],
  9 reporting_region LocationOrRangeBearing[], 10 config_data RegistrationConfigurationData[]
RegistrationNodeDefinition: 1 node_type enum, 2 node_sub_type string[]
RegistrationCapability: 1 category string, 2 type string, 3 value string, 4 units string
RegistrationStatusDefinition: 1 status_interval RegistrationDuration,
  2 location_definition RegistrationLocationType, 3 coverage_definition RegistrationLocationType,
  4 obscuration_definition RegistrationLocationType, 5 status_report RegistrationStatusReport[],
  6 field_of_view_definition RegistrationLocationType
RegistrationDuration: 1 units enum, 3 value float
RegistrationLocationType: 1 location_units enum|, 2 range_bearing_units enum|,
  3 location_datum enum|datum, 4 range_bearing_datum enum|datum, 5 zone string
RegistrationStatusReport: 1 category enum, 2 type string, 3 units string, 4 on_change bool
RegistrationModeDefinition: 1 mode_name string, 2 mode_type enum, 3 mode_description string,
  4 settle_time RegistrationDuration, 5 maximum_latency RegistrationDuration, 6 scan_type enum,
  7 tracking_type enum, 8 duration RegistrationDuration,
  9 mode_parameter RegistrationModeParameter[],
  10 detection_definition RegistrationDetectionDefinition[], 11 task RegistrationTaskDefinition
RegistrationModeParameter: 1 type string, 2 value string
RegistrationDetectionDefinition: 1 location_type RegistrationLocationType,
  2 detection_performance RegistrationPerformanceValue[],
  3 detection_report RegistrationDetectionReport[],
  4 detection_class_definition RegistrationDetectionClassDefinition[],
  5 behaviour_definition RegistrationBehaviourDefinition[],
  6 velocity_type RegistrationVelocityType, 7 geometric_error RegistrationGeometricError
RegistrationPerformanceValue: 1 type string, 2 units string, 3 unit_value string,
  4 variation_type string
RegistrationDetectionReport: 1 category enum, 2 type string, 3 units string, 4 on_change bool
RegistrationDetectionClassDefinition: 1 confidence_definition enum,
  2 class_performance RegistrationPerformanceValue[],
  3 class_definition RegistrationClassDefinition[],
  4 taxonomy_dock_definition RegistrationTaxonomyDockDefinition[]
RegistrationClassDefinition: 1 type string, 2 units string, 3 sub_class RegistrationSubClass[]
RegistrationSubClass: 1 type string, 2 units string, 3 level int,
  4 sub_class RegistrationSubClass[]
RegistrationTaxonomyDockDefinition: 1 Dock_class_namespace string, 2 Dock_class string,
  3 Extension_subclass RegistrationExtensionSubclass[]
RegistrationExtensionSubclass: 1 Subclass_namespace string, 2 Subclass_name string, 3 units string
RegistrationBehaviourDefinition: 1 type string, 2 units string
RegistrationVelocityType: 4 enu_velocity_units ENUVelocityUnits|, 6 location_datum enum|datum,
  7 range_bearing_datum enum|datum, 8 zone string
ENUVelocityUnits: 1 east_north_rate_units enum, 2 up_rate_units enum
RegistrationGeometricError: 1 type string, 2 units string, 3 variation_type string,
  4 performance_value RegistrationPerformanceValue[]
RegistrationTaskDefinition: 1 concurrent_tasks int,
  2 region_definition RegistrationRegionDefinition, 3 command RegistrationCommand[]
RegistrationRegionDefinition: 1 region_type enum[], 2 settle_time RegistrationDuration,
  3 region_area RegistrationLocationType[],
  4 class_filter_definition RegistrationClassFilterDefinition[],
  5 behaviour_filter_definition RegistrationBehaviourFilterDefinition[]
RegistrationClassFilterDefinition: 1 filter_parameter RegistrationFilterParameter[],
  2 sub_class_definition RegistrationSubClassFilterDefinition[], 3 type string
RegistrationFilterParameter: 1 parameter string, 2 operators enum[]
RegistrationSubClassFilterDefinition: 1 filter_parameter RegistrationFilterParameter[],
  2 level int, 3 type string, 4 sub_class_definition RegistrationSubClassFilterDefinition[]
RegistrationBehaviourFilterDefinition: 1 filter_parameter RegistrationFilterParameter[],
  2 type string
RegistrationCommand: 2 units string, 3 completion_time RegistrationDuration, 4 type enum
LocationOrRangeBearing: 1 range_bearing RangeBearingCone|, 2 location_list LocationList|
RangeBearingCone: 1 elevation double, 2 azimuth double, 3 range double,
  4 horizontal_extent double, 5 vertical_extent double, 6 horizontal_extent_error double,
  7 vertical_extent_error double, 8 elevation_error double, 9 azimuth_error double,
  10 range_error double, 11 coordinate_system enum, 12 datum enum
LocationList: 1 locations Location[]
Location: 1 x double, 2 y double, 3 z double, 4 x_error double, 5 y_error double,
  6 z_error double, 7 coordinate_system enum, 8 datum enum, 9 utm_zone string
RegistrationConfigurationData: 1 manufacturer string!, 2 model string!, 3 serial_number string,
  4 hardware_version string, 5 software_version string,
  6 sub_components RegistrationConfigurationData[]
RegistrationAck: 1 acceptance bool, 3 ack_response_reason string[]
StatusReport: 1 report_id string, 2 system enum, 3 info enum, 4 active_task_id string,
  5 mode string, 6 power Power, 7 node_location Location, 8 field_of_view LocationOrRangeBearing,
  10 obscuration LocationOrRangeBearing[], 11 status Status[],
  12 coverage LocationOrRangeBearing[]
Power: 3 level int, 4 source enum!, 5 status enum!
Status: 1 status_level enum, 3 status_value string, 4 status_type enum
DetectionReport: 1 report_id string, 2 object_id string, 3 task_id string, 4 state string,
  5 range_bearing RangeBearing|, 6 location Location|, 7 detection_confidence float,
  8 track_info TrackObjectInfo[], 9 prediction_location PredictedLocation,
  10 object_info TrackObjectInfo[], 11 classification Classification[], 12 behaviour Behaviour[],
  13 associated_file AssociatedFile[], 14 signal Signal[],
  15 associated_detection AssociatedDetection[], 16 derived_detection DerivedDetection[],
  19 enu_velocity ENUVelocity|velocity, 22 colour string, 23 id string
RangeBearing: 1 elevation double, 2 azimuth double, 3 range double, 4 elevation_error double,
  5 azimuth_error double, 6 range_error double, 7 coordinate_system enum, 8 datum enum
TrackObjectInfo: 1 type string, 2 value string, 3 error float
PredictedLocation: 1 range_bearing RangeBearing|, 2 location Location|,
  3 predicted_timestamp Timestamp
Classification: 1 type string, 2 confidence float, 3 sub_class SubClass[]
SubClass: 1 type string, 2 confidence float, 3 level int, 4 sub_class SubClass[]
Behaviour: 1 type string, 2 confidence float
AssociatedFile: 1 type string, 2 url string
Signal: 1 amplitude float, 2 start_frequency float, 3 centre_frequency float,
  4 stop_frequency float, 5 pulse_duration float
AssociatedDetection: 1 timestamp Timestamp, 2 node_id string, 3 object_id string,
  4 association_type enum
DerivedDetection: 1 timestamp Timestamp, 2 node_id string, 3 object_id string
ENUVelocity: 1 east_rate double, 2 north_rate double, 3 up_rate double, 4 east_rate_error double,
  5 north_rate_error double, 6 up_rate_error double
Task: 1 task_id string, 2 task_name string, 3 task_description string,
  4 task_start_time Timestamp, 5 task_end_time Timestamp, 6 control enum, 7 region TaskRegion[],
  8 command TaskCommand
TaskRegion: 1 type enum, 2 region_id string, 3 region_name string,
  4 region_area LocationOrRangeBearing, 5 class_filter TaskClassFilter[],
  6 behaviour_filter TaskBehaviourFilter[]
TaskClassFilter: 1 parameter TaskParameter, 2 type string,
  3 sub_class_filter TaskSubClassFilter[], 4 priority enum
TaskParameter: 1 name string, 2 operator enum, 3 value float
TaskSubClassFilter: 1 parameter TaskParameter, 2 type string,
  3 sub_class_filter TaskSubClassFilter[], 4 priority enum
TaskBehaviourFilter: 1 parameter TaskParameter, 2 type string, 3 priority enum
TaskCommand: 1 request string|, 2 detection_threshold enum|, 3 detection_report_rate enum|,
  4 classification_threshold enum|, 5 mode_change string|, 6 look_at LocationOrRangeBearing|,
  9 move_to LocationList|, 10 patrol LocationList|, 11 follow FollowObject|,
  8 command_parameter string
FollowObject: 1 follow_object_id string!
TaskAck: 1 task_id string, 2 task_status enum, 4 associated_file AssociatedFile, 5 reason string[]
Alert: 1 alert_id string, 2 alert_type enum, 3 status enum, 4 description string,
  5 range_bearing RangeBearing|, 6 location Location|, 7 region_id string, 8 priority enum,
  9 ranking float, 10 confidence float, 11 associated_file AssociatedFile[],
  12 associated_detection AssociatedDetection[], 13 additional_information string
AlertAck: 1 alert_id string, 4 reason string[], 5 alert_ack_status enum
Error: 1 packet bytes, 3 error_message string[]
"""
)

CONTENTS = tuple(field.name for field in SCHEMA["SapientMessage"].values() if field.rivals)
"""Names of what a message can hold, exactly one of them."""


def encode_sapient(message: dict[str, Any], *, prefixed: bool = True) -> bytes:
    """Write a message from values by field name, behind its 4-byte little-endian length or bare.

    Enumerations are numbers. A field of `message` that the tables do not have is a `KeyError`.
    """
    body = serialize(message, "SapientMessage", SCHEMA)
    return len(body).to_bytes(4, "little") + body if prefixed else body
