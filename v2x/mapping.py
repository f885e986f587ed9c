"""Mappings: how a sensor's JSON is to be read: which path holds which field, in which unit.

The tree stands in ``[sensors.mapping]`` of the configuration or in a TOML file of its own. All of
it is checked before anything runs; what a frame then says is the business of format ``json``.

A path is names with dots between them; a number is a place in a list, ``*`` every element of a
list or map. Paths of fields begin at the object; ``$.`` before one begins at the message, ``^.`` at
the element around the object (``^.^.`` at the one around that).
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

Finite = Annotated[float, Field(allow_inf_nan=False)]
Scalar = bool | int | float | str

ANGLE = {"deg": 1.0, "rad": 57.29577951308232, "1e-7deg": 1e-7}
LENGTH = {"m": 1.0, "km": 1000.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "nmi": 1852.0}
SPEED = {
    "m/s": 1.0, "km/h": 1 / 3.6, "kt": 1852 / 3600, "mph": 0.44704, "cm/s": 0.01,
    "ft/min": 0.3048 / 60,
}  # fmt: skip
SHARE = {"1": 1.0, "%": 0.01}
POWER = {"dBm": 1.0}
TIME: Mapping[str, int] = {
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
    "iso": 0,
    "ms_of_minute": 0,
}
"""ns of a unit; ``iso`` is a text, ``ms_of_minute`` the secMark of V2X messages."""

UNITS: Mapping[str, Mapping[str, float]] = {
    "t": TIME,
    **dict.fromkeys(("lat", "lon", "az", "el", "heading", "ang_sd"), ANGLE),
    **dict.fromkeys(
        ("x", "y", "z", "range", "height", "sd", "sd_up", "range_sd", "size_length", "size_width",
         "size_height"),
        LENGTH,
    ),
    **dict.fromkeys(
        ("speed", "vel_east", "vel_north", "vel_up", "vel_sd", "radial", "radial_sd"), SPEED
    ),
    "kind_conf": SHARE,
    "rssi": POWER,
    "ident": {},
    "kind": {},
    "track_ref": {},
}  # fmt: skip
"""Units of every field, as factors to degrees, metres, m/s, 0..1 and dBm."""

_PLACES = (("lat", "lon"), ("x", "y"), ("az", "el"), ("az", "range"))

KindName = Literal[
    "unknown", "pedestrian", "bicycle", "motorcycle", "car", "truck", "bus", "emergency_vehicle",
    "uas", "aircraft", "helicopter", "bird", "obstacle",
]  # fmt: skip


def _steps(path: str) -> str:
    steps = path.split(".")
    inner = steps[1:] if steps[0] == "$" else steps
    while inner and steps[0] == "^" and inner[0] == "^":
        inner = inner[1:]
    if not all(inner) or {"$", "^"} & set(inner):
        raise ValueError(
            f"{path!r} is no path: names with dots between them, '$.' or '^.' only before the first"
        )
    return path


def _inside(path: str) -> str:
    if "*" in path.split("."):
        raise ValueError(f"{path!r}: a field has one value, '*' stands for many")
    return path


def _from_message(path: str) -> str:
    if path[:1] in ("$", "^"):
        raise ValueError(f"{path!r}: it begins at the message")
    return path


Path = Annotated[str, Field(max_length=512), AfterValidator(_steps)]
FieldPath = Annotated[Path, AfterValidator(_inside)]
MessagePath = Annotated[Path, AfterValidator(_from_message)]


class Section(BaseModel):
    """A table of the configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldSource(Section):
    """Where one field stands and how it is written; a bare text is its path."""

    path: FieldPath | None = Field(None, description="where it stands in the object")
    value: Scalar | None = Field(None, description="a constant instead of a path")
    unit: str | None = Field(None, description="unit on the wire; lat and lon: deg unless said")
    scale: Finite = Field(1.0, description="the number times this, plus `offset`, is in `unit`")
    offset: Finite = Field(0.0, description="see `scale`")
    invalid: tuple[Scalar, ...] = Field((), description="values that mean not measured")
    values: Mapping[str, Scalar] = Field(
        {}, description="what each value of the wire stands for, by its text"
    )
    default: Scalar | None = Field(None, description="for values that `values` does not list")
    required: bool = Field(False, description="an object without it is dropped")
    scheme: str = Field(
        "ext", pattern=r"^[a-z0-9_]{1,16}$", description="of `ident`: what kind of name it is"
    )
    zone: str | None = Field(
        None, pattern=r"^[+-]\d\d:\d\d$", description="of `t` in `iso`: offset of texts without one"
    )

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, given: Any) -> Any:
        return {"path": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.value is None):
            raise ValueError("either a path or a value must be given")
        if self.default is not None and not self.values:
            raise ValueError("default: there are no values it would stand beside")
        return self

    def zone_min(self) -> int | None:
        """Offset of the zone in minutes, None if none is set."""
        if self.zone is None:
            return None
        minutes = int(self.zone[1:3]) * 60 + int(self.zone[4:6])
        return -minutes if self.zone[0] == "-" else minutes


class JsonMapping(Section):
    """The whole mapping."""

    objects: MessagePath | Literal[""] = Field(
        "", description="path to the object or the list of objects; empty: the message itself"
    )
    only: Mapping[MessagePath, tuple[Scalar, ...]] = Field(
        {}, description="values at paths of the message without which it is not for us"
    )
    height_reference: Literal["hae", "amsl", "agl", "takeoff", "baro"] | None = Field(
        None, description="what `height` is above; required with it"
    )
    flags: tuple[Literal["self_reported", "simulated", "relayed", "backlog"], ...] = Field(
        (), description="true of every object"
    )
    fields: Mapping[str, FieldSource] = Field(description="sources of the fields by their names")

    def text(self) -> str:
        """The mapping as one line of JSON: plain data for a row of the sensor table."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The mapping that `text` gave."""
        return cls.model_validate_json(text)

    @field_validator("fields")
    @classmethod
    def _fields_fit(
        cls, fields: Mapping[str, FieldSource], info: ValidationInfo
    ) -> Mapping[str, FieldSource]:
        made = dict(fields)
        for name, source in fields.items():
            if name not in UNITS:
                raise ValueError(f"{name}: unknown field; known: {', '.join(UNITS)}")
            units = UNITS[name]
            unit = source.unit or ("deg" if name in ("lat", "lon") else None)
            if unit is None and units:
                raise ValueError(f"{name}.unit: not set; one of {', '.join(units)}")
            if unit is not None and unit not in units:
                known = ", ".join(units) or "none: it has no unit"
                raise ValueError(f"{name}.unit: {unit!r} is unknown; known: {known}")
            _fits(name, source)
            made[name] = source.model_copy(update={"unit": unit})
        _go_together(set(made))
        if "height" in made and info.data.get("height_reference") is None:
            raise ValueError("height: height_reference does not say what it is above")
        return made


def needs_pose(names: Iterable[str]) -> bool:
    """Whether places come from the sensor's own: without it they are nowhere."""
    told = set(names)
    return "x" in told or ("az" in told and "el" not in told)


def _fits(name: str, source: FieldSource) -> None:
    """Raise `ValueError` unless constants and enumerations are what the field holds."""
    kinds = KindName.__args__  # type: ignore[attr-defined]
    for key in ("value", "default"):
        _is_one(name, key, getattr(source, key), kinds)
    for wire, value in source.values.items():
        _is_one(name, f"values.{wire}", value, kinds)
    if source.zone is not None and (name != "t" or source.unit != "iso"):
        raise ValueError(f"{name}.zone: only t in iso has one")
    if source.scheme != "ext" and name != "ident":
        raise ValueError(f"{name}.scheme: only ident has one")


def _is_one(name: str, key: str, value: Scalar | None, kinds: tuple[str, ...]) -> None:
    if value is None or name == "ident":
        return
    if name == "kind":
        if value not in kinds:
            raise ValueError(f"kind.{key}: {value!r} is no kind; kinds: {', '.join(kinds)}")
    elif name == "t":
        raise ValueError(f"t.{key}: a time is read, it has no list and is no constant")
    elif isinstance(value, (bool, str)) or value != value or abs(value) > 1e300:
        raise ValueError(f"{name}.{key}: {value!r} is no number")


def _go_together(names: set[str]) -> None:
    """Raise `ValueError` unless there is one place, and at most one velocity."""
    if not any(set(place) <= names for place in _PLACES):
        pairs = " or ".join("+".join(place) for place in _PLACES)
        raise ValueError(f"no place among the fields: {pairs}")
    if sum(bool(names & group) for group in ({"lat", "lon"}, {"x", "y", "z"}, {"az", "el"})) > 1:
        raise ValueError("more than one place among the fields")
    if ("range" in names or "range_sd" in names or "ang_sd" in names) and "az" not in names:
        raise ValueError("range, range_sd and ang_sd belong to az")
    if {"z", "height"} <= names:
        raise ValueError("z and height are two heights")
    if names & {"sd", "sd_up"} and "az" in names:
        raise ValueError("sd and sd_up belong to a position; az has range_sd and ang_sd")
    if ("speed" in names) != ("heading" in names):
        raise ValueError("speed and heading belong together")
    if ("vel_east" in names) != ("vel_north" in names):
        raise ValueError("vel_east and vel_north belong together")
    if {"speed", "vel_east"} <= names:
        raise ValueError("speed and vel_east are two velocities")
