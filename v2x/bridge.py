"""Settings of ``v2x bridge``: the wires of a site that has no Kafka in front of it yet."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from v2x.mapping import Finite, Section

FRAMINGS = ("jt808", "beast", "sapient", "lines")
"""How a stream of bytes is cut into frames; see `v2x.ingest.transports.framing`."""

_NAMES = re.compile(r"\{([^{}]*)\}")


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is no host:port")
    return text


def _template(text: str) -> str:
    names = _NAMES.findall(text)
    if "{" in _NAMES.sub("", text) or "}" in _NAMES.sub("", text):
        raise ValueError(f"{text!r}: a brace without its partner")
    for name in names:
        if name not in ("phone", "rsu") and not name.isdecimal():
            raise ValueError(f"{text!r}: {{{name}}} is unknown; known: {{phone}}, {{rsu}}, {{1}}..")
    return text


Address = Annotated[str, AfterValidator(_address)]
Template = Annotated[str, Field(min_length=1), AfterValidator(_template)]


class MqttTopic(Section):
    """Frames of one filter."""

    filter: str = Field(min_length=1, max_length=512, description="topic filter, with + and #")
    sensor: Template = Field(
        description="sensor of its frames; `{1}` is what the first + stands for, `{rsu}` the unit "
        "that the frame names"
    )
    format: str | None = Field(None, description="wire format; default: the sensor's")

    @model_validator(mode="after")
    def _levels_there(self) -> Self:
        levels = self.filter.split("/")
        if any("#" in level and level != "#" for level in levels) or "#" in levels[:-1]:
            raise ValueError(f"filter: {self.filter!r}: # stands alone, at the end")
        if any("+" in level and level != "+" for level in levels):
            raise ValueError(f"filter: {self.filter!r}: + stands alone between slashes")
        for name in _NAMES.findall(self.sensor):
            if name == "phone" or (name.isdecimal() and not 1 <= int(name) <= levels.count("+")):
                raise ValueError(f"sensor: {{{name}}} is nothing that {self.filter!r} tells")
        return self


class MqttSettings(Section):
    """One broker of MQTT 3.1.1."""

    name: str = Field(min_length=1, description="name in counters and logs")
    broker: Address = Field(description="host:port")
    client_id: str = Field(
        min_length=1, description="name of the persistent session; no other client may have it"
    )
    topics: tuple[MqttTopic, ...] = Field(min_length=1, description="filters, the first that fits")
    keepalive_s: int = Field(30, ge=5, le=3600, description="longest silence of the connection")
    tls: bool = Field(False, description="TLS, the broker's name checked")
    ca_file: str | None = Field(None, description="certificates that sign the broker's")
    username: str = Field("", description="login; V2X_MQTT_USERNAME wins")
    password: str = Field("", description="login; V2X_MQTT_PASSWORD wins", repr=False)


class TcpSettings(Section):
    """One port to listen at, or one to connect to."""

    name: str = Field(min_length=1, description="name in counters and logs")
    listen: Address | None = Field(None, description="host:port to take connections at")
    connect: Address | None = Field(None, description="host:port to connect to, again and again")
    framing: Literal["jt808", "beast", "sapient", "lines"] = Field(
        description="how the stream is cut into frames"
    )
    sensor: Template = Field(
        description="sensor of its frames; `{phone}` is the terminal of a jt808 frame"
    )
    format: str | None = Field(None, description="wire format; default: the sensor's")
    reply: bool = Field(False, description="jt808: acknowledge what is safe (8001, 8100)")
    max_connections: int = Field(10_000, ge=1, description="more are refused; of listen")
    idle_s: Finite = Field(300.0, gt=0, description="silence after which a connection ends")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.listen is None) == (self.connect is None):
            raise ValueError("either listen or connect must be given")
        if self.reply and self.framing != "jt808":
            raise ValueError("reply: only jt808 is answered")
        named = set(_NAMES.findall(self.sensor)) - ({"phone"} if self.framing == "jt808" else set())
        if named:
            raise ValueError(f"sensor: {{{min(named)}}} is nothing that {self.framing} tells")
        return self


class UdpSettings(Section):
    """One port of datagrams."""

    name: str = Field(min_length=1, description="name in counters and logs")
    listen: Address = Field(description="host:port to read")
    multicast: str | None = Field(None, description="IPv4 group to join")
    interface: str = Field("0.0.0.0", description="address of the interface that joins")
    framing: Literal["datagram", "lines"] = Field(
        "datagram", description="a datagram is a frame, or its lines are"
    )
    sensor: str = Field(min_length=1, description="sensor of its frames")
    format: str | None = Field(None, description="wire format; default: the sensor's")
    buffer_bytes: int = Field(4 << 20, ge=1 << 16, description="what the system may hold for us")


class BridgeSettings(Section):
    """Transports into Kafka or a drive."""

    topic: str = Field("v2x.frames.site", min_length=1, description="Kafka topic of the frames")
    max_frame_bytes: int = Field(
        262_144, ge=64, le=900_000, description="longer frames are dropped and counted"
    )
    waiting_frames: int = Field(
        20_000, ge=1, description="frames not yet confirmed, above which reading pauses"
    )
    waiting_bytes: int = Field(
        32 << 20, ge=1 << 16, description="the same in bytes; UDP drops there, and counts"
    )
    drain_s: Finite = Field(15.0, ge=0, description="patience with what waits, at the end")
    metrics: Address | None = Field(None, description="host:port of the Prometheus page")
    mqtt: tuple[MqttSettings, ...] = Field((), description="brokers to subscribe at")
    tcp: tuple[TcpSettings, ...] = Field((), description="ports of streams")
    udp: tuple[UdpSettings, ...] = Field((), description="ports of datagrams")

    @field_validator("udp")
    @classmethod
    def _groups(cls, udp: tuple[UdpSettings, ...]) -> tuple[UdpSettings, ...]:
        for one in udp:
            first = (one.multicast or "224.").split(".")[0]
            if not (first.isdecimal() and 224 <= int(first) <= 239):
                raise ValueError(f"multicast: {one.multicast!r} is no IPv4 group")
        return udp

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.mqtt] + [one.name for one in self.tcp]
        names += [one.name for one in self.udp]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"name: used twice: {', '.join(twice)}")
        return self
