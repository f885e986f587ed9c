"""Configuration: one TOML file to one frozen tree, checked before anything runs.

Every key has a default (but a sensor's name and format), a unit in its name and a description;
an unknown key is an error that names the file and the key. Broker addresses and secrets may come
from ``V2X_...`` variables of the environment, which win over the file.
"""

import os
import tomllib
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from v2x.bridge import BridgeSettings
from v2x.errors import ConfigError
from v2x.geodesy import Tile
from v2x.mapping import JsonMapping, needs_pose
from v2x.observations import Kind
from v2x.sensors import Datum, Sensor, SensorKind, SensorTable, coverage_fault

Finite = Annotated[float, Field(allow_inf_nan=False)]
U32 = Annotated[int, Field(ge=0, lt=1 << 32)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Site(_Section):
    """Where the system stands; its origin is the origin of the tile."""

    name: str = Field("v2x", description="name of the tile; part of every track id")
    lat: Finite | None = Field(None, ge=-90, le=90, description="origin, degrees WGS-84")
    lon: Finite | None = Field(None, ge=-180, le=180, description="origin, degrees WGS-84")
    hae_m: Finite = Field(0.0, description="origin, metres above the ellipsoid")
    ground_amsl_m: Finite = Field(3.0, description="ground above mean sea level, metres")
    ground_sd_m: Finite = Field(2.0, ge=0, description="how far that may be off, metres (1 sigma)")
    terrain: str | None = Field(
        None, description="ESRI ASCII grid of the ground above mean sea level, in degrees"
    )
    terrain_sd_m: Finite = Field(3.0, ge=0, description="noise of its heights")
    qnh_hpa: Finite | None = Field(
        None, gt=850, lt=1100, description="air pressure at sea level, where no emitters show it"
    )


class Grid(_Section):
    """The event-time grid."""

    slice_ms: int = Field(50, ge=10, le=1000, description="step of the grid, milliseconds")


class TrackerSettings(_Section):
    """What the tracker assumes about the objects."""

    motion: Literal["imm", "cv"] = Field(
        "imm", description="motion modes by kind, or nearly constant velocity for everything"
    )
    psd_m2_s3: Finite = Field(4.0, gt=0, description="acceleration noise of `cv`, horizontal")
    psd_up_m2_s3: Finite = Field(1.0, gt=0, description="acceleration noise of `cv`, vertical")
    birth_ratio: Finite = Field(0.01, gt=0, description="new objects per look over clutter")
    unseen_ratio: Finite = Field(
        0.3, ge=0, description="the same where nobody has looked lately; 0: as everywhere else"
    )
    registration: bool = Field(
        True, description="estimate offset, yaw, scale and clock of the sensors"
    )
    learn_rates: bool = Field(
        False,
        description="go on with the detection rates seen, within half and double of those given",
    )
    newcomer_sd_m: Finite = Field(
        5.0, ge=0, description="doubt in a sensor that joins others at work; 0: trusted"
    )
    newcomer_s: Finite = Field(10.0, ge=0, description="how long it is on trial")
    threads: int = Field(
        1, ge=1, le=16, description="threads of a step with thousands of tracks; the same bytes"
    )
    history_s: Finite = Field(
        5.0, ge=0, le=30, description="how late a row may be and still be folded in; 0: not at all"
    )


class SensorSettings(_Section):
    """One input. Angles in degrees, lengths in metres, times as their names say."""

    name: str = Field(min_length=1, description="unique name, as in the frames' header")
    format: str = Field(min_length=1, description="wire format, see `v2x decode --help`")
    kind: Literal[
        "radar", "camera", "lidar", "remote_id", "ads_b", "self_report", "relayed", "rsu", "unknown"
    ] = Field("unknown", description="how it knows what it says")
    datum: Literal["wgs84", "cgcs2000", "gcj02"] = Field("wgs84", description="horizontal datum")
    lat: Finite | None = Field(None, ge=-90, le=90, description="where it stands")
    lon: Finite | None = Field(None, ge=-180, le=180, description="where it stands")
    hae_m: Finite | None = Field(None, description="where it stands, above the ellipsoid")
    yaw_deg: Finite = Field(0.0, description="its zero azimuth, clockwise from true north")
    sd_m: Finite | None = Field(None, gt=0, description="noise per horizontal axis")
    sd_up_m: Finite | None = Field(None, gt=0, description="noise of the height")
    sd_range_m: Finite | None = Field(None, gt=0, description="noise of the range")
    sd_deg: Finite | None = Field(None, gt=0, description="noise of the angles")
    p_detect: Finite = Field(0.9, gt=0, le=1, description="chance that a look sees an object")
    clutter_density: Finite | None = Field(
        None, ge=0, description="false plots per look and m² (m³, sr); default: learned"
    )
    coverage: tuple[tuple[Finite, Finite], ...] = Field(
        (), description="polygon of [lon, lat] it can see; empty: everywhere"
    )
    blind: tuple[tuple[Finite, Finite], ...] = Field(
        (), description="sectors [from, to] of its coverage it cannot see, degrees from true north"
    )
    floor_m: Finite = Field(-1e9, description="lowest height it can see, above the ellipsoid")
    ceiling_m: Finite = Field(1e9, description="highest height it can see, above the ellipsoid")
    may_spawn: bool = Field(True, description="may its rows found tracks")
    scans: bool | None = Field(
        None, description="is a miss evidence; default: true for radar, camera, lidar and rsu"
    )
    track_input: bool = Field(False, description="does it send tracks, not measurements")
    reorder_wait_ms: Finite = Field(
        200.0, ge=0, le=10_000, description="how long a slice waits for its rows; 0: not at all"
    )
    period_s: Finite | None = Field(None, gt=0, description="expected time between frames")
    correlation_s: Finite = Field(0.0, ge=0, description="correlation time of a sender's filter")
    edition: Literal["auto", "2017", "2019", "2020", "day2", "gnss"] = Field(
        "auto", description="edition of the wire format, or auto; gnss: adsb with a GNSS clock"
    )
    mapping: JsonMapping | None = Field(
        None, description="of format json, required there: a table, or the name of a TOML file"
    )
    cipher: tuple[U32, U32, U32] | None = Field(
        None, description="M1, IA1 and IC1 of a platform that encrypts JT/T 809", repr=False
    )
    hears_low_m: Finite = Field(
        1000.0, gt=0, description="range at which a Remote ID receiver hears half, near the ground"
    )
    hears_high_m: Finite = Field(
        3000.0, gt=0, description="the same for drones 50 m above ground and more"
    )
    p_hear: Finite = Field(
        0.95, gt=0, lt=1, description="share of broadcasts that a Remote ID receiver hears close by"
    )

    @field_validator("name")
    @classmethod
    def _fits_a_drive(cls, name: str) -> str:
        if "/" in name:
            raise ValueError(f"'/' cannot stand in the name of a sensor: {name!r}")
        return name

    @field_validator("coverage")
    @classmethod
    def _is_an_area(
        cls, coverage: tuple[tuple[float, float], ...]
    ) -> tuple[tuple[float, float], ...]:
        fault = coverage_fault(coverage)
        if fault is not None:
            raise ValueError(f"{fault} (vertices are [lon, lat] in degrees)")
        return coverage

    @model_validator(mode="after")
    def _mapping_fits(self) -> Self:
        if (self.format == "json") != (self.mapping is not None):
            raise ValueError("mapping: format json needs one, and no other format has one")
        if self.mapping is not None and needs_pose(self.mapping.fields):
            if self.lat is None or self.lon is None:
                raise ValueError("lat, lon: not set, and its places count from where it stands")
            if self.datum == "gcj02":
                raise ValueError("datum: places that count from where it stands are wgs84")
        return self

    def sensor(self) -> Sensor:
        """The same as the row that decoders and the tracker use."""
        nan = float("nan")
        kind = SensorKind[self.kind.upper()]
        looks = (SensorKind.RADAR, SensorKind.CAMERA, SensorKind.LIDAR, SensorKind.RSU)
        return Sensor(
            name=self.name,
            format=self.format,
            kind=kind,
            datum=Datum[self.datum.upper()],
            p_detect=self.p_detect,
            clutter_density=nan if self.clutter_density is None else self.clutter_density,
            sd_m=nan if self.sd_m is None else self.sd_m,
            sd_up_m=nan if self.sd_up_m is None else self.sd_up_m,
            sd_range_m=nan if self.sd_range_m is None else self.sd_range_m,
            sd_deg=nan if self.sd_deg is None else self.sd_deg,
            lat=nan if self.lat is None else self.lat,
            lon=nan if self.lon is None else self.lon,
            hae_m=nan if self.hae_m is None else self.hae_m,
            yaw_deg=self.yaw_deg,
            coverage_lonlat=self.coverage,
            blind=self.blind,
            floor_m=self.floor_m,
            ceiling_m=self.ceiling_m,
            may_spawn=self.may_spawn,
            scans=kind in looks if self.scans is None else self.scans,
            track_input=self.track_input,
            reorder_wait_ms=self.reorder_wait_ms,
            period_s=nan if self.period_s is None else self.period_s,
            correlation_s=self.correlation_s,
            edition=self.edition,
            mapping="" if self.mapping is None else self.mapping.text(),
            cipher=self.cipher,
            hears_low_m=self.hears_low_m,
            hears_high_m=self.hears_high_m,
            p_hear=self.p_hear,
        )


Identities = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-z0-9]+:\S+$")], ...],
    Field(description="identities, as `808:13800138000`"),
]


class Fleet(_Section):
    """What is known beforehand of vehicles that report themselves, by kind."""

    car: Identities = ()
    truck: Identities = ()
    bus: Identities = ()
    emergency_vehicle: Identities = ()

    @field_validator("*")
    @classmethod
    def _is_one_kind(cls, mine: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        others = {name for names in info.data.values() for name in names}
        twice = sorted({name for name in mine if name in others or mine.count(name) > 1})
        if twice:
            raise ValueError(f"named twice: {', '.join(twice)}")
        return mine

    def kinds(self) -> dict[str, int]:
        """Kinds by identity text, for `SensorTable.fleet`."""
        return {
            name: int(Kind[kind.upper()])
            for kind, names in self.model_dump().items()
            for name in names
        }


class AirspaceSettings(_Section):
    """Files of the low airspace; paths count from the configuration file."""

    zones: str | None = Field(None, description="GeoJSON file of zones")
    registry: str | None = Field(None, description="JSON file of registered drones")
    plans: str | None = Field(None, description="JSON file of approved flights")


class RuleSettings(_Section):
    """What an operator may set per rule."""

    enabled: bool = Field(True, description="false: the rule is not run")
    hold_s: Finite | None = Field(None, ge=0, description="must last this long to raise")
    quiet_s: Finite | None = Field(None, ge=0, description="must be gone this long to clear")


class Maintenance(_Section):
    """Work on a device: its alerts are withheld meanwhile, and kept."""

    device: str = Field(min_length=1, description="name of the sensor")
    start: AwareDatetime = Field(description="first moment, with its offset from UTC")
    end: AwareDatetime = Field(description="first moment after it, with its offset from UTC")
    reason: str = Field("", description="what is done, and by whom")

    @field_validator("end")
    @classmethod
    def _ends_later(cls, end: AwareDatetime, info: ValidationInfo) -> AwareDatetime:
        if "start" in info.data and end <= info.data["start"]:
            raise ValueError("end: not after its start")
        return end

    @property
    def start_ns(self) -> int:
        """First moment, ns UTC, to the second."""
        return int(self.start.timestamp()) * 1_000_000_000

    @property
    def end_ns(self) -> int:
        """First moment after it, ns UTC, to the second."""
        return int(self.end.timestamp()) * 1_000_000_000


class KafkaTopic(_Section):
    """One topic of frames."""

    topic: str = Field(min_length=1, description="name of the topic")
    format: str | None = Field(None, description="format of records without a format header")
    sensor: str | None = Field(None, description="sensor of records without a sensor header")


class KafkaSettings(_Section):
    """Kafka as a wire."""

    bootstrap: str = Field("", description="host:port list; V2X_KAFKA_BOOTSTRAP wins")
    group: str = Field("v2x", description="consumer group, for lag displays")
    topics: tuple[KafkaTopic, ...] = Field((), description="topics of frames")
    on_missing: Literal["latest", "earliest"] = Field(
        "latest", description="where the very first run starts"
    )
    alerts_topic: str = Field("v2x.alerts.v1", description="history of alerts")
    dead_letter_topic: str = Field("v2x.deadletter.v1", description="frames nobody could decode")
    commands_topic: str | None = Field(
        None, description="commands of people, as `v2x.commands.v1`; none: not read from Kafka"
    )
    allow_plaintext: bool = Field(False, description="plaintext to hosts other than this one")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to talk to the broker"
    )
    sasl_mechanism: str = Field("SCRAM-SHA-512", description="with SASL_SSL")
    username: str = Field("", description="with SASL_SSL; V2X_KAFKA_USERNAME wins")
    password: str = Field("", description="with SASL_SSL; V2X_KAFKA_PASSWORD wins", repr=False)
    ca_file: str | None = Field(None, description="certificates that sign the broker's")


class SinkSettings(_Section):
    """One destination of alerts."""

    kind: Literal["jsonl", "kafka", "webhook"] = Field(
        description="jsonl: a file; kafka: the alerts topic; webhook: a URL"
    )
    name: str | None = Field(None, description="name in counters; default: its kind")
    path: str | None = Field(None, validate_default=True, description="file, for jsonl")
    url: str | None = Field(None, validate_default=True, description="address, for webhook")
    secrets: tuple[str, ...] = Field(
        (),
        repr=False,
        description="`whsec_...`, newest first, for webhook; V2X_WEBHOOK_SECRETS wins (commas)",
    )
    allow: tuple[str, ...] = Field(
        (), description="networks a webhook may reach though they are not public or encrypted"
    )
    ca_file: str | None = Field(None, description="certificates that sign the webhook's")

    @field_validator("path", "url")
    @classmethod
    def _is_there(cls, value: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        if {"jsonl": "path", "webhook": "url"}.get(kind or "") == info.field_name and not value:
            raise ValueError(f"a {kind} sink needs it")
        return value


class Config(_Section):
    """The whole tree."""

    site: Site = Site()
    grid: Grid = Grid()
    tracker: TrackerSettings = TrackerSettings()
    sensors: tuple[SensorSettings, ...] = ()
    fleet: Fleet = Fleet()
    airspace: AirspaceSettings = AirspaceSettings()
    alerts: Mapping[str, RuleSettings] = Field(default_factory=dict)
    maintenance: tuple[Maintenance, ...] = ()
    kafka: KafkaSettings = KafkaSettings()
    bridge: BridgeSettings = BridgeSettings()
    sinks: tuple[SinkSettings, ...] = ()
    store: str = Field("v2x.sqlite", description="file of the durable store")
    checkpoints: str | None = Field(
        None, description="folder of checkpoints; none: `<store>.checkpoints`, beside the store"
    )
    checkpoint_s: Finite = Field(
        5.0, ge=0, description="event time between checkpoints, seconds; 0: none, read all again"
    )

    folder: Path = Field(Path(), exclude=True, repr=False)
    origin: str = Field("", exclude=True, repr=False)
    mapping_files: tuple[str, ...] = Field((), exclude=True, repr=False)

    @field_validator("sensors")
    @classmethod
    def _sensors_differ(cls, sensors: tuple[SensorSettings, ...]) -> tuple[SensorSettings, ...]:
        _differ([s.name for s in sensors])
        return sensors

    @field_validator("sinks")
    @classmethod
    def _sinks_differ(cls, sinks: tuple[SinkSettings, ...]) -> tuple[SinkSettings, ...]:
        _differ([s.name or s.kind for s in sinks])
        return sinks

    def error(self, text: str) -> ConfigError:
        """Return an error that names the file before `text`, which names the key."""
        return ConfigError(f"{self.origin}: {text}" if self.origin else text)

    def tile(self) -> Tile:
        """Return the local frame, or a `ConfigError` if the site has no origin."""
        if self.site.lat is None or self.site.lon is None:
            raise self.error("[site] lat, lon: the origin of the tile is not set")
        return Tile(self.site.lat, self.site.lon, self.site.hae_m)

    def table(self) -> SensorTable:
        """Sensors in name order, placed in the tile."""
        tile = self.tile()
        return SensorTable.of((s.sensor().placed(tile) for s in self.sensors), self.fleet.kinds())

    def file(self, name: str | None) -> Path | None:
        """Path of a file that the configuration names."""
        return None if name is None else self.folder / name

    def digest(self) -> str:
        """16 hex digits over everything that decides what is derived from the frames."""
        parts = {"site", "grid", "tracker", "sensors", "fleet", "alerts", "maintenance"}
        body = self.model_dump_json(include=parts)
        return blake2b(body.encode(), digest_size=8).hexdigest()


_ENVIRONMENT = {
    "V2X_KAFKA_BOOTSTRAP": ("kafka", "bootstrap"),
    "V2X_KAFKA_USERNAME": ("kafka", "username"),
    "V2X_KAFKA_PASSWORD": ("kafka", "password"),
}


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        Names the file and each key that is missing, unknown or out of range.
    """
    tree = _toml(path)
    around = os.environ if environment is None else environment
    for variable, (section, key) in _ENVIRONMENT.items():
        value = around.get(variable)
        if value and isinstance(tree.setdefault(section, {}), dict):
            tree[section][key] = value
    bridge = tree.get("bridge")
    brokers = bridge.get("mqtt") if isinstance(bridge, dict) else None
    for broker in brokers if isinstance(brokers, list) else ():
        for key in ("username", "password"):
            if (value := around.get(f"V2X_MQTT_{key.upper()}")) and isinstance(broker, dict):
                broker[key] = value
    secrets, sinks = around.get("V2X_WEBHOOK_SECRETS", ""), tree.get("sinks")
    for sink in sinks if secrets and isinstance(sinks, list) else ():
        if isinstance(sink, dict) and sink.get("kind") == "webhook":
            sink["secrets"] = [secret.strip() for secret in secrets.split(",")]
    return config_from(tree, str(path), path.parent)


def load_mapping(path: Path) -> JsonMapping:
    """Read and check a file that holds a mapping; `ConfigError` names file and key."""
    try:
        return JsonMapping.model_validate(_toml(path))
    except ValidationError as e:
        raise ConfigError(f"{path}: " + "; ".join(map(_say, e.errors()))) from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror or e}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ConfigError(f"{path}: not valid TOML: {e}") from e


def _with_mappings(sensors: Any, folder: Path) -> tuple[Any, tuple[str, ...]]:
    """Tables of sensors with what their mapping files hold in place of the names; the names."""
    names: dict[str, None] = {}
    made = []
    for one in sensors if isinstance(sensors, list) else ():
        name = one.get("mapping") if isinstance(one, dict) else None
        if isinstance(name, str):
            names[name] = None
            one = {**one, "mapping": load_mapping(folder / name)}
        made.append(one)
    return made if isinstance(sensors, list) else sensors, tuple(names)


def config_from(tree: Mapping[str, Any], origin: str, folder: Path) -> Config:
    """Check a tree that was read from `origin`; its relative paths count from `folder`."""
    for name in ("folder", "origin", "mapping_files"):
        if name in tree:
            raise ConfigError(f"{origin}: {name}: unknown key")
    sensors, files = _with_mappings(tree.get("sensors", ()), folder)
    ours = {"sensors": sensors, "folder": folder, "origin": origin, "mapping_files": files}
    try:
        return Config.model_validate({**tree, **ours})
    except ValidationError as e:
        lines = [_say(error) for error in e.errors()]
        raise ConfigError(f"{origin}: " + "; ".join(lines)) from None


def _differ(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"name: used twice: {', '.join(twice)}")


def _say(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key"
    if error["type"] == "value_error":
        return f"{where}: {error['ctx']['error']}"
    if error["type"] == "model_type":
        return f"{where}: should be a table"
    return f"{where}: {error['msg']}"
