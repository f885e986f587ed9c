import json

import numpy as np

from tests.lowalt.scenes import DRONE, OTHER, SECOND, T0, TILE, box, zone
from v2x.lowalt.heights import in_all_references
from v2x.lowalt.permits import Permits, change, plain, restored
from v2x.lowalt.terrain import Ground
from v2x.lowalt.volumes import Places
from v2x.lowalt.zones import Zones
from v2x.observations import ident_of

ZONES = Zones.of([zone("Z1", [box(-500, -500, 500, 500)], ceiling_m=120.0, ceiling_ref="agl")])
WINDOW = {"valid_from": "2026-05-01T08:00:00+08:00", "valid_to": "2026-05-01T09:00:00+08:00"}
SHOW = {"id": "SHOW", "zone": "Z1", "group": {"operator": "OP", "count": 2}} | WINDOW
UAS = {"ident": DRONE, "mark": "12345678", "class": "light", "operator": "OP"}
WHOLE = {"as_of": "2026-05-01T00:00:00Z", "uas": [UAS], "operators": [{"id": "OP"}]}
NOBODY = Permits.of(None, None, TILE)


def asked(*documents):
    return [(form, json.dumps(document).encode()) for form, document in documents]


def keeps(permits: Permits, ident=DRONE) -> bool:
    """Whether a drone in the middle of the zone keeps to a plan."""
    where = np.array([TILE.lat0]), np.array([TILE.lon0])
    levels = in_all_references(*where, np.array([60.0]), "agl", Ground())
    fit = permits.plan_index.fit(
        T0 + 60 * SECOND, Places(np.zeros((1, 2)), levels), np.array([ident_of(ident)]),
        np.ones(1), np.ones(1),
    )  # fmt: skip
    return bool(fit.keeps[0])


def test_registry_and_plans_that_come_while_running_make_a_flight_legal():
    made, said = change(NOBODY, ZONES, TILE, asked(("plans", {"plans": [SHOW]})))
    assert said == [(True, "")]
    assert not keeps(made)  # nobody knows yet whose drone it is
    made, said = change(made, ZONES, TILE, asked(("registry", WHOLE)))
    assert said == [(True, "")]
    assert keeps(made)
    assert not keeps(made, OTHER)


def test_documents_of_one_moment_are_taken_in_their_order_each_whole_or_not_at_all():
    more = UAS | {"ident": OTHER, "mark": "00000001"}
    made, said = change(
        NOBODY, ZONES, TILE,
        asked(
            ("registry", {"op": "put", "uas": more}),
            ("registry", WHOLE),
            ("plans", {"op": "put", "plan": SHOW | {"zone": "Z9"}}),
            ("plans", {"op": "put", "plan": SHOW}),
            ("registry", {"op": "put", "uas": more}),
        ),
    )  # fmt: skip
    assert [taken for taken, _ in said] == [False, True, False, True, True]
    assert "there is no registry yet to change" in said[0][1]
    assert "zone 'Z9' is not in the zone file" in said[2][1]
    assert keeps(made)
    assert keeps(made, OTHER)


def test_nothing_taken_is_nothing_changed():
    made, said = change(NOBODY, ZONES, TILE, asked(("plans", {"op": "remove", "id": "P"})))
    assert made is NOBODY
    assert said[0][0] is False


def test_permits_come_back_from_their_plain_data():
    made, _ = change(NOBODY, ZONES, TILE, asked(("registry", WHOLE), ("plans", {"plans": [SHOW]})))
    again = restored(plain(made), ZONES, TILE)
    assert (again.registry, again.plans) == (made.registry, made.plans)
    assert keeps(again)
    bare = restored(plain(NOBODY), ZONES, TILE)
    assert bare.registry is None
    assert len(bare.plans) == 0
