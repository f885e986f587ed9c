"""The page of the configuration is made from it: ``python -m tests.test_configuration_page``."""

import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from v2x import bridge, config, mapping

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

SECTIONS = [
    ("top level", config.Config, "before any table"),
    ("[site]", config.Site, ""),
    ("[grid]", config.Grid, ""),
    ("[tracker]", config.TrackerSettings, ""),
    ("[[sensors]]", config.SensorSettings, "one table per input"),
    ("[sensors.mapping]", mapping.JsonMapping, "or a file of its own; see `docs/formats/json.md`"),
    ("[sensors.mapping.fields.FIELD]", mapping.FieldSource, "a bare text is the path"),
    ("[fleet]", config.Fleet, "what reports itself: identities by kind"),
    ("[airspace]", config.AirspaceSettings, ""),
    ("[alerts.RULE]", config.RuleSettings, "one table per rule that shall differ"),
    ("[[maintenance]]", config.Maintenance, "work on a device: its alerts are withheld"),
    ("[kafka]", config.KafkaSettings, ""),
    ("[[kafka.topics]]", config.KafkaTopic, ""),
    ("[bridge]", bridge.BridgeSettings, "for `v2x bridge`; see `docs/bridge.md`"),
    ("[[bridge.mqtt]]", bridge.MqttSettings, "one table per broker"),
    ("[[bridge.mqtt.topics]]", bridge.MqttTopic, "one table per filter"),
    ("[[bridge.tcp]]", bridge.TcpSettings, "one table per port"),
    ("[[bridge.udp]]", bridge.UdpSettings, "one table per port"),
    ("[[sinks]]", config.SinkSettings, "one table per destination"),
]


def page() -> str:
    """The page as it should be."""
    out = [
        "# Configuration",
        "",
        "One TOML file. Every key has a default unless it says required; an unknown key is an",
        "error.",
        "Units are in the names. `V2X_KAFKA_BOOTSTRAP`, `V2X_KAFKA_USERNAME`,",
        "`V2X_KAFKA_PASSWORD`, `V2X_MQTT_USERNAME` and `V2X_MQTT_PASSWORD` win over the file.",
        "A whole one: `docs/example/site.toml`.",
    ]
    for title, model, note in SECTIONS:
        out += ["", f"## {title}" + (f" ({note})" if note else ""), ""]
        out += ["| key | default | meaning |", "| --- | --- | --- |"]
        for name, info in model.model_fields.items():
            if info.exclude or (model is config.Config and info.description is None):
                continue
            default = info.default
            shown = (
                "required"
                if default is PydanticUndefined
                else "none"
                if default is None
                else f"`{list(default)!r}`"
                if isinstance(default, tuple)
                else f"`{str(default).lower()}`"
                if isinstance(default, bool)
                else f"`{default!r}`"
            )
            out.append(f"| `{name}` | {shown} | {info.description} |")
    return "\n".join(out) + "\n"


def test_the_configuration_page_names_every_key_its_default_and_meaning():
    for _, model, _ in SECTIONS:
        for name, info in model.model_fields.items():
            assert info.description or info.exclude or model is config.Config, name
    assert PAGE.read_text("utf-8") == page(), f"run: python -m {__name__}"


def test_the_trackers_own_defaults_are_those_of_the_file():
    from v2x.fusion import TrackerConfig

    told = config.TrackerSettings().model_dump()
    assert told == {name: getattr(TrackerConfig(), name) for name in told}


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"{PAGE} written\n")
