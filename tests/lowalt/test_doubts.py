"""Claims through the whole low airspace: forgers, and the honest flights they resemble.

Tracks are made here as a tracker would report them: what sensors see, and what only claims.
"""

import numpy as np
import pytest

from tests.lowalt.scenes import DRONE, SECOND, T0, TILE, bits, devices, table, track
from v2x.geodesy import undulation
from v2x.lowalt.airspace import Airspace
from v2x.lowalt.ghosts import NEW_PER_SECOND
from v2x.observations import Flag, Kind, Observations, ident_of
from v2x.picture import GroupKind, Verdict, Why
from v2x.readings import Name, Readings
from v2x.sensors import Sensor, SensorKind
from v2x.tracks import Residuals, Status, Tracks

RADAR, RID = bits(SensorKind.RADAR), bits(SensorKind.REMOTE_ID)
REACH = ((-3e3, -3e3), (3e3, -3e3), (3e3, 3e3), (-3e3, 3e3))
SENSORS = table(
    Sensor("rid", kind=SensorKind.REMOTE_ID, coverage=REACH, east_m=500.0, north_m=-800.0),
    *(
        Sensor(f"rid{k}", kind=SensorKind.REMOTE_ID, east_m=e, north_m=n)
        for k, (e, n) in enumerate(((-900.0, 0.0), (900.0, 900.0), (0.0, -900.0)))
    ),
)


def named(k: int) -> str:
    """Text of a made product id."""
    return f"rid:{'ABCDEFGHJK'[k // 10 % 10]}{'ABCDEFGHJK'[k % 10]}{k:018d}"


IDENTS = {ident_of(text): text for text in [DRONE, *(named(k) for k in range(300))]}


def claim(t_ns, place, velocity=(0.0, 0.0, 0.0), ident=DRONE, by="rid", **given):
    """One position report of a drone; place is east, north, and height above ground, m."""
    flat = np.array([[place[0], place[1], np.nan]])
    lat, lon, _ = TILE.to_geodetic(flat, h_ref=0.0)
    height = place[2] + undulation(lat, lon) + 3.0
    rows = {
        "recv_ns": t_ns, "flags": int(Flag.SELF_REPORTED), "track_ref": -1, "rssi": np.nan,
    } | given  # fmt: skip
    return Observations.blank(
        1, t_ns=t_ns, sensor=SENSORS.row(by), ident=ident_of(ident), kind=Kind.UAS,
        kind_conf=0.95, lat=lat, lon=lon, height=height, vel=np.array([velocity]),
        cov=np.array([[9.0, 0.0, 0.0, 9.0, 0.0, 16.0]]), **rows,
    )  # fmt: skip


def words(t_ns, ident=DRONE, by="rid", recv_ns=None, **facts):
    """Readings beside it: that it was heard, and other facts by name."""
    names = [Name.RID_HEARD, *(Name[name] for name in facts)]
    return Readings.blank(
        len(names), t_ns=t_ns, recv_ns=t_ns if recv_ns is None else recv_ns,
        sensor=SENSORS.row(by), ident=ident_of(ident), name=names, value=[1.0, *facts.values()],
    )  # fmt: skip


class Sky:
    """One airspace, a slice a second."""

    def __init__(self, **given):
        self.airspace = Airspace(TILE, SENSORS, **given)
        self.t_ns = T0

    def slice(self, tracks=(), claims=(), readings=(), dead=(), residuals=None):
        self.t_ns += SECOND
        heard = [words(int(c.t_ns[0]), IDENTS[int(c.ident[0])], SENSORS[int(c.sensor[0])].name)
                 for c in claims] if readings == () else list(readings)  # fmt: skip
        return self.airspace.judge(
            self.t_ns, Tracks.concat(list(tracks)), Readings.concat(heard),
            devices(SENSORS, dead), IDENTS, Observations.concat(list(claims)), residuals,
        )  # fmt: skip

    @property
    def next_ns(self):
        return self.t_ns + SECOND


def seen(t_ns, place, velocity=(0.0, 0.0, 0.0), number=1, ident="", fed=RADAR, **given):
    """A track as sensors see it."""
    made = track(t_ns, place[0], place[1], place[2], track_id=number, ident=ident, fed=fed, **given)
    made.x[:, 3:] = velocity
    return made


def against(made, ident=DRONE):
    """Bits of what speaks against an identity at the end of a slice."""
    rows = (made.groups.kind == GroupKind.CLAIM) & (made.groups.key == ident_of(ident))
    return Why(int(made.groups.why[rows].sum()))


def fly(sky, seconds, claimed, real=None, speed=15.0, ident=DRONE, each=None, **given):
    """A drone flies east at `speed`; it claims `claimed(k)` beside where it is.

    real: None means that no sensor sees it. The last judgement and all bits on the way.
    """
    told = Why(0)
    for k in range(seconds):
        t, v = sky.next_ns, (speed, 0.0, 0.0)
        at = np.array([-800.0 + speed * k, 0.0, 60.0])
        says = at + claimed(k)
        apart = real is None or np.hypot(*(says - at)[:2]) > 40.0 or abs(says[2] - at[2]) > 40.0
        tracks = []
        if real is not None:
            tracks.append(
                seen(t, at, v, 1, "" if apart else ident, RADAR if apart else RADAR | RID)
            )
        if apart:
            tracks.append(seen(t, says, v, 2, ident, RID))
        more = each(k, t) if each else {}
        made = sky.slice(tracks, [claim(t, says, v, ident, **given)], **more)
        told |= against(made, ident)
    return made, told


# --- position and ghosts


def test_a_claim_100_m_off_is_contradicted_on_both_tracks_within_5_s():
    made, told = fly(Sky(), 5, lambda k: np.array([60.0, 80.0, 0.0]), real=True)
    assert told & Why.POSITION
    assert made.identities.verdict.tolist() == [Verdict.SPOOFED, Verdict.SPOOFED]
    assert made.identities.claim.tolist() == [ident_of(DRONE)] * 2
    assert (made.identities.spoof_llr > 10.0).all()


def test_a_claim_that_drifts_off_at_2_m_a_second_is_found():
    _, told = fly(Sky(), 60, lambda k: np.array([0.0, 2.0 * k, 0.0]), real=True)
    assert told & Why.POSITION


def test_a_drift_is_found_by_what_radar_sees_while_the_track_still_follows_the_claim():
    sky = Sky()
    for k in range(45):
        t, shift = sky.next_ns, 2.0 * k
        at, v = np.array([0.0, shift, 60.0]), (0.0, 2.0, 0.0)
        off = Residuals.blank(
            1, t_ns=t, sensor=SENSORS.row("radar"), track=1, dim=2, innovation=[[0.0, -shift, 0.0]]
        )
        made = sky.slice([seen(t, at, v, 1, DRONE, RADAR | RID)], [claim(t, at, v)], residuals=off)
    assert against(made) & Why.POSITION
    assert made.identities.verdict.tolist() == [Verdict.SPOOFED]


def test_a_claim_of_another_height_is_found():
    _, told = fly(Sky(), 8, lambda k: np.array([0.0, 0.0, 80.0]), real=True)
    assert told & Why.POSITION


def test_a_claim_where_radar_sees_nothing_is_a_ghost_after_5_s():
    sky = Sky()
    made, told = fly(sky, 5, lambda k: np.zeros(3))
    assert made.identities.verdict.tolist() == [Verdict.UNDECIDED]
    assert made.identities.why[0] & int(Why.WAITING)
    made, told = fly(sky, 2, lambda k: np.array([75.0, 0.0, 0.0]))
    assert told == Why.GHOST
    assert made.identities.verdict.tolist() == [Verdict.SPOOFED]


def test_a_claim_where_no_sensor_looks_stays_claimed():
    sky = Sky()
    for _ in range(12):
        t = sky.next_ns
        at = (5000.0, 0.0, 60.0)
        made = sky.slice([seen(t, at, number=2, ident=DRONE, fed=RID)], [claim(t, at)])
    assert made.identities.verdict.tolist() == [Verdict.CLAIMED]
    assert not len(made.groups)


def test_a_dead_radar_proves_no_ghost():
    made, told = fly(Sky(), 12, lambda k: np.zeros(3), each=lambda k, t: {"dead": ["radar"]})
    assert not told
    assert made.identities.verdict.tolist() == [Verdict.CLAIMED]


def test_a_drone_that_stands_on_the_ground_is_no_ghost():
    _, told = fly(Sky(), 12, lambda k: np.array([0.0, 0.0, -58.0]), speed=0.0)
    assert not told


def test_a_ghost_needs_no_track():
    sky = Sky()
    for _ in range(8):
        made = sky.slice([], [claim(sky.next_ns, (0.0, 0.0, 60.0))])
    assert against(made) == Why.GHOST


@pytest.mark.parametrize("noise", [3.0, 10.0])
@pytest.mark.parametrize("delay", [0.0, 1.0, 2.0])
def test_honest_noise_and_delay_speak_against_nobody(noise, delay):
    rng = np.random.default_rng(int(10 * noise + delay))
    bias = noise * rng.standard_normal(3)
    sky, told = Sky(), Why(0)
    for k in range(40):
        t, v = sky.next_ns, (20.0, 0.0, 0.0)
        at = np.array([-800.0 + 20.0 * k, 0.0, 60.0])
        said = at - delay * np.array(v) + 0.7 * (bias + noise * rng.standard_normal(3))
        facts = words(t, HEIGHT_TAKEOFF=said[2] - 3.0 - 0.5 * rng.standard_normal())
        tracks = [seen(t, at, v), seen(t, said, v, 2, DRONE, RID)]
        made = sky.slice(tracks, [claim(t, said, v)], [facts])
        told |= against(made)
    assert not told
    assert Verdict.SPOOFED not in made.identities.verdict


def test_a_frame_that_came_by_a_relay_is_not_compared():
    flags = int(Flag.SELF_REPORTED | Flag.RELAYED)
    _, told = fly(Sky(), 12, lambda k: np.array([60.0, 80.0, 0.0]), real=True, flags=flags)
    assert not told


def test_the_same_frame_of_several_receivers_late_by_up_to_2_s_is_one_claim():
    sky, told = Sky(), Why(0)
    past = []
    for k in range(30):
        t, v = sky.next_ns, (20.0, 0.0, 0.0)
        at = (-800.0 + 20.0 * k, 0.0, 60.0)
        past.append(at)
        claims = [claim(t, at, v), claim(t - SECOND // 3, past[-min(2, len(past))], v, by="rid0"),
                  claim(t, past[-min(3, len(past))], v, by="rid1")]  # fmt: skip
        made = sky.slice([seen(t, at, v, 1, DRONE, RADAR | RID)], claims)
        told |= against(made)
    assert not told


# --- other tests


def test_one_identity_at_two_places_is_found():
    sky, told = Sky(), Why(0)
    for _ in range(6):
        t = sky.next_ns
        here, there = (0.0, 0.0, 60.0), (1500.0, 0.0, 60.0)
        tracks = [seen(t, here, ident=DRONE, fed=RADAR | RID),
                  seen(t, there, number=2, ident=DRONE, fed=RADAR | RID)]  # fmt: skip
        told |= against(sky.slice(tracks, [claim(t, here), claim(t, there, by="rid0")]))
    assert told & Why.TWO_PLACES


def test_a_clock_that_stands_still_is_found_and_one_that_runs_is_not():
    sky, frozen, runs = Sky(), Why(0), Why(0)
    for k in range(6):
        t = sky.next_ns
        at = (5.0 * k, 0.0, 60.0)
        both = [words(T0 - SECOND, named(1), recv_ns=t), words(t, named(2))]
        there = (5.0 * k, 300.0, 60.0)
        tracks = [
            seen(t, at, ident=named(1), fed=RADAR | RID),
            seen(t, there, number=2, ident=named(2), fed=RADAR | RID),
        ]
        claims = [claim(t, at, ident=named(1)), claim(t, there, ident=named(2))]
        made = sky.slice(tracks, claims, both)
        frozen |= against(made, named(1))
        runs |= against(made, named(2))
    assert frozen == Why.CLOCK
    assert not runs


def test_frames_that_are_sent_again_later_are_found_and_a_slow_second_receiver_is_not():
    for again, found in (("rid", True), ("rid0", False)):
        sky, told = Sky(), Why(0)
        for k in range(30):
            t = sky.next_ns
            heard = [words(t)]
            if k >= 15:
                heard.append(words(t - 15 * SECOND, by=again, recv_ns=t))
            at = (5.0 * k, 0.0, 60.0)
            made = sky.slice([seen(t, at, ident=DRONE, fed=RADAR | RID)], [claim(t, at)], heard)
            told |= against(made)
        assert bool(told & Why.CLOCK) == found


def test_a_recording_of_a_flight_that_nobody_heard_is_found_and_a_receivers_store_is_not():
    for pace, found in ((1, True), (20, False)):
        sky, told = Sky(), Why(0)
        for k in range(20):
            old = T0 - 600 * SECOND + pace * k * SECOND
            told |= against(sky.slice([], [], [words(old, recv_ns=sky.next_ns)]))
        assert (told == Why.CLOCK) == found


def test_a_recorded_flight_with_new_times_is_found_by_its_fixes():
    rng = np.random.default_rng(2)
    track_of = [(-300.0 + 12.0 * k + rng.normal(), rng.normal(), 60.0) for k in range(20)]
    sky, told = Sky(), Why(0)
    for k in range(30):
        t, at = sky.next_ns, track_of[k % 20]
        tracks = [seen(t, at, (12.0, 0.0, 0.0), ident=DRONE, fed=RADAR | RID)]
        told |= against(sky.slice(tracks, [claim(t, at, (12.0, 0.0, 0.0))]))
    assert told & Why.CLOCK


def test_a_height_above_take_off_that_drifts_from_the_height_is_found_after_10_s():
    def facts(k, t):
        return {"readings": [words(t, HEIGHT_TAKEOFF=60.0 - 2.0 * k)]}

    _, told = fly(Sky(), 30, lambda k: np.zeros(3), real=True, each=facts)
    assert told == Why.HEIGHT_LAW


def test_a_malformed_id_and_a_pilot_far_away_are_evidence_and_no_verdict():
    bad = "rid:OOOOO012345678901234"
    IDENTS[ident_of(bad)] = bad
    made, told = fly(Sky(), 4, lambda k: np.zeros(3), real=True, ident=bad)
    assert told == Why.FORM
    assert made.identities.verdict.tolist() == [Verdict.AUTHORISED]

    def far(k, t):
        lat, lon, _ = TILE.to_geodetic(np.array([[0.0, 12_000.0, 0.0]]))
        pilot = Readings.blank(
            1, t_ns=t, recv_ns=t, sensor=SENSORS.row("rid"), ident=ident_of(DRONE),
            name=Name.PILOT, value=1.0, lat=lat, lon=lon,
        )  # fmt: skip
        return {"readings": [words(t), pilot]}

    made, told = fly(Sky(), 4, lambda k: np.zeros(3), real=True, each=far)
    assert told == Why.PILOT_PLACE
    assert made.identities.verdict.tolist() == [Verdict.AUTHORISED]


def test_a_power_that_stands_still_while_the_claim_flies_away_is_found():
    sky, told, honest = Sky(), Why(0), Why(0)
    for k in range(60):
        t, v = sky.next_ns, (25.0, 0.0, 0.0)
        at = (500.0 + 25.0 * k, -600.0, 60.0)
        range_m = np.hypot(25.0 * k, 200.0)
        tracks = [seen(t, at, v, ident=DRONE, fed=RADAR | RID)]
        power = -20.0 * np.log10(range_m) + k % 2
        claims = [
            claim(t, at, v, rssi=-60.0 + k % 2),
            claim(t, at, v, ident=named(1), rssi=power),
        ]
        made = sky.slice(tracks, claims)
        told, honest = told | against(made), honest | against(made, named(1))
    assert told == Why.RSSI
    assert not honest


# --- areas, groups, floods


def test_one_shift_of_many_drones_makes_victims_and_no_forgers():
    sky, spoofed = Sky(), 0
    for k in range(15):
        t, tracks, claims = sky.next_ns, [], []
        for d in range(8):
            at = np.array([-900.0 + 250.0 * d, 10.0 * k, 60.0])
            off = at + np.array([80.0, 30.0, 0.0])
            tracks += [seen(t, at, (0.0, 10.0, 0.0), d),
                       seen(t, off, (0.0, 10.0, 0.0), 50 + d, named(d), RID)]  # fmt: skip
            claims.append(claim(t, off, (0.0, 10.0, 0.0), named(d)))
        made = sky.slice(tracks, claims)
        spoofed += np.count_nonzero(made.identities.verdict == Verdict.SPOOFED) if k > 4 else 0
    area = made.groups.take(made.groups.kind == GroupKind.AREA)
    assert area.size.tolist() == [8]
    assert area.value[0] == pytest.approx(np.hypot(80.0, 30.0), abs=3.0)
    assert spoofed == 0
    assert (made.identities.why & int(Why.POSITION_UNTRUSTED)).all()
    assert not (made.groups.kind == GroupKind.CLAIM).any()


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("rssi", [-55.0, np.nan])
def test_fifty_ghosts_of_one_transmitter_are_one_group_and_the_real_drone_is_itself(together, rssi):
    rng = np.random.default_rng(9)
    start = rng.uniform(-100, 100, (50, 2)) if together else rng.uniform(-2500, 2500, (50, 2))
    sky = Sky()
    for k in range(12):
        t, tracks, claims = sky.next_ns, [seen(sky.next_ns, (20.0 * k, 1500.0, 60.0))], []
        for g in range(50):
            at = (*(start[g] + 5.0 * k), 60.0)
            v = (5.0, 5.0, 0.0)
            tracks.append(seen(t, at, v, 100 + g, named(g), RID))
            claims.append(claim(t, at, v, named(g), rssi=rssi + rng.normal()))
        made = sky.slice(tracks, claims)
        assert Verdict.UNREGISTERED not in made.identities.verdict
    groups = made.groups
    assert groups.kind.tolist() == [GroupKind.TRANSMITTER]
    assert (groups.size[0], groups.sensor[0]) == (50, SENSORS.row("rid"))
    assert made.identities.verdict.tolist() == [Verdict.DARK] + [Verdict.SPOOFED] * 50
    assert made.identities.group.tolist() == [-1] + [0] * 50


def test_identities_of_one_power_at_many_ranges_are_one_transmitter_where_no_sensor_looks():
    rng = np.random.default_rng(4)
    places = np.column_stack((np.geomspace(3500, 40_000, 12), np.zeros(12)))
    for honest in (False, True):
        sky = Sky()
        for _ in range(8):
            t, claims = sky.next_ns, []
            for g in range(12):
                away = np.hypot(*(places[g] - (500.0, -800.0)))
                power = -20.0 * np.log10(away) if honest else -70.0
                at = (*places[g], 60.0)
                claims.append(claim(t, at, ident=named(g), rssi=power + rng.normal()))
            made = sky.slice([], claims)
        assert made.groups.kind.tolist() == ([] if honest else [GroupKind.TRANSMITTER])


def test_a_flood_lets_20_in_a_second_and_pushes_nobody_out():
    sky = Sky()
    here = (0.0, 0.0, 60.0)
    t = sky.next_ns
    sky.slice([seen(t, here, ident=DRONE, fed=RADAR | RID)], [claim(t, here)])
    for k in range(12):
        t = sky.next_ns
        flood = Readings.blank(
            10_000, t_ns=t, recv_ns=t, sensor=SENSORS.row("rid0"), name=Name.RID_HEARD,
            value=1.0, ident=np.arange(10**6 * k + 10, 10**6 * k + 10_010),
        )  # fmt: skip
        ghost = seen(t, (900.0, 0.0, 60.0), number=9, ident=named(7), fed=RID)
        made = sky.slice(
            [seen(t, here, ident=DRONE, fed=RADAR | RID), ghost], [claim(t, here)],
            [words(t), flood],
        )  # fmt: skip
    assert made.groups.kind.tolist() == [GroupKind.FLOOD]
    assert made.groups.size[0] == 12 * (10_000 - NEW_PER_SECOND)
    assert len(sky.airspace.identification.claims) == 1 + 12 * NEW_PER_SECOND
    assert made.identities.verdict.tolist() == [Verdict.AUTHORISED, Verdict.UNDECIDED]
    assert made.identities.why[1] & int(Why.FLOOD)
    for _ in range(11):
        t = sky.next_ns
        made = sky.slice([seen(t, here, ident=DRONE, fed=RADAR | RID)], [claim(t, here)])
    assert not len(made.groups)


def test_a_show_of_200_that_is_switched_on_at_once_is_no_flood_and_all_are_let_in():
    sky = Sky()
    for _ in range(14):
        t = sky.next_ns
        places = [(10.0 * (k % 20), 10.0 * (k // 20), 60.0) for k in range(200)]
        tracks = [
            seen(t, at, number=k, ident=named(k), fed=RADAR | RID) for k, at in enumerate(places)
        ]
        claims = [claim(t, at, ident=named(k)) for k, at in enumerate(places)]
        made = sky.slice(tracks, claims)
        assert set(made.groups.kind.tolist()) <= {GroupKind.SWARM}  # nobody announced it
    assert len(sky.airspace.identification.claims) == 200


def test_strangers_never_push_out_an_identity_that_a_sensor_vouches_for():
    from v2x.lowalt.histories import STRANGERS, Histories

    kept = Histories(3)
    kept.touch(7)
    kept.vouch([7])
    for ident in range(100, 100 + 2 * STRANGERS):
        kept.touch(ident)
    assert len(kept) == STRANGERS + 1
    assert kept.rows(np.array([7, 100, 99 + 2 * STRANGERS])).tolist()[1] == -1
    assert kept.rows(np.array([7]))[0] >= 0


# --- swarms and pilots in the picture


def test_a_swarm_without_a_plan_is_a_group_and_tentative_or_claimed_ones_are_none():
    sky = Sky()
    t = sky.next_ns
    swarm = [seen(t, (20.0 * d, 0.0, 60.0), number=d) for d in range(6)]
    made = sky.slice(swarm)
    assert made.groups.kind.tolist() == [GroupKind.SWARM]
    assert made.identities.group.tolist() == [0] * 6
    young = [seen(t, (20.0 * d, 0.0, 60.0), number=d, status=Status.TENTATIVE) for d in range(6)]
    assert not len(Sky().slice(young).groups)


def test_the_take_off_of_a_dark_drone_is_carried_back_from_its_climb():
    from v2x.picture import PilotSource

    sky = Sky()
    for k in range(20):
        at = (100.0 + 3.0 * k, 50.0, 20.0 + 2.0 * k)
        age = {"age_s": float(k)}
        made = sky.slice([seen(sky.next_ns, at, (3.0, 0.0, 2.0), **age)])
    lat, lon = made.identities.pilot_lat, made.identities.pilot_lon
    found = TILE.to_enu(lat, lon, np.zeros(1))[0]
    assert found[:2] == pytest.approx([70.0, 50.0], abs=1.0)
    assert made.identities.pilot_source.tolist() == [PilotSource.TRACK]
    assert made.identities.pilot_sd[0] == pytest.approx(50.0, abs=1.0)


# --- same input, same output


@pytest.mark.parametrize("cut", [3, 9, 14])
def test_doubts_go_on_after_a_restart_as_if_there_was_none(cut):
    def run(sky, steps):
        out = []
        for k in steps:
            rng = np.random.default_rng(k)
            t, tracks, claims = sky.next_ns, [], []
            for g in range(6):
                at = (100.0 * g, 10.0 * k, 60.0)
                claims.append(claim(t, at, (0.0, 10.0, 0.0), named(g), rssi=-50.0 + rng.normal()))
                tracks.append(seen(t, at, (0.0, 10.0, 0.0), 20 + g, named(g), RID if g else RADAR))
            made = sky.slice(tracks, claims)
            for part in (made.identities, made.groups):
                out += [getattr(part, name).tobytes() for name, *_ in type(part).schema()]
        return out

    whole = run(Sky(), range(18))
    first, second = Sky(), Sky()
    begun = run(first, range(cut))
    second.airspace.restore(first.airspace.state())
    second.t_ns = first.t_ns
    assert begun + run(second, range(cut, 18)) == whole
