"""The report on a month whose counts are known."""

from typing import Any

import pytest

from v2x.alerts.report import DAY, HOUR, SECOND, TARGETS, report

T = 1_772_330_400 * SECOND
UNTIL = T + 30 * DAY


class Month:
    """A history that is written down by hand."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.bodies: dict[str, dict[str, Any]] = {}
        self.n = 0

    def alert(
        self, at_ns: int, *steps: tuple[float, str, dict[str, Any]], type: str = "uas_dark",
        severity: int = 3, zone: str = "", sensor: str = "radar-1", first: str = "raise",
        **body: Any,
    ) -> str:  # fmt: skip
        """One alert and what was done about it: (seconds after the raise, event, given)."""
        self.n += 1
        id = f"{self.n:032x}"
        state = {"raise": "open", "suppress": "suppressed"}[first]
        given: dict[str, Any] = {"severity": severity}
        if first == "suppress":
            given["by"] = "x"
        told = [(0.0, first, given), *steps]
        for rev, (after_s, event, more) in enumerate(told, 1):
            self.entries.append({"id": id, "rev": rev, "t_ns": at_ns + round(after_s * SECOND),
                                 "event": event, "from": "" if rev == 1 else state, "to": state,
                                 "who": "x", "role": "x", "given": more})  # fmt: skip
        self.bodies[id] = {
            "id": id, "type": type, "subject": {"track": str(self.n)}, "drill": False,
            "replay": False, "evidence": [{"sensor": sensor, "kind": "radar"}],
        } | ({"zone": zone} if zone else {}) | body  # fmt: skip
        return id

    def report(self, since_ns: int = T, until_ns: int = UNTIL) -> dict[str, Any]:
        entries = sorted(self.entries, key=lambda e: e["t_ns"])
        deliveries = {"kafka": {"sent": 90, "repeated": 3, "waiting": 1, "dead": 2}}
        return report(entries, self.bodies.values(), deliveries, since_ns, until_ns)


def closed(code: str, ack_s: float = 10.0) -> list[tuple[float, str, dict[str, Any]]]:
    return [(ack_s, "ack", {}), (ack_s + 1, "clear", {}), (ack_s + 20, "resolve", {}),
            (ack_s + 30, "close", {"code": code})]  # fmt: skip


def month() -> Month:
    """30 days: 60 lone alerts, a flood of 12, one that chatters, two that stand, and the rest."""
    made = Month()
    for k in range(60):  # two a day, 12 h apart
        code = "confirmed_unauthorised" if k % 3 else "bird_or_clutter"
        made.alert(T + k * DAY // 2, *closed(code, ack_s=float(k + 1)),
                   severity=1 if k < 3 else 3, zone="P-1" if k % 2 else "")  # fmt: skip
    for k in range(12):  # all in one window of ten minutes
        made.alert(T + 5 * DAY + HOUR + k * 20 * SECOND, *closed("sensor_fault"),
                   type="device_silent", severity=4, sensor="radar-2")  # fmt: skip
    returns = [(10.0 * k + half, event, {}) for k in range(1, 4)
               for half, event in ((0.0, "clear"), (5.0, "return"))]  # fmt: skip
    made.alert(T + 7 * DAY + HOUR, *returns, (50.0, "clear", {}), severity=2)
    made.alert(UNTIL - 25 * HOUR, severity=2)
    made.alert(UNTIL - 23 * HOUR, severity=2)
    made.alert(UNTIL - 2 * HOUR, (5.0, "shelve", {"until_ns": UNTIL + HOUR}))
    made.alert(T + 9 * DAY + HOUR, type="device_biased", first="suppress")
    made.alert(T + 9 * DAY + HOUR, *closed("drill"))
    made.alert(T + 9 * DAY + HOUR, drill=True)
    made.alert(T + 9 * DAY + HOUR, replay=True)
    made.alert(T + 9 * DAY + HOUR, *closed("spoof"))
    made.alert(T - DAY)
    made.alert(UNTIL)
    return made


def test_a_month_with_known_counts() -> None:
    told = month().report()
    assert told["alerts_total"] == 60 + 12 + 1 + 2 + 1
    assert (told["days"], told["per_day"], told["per_hour"]) == (30.0, 2.533, 0.106)
    assert told["per_10min"] == {"mean": round(76 / 4320, 3), "max": 12}
    assert told["flood_fraction"] == round(1 / 4320, 6)
    assert told["flood_windows"] == [{"start": "2026-03-06T03:00:00.000Z", "alerts": 12}]
    assert [(c["type"], c["raises"]) for c in told["chattering"]] == [("uas_dark", 4)]
    assert [s["since"] for s in told["standing_24h"]] == ["2026-03-30T01:00:00.000Z"]
    assert (told["shelved_now"], told["suppressed_now"]) == (1, 1)
    assert told["share"] == {"1": round(3 / 76, 4), "2": round(3 / 76, 4), "3": round(58 / 76, 4),
                             "4": round(12 / 76, 4)}  # fmt: skip
    assert told["top10"] == [{"type": "uas_dark", "alerts": 64}, {"type": "device_silent",
                                                                  "alerts": 12}]  # fmt: skip
    assert told["by_rule"] == [
        {"type": "device_silent", "alerts": 12,
         "by_severity": {"1": 0, "2": 0, "3": 0, "4": 12}, "right": 0, "false": 12},
        {"type": "uas_dark", "alerts": 64,
         "by_severity": {"1": 3, "2": 3, "3": 58, "4": 0}, "right": 40, "false": 20},
    ]  # fmt: skip
    assert told["ack_s"] == {"p50": 2.0, "p90": 2.8, "p99": 2.98, "n": 3}
    assert told["resolve_s"] == {"p50": 22.0, "p90": 22.8, "p99": 22.98, "n": 3}
    assert told["assign_s"] == told["arrive_s"] == {"p50": None, "p90": None, "p99": None, "n": 0}
    assert told["precision"]["rule"] == {
        "device_silent": {"right": 0, "false": 12, "precision": 0.0},
        "uas_dark": {"right": 40, "false": 20, "precision": 0.6667},
    }
    assert told["precision"]["zone"] == {"P-1": {"right": 20, "false": 10, "precision": 0.6667}}
    assert told["precision"]["sensor"]["radar-2"] == {"right": 0, "false": 12, "precision": 0.0}
    assert told["false_sev1_per_7d"] == round(1 / 30 * 7, 3)
    assert told["delivery"] == {
        "kafka": {"sent": 90, "repeated": 3, "stale": 0, "dead": 2, "waiting": 1}
    }
    assert told["apart"] == {"drill": 2, "replay": 1, "withheld": 1, "ghosts": 1}
    assert set(told["targets"]) == set(TARGETS)
    assert {name for name, goal in told["targets"].items() if goal["pass"] is False} == {
        "chattering"
    }
    assert {name for name, goal in told["targets"].items() if goal["pass"] is None} == {
        "assign_s", "arrive_s"
    }  # fmt: skip


def test_every_measure_that_has_a_target_can_fail_it() -> None:
    made = Month()
    for k in range(3000):
        made.alert(T + k * 50 * SECOND, *[(100.0 + n, "clear" if n % 2 else "return", {})
                                           for n in range(1, 9)], severity=1)  # fmt: skip
    for k in range(40):
        made.alert(T, (4000.0, "assign", {"unit": "u"}), (4001.0, "accept", {}),
                   (4002.0, "resolve", {}), (4003.0, "close", {"code": "no_incident"}),
                   severity=1)  # fmt: skip
        made.alert(T + k, severity=2)
    told = made.report(until_ns=T + 5 * DAY)
    failed = {name for name, goal in told["targets"].items() if not goal["pass"]}
    assert failed == set(TARGETS) - {"share_2"}
    made = Month()
    made.alert(T, severity=2)
    assert made.report()["targets"]["share_2"]["pass"] is False


def test_nothing_measured_is_no_pass_and_no_zero_share() -> None:
    told = Month().report()
    assert told["share"] == {"1": None, "2": None, "3": None, "4": None}
    assert told["targets"]["share_1"]["pass"] is None
    assert told["targets"]["ack_s"]["pass"] is None
    assert told["precision"] == {"rule": {}, "zone": {}, "sensor": {}}


@pytest.mark.parametrize(("type", "right"), [("identity_spoof", 1), ("vehicle_spoofed", 1)])
def test_a_spoof_proves_the_rules_right_that_look_for_one(type: str, right: int) -> None:
    made = Month()
    made.alert(T, *closed("spoof"), type=type)
    assert made.report()["precision"]["rule"][type]["right"] == right


def test_an_assignment_from_open_is_an_answer_too() -> None:
    made = Month()
    made.alert(T, (7.0, "assign", {"unit": "u"}), severity=1)
    assert made.report()["ack_s"] == {"p50": 7.0, "p90": 7.0, "p99": 7.0, "n": 1}
