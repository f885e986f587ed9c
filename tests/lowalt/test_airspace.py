from dataclasses import replace

import numpy as np
import pytest

from tests.lowalt.scenes import (
    DRONE,
    IDENTS,
    NOTHING,
    OTHER,
    PLANE,
    SECOND,
    T0,
    TILE,
    bits,
    box,
    devices,
    heard,
    table,
    track,
    zone,
)
from v2x.geodesy import Tile, undulation
from v2x.lowalt.airspace import Airspace
from v2x.lowalt.heights import track_heights
from v2x.lowalt.plans import Plan, Plans, Volume
from v2x.lowalt.registry import Registry, Uas
from v2x.lowalt.terrain import Ground
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zones import Zones
from v2x.observations import Flag, Kind, Observations, ident_of
from v2x.picture import ClaimStatus, Registered, Verdict, Why, ZoneKind
from v2x.readings import Name, Readings
from v2x.sensors import Sensor, SensorKind
from v2x.tracks import Status, Tracks

SENSORS = table()
RADAR, RID, ADSB = (bits(SensorKind[k]) for k in ("RADAR", "REMOTE_ID", "ADS_B"))
HOUR = 3600 * SECOND
REGISTRY = Registry(T0 - HOUR, (Uas(DRONE, "12345678", "light", ""),))
FIELD = [box(-1000, -1000, 1000, 1000)]
OVER_FIELD = zone("P1", FIELD, ceiling_m=300.0, ceiling_ref="agl").parts[0]
PLAN = Plan("P1", (DRONE,), (Volume(OVER_FIELD, T0 - HOUR, T0 + HOUR),))


def airspace(*zones, sensors=SENSORS, **given) -> Airspace:
    return Airspace(TILE, sensors, ZoneIndex(Zones.of(zones), TILE), **given)


class Flight:
    """Slices one after another through one airspace, 1 s apart unless told."""

    def __init__(self, *zones, sensors=SENSORS, **given):
        self.sensors = sensors
        self.airspace = airspace(*zones, sensors=sensors, **given)
        self.t_ns = T0

    def slice(self, *tracks: Tracks, readings=None, dead=(), wait_s=1.0):
        self.t_ns += round(wait_s * SECOND)
        return self.airspace.judge(
            self.t_ns,
            Tracks.concat([*tracks]),
            Readings.concat(readings or []),
            devices(self.sensors, dead),
            IDENTS,
        )

    def one(self, *, hear=None, dead=(), wait_s=1.0, **given):
        """Slice of one track; hear: keywords of the broadcast that is received."""
        t_ns = self.t_ns + round(wait_s * SECOND)
        readings = []
        if hear is not None:
            words = {"ident": given.get("ident", DRONE)} | hear
            readings = [heard(self.sensors, t_ns, **words)]
        return self.slice(track(t_ns, **given), readings=readings, dead=dead, wait_s=wait_s)

    def verdict(self, **given) -> Verdict:
        return Verdict(self.one(**given).identities.verdict[0])


# --- heights


def test_level_flight_stays_level_from_0_to_60_km():
    east = np.linspace(0.0, 60_000.0, 61)
    lat = np.full(61, TILE.lat0)
    _, lon, _ = TILE.to_geodetic(np.column_stack((east, 0 * east, 0 * east)))
    x = np.zeros((61, 6))
    x[:, :3] = TILE.to_enu(lat, lon, np.full(61, 100.0))
    assert x[-1, 2] < -180.0  # up sinks
    tracks = Tracks.blank(61, x=x, P=np.eye(6))
    geodetic, heights = track_heights(TILE, tracks, Ground())
    assert np.abs(heights.hae - 100.0).max() < 1e-6
    assert np.abs(geodetic - np.column_stack((lat, lon))).max() < 1e-9
    assert np.abs(heights.amsl + undulation(lat, lon) - 100.0).max() < 1e-6
    assert np.allclose(heights.agl, heights.amsl - 3.0)


def test_zone_ceiling_far_away_is_compared_with_height_not_with_up():
    far = [[[118.0, 39.0], [118.1, 39.0], [118.1, 39.2], [118.0, 39.2], [118.0, 39.0]]]
    zones = ZoneIndex(Zones.of([zone("A", far, ceiling_m=100.0, ceiling_ref="hae")]), TILE)
    here = Airspace(TILE, SENSORS, zones)
    x = np.zeros((2, 6))
    x[:, :3] = TILE.to_enu(np.full(2, 39.1), np.full(2, 118.05), np.array([99.0, 101.0]))
    tracks = Tracks.blank(2, id=[1, 2], x=x, P=0.1 * np.eye(6), kind=Kind.UAS, kind_prob=0.9)
    inside = here.judge(T0, tracks, NOTHING, devices(SENSORS), {}).inside
    assert inside.track.tolist() == [0]


def test_runway_lies_below_zero_above_the_ellipsoid_and_is_on_the_ground():
    heights = Flight().one(agl=0.0).heights
    assert heights.hae[0] == pytest.approx(-5.19, abs=0.02)
    assert heights.amsl[0] == pytest.approx(3.0, abs=1e-6)
    assert heights.agl[0] == pytest.approx(0.0, abs=1e-6)


def test_height_that_was_never_measured_is_unknown_in_all_references():
    made = Flight().one(agl=np.nan, east=20_000.0)
    assert np.isnan([made.heights.hae, made.heights.amsl, made.heights.agl, made.heights.sd]).all()
    assert made.heights.datum_known.tolist() == [0]
    # It lies where it would on the tile's height, not 31 m above it.
    flat = TILE.to_enu(*made.geodetic.T, np.zeros(1))[0]
    assert flat[:2] == pytest.approx([20_000.0, 0.0], abs=0.01)
    assert flat[2] == pytest.approx(-31.4, abs=0.2)


def test_outside_the_geoid_table_the_ellipsoid_still_stands():
    tile = Tile(30.0, 100.0)
    x = np.zeros((1, 6))
    x[0, 2] = 50.0
    _, heights = track_heights(tile, Tracks.blank(1, x=x, P=np.eye(6)), Ground())
    assert heights.hae[0] == pytest.approx(50.0)
    assert np.isnan([heights.amsl[0], heights.agl[0]]).all()
    assert heights.datum_known.tolist() == [0]


def test_track_without_a_place_is_in_no_zone_and_disturbs_no_other():
    flight = Flight(zone("A", FIELD), sensors=table(Sensor("radar", kind=SensorKind.RADAR)))
    lost = replace(track(T0, track_id=1), x=np.full((1, 6), np.nan))
    made = flight.slice(lost, track(T0, track_id=2))
    assert np.isnan(made.geodetic[0]).all()
    assert np.isnan(made.heights.hae[0])
    assert made.inside.track.tolist() == [1]
    assert made.identities.verdict.tolist() == [Verdict.UNIDENTIFIED, Verdict.DARK]


# --- the verdicts, one flight each


def test_aircraft_by_ads_b_is_manned():
    made = Flight().one(kind=Kind.UNKNOWN, ident=PLANE, fed=ADSB, agl=400.0)
    assert made.identities.verdict.tolist() == [Verdict.MANNED]
    assert made.identities.needs_approval.tolist() == [0]
    assert made.identities.heard_ns.tolist() == [T0 + SECOND]


@pytest.mark.parametrize(
    ("kind", "prob", "verdict"),
    [
        (Kind.HELICOPTER, 0.8, Verdict.MANNED),
        (Kind.AIRCRAFT, 0.8, Verdict.MANNED),
        (Kind.HELICOPTER, 0.79, Verdict.UNDECIDED),
    ],
)
def test_helicopter_without_ads_b_is_manned_by_its_kind_if_sure(kind, prob, verdict):
    assert Flight().verdict(kind=kind, prob=prob) == verdict


def test_aircraft_whose_address_a_radar_gives_is_manned():
    assert Flight().verdict(kind=Kind.UNKNOWN, ident=PLANE, fed=RADAR) == Verdict.MANNED


def test_airliner_through_every_zone_stays_manned():
    zones = [
        zone(f"Z{k}", [box(400 * k, -500, 400 * k + 300, 500)], kind=kind)
        for k, kind in enumerate(ZoneKind)
    ]
    flight = Flight(*zones)
    seen = set()
    for step in range(30):
        made = flight.one(
            kind=Kind.UNKNOWN, ident=PLANE, fed=ADSB | RADAR, east=70.0 * step, agl=200.0
        )
        assert made.identities.verdict.tolist() == [Verdict.MANNED]
        seen |= set(made.inside.zone.tolist())
    assert seen == set(range(len(ZoneKind)))


def test_aircraft_whose_ads_b_was_lost_is_manned_for_120_s_not_a_drone():
    flight = Flight()
    flight.one(kind=Kind.UNKNOWN, ident=PLANE, fed=ADSB | RADAR, agl=400.0)
    lost = {"kind": Kind.UNKNOWN, "ident": PLANE, "fed": RADAR, "agl": 400.0}
    assert flight.verdict(**lost) == Verdict.MANNED
    assert flight.verdict(**lost, wait_s=119.0) == Verdict.MANNED
    made = flight.one(**lost).identities
    assert made.verdict.tolist() == [Verdict.DARK]
    assert made.status.tolist() == [ClaimStatus.NONE]


def test_aircraft_stays_manned_when_the_tracker_drops_its_identity():
    flight = Flight()
    flight.one(kind=Kind.UNKNOWN, ident=PLANE, fed=ADSB | RADAR, agl=400.0)
    assert flight.verdict(kind=Kind.UNKNOWN, agl=400.0) == Verdict.MANNED


def test_words_of_an_aircraft_keep_it_manned_also_without_positions():
    flight = Flight()
    flight.one(kind=Kind.UNKNOWN, ident=PLANE, fed=ADSB | RADAR, agl=400.0)
    t_ns = flight.t_ns + 100 * SECOND
    word = Readings.blank(
        1, t_ns=t_ns, sensor=SENSORS.row("adsb"), ident=ident_of(PLANE), name=Name.SQUAWK
    )
    lost = {"kind": Kind.UNKNOWN, "ident": PLANE, "agl": 400.0}
    flight.slice(track(t_ns, **lost), readings=[word], wait_s=100.0)
    assert flight.verdict(**lost, wait_s=100.0) == Verdict.MANNED


def test_drone_where_no_receiver_reaches_is_unidentified_not_dark():
    made = Flight().one(east=4000.0)
    assert made.identities.verdict.tolist() == [Verdict.UNIDENTIFIED]
    assert made.identities.p_heard.tolist() == [0.0]


def test_drone_without_remote_id_in_a_receivers_reach_is_dark():
    made = Flight().one()
    assert made.identities.verdict.tolist() == [Verdict.DARK]
    assert made.identities.status.tolist() == [ClaimStatus.NONE]
    assert made.identities.p_heard.tolist() == [pytest.approx(1.0)]
    assert made.identities.why.tolist() == [int(Why.NOT_HEARD)]


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({"age_s": 2.9}, Verdict.UNDECIDED),
        ({"age_s": 3.0}, Verdict.DARK),
        ({"agl": 9.9}, Verdict.UNDECIDED),
        ({"agl": 10.1}, Verdict.DARK),
        ({"status": Status.TENTATIVE}, Verdict.UNDECIDED),
        ({"fed": RID}, Verdict.UNDECIDED),
        ({"fed": bits(SensorKind.SELF_REPORT, SensorKind.RELAYED)}, Verdict.UNDECIDED),
        ({"fed": bits(SensorKind.CAMERA)}, Verdict.DARK),
        ({"kind": Kind.UNKNOWN}, Verdict.DARK),
        ({"kind": Kind.BIRD, "prob": 0.4}, Verdict.UNDECIDED),
        ({"kind": Kind.BIRD}, Verdict.NONE),
        ({"agl": np.nan}, Verdict.UNDECIDED),
    ],
)
def test_dark_needs_all_of_its_evidence(given, verdict):
    assert Flight().verdict(**given) == verdict


def test_receiver_that_was_dead_before_proves_no_silence():
    flight = Flight()
    assert flight.verdict(dead=["rid"]) == Verdict.UNIDENTIFIED
    assert flight.verdict(dead=["rid"]) == Verdict.UNIDENTIFIED


def test_receiver_lost_after_the_verdict_does_not_take_it_back():
    flight = Flight()
    assert flight.verdict() == Verdict.DARK
    made = flight.one(dead=["rid"])
    assert made.identities.verdict.tolist() == [Verdict.DARK]
    assert made.identities.p_heard.tolist() == [0.0]


def test_receiver_that_comes_back_needs_three_seconds_of_silence():
    flight = Flight()
    flight.one(dead=["rid"])
    waits = [flight.verdict() for _ in range(4)]
    assert waits == [Verdict.UNDECIDED] * 3 + [Verdict.DARK]


def test_old_track_that_flies_into_a_receivers_reach_is_given_three_chances():
    flight = Flight()
    assert flight.verdict(east=3050.0) == Verdict.UNIDENTIFIED
    waits = [flight.verdict(east=east) for east in (2990.0, 2970.0, 2950.0, 2930.0)]
    assert waits == [Verdict.UNDECIDED] * 2 + [Verdict.DARK] * 2


def test_dark_drone_stays_dark_down_to_5_m():
    flight = Flight()
    found = [flight.verdict(agl=agl) for agl in (11.0, 6.0, 4.9, 6.0)]
    assert found == [Verdict.DARK, Verdict.DARK, Verdict.UNDECIDED, Verdict.UNDECIDED]


@pytest.mark.parametrize(
    "given",
    [
        {"kind": Kind.CAR},
        {"kind": Kind.TRUCK, "agl": 40.0},
        {"kind": Kind.CAR, "prob": 0.3, "agl": 40.0},
        {"kind": Kind.CAR, "agl": np.nan, "east": 2900.0},
        {"kind": Kind.UNKNOWN, "agl": np.nan},
        {"kind": Kind.UNKNOWN, "agl": 1.5},
        {"kind": Kind.UNKNOWN, "agl": 25.0, "sd": 20.0},
        {"kind": Kind.UNKNOWN, "agl": 30.0, "ident": "808:13800000001"},
    ],
)
def test_ground_vehicle_is_never_dark(given):
    flight = Flight()
    assert all(flight.verdict(**given) != Verdict.DARK for _ in range(5))


def test_road_user_has_no_verdict_and_is_in_no_zone():
    flight = Flight(zone("A", FIELD))
    made = flight.slice(
        track(T0, kind=Kind.CAR, track_id=1, agl=0.0),
        track(T0, kind=Kind.UNKNOWN, track_id=2, agl=np.nan),
        track(T0, kind=Kind.UAS, track_id=3),
    )
    assert made.identities.verdict.tolist()[:2] == [Verdict.NONE, Verdict.NONE]
    assert made.inside.track.tolist() == [2]


def test_drone_without_a_mark_is_unregistered_also_on_its_own_word_alone():
    flight = Flight()
    made = flight.one(ident=DRONE, fed=RID, east=5000.0, hear={"mark": None})
    assert made.identities.verdict.tolist() == [Verdict.UNREGISTERED]
    assert made.identities.registered.tolist() == [Registered.NO]
    assert made.identities.status.tolist() == [ClaimStatus.CLAIMED]


def test_drone_not_in_a_fresh_registry_is_unregistered():
    flight = Flight(registry=REGISTRY)
    assert flight.verdict(ident=OTHER, hear={}) == Verdict.UNREGISTERED
    assert Flight(registry=REGISTRY).verdict(ident=DRONE, hear={}) == Verdict.AUTHORISED


def test_absence_from_an_old_registry_or_from_none_says_nothing():
    old = Registry(T0 - 24 * HOUR, REGISTRY.uas)
    for registry in (old, None):
        made = Flight(registry=registry).one(ident=OTHER, hear={})
        assert made.identities.verdict.tolist() == [Verdict.AUTHORISED]
        assert made.identities.registered.tolist() == [Registered.UNKNOWN]
        assert Flight(registry=registry).verdict(ident=OTHER, hear={"mark": None}) == (
            Verdict.UNREGISTERED
        )


def test_mark_of_zeros_counts_though_the_registry_knows_the_drone():
    flight = Flight(registry=REGISTRY)
    assert flight.verdict(ident=DRONE, hear={"mark": None}) == Verdict.UNREGISTERED


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (ZoneKind.PROHIBITED, Verdict.UNAUTHORISED),
        (ZoneKind.RESTRICTED, Verdict.UNAUTHORISED),
        (ZoneKind.WARNING, Verdict.AUTHORISED),
        (ZoneKind.OPERATING, Verdict.AUTHORISED),
    ],
)
def test_registered_drone_without_a_plan_is_unauthorised_where_a_zone_asks(kind, verdict):
    made = Flight(zone("A", FIELD, kind=kind)).one(ident=DRONE, hear={})
    assert made.identities.verdict.tolist() == [verdict]
    asks = verdict == Verdict.UNAUTHORISED
    assert made.identities.needs_approval.tolist() == [asks]
    assert made.identities.approval_zone.tolist() == [0 if asks else -1]


@pytest.mark.parametrize(
    ("agl", "verdict"), [(123.5, Verdict.AUTHORISED), (123.7, Verdict.UNAUTHORISED)]
)
def test_120_m_above_ground_ask_for_approval_everywhere(agl, verdict):
    made = Flight().one(ident=DRONE, hear={}, agl=agl)
    assert made.identities.verdict.tolist() == [verdict]
    assert made.identities.approval_zone.tolist() == [-1]


def test_prohibited_zone_is_named_before_a_restricted_one():
    flight = Flight(zone("A", FIELD, kind=ZoneKind.RESTRICTED), zone("B", FIELD), zone("C", FIELD))
    assert flight.one(ident=DRONE, hear={}).identities.approval_zone.tolist() == [1]


def test_zone_with_a_band_asks_nothing_of_a_drone_of_unknown_height():
    flight = Flight(zone("A", FIELD, ceiling_m=50.0, ceiling_ref="agl"))
    made = flight.one(ident=DRONE, hear={}, agl=np.nan)
    assert made.identities.needs_approval.tolist() == [0]
    assert made.inside.height_unknown.tolist() == [1]


def test_drone_on_its_own_plan_is_authorised_and_the_plan_is_named():
    flight = Flight(zone("A", FIELD), plans=Plans((PLAN,)))
    made = flight.one(ident=DRONE, hear={})
    assert made.identities.verdict.tolist() == [Verdict.AUTHORISED]
    assert made.identities.plan.tolist() == [0]
    assert made.identities.needs_approval.tolist() == [1]
    assert flight.airspace.plan_ids == ("P1",)


@pytest.mark.parametrize(
    ("given", "wait_s"),
    [
        ({"ident": OTHER}, 1.0),
        ({"ident": DRONE, "agl": 316.0}, 1.0),
        ({"ident": DRONE, "east": 1031.0}, 1.0),
        ({"ident": DRONE}, 3661.0),
    ],
)
def test_plan_of_another_or_elsewhere_or_another_hour_authorises_nobody(given, wait_s):
    wide = zone("A", [box(-2000, -2000, 2000, 2000)])
    flight = Flight(wide, plans=Plans((PLAN,)))
    assert flight.verdict(**given, hear={}, wait_s=wait_s) == Verdict.UNAUTHORISED


def test_late_identity_turns_dark_into_what_it_is():
    flight = Flight(zone("A", FIELD), plans=Plans((PLAN,)))
    assert flight.verdict() == Verdict.DARK
    assert flight.verdict(ident=DRONE, hear={}, fed=RADAR | RID) == Verdict.AUTHORISED
    # Once heard it keeps its name, also when the receiver hears no more.
    made = flight.one(wait_s=60.0)
    assert made.identities.verdict.tolist() == [Verdict.AUTHORISED]
    assert made.identities.heard_ns.tolist() == [T0 + 2 * SECOND]
    assert made.identities.n_receivers.tolist() == [0]


def test_drone_known_by_its_word_alone_where_no_sensor_looks_is_claimed():
    flight = Flight()
    made = flight.one(ident=DRONE, hear={}, fed=RID, east=5000.0)
    assert made.identities.verdict.tolist() == [Verdict.CLAIMED]
    assert made.identities.status.tolist() == [ClaimStatus.CLAIMED]


def test_drone_that_a_live_radar_should_see_and_does_not_is_undecided():
    flight = Flight()
    assert flight.verdict(ident=DRONE, hear={}, fed=RID) == Verdict.UNDECIDED
    assert flight.verdict(ident=DRONE, hear={}, fed=RID, dead=["radar"]) == Verdict.CLAIMED
    assert flight.verdict(ident=DRONE, hear={}, fed=RID | RADAR) == Verdict.AUTHORISED


def test_claim_a_radar_confirms_is_corroborated_and_kept_from_strangers():
    flight = Flight()
    made = flight.one(ident=DRONE, hear={}, fed=RID | RADAR)
    assert made.identities.status.tolist() == [ClaimStatus.CORROBORATED]
    ghosts = Readings.blank(
        5000, t_ns=T0, sensor=SENSORS.row("rid"), name=Name.RID_HEARD,
        ident=np.arange(10**6, 10**6 + 5000),
    )  # fmt: skip
    flight.slice(track(T0, ident=DRONE, fed=RID | RADAR), readings=[ghosts])
    made = flight.one(ident=DRONE, fed=RID | RADAR)
    assert made.identities.n_receivers.tolist() == [1]


def test_mark_pilot_and_receivers_are_given():
    second = Sensor("rid2", kind=SensorKind.REMOTE_ID)
    flight = Flight(sensors=table(second))
    t_ns = flight.t_ns + SECOND
    words = [heard(flight.sensors, t_ns, DRONE, by=by) for by in ("rid", "rid2")]
    made = flight.slice(track(t_ns, ident=DRONE), readings=words).identities
    assert made.n_receivers.tolist() == [2]
    assert made.mark.tolist() == [ident_of("12345678")]
    assert (made.pilot_lat[0], made.pilot_lon[0]) == (39.12, 117.34)
    later = flight.one(ident=DRONE, hear={"by": "rid2"}, wait_s=11.0).identities
    assert later.n_receivers.tolist() == [1]


def test_row_of_a_receiver_with_the_identity_is_a_hearing_also_without_readings():
    flight = Flight()
    flight.one(ident=DRONE, fed=RADAR | RID)
    made = flight.one(ident=DRONE, fed=RADAR | RID)
    assert made.identities.heard_ns.tolist() == [T0 + 2 * SECOND]
    assert flight.one(ident=DRONE).identities.heard_ns.tolist() == [T0 + 2 * SECOND]


def test_one_identity_is_that_of_one_track_but_of_both_halves_of_a_torn_one():
    flight = Flight()
    t_ns = flight.t_ns + SECOND
    words = [heard(SENSORS, t_ns, DRONE)]
    far = track(t_ns, ident=DRONE, track_id=2, east=900.0)
    made = flight.slice(track(t_ns, ident=DRONE), far, readings=words).identities
    assert made.ident.tolist() == [ident_of(DRONE), -1]
    assert made.verdict.tolist() == [Verdict.AUTHORISED, Verdict.DARK]
    near = track(t_ns, ident=DRONE, track_id=3, east=49.0)
    made = flight.slice(track(t_ns, ident=DRONE), near).identities
    assert made.ident.tolist() == [ident_of(DRONE)] * 2


def test_authorised_swarm_is_quiet_and_the_one_stranger_is_dark():
    plan = Plan("P1", tuple(f"rid:S{k:03d}" for k in range(200)), PLAN.volumes)
    here = airspace(zone("A", FIELD), plans=Plans((plan,)))
    swarm = [
        track(T0, east=5.0 * k, track_id=k, ident=ident, fed=RADAR | RID)
        for k, ident in enumerate(plan.idents)
    ]
    words = [heard(SENSORS, T0, ident) for ident in plan.idents]
    texts = {ident_of(text): text for text in plan.idents}
    stranger = track(T0, east=333.0, track_id=999)
    made = here.judge(
        T0, Tracks.concat([*swarm, stranger]), Readings.concat(words), devices(SENSORS), texts
    )
    assert made.identities.verdict.tolist() == [Verdict.AUTHORISED] * 200 + [Verdict.DARK]


def claim(t_ns, east, north=0.0, *, agl=60.0, ident=DRONE, vel=(0.0, 0.0, 0.0), sd=5.0, by="rid"):
    """One Remote ID position as a receiver hears it."""
    lat, lon, _ = TILE.to_geodetic(np.array([[east, north, np.nan]]), h_ref=0.0)
    return Observations.blank(
        1, t_ns=t_ns, sensor=SENSORS.row(by), ident=ident_of(ident), lat=lat, lon=lon,
        height=agl + undulation(lat, lon) + 3.0, cov=[sd * sd, 0.0, 0.0, sd * sd, 0.0, 100.0],
        vel=vel, kind=Kind.UAS, kind_conf=0.95, flags=int(Flag.SELF_REPORTED),
    )  # fmt: skip


EAST = (15.0, 0.0, 0.0)


def flown(claimed, seconds=12, ident="", agl=60.0, **given):
    """Verdicts, second by second, of a radar track that flies east at 15 m/s beside claims."""
    flight, made = Flight(**given), []
    for k in range(1, seconds + 1):
        t_ns = T0 + k * SECOND
        seen = track(t_ns, east=15.0 * k, ident=ident, age_s=float(k), agl=agl)
        seen.x[:, 3] = 15.0
        rows = Observations.concat([claim(t_ns, *one, vel=EAST) for one in claimed(float(k))])
        words = [heard(SENSORS, t_ns, DRONE)] if len(rows) else []
        flight.t_ns = t_ns
        made.append(
            flight.airspace.judge(
                t_ns, seen, Readings.concat(words), devices(SENSORS), IDENTS, rows
            ).identities
        )
    return made


def test_claim_that_the_tracker_left_alone_names_the_track_that_moves_as_it_does():
    made = flown(lambda t: [(15.0 * (t - 1.0), 3.0)])
    assert Verdict(made[0].verdict[0]) == Verdict.UNDECIDED
    assert {Verdict(i.verdict[0]) for i in made[4:]} == {Verdict.AUTHORISED}
    assert made[-1].ident.tolist() == [ident_of(DRONE)]
    assert made[-1].status.tolist() == [ClaimStatus.CORROBORATED]


@pytest.mark.parametrize("ident", ["", DRONE])
def test_claim_100_m_off_names_nobody_and_takes_off_the_name_the_tracker_gave(ident):
    made = flown(lambda t: [(15.0 * t, 100.0)], ident=ident)
    assert {Verdict(i.verdict[0]) for i in made[4:]} == {Verdict.SPOOFED}
    assert made[-1].ident.tolist() == [-1]


@pytest.mark.parametrize(("north", "double"), [(60.0, True), (130.0, False)])
def test_track_of_a_bound_identitys_own_word_is_its_drone_once_more_if_beside_it(north, double):
    flight = Flight()
    for k in range(1, 7):
        t_ns = T0 + k * SECOND
        seen, told = (
            track(t_ns, east=15.0 * k, age_s=float(k)),
            track(t_ns, east=15.0 * k, north=north, track_id=2, ident=DRONE, fed=RID),
        )
        seen.x[:, 3] = 15.0
        made = flight.airspace.judge(
            t_ns, Tracks.concat([seen, told]), heard(SENSORS, t_ns, DRONE), devices(SENSORS),
            IDENTS, claim(t_ns, 15.0 * k, vel=EAST),
        ).identities  # fmt: skip
    assert made.verdict.tolist() == [Verdict.AUTHORISED, Verdict.CLAIMED]
    assert bool(int(made.why[1]) & Why.DOUBLE) == double


def test_name_that_arrives_late_says_so_and_since_when():
    made = flown(lambda t: [(15.0 * t, 0.0)] if t > 6 else [], seconds=14)
    assert Verdict(made[5].verdict[0]) == Verdict.DARK
    last = made[-1]
    assert Verdict(last.verdict[0]) == Verdict.AUTHORISED
    assert int(last.why[0]) & Why.LATE_IDENTITY
    assert T0 + 7 * SECOND <= last.named_ns[0] <= T0 + 10 * SECOND


def test_drone_known_at_once_is_not_late():
    made = flown(lambda t: [(15.0 * t, 0.0)], ident=DRONE)
    assert not int(made[-1].why[0]) & Why.LATE_IDENTITY


def test_drone_outside_its_plan_in_open_airspace_does_not_conform():
    flight = Flight(plans=Plans((PLAN,)))
    made = flight.one(ident=DRONE, hear={}, east=1031.0).identities
    assert made.verdict.tolist() == [Verdict.NONCONFORMING]
    assert made.plan.tolist() == [0]
    assert made.deviation_m[0] == pytest.approx([31.0, 0.0], abs=0.1)
    assert made.why.tolist() == [int(Why.LATERAL | Why.REGISTRY_STALE)]
    assert flight.verdict(ident=DRONE, hear={}, east=1029.0) == Verdict.AUTHORISED


def test_drone_that_flies_longer_than_its_plan_does_not_conform():
    flight = Flight(plans=Plans((PLAN,)))
    made = flight.one(ident=DRONE, hear={}, wait_s=3600.0 + 61.0).identities
    assert made.verdict.tolist() == [Verdict.NONCONFORMING]
    assert made.late_s[0] == pytest.approx(61.0, abs=1e-3)
    assert int(made.why[0]) & Why.LATE


@pytest.mark.parametrize(
    ("uas_class", "agl", "verdict"),
    [
        ("micro", 53.5, Verdict.AUTHORISED),
        ("micro", 53.7, Verdict.UNAUTHORISED),
        ("light", 119.0, Verdict.AUTHORISED),
        ("small", 119.0, Verdict.AUTHORISED),
        ("medium", 30.0, Verdict.UNAUTHORISED),
        ("large", 30.0, Verdict.UNAUTHORISED),
    ],
)
def test_class_of_the_registry_sets_the_height_that_needs_no_approval(uas_class, agl, verdict):
    registry = Registry(T0 - HOUR, (Uas(DRONE, "12345678", uas_class, ""),))
    made = Flight(registry=registry).one(ident=DRONE, hear={}, agl=agl).identities
    assert made.verdict.tolist() == [verdict]
    assert bool(int(made.why[0]) & Why.CLASS_LIMIT) == (verdict == Verdict.UNAUTHORISED)


def test_drone_that_declares_an_emergency_is_marked():
    made = Flight().one(ident=DRONE, hear={"status": 3}).identities
    assert made.emergency.tolist() == [1]
    assert int(made.why[0]) & Why.EMERGENCY
    assert Flight().one(ident=DRONE, hear={"status": 2}).identities.emergency.tolist() == [0]


def test_nameless_track_beside_a_missing_member_of_a_plan_waits_and_a_second_one_is_dark():
    here = airspace(zone("A", FIELD), plans=Plans((PLAN,)))
    for k in range(1, 8):
        t_ns = T0 + k * SECOND
        claimed = claim(t_ns, 40.0 + 10.0 * (k % 2), sd=3.0)  # too restless to be bound
        tracks = [track(t_ns, east=0.0), track(t_ns, east=15.0, track_id=2, north=-30.0)]
        made = here.judge(
            t_ns, Tracks.concat(tracks), heard(SENSORS, t_ns, DRONE), devices(SENSORS), IDENTS,
            claimed,
        ).identities  # fmt: skip
    assert sorted(made.verdict.tolist()) == [Verdict.DARK, Verdict.UNDECIDED]
    waiting = made.verdict == Verdict.UNDECIDED
    assert (made.why[waiting] & int(Why.AMBIGUOUS)).all()
    assert made.plan[waiting].tolist() == [0]


def test_height_of_unknown_pressure_is_shown_and_decides_nothing():
    flight = Flight()
    t_ns = flight.t_ns + SECOND
    baro = replace(claim(t_ns, 0.0), flags=np.array([int(Flag.HEIGHT_BAROMETRIC)], np.uint16))
    baro.height[:] = 300.0
    done = flight.airspace.levels.complete(t_ns, baro, Readings.blank(0))
    assert np.isnan(done.height).all()
    flying = track(t_ns, agl=np.nan, ident=DRONE)
    made = flight.airspace.judge(
        t_ns, flying, heard(SENSORS, t_ns, DRONE), devices(SENSORS), IDENTS, done
    )
    assert made.heights.hae.tolist() == [300.0]
    assert made.heights.sd.tolist() == [100.0]
    assert made.heights.datum_known.tolist() == [0]
    assert np.isnan([made.heights.amsl, made.heights.agl]).all()
    assert made.identities.verdict.tolist() == [Verdict.AUTHORISED]  # 295 m AGL would need approval
    assert int(made.identities.why[0]) & Why.HEIGHT_BAROMETRIC


# --- zones


def test_first_fix_inside_is_inside():
    made = Flight(zone("A", FIELD)).one(age_s=0.0, status=Status.TENTATIVE)
    assert made.inside.p_inside.tolist() == [1.0]
    assert made.inside.crossed.tolist() == [0]
    assert made.inside.margin_m[0] == pytest.approx(1000.0, abs=0.1)


def test_small_zone_between_two_fixes_is_crossed():
    flight = Flight(zone("A", [box(0, -10, 20, 10)]))
    assert not len(flight.one(east=-15.0).inside)
    made = flight.one(east=35.0).inside
    assert (made.p_inside.tolist(), made.crossed.tolist()) == ([0.0], [1])
    assert np.isnan(made.margin_m).all()
    assert not len(flight.one(east=85.0).inside)


@pytest.mark.parametrize(("wait_s", "crossed"), [(5.0, 1), (5.001, 0)])
def test_move_over_a_gap_of_more_than_5_s_crosses_nothing(wait_s, crossed):
    flight = Flight(zone("A", [box(0, -10, 20, 10)]))
    flight.one(east=-15.0)
    assert len(flight.one(east=35.0, wait_s=wait_s).inside) == crossed


def test_prediction_alone_crosses_nothing_but_the_fix_after_it_does():
    flight = Flight(zone("A", [box(0, -10, 20, 10)]))
    flight.one(east=-15.0)
    assert not len(flight.one(east=35.0, status=Status.COASTING).inside)
    assert flight.one(east=40.0).inside.crossed.tolist() == [1]


def test_fix_after_a_long_prediction_crosses_nothing():
    flight = Flight(zone("A", [box(0, -10, 20, 10)]))
    flight.one(east=-15.0)
    for east in (-10.0, -8.0):
        flight.one(east=east, status=Status.COASTING, wait_s=2.9)
    assert not len(flight.one(east=40.0).inside)


def test_pairs_come_in_the_order_of_track_and_zone():
    flight = Flight(
        zone("C", FIELD), zone("A", [box(100, -10, 120, 10)]), zone("B", [box(-5, -5, 5, 5)])
    )
    flight.slice(track(T0, east=90.0, track_id=5), track(T0, east=0.0, track_id=3))
    made = flight.slice(track(T0, east=130.0, track_id=5), track(T0, east=0.0, track_id=3))
    found = list(
        zip(
            made.inside.track.tolist(),
            made.inside.zone.tolist(),
            made.inside.crossed.tolist(),
            strict=True,
        )
    )
    assert found == [(0, 0, 1), (0, 2, 0), (1, 1, 0), (1, 2, 0)]


def test_drone_that_stands_on_the_ground_is_in_no_zone_and_one_that_says_so_in_the_air_is():
    flight = Flight(zone("A", FIELD))
    made = flight.one(ident=DRONE, hear={"status": 1}, agl=0.5)
    assert not len(made.inside)
    assert made.identities.needs_approval.tolist() == [0]
    assert len(flight.one(ident=DRONE, hear={"status": 1}, agl=np.nan).inside) == 1
    made = flight.one(ident=DRONE, hear={"status": 1}, agl=60.0)
    assert len(made.inside) == 1
    assert made.identities.verdict.tolist() == [Verdict.UNAUTHORISED]


def test_zone_rows_tell_kind_and_force():
    made = Flight(
        zone("A", FIELD, kind=ZoneKind.WARNING), zone("B", FIELD, valid_from_ns=T0 + HOUR)
    ).one()
    assert made.zones.kind.tolist() == [ZoneKind.WARNING, ZoneKind.PROHIBITED]
    assert made.zones.active.tolist() == [1, 0]
    assert made.inside.zone.tolist() == [0]


def test_without_zones_registry_plans_and_sensors_tracks_are_still_judged():
    from v2x.picture import Devices
    from v2x.sensors import SensorTable

    here = Airspace(TILE, SensorTable.of([]))
    made = here.judge(T0, track(T0), NOTHING, Devices.blank(0), {})
    assert made.identities.verdict.tolist() == [Verdict.UNIDENTIFIED]
    assert len(made.inside) == len(made.zones) == 0
    empty = here.judge(T0, Tracks.blank(0), NOTHING, Devices.blank(0), {})
    assert empty.geodetic.shape == (0, 2)
    assert len(empty.identities) == len(empty.heights) == 0


# --- same input, same output


def scripted(flight: Flight, steps: range):
    """A few drones that fly, fall silent, cross and land; all columns of each slice."""
    rows = []
    for k in steps:
        t_ns = flight.t_ns + SECOND
        tracks = [
            track(t_ns, east=-200.0 + 50.0 * k, track_id=7, ident=DRONE if k % 3 else ""),
            track(t_ns, north=-80.0 + 60.0 * k, track_id=5, kind=Kind.UNKNOWN),
            track(t_ns, north=30.0 * k, track_id=9, ident=PLANE, fed=ADSB, kind=Kind.UNKNOWN),
            track(t_ns, track_id=2, kind=Kind.CAR, agl=0.0),
        ]
        words = [heard(SENSORS, t_ns, DRONE)] if k % 2 else []
        made = flight.slice(*tracks[: 3 + k % 2], readings=words, dead=["rid"] if k == 6 else [])
        for columns in made[1:]:
            rows += [getattr(columns, name).tobytes() for name, *_ in type(columns).schema()]
        rows.append(made.geodetic.tobytes())
    return rows


def scene() -> Flight:
    return Flight(
        zone("A", [box(0, -10, 20, 10)]), zone("B", FIELD), registry=REGISTRY, plans=Plans((PLAN,))
    )


def test_same_slices_give_the_same_bytes():
    assert scripted(scene(), range(10)) == scripted(scene(), range(10))


@pytest.mark.parametrize("cut", [1, 5, 7])
def test_slices_go_on_after_a_restart_as_if_there_was_none(cut):
    whole = scripted(scene(), range(10))
    first, second = scene(), scene()
    begun = scripted(first, range(cut))
    second.airspace.restore(first.airspace.state())
    second.t_ns = first.t_ns
    assert begun + scripted(second, range(cut, 10)) == whole


def test_other_tracks_in_the_slice_change_nothing():
    def verdicts(n):
        flight = Flight(zone("A", FIELD))
        others = [track(T0, east=3.0 * k, track_id=100 + k, kind=Kind.CAR) for k in range(n)]
        made = [flight.slice(*others, track(T0, track_id=1)) for _ in range(4)]
        return [m.identities.verdict[-1] for m in made]

    assert verdicts(0) == verdicts(50)
