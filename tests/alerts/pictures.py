"""Pictures from a few keyword rows, and the record's schema.

``picture(1.0, [drone(verdict=Verdict.DARK)], inside=[(0, "P-1", 0.95)])`` is a picture at 1 s after
`EPOCH_NS` with one drone, probably inside the prohibited zone P-1.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from v2x.alert import Alert, Finding, Rule
from v2x.alerts.commands import Command
from v2x.alerts.engine import Engine
from v2x.alerts.texts import LANGUAGES, catalogue
from v2x.observations import Kind, ident_of
from v2x.picture import (
    Breach,
    ClaimStatus,
    Devices,
    Groups,
    Heights,
    Identities,
    Inside,
    Latest,
    Picture,
    Proximity,
    Registered,
    Stays,
    UasClass,
    Verdict,
    ZoneKind,
    ZoneRows,
)
from v2x.readings import Name
from v2x.sensors import Sensor, SensorKind, SensorTable
from v2x.tracks import Status, Tracks

EPOCH_NS = 1_772_330_400_000_000_000  # 2026-03-01T02:00:00Z
LAT, LON = 39.124, 117.346
METRES_PER_DEGREE = 111_000.0  # good enough: rules compare metres, positions are only shown
ZONES = {
    "P-1": ZoneKind.PROHIBITED,
    "R-1": ZoneKind.RESTRICTED,
    "W-1": ZoneKind.WARNING,
    "O-1": ZoneKind.OPERATING,
    "S-1": ZoneKind.OBSTACLE_SURFACE,
}
SENSORS = SensorTable.of(
    [
        Sensor("bds-1", "jt808", SensorKind.SELF_REPORT),
        Sensor("radar-1", "columns", SensorKind.RADAR, period_s=1.0, lat=LAT, lon=LON),
        Sensor("radar-2", "columns", SensorKind.RADAR, period_s=0.5),
        Sensor("rid-1", "remote_id", SensorKind.REMOTE_ID),
        Sensor("rid-2", "remote_id", SensorKind.REMOTE_ID),
    ]
)
RADAR = 1 << SensorKind.RADAR
RID = 1 << SensorKind.REMOTE_ID
CONTEXT = {"version": "1.0", "config_hash": "c0", "zones_hash": "z0", "replay": False}


def ns(t_s: float) -> int:
    return EPOCH_NS + round(t_s * 1e9)


def drone(**given: Any) -> dict[str, Any]:
    """A confirmed drone seen by radar, 60 m above ground, of which nothing is known.

    Keys are those below; ``first`` and ``last`` are seconds, ``ident`` and ``mark`` are texts.
    """
    row: dict[str, Any] = {
        "id": 1, "kind": Kind.UAS, "status": Status.CONFIRMED, "exist": 0.99, "sensors": RADAR,
        "n_sensors": 1, "first": -60.0, "last": None, "east": 0.0, "north": 0.0, "v_east": 0.0,
        "v_north": 0.0, "agl": 60.0, "sd": 2.0, "pos_sd": 5.0, "ident": "", "mark": "",
        "verdict": Verdict.UNDECIDED, "claim": ClaimStatus.NONE, "registered": Registered.UNKNOWN,
        "p_heard": 0.95, "n_receivers": 0, "heard": None, "plan": -1, "needs_approval": 0,
        "approval_zone": "", "pilot": (np.nan, np.nan), "kind_prob": 0.9, "why": 0,
        "named": None, "lateral": np.nan, "vertical": np.nan, "late_s": np.nan, "emergency": 0,
        "approval_agl": 120.0, "uas_class": UasClass.UNKNOWN,
        "llr": np.nan, "about": None, "group": -1,
    }  # fmt: skip
    unknown = set(given) - set(row)
    assert not unknown, unknown
    row.update(given)
    return row


def picture(
    t_s: float,
    rows: Sequence[Mapping[str, Any]] = (),
    *,
    inside: Iterable[tuple[Any, ...]] = (),
    breach: Iterable[tuple[Any, ...]] = (),
    stays: Iterable[tuple[Any, ...]] = (),
    near: Iterable[tuple[Any, ...]] = (),
    zones: Mapping[str, ZoneKind] = ZONES,
    closed: Iterable[str] = (),
    readings: Iterable[Mapping[str, Any]] = (),
    spoke: Mapping[str, float] | None = None,
    sensors: SensorTable = SENSORS,
    watching: float = -3600.0,
    plans: tuple[str, ...] = ("P-17",),
    registry: float | None = None,
    groups: Groups | None = None,
) -> Picture:
    """A picture at `t_s`.

    Parameters
    ----------
    inside
        (row, zone, p) or (row, zone, p, {"crossed": 1, "margin_m": 3.0, "height_unknown": 1}).
    breach
        (row, zone, p, {"earliest": 8.0, "expected": 10.0, "latest": 13.0}).
    stays
        (row or -1, zone, `StayWord`, {"id": 1, "onset": -9.0, "seen": 0.0, "p_inside": 1.0}).
    near
        (row, other row or -1, {"cpa_m": 500.0, "cpa_s": 20.0, "p": 0.8, "approach": "S-1"}).
    closed
        Zones that are there but not in force.
    readings
        Maps with ``sensor``, ``ident``, ``name``, ``value``, ``t``, ``recv`` (s), ``lat``, ``lon``.
    spoke
        Seconds of each sensor's newest frame; None: all of them a moment ago.
    """
    n, t_ns = len(rows), ns(t_s)
    names = sorted(zones)
    texts: dict[int, str] = {}

    def hashed(text: str) -> int:
        if text:
            texts[ident_of(text)] = text
        return ident_of(text)

    def col(name: str) -> list[Any]:
        return [row[name] for row in rows]

    x = np.zeros((n, 6))
    P = np.zeros((n, 6, 6))
    for i, row in enumerate(rows):
        x[i] = row["east"], row["north"], 0.0, row["v_east"], row["v_north"], 0.0
        P[i] = np.diag([row["pos_sd"] ** 2, row["pos_sd"] ** 2, 4.0, 1.0, 1.0, 1.0])
    tracks = Tracks.blank(
        n, id=col("id"), t_ns=t_ns, x=x, P=P, exist=col("exist"), kind=col("kind"),
        kind_prob=col("kind_prob"), ident=[hashed(r["ident"]) for r in rows],
        first_ns=[ns(r["first"]) for r in rows],
        last_ns=[t_ns if r["last"] is None else ns(r["last"]) for r in rows],
        status=col("status"), n_sensors=col("n_sensors"), sensor_kinds=col("sensors"),
    )  # fmt: skip
    geodetic = np.column_stack(
        [LAT + x[:, 1] / METRES_PER_DEGREE, LON + x[:, 0] / METRES_PER_DEGREE]
    )
    agl = np.array(col("agl"), np.float64)
    known = np.isfinite(agl)
    heights = Heights.blank(
        n, hae=agl - 5.2, amsl=agl + 3.0, agl=agl, sd=np.where(known, col("sd") or 0.0, np.nan),
        datum_known=known,
    )  # fmt: skip
    identities = Identities.blank(
        n, verdict=col("verdict"), status=col("claim"), registered=col("registered"),
        heard_ns=[-1 if r["heard"] is None else ns(r["heard"]) for r in rows],
        n_receivers=col("n_receivers"), p_heard=col("p_heard"), plan=col("plan"),
        needs_approval=col("needs_approval"),
        approval_zone=[names.index(z) if z else -1 for z in col("approval_zone")],
        mark=[hashed(r["mark"]) for r in rows], why=[int(why) for why in col("why")],
        emergency=col("emergency"),
        named_ns=[-1 if r["named"] is None else ns(r["named"]) for r in rows],
        deviation_m=np.array([(r["lateral"], r["vertical"]) for r in rows]).reshape(-1, 2),
        late_s=col("late_s"), approval_agl_m=col("approval_agl"), uas_class=col("uas_class"),
        pilot_lat=[p[0] for p in col("pilot")], pilot_lon=[p[1] for p in col("pilot")],
        pilot_source=np.isfinite([p[0] for p in col("pilot")]), pilot_sd=30.0,
        spoof_llr=col("llr"), group=col("group"),
        claim=[hashed(r["ident"] if r["about"] is None else r["about"]) for r in rows],
    )  # fmt: skip
    pairs = sorted(
        (row, names.index(zone), p, *more) for row, zone, p, *more in inside if zone in names
    )
    more = [pair[3] if len(pair) > 3 else {} for pair in pairs]
    made_inside = Inside.blank(
        len(pairs), track=[p[0] for p in pairs], zone=[p[1] for p in pairs],
        p_inside=[p[2] for p in pairs], crossed=[m.get("crossed", 0) for m in more],
        margin_m=[m.get("margin_m", 20.0) for m in more],
        height_unknown=[m.get("height_unknown", 0) for m in more],
        p_footprint=[m.get("p_footprint", np.nan) for m in more],
        head=[names.index(m["head"]) if "head" in m else -1 for m in more],
    )  # fmt: skip
    pairs = sorted((row, names.index(zone), p, more) for row, zone, p, more in breach)
    made_breach = Breach.blank(
        len(pairs), track=[p[0] for p in pairs], zone=[p[1] for p in pairs],
        p=[p[2] for p in pairs],
        **{n: [p[3].get(n, np.nan) for p in pairs] for n in ("earliest", "expected", "latest")},
        height_unknown=[p[3].get("height_unknown", 0) for p in pairs],
        head=[names.index(p[3]["head"]) if "head" in p[3] else -1 for p in pairs],
    )  # fmt: skip
    rests = [(row, names.index(zone), word, more) for row, zone, word, more in stays]
    made_stays = Stays.blank(
        len(rests), track=[r[0] for r in rests], zone=[r[1] for r in rests],
        word=[r[2] for r in rests], id=[r[3].get("id", 1) for r in rests],
        onset_ns=[ns(r[3].get("onset", t_s)) for r in rests],
        seen_ns=[ns(r[3].get("seen", t_s)) for r in rests],
        gap_ns=[round(r[3].get("gap", 0.0) * 1e9) for r in rests],
        p_inside=[r[3].get("p_inside", 1.0) for r in rests],
        p_detect=[r[3].get("p_detect", np.nan) for r in rests], lat=LAT, lon=LON,
        sure=[r[3].get("sure", 1) for r in rests],
    )  # fmt: skip
    couples = [(row, other, more) for row, other, more in near]
    made_near = Proximity.blank(
        len(couples), track=[c[0] for c in couples], other=[c[1] for c in couples],
        **{n: [c[2].get(n, np.nan) for c in couples]
           for n in ("cpa_s", "cpa_m", "vertical_m", "vertical_sd", "range_m")},
        p=[c[2].get("p", 0.0) for c in couples], p_keep=[c[2].get("p_keep", 0.0) for c in couples],
        approach=[names.index(c[2]["approach"]) if "approach" in c[2] else -1 for c in couples],
    )  # fmt: skip
    last = {s.name: t_s - 0.05 for s in sensors.sensors} if spoke is None else spoke
    devices = Devices.blank(
        len(sensors), last_ns=[ns(last[s.name]) if s.name in last else -1 for s in sensors.sensors],
        period_s=sensors.floats("period_s"), live=1, since_ns=ns(watching),
    )  # fmt: skip
    told = sorted(readings, key=lambda r: (r["sensor"], hashed(r.get("ident", "")), r["name"]))
    latest = Latest.blank(
        len(told), sensor=[sensors.row(r["sensor"]) for r in told],
        ident=[hashed(r.get("ident", "")) for r in told], name=[r["name"] for r in told],
        t_ns=[ns(r.get("t", t_s)) for r in told],
        recv_ns=[ns(r.get("recv", r.get("t", t_s))) for r in told],
        value=[r.get("value", np.nan) for r in told], lat=[r.get("lat", np.nan) for r in told],
        lon=[r.get("lon", np.nan) for r in told], fresh=1,
    )  # fmt: skip
    return Picture(
        t_ns=t_ns, sensors=sensors, tracks=tracks, geodetic=geodetic, heights=heights,
        identities=identities,
        zones=ZoneRows.blank(
            len(names), kind=[zones[z] for z in names], active=[z not in set(closed) for z in names]
        ),
        inside=made_inside, breach=made_breach, stays=made_stays, proximity=made_near,
        devices=devices, readings=latest, zone_ids=tuple(names), idents=texts,
        zones_hash="z0", plan_ids=plans, registry_ns=-1 if registry is None else ns(registry),
        groups=Groups.blank() if groups is None else groups,
    )  # fmt: skip


def heard(ident: str, *sensors: str, t: float = 0.0) -> list[dict[str, Any]]:
    """Readings that say: these receivers heard this identity."""
    return [{"sensor": s, "ident": ident, "name": Name.RID_HEARD, "value": 1, "t": t}
            for s in sensors]  # fmt: skip


def findings(rule: Rule, made: Picture) -> list[Finding]:
    return list(rule.check(made))


def only(rule: Rule, made: Picture) -> Finding:
    found = findings(rule, made)
    assert len(found) == 1, found
    return found[0]


def codes(finding: Finding) -> list[str]:
    return [reason[0] for reason in finding.reasons]


def engine(*rules: Rule, texts: Iterable[str] = (), **more: Any) -> Engine:
    """An engine of these rules; `texts` names types that borrow the words of another rule."""
    for type in texts:
        for language in LANGUAGES:
            words = catalogue(language)["rules"]
            words.setdefault(type, words["device_silent"])
    return Engine(rules, more.pop("settings", {}), CONTEXT, **more)


def run(made: Engine, pictures: Iterable[Picture]) -> list[Alert]:
    """All revisions, each checked against the schema."""
    out: list[Alert] = []
    for one in pictures:
        out += made.judge(one)
    for alert in out:
        assert not list(violations(alert.body))
        assert (alert.id, alert.rev, alert.severity) == tuple(
            alert.body[k] for k in ("id", "rev", "severity")
        )
        assert b"NaN" not in alert.canonical()
    return out


def done(made: Engine, id: str, event: str, t_s: float, **given: Any) -> list[Alert]:
    """Revisions of a command that is obeyed; given: its fields, by a supervisor unless said."""
    plain = {"id": id, "event": event, "who": "li.wei", "role": "supervisor"} | given
    command = Command.parse(json.dumps(plain).encode(), ns(t_s))
    reply, alerts = made.obey(command, ns(t_s))
    assert reply.refused is None, reply.refused
    for alert in alerts:
        assert not list(violations(alert.body))
    return alerts


def story(alerts: Iterable[Alert]) -> list[tuple[float, int, str, int]]:
    """(s, rev, condition, severity) of each revision."""
    return [
        (round((a.event_ns - EPOCH_NS) / 1e9, 3), a.rev, a.condition, a.severity) for a in alerts
    ]


def steps(start: float, end: float, step: float = 0.1) -> list[float]:
    return [round(start + i * step, 6) for i in range(round((end - start) / step) + 1)]


SCHEMA: dict[str, Any] = json.loads(files("v2x.alerts").joinpath("schema.json").read_text("utf-8"))
_TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
    "number": (int, float),
}  # fmt: skip
_KEYWORDS = {
    "$ref", "type", "enum", "required", "properties", "additionalProperties", "items", "minimum",
    "maximum", "pattern", "minLength", "minProperties", "description", "title", "$schema", "$defs",
}  # fmt: skip


def violations(value: Any, schema: Mapping[str, Any] = SCHEMA, at: str = "$") -> Iterable[str]:
    """What is wrong with `value`, by the part of JSON Schema that ours uses."""
    assert set(schema) <= _KEYWORDS, set(schema) - _KEYWORDS
    if ref := schema.get("$ref"):
        yield from violations(value, SCHEMA["$defs"][ref.removeprefix("#/$defs/")], at)
        return
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    fits = any(
        isinstance(value, _TYPES[k]) and (k == "boolean") == isinstance(value, bool) for k in kinds
    )
    if kinds and not fits:
        yield f"{at}: {value!r} is no {kinds}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield f"{at}: too short"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{at}: {value!r} does not match {schema['pattern']}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        least, most = schema.get("minimum", value), schema.get("maximum", value)
        if not (value == value and least <= value <= most):
            yield f"{at}: {value!r} is out of range"
    if isinstance(value, list):
        for i, entry in enumerate(value):
            yield from violations(entry, schema.get("items", {}), f"{at}[{i}]")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        if len(value) < schema.get("minProperties", 0):
            yield f"{at}: empty"
        for name in schema.get("required", []):
            if name not in value:
                yield f"{at}.{name}: missing"
        for name, entry in value.items():
            if name in known:
                yield from violations(entry, known[name], f"{at}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{at}.{name}: not in the schema"
