"""A Remote ID packet that was captured on the air, inside a prohibited zone."""

import json

from replay.player import play
from tests.shared_data import shared
from v2x.config import load_config
from v2x.frames import Frame
from v2x.ingest.drive import DriveSink

S = 1_000_000_000
CONFIG = """
[site]
name = "capture"
lat = 30.0675
lon = 121.1860

[airspace]
zones = "zones.geojson"

[[sensors]]
name = "rid"
format = "gb46750"
kind = "remote_id"
sd_m = 3.0
sd_up_m = 5.0
"""


def zone(lat: float, lon: float) -> dict:
    ring = [
        [lon + de, lat + dn]
        for de, dn in ((-0.005, -0.005), (0.005, -0.005), (0.005, 0.005), (-0.005, 0.005))
    ]
    limits = {"floor_m": None, "floor_ref": "hae", "ceiling_m": 500, "ceiling_ref": "hae"}
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"id": "P-1", "kind": "prohibited", "datum": "wgs84", **limits},
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
            }
        ],
    }


def test_an_unregistered_drone_that_only_its_own_word_places_in_a_zone(tmp_path):
    captured = json.loads(shared("remote_id/gb46750.json").read_text("utf-8"))["captured"]
    packet, items = bytes.fromhex(captured["hex"]), captured["items"]
    start_ms = items["020 time, unix ms"]
    stamp = start_ms.to_bytes(6, "little")
    at = packet.index(stamp)
    with DriveSink(tmp_path / "air.mcap") as drive:
        for second in range(15):
            ms = start_ms + 1000 * second
            payload = packet[:at] + ms.to_bytes(6, "little") + packet[at + 6 :]
            drive.write(Frame(ms * 1_000_000 + S // 20, "rid", "gb46750", payload))
    lon, lat = items["008 aircraft lon, lat"]
    (tmp_path / "zones.geojson").write_text(json.dumps(zone(lat, lon)), "utf-8")
    (tmp_path / "v2x.toml").write_text(CONFIG, "utf-8")

    told = play(tmp_path / "air.mcap", load_config(tmp_path / "v2x.toml", {}))
    got = sorted((a["type"], a["severity"], a.get("zone")) for a in told["alerts"]["list"])
    assert got == [("uas_unregistered", 3, None), ("zone_intrusion", 2, "P-1")]
    assert all(
        a["subject"]["claimed_identity"] == "rid:" + items["001 product id"]
        for a in told["alerts"]["list"]
    )
    assert told["frames"] == {
        "in": 15, "processed": 15, "dead_letter": 0, "late": 0, "duplicate": 0
    }  # fmt: skip
