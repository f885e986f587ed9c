"""J2735 in plain Python: values from a table, the schema for an independent codec, and BSM rows."""

import math

import numpy as np

from v2x.ingest.j2735_types import NAMES, TYPES
from v2x.ingest.timestamps import DAY, MINUTE, SECOND
from v2x.ingest.uper_plain import Reader, read
from v2x.observations import Flag, Kind, ident_of
from v2x.readings import Name

# --- the same layouts, for asn1tools -------------------------------------------------------------


def schema() -> str:
    """Our tables as an ASN.1 module."""
    lines = ["Roads DEFINITIONS AUTOMATIC TAGS ::= BEGIN"]
    for name, kind in TYPES.items():
        if kind.items is not None:
            body = of(kind.items)
        elif kind.choice:
            rows = [f"{f.name} {of(f.code)}" for f in kind.fields] + ["..."] * kind.extensible
            body = "CHOICE {" + ", ".join(rows) + "}"
        else:
            rows = [f"{f.name} {of(f.code)}{' OPTIONAL' * f.optional}" for f in kind.fields]
            body = "SEQUENCE {" + ", ".join(rows + ["..."] * kind.extensible) + "}"
        lines.append(f"{name} ::= {body}")
    return "\n".join([*lines, "END"])


def of(code) -> str:
    more = ", ..." if code.extensible else ""
    if code.kind == "number":
        return f"INTEGER ({code.low}..{code.high})"
    if code.kind == "enum":
        return "ENUMERATED {" + ", ".join(f"v{i}" for i in range(code.high + 1)) + more + "}"
    if code.kind == "bits":
        return f"BIT STRING (SIZE ({code.n}{more}))"
    if code.kind == "octets":
        return f"OCTET STRING (SIZE ({code.n}))"
    if code.kind == "letters":
        return f"IA5String (SIZE ({code.low}..{code.high}))"
    if code.kind == "list":
        return f"SEQUENCE (SIZE ({code.low}..{code.high})) OF {code.of}"
    if code.kind == "group":
        return "SEQUENCE {" + ", ".join(f"{f.name} {of(f.code)}" for f in code.fields) + "}"
    return code.of if code.kind == "type" else "OCTET STRING"


def theirs(code, value):
    """A value as asn1tools wants it."""
    if code.kind == "type":
        return theirs_type(code.of, value)
    if code.kind == "enum":
        return f"v{value}"
    if code.kind == "bits":
        n = len(value)
        return int(value.ljust(-(-n // 8) * 8, "0"), 2).to_bytes(-(-n // 8), "big"), n
    if code.kind == "list":
        return [theirs_type(code.of, one) for one in value]
    if code.kind == "group":
        return {f.name: theirs(f.code, value[f.name]) for f in code.fields}
    return value


def theirs_type(name, value):
    kind = TYPES[name]
    if kind.items is not None:
        return theirs(kind.items, value)
    fields = {f.name: f.code for f in kind.fields}
    if kind.choice:
        ((alternative, inner),) = value.items()
        return alternative, theirs(fields[alternative], inner)
    return {name: theirs(fields[name], one) for name, one in value.items()}


# --- values that nobody would send ---------------------------------------------------------------


class Inventor:
    """Random values of any type; lists stay short."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def number(self, low: int, high: int) -> int:
        edge = self.rng.integers(8)
        if edge < 2:
            return (low, high)[edge]
        return int(self.rng.integers(low, high, endpoint=True))

    def type(self, name: str):
        kind = TYPES[name]
        if kind.items is not None:
            return self.value(kind.items)
        if kind.choice:
            field = kind.fields[int(self.rng.integers(len(kind.fields)))]
            return {field.name: self.value(field.code)}
        chosen = [f for f in kind.fields if not f.optional or self.rng.random() < 0.4]
        return {f.name: self.value(f.code) for f in chosen}

    def value(self, code):
        if code.kind == "number":
            return self.number(code.low, code.high)
        if code.kind == "enum":
            return self.number(0, code.high)
        if code.kind == "bits":
            return "".join(str(bit) for bit in self.rng.integers(0, 2, code.n))
        if code.kind == "octets":
            return self.rng.bytes(code.n)
        if code.kind == "letters":
            n = self.number(code.low, min(code.high, code.low + 9))
            return "".join(chr(c) for c in self.rng.integers(32, 127, n))
        if code.kind == "list":
            n = self.number(code.low, min(code.high, code.low + 2))
            return [self.type(code.of) for _ in range(n)]
        if code.kind == "group":
            return {f.name: self.value(f.code) for f in code.fields}
        if code.kind == "type":
            return self.type(code.of)
        return self.rng.bytes(int(self.rng.integers(1, 200)))


# --- what a BSM means ----------------------------------------------------------------------------


def alerts(value: bytes) -> dict:
    """Siren and response of a special vehicle extension, bit by bit."""
    bits = "".join(f"{byte:08b}" for byte in value)
    if len(bits) < 19 or bits[1] == "0":
        return {}
    at = 7 + 5
    told = {"siren": int(bits[at : at + 2], 2)}
    at += 7 + (16 if bits[5] == "1" else 0)
    if bits[6] == "1":
        if len(bits) < at + 4 or (bits[at] == "1" and len(bits) < at + 8):
            return {}
        if bits[at] == "0":
            response = int(bits[at + 1 : at + 4], 2)
            if response > 6:
                return {}
            told["response"] = response
        elif bits[at + 1] == "1":
            return {}
    return told if len(bits) >= at else {}


def events(value: bytes) -> int | None:
    """Event bits of a vehicle safety extension of the first size, first bit of the wire first."""
    bits = "".join(f"{byte:08b}" for byte in value)
    if len(bits) < 19 or bits[1] == "0":
        return None
    return int(bits[6:19][::-1], 2)


def decode(payloads, recv, sensors, row=0):
    """(observations, readings) of frames that hold BSM with events of the first size."""
    seen, told = [], []
    for i, (payload, recv_ns) in enumerate(zip(payloads, recv, strict=True)):
        frame = read("MessageFrame", payload, TYPES)
        message = read(NAMES[20], frame["value"], TYPES)
        core = message["coreData"]
        parts = {}
        for part in message.get("partII", []):
            if part["id"] == 0 and events(part["value"]) is not None:
                parts["events"] = events(part["value"])
            elif part["id"] == 1:
                parts |= alerts(part["value"])
        flags = int(Flag.SELF_REPORTED)
        t_ns = recv_ns
        if core["secMark"] >= 61_000:
            flags |= Flag.TIME_FROM_ARRIVAL
        else:
            base = recv_ns // MINUTE * MINUTE + core["secMark"] * 1_000_000
            t_ns = min((base, base - MINUTE, base + MINUTE), key=lambda t: abs(t - recv_ns))
            if not -2 * SECOND <= recv_ns - t_ns <= DAY:
                flags |= Flag.TIME_SUSPECT
        ident = ident_of(f"bsm:{core['id'].hex()}") if any(core["id"]) else -1
        base = {"frame": i, "t_ns": t_ns, "recv_ns": recv_ns, "sensor": row, "ident": ident}
        if "events" in parts:
            told.append(base | {"name": Name.BSM_EVENTS, "value": float(parts["events"])})
        if parts.get("siren") in (1, 2):
            told.append(base | {"name": Name.SIREN, "value": float(parts["siren"] - 1)})
        brakes = core["brakes"]["wheelBrakes"]
        if brakes[0] == "0":
            told.append(base | {"name": Name.BRAKE, "value": float("1" in brakes)})
        if core["lat"] == 900_000_001 or core["long"] == 1_800_000_001:
            continue
        if abs(core["lat"]) <= 100_000 and abs(core["long"]) <= 100_000:
            continue
        emergency = parts.get("response") == 1
        height = math.nan if core["elev"] == -4096 else core["elev"] / 10
        east = north = math.nan
        speed = core["speed"] * 0.02
        if core["speed"] != 8191 and core["heading"] != 28_800:
            angle = math.radians(core["heading"] * 0.0125)
            east, north = speed * math.sin(angle), speed * math.cos(angle)
        elif speed < 0.5:
            east = north = 0.0
        size = core["size"]
        seen.append(
            base
            | {
                "flags": flags, "kind": Kind.EMERGENCY_VEHICLE if emergency else Kind.CAR,
                "kind_conf": 0.9 if emergency else 0.5, "lat": core["lat"] / 1e7,
                "lon": core["long"] / 1e7, "height": height, "vel": (east, north, math.nan),
                "cov": ellipse(core["accuracy"], sensors[row], height),
                "size": (size["length"] / 100 or math.nan, size["width"] / 100 or math.nan,
                         math.nan),
            }
        )  # fmt: skip
    return seen, told


def ellipse(accuracy, sensor, height):
    a, b = (accuracy[k] * 0.05 or 0.025 for k in ("semiMajor", "semiMinor"))
    if 255 in (accuracy["semiMajor"], accuracy["semiMinor"]):
        a = b = math.nan
    if accuracy["orientation"] == 65_535:
        a = b = max(a, b)
    if not math.isnan(sensor.sd_m):
        a, b = (sensor.sd_m if math.isnan(v) else max(v, sensor.sd_m) for v in (a, b))
    t = math.radians(accuracy["orientation"] * 360 / 65_535)
    s, c = math.sin(t), math.cos(t)
    up = math.nan if math.isnan(height) else sensor.sd_up_m**2
    return (
        a * a * s * s + b * b * c * c, (a * a - b * b) * s * c, 0.0,
        a * a * c * c + b * b * s * s, 0.0, up,
    )  # fmt: skip


def head_of(value: bytes, name: str):
    """A message whose end is not read."""
    return Reader(value, TYPES).type(name)
