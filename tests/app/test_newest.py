"""What the picture shows of readings: the newest, but never without a call for help."""

import numpy as np

from v2x.app.checkpoint import packed, unpacked
from v2x.app.newest import Heard, Newest
from v2x.ingest.reorder import Slice
from v2x.observations import Observations
from v2x.readings import Name, Readings
from v2x.sensors import Sensor, SensorTable

T = 1_795_486_272_000_000_000
S = 1_000_000_000


def alarms(*rows):
    """(seconds, alarm bits) of one terminal, in order of arrival."""
    return Readings.blank(
        len(rows),
        t_ns=[T + round(t * S) for t, _ in rows],
        recv_ns=T + 100 * S,
        ident=7,
        name=Name.ALARM_BITS,
        value=[float(bits) for _, bits in rows],
    )


def shown(newest, readings):
    latest = newest.take(readings)
    return [
        (int(t - T) / S, int(v), int(f))
        for t, v, f in zip(latest.t_ns, latest.value, latest.fresh, strict=True)
    ]


def test_the_newest_reading_is_shown_and_is_fresh_once():
    newest = Newest([Name.ALARM_BITS])
    assert shown(newest, alarms((1, 0), (2, 2))) == [(2.0, 2, 1)]
    assert shown(newest, Readings.blank()) == [(2.0, 2, 0)]
    assert shown(newest, alarms((1.5, 4))) == [(2.0, 2, 0)]


def test_a_call_for_help_in_an_old_row_of_an_upload_is_not_hidden_by_a_newer_row():
    for rows in (((1, 1), (2, 0)), ((2, 0), (1, 1)), ((0.5, 0), (1, 1), (2, 0))):
        newest = Newest([Name.ALARM_BITS])
        newest.take(alarms((3, 0)))
        assert shown(newest, alarms(*rows)) == [(1.0, 1, 1)], rows
        assert shown(newest, alarms((4, 0))) == [(4.0, 0, 1)]


def test_names_that_no_rule_reads_are_not_kept():
    assert shown(Newest([Name.FIX]), alarms((1, 1))) == []


def test_the_table_stays_bounded_and_keeps_the_newest_half():
    newest = Newest([Name.ALARM_BITS])
    newest.LIMIT = 100
    for k in range(30):
        rows = Readings.blank(
            10,
            t_ns=T + k * S,
            recv_ns=T + k * S,
            ident=np.arange(10) + 10 * k,
            name=Name.ALARM_BITS,
            value=0.0,
        )
        latest = newest.take(rows)
        assert len(latest) <= 100
    assert {290 + i for i in range(10)} <= set(latest.ident.tolist())


def test_a_device_is_live_for_three_periods_after_its_newest_frame():
    heard = Heard(SensorTable.of([Sensor("a", period_s=1.0), Sensor("b")]))

    def look(t_ns, sensor=(), recv=()):
        piece = Slice(
            t_ns,
            Observations.blank(),
            Readings.blank(),
            np.array(sensor, np.int32),
            np.array(recv, np.int64),
        )
        return heard.devices(piece).live.tolist()

    assert look(T) == [0, 0]
    assert look(T + S, [0, 1], [T + S, T + S]) == [1, 1]
    assert look(T + 4 * S) == [1, 1]
    assert look(T + 4 * S + 1) == [0, 1]


def test_what_was_said_and_heard_survives_a_restart():
    table = SensorTable.of([Sensor("a", period_s=1.0), Sensor("b")])
    newest, heard = Newest([Name.ALARM_BITS]), Heard(table)
    for k in range(200):  # from an empty table to one that has grown
        again, ears = Newest([Name.ALARM_BITS]), Heard(table)
        again.restore(unpacked(packed(newest.state())))
        ears.restore(unpacked(packed(heard.state())))
        rows = Readings.blank(
            1, t_ns=T + k * S, recv_ns=T + k * S, ident=k % 150, name=Name.ALARM_BITS, value=k
        )
        assert packed(columns(again.take(rows))) == packed(columns(newest.take(rows)))
        piece = Slice(
            T + k * S, Observations.blank(), rows, np.array([k % 2]), np.array([T + k * S])
        )
        assert packed(columns(ears.devices(piece))) == packed(columns(heard.devices(piece)))


def columns(rows):
    return [getattr(rows, name) for name, *_ in rows.schema()]
