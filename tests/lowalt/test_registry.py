import json

import numpy as np
import pytest

from tests.lowalt.scenes import DRONE, OTHER, SECOND, T0
from v2x.errors import ConfigError
from v2x.lowalt.registry import Registry, load_registry, registry_from
from v2x.observations import ident_of
from v2x.picture import Standing, UasClass

UAS = {"ident": DRONE, "mark": "12345678", "class": "light", "owner": "somebody"}
OPERATOR = {
    "id": "OP-7",
    "name": "somebody",
    "history": [
        {"standing": "trusted", "reason": "two years", "author": "li",
         "at": "2026-01-01T00:00:00Z"},
        {"standing": "blacklisted", "reason": "flew at night", "author": "wu",
         "at": "2026-04-01T00:00:00Z"},
    ],
}  # fmt: skip
FRIEND = {"ident": OTHER, "reason": "police", "author": "li", "until": "2026-05-01T01:00:00Z"}


def without(tree, *keys):
    return {k: v for k, v in tree.items() if k not in keys}


def registry(path, *uas, **members):
    tree = {"as_of": "2026-05-01T00:00:00Z", "uas": list(uas)} | members
    path.write_text(json.dumps(tree), "utf-8")
    return load_registry(path)


def test_registry_knows_whom_it_holds(tmp_path):
    made = registry(tmp_path / "r.json", UAS, UAS | {"ident": "rid:B", "mark": "00000001"})
    assert [u.ident for u in made.uas] == [DRONE, "rid:B"]
    assert made.uas[0].uas_class == "light"
    asked = np.array([ident_of(DRONE), ident_of(OTHER), -1])
    known = made.known(T0, asked)
    assert known.held.tolist() == [True, False, False]
    assert known.uas_class.tolist() == [UasClass.LIGHT, UasClass.UNKNOWN, UasClass.UNKNOWN]


def test_registry_is_fresh_for_a_day():
    made = Registry(T0)
    day = 24 * 3600 * SECOND
    assert [made.fresh(t) for t in (T0 - day, T0, T0 + day - 1, T0 + day)] == [True] * 3 + [False]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (UAS | {"mark": "00000000"}, "uas 1: mark '00000000' is not 8 digits"),
        (UAS | {"mark": "1234567"}, "mark '1234567'"),
        (UAS | {"mark": "１２３４５６７８"}, "is not 8 digits"),
        (UAS | {"ident": "ABC"}, "ident 'ABC' is not 'rid:'"),
        (UAS | {"ident": "rid:"}, "ident 'rid:'"),
        (UAS | {"class": "tiny"}, "class 'tiny' is none of micro"),
        (without(UAS, "mark"), "mark must be a text, found nothing"),
        (UAS, "is there twice"),
        (7, "uas 1: expected an object, found 7"),
    ],
)
def test_unclear_registry_entry_is_refused_with_file_and_row(tmp_path, entry, words):
    with pytest.raises(ConfigError, match=words) as e:
        registry(tmp_path / "r.json", UAS, entry)
    assert str(tmp_path / "r.json") in str(e.value)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"as_of": None}, "as_of is missing"),
        ({"as_of": "2026-05-01"}, "as_of: '2026-05-01' is not a time"),
        ({"uas": {}}, "uas must be a list"),
    ],
)
def test_registry_without_date_or_list_is_refused(tmp_path, members, words):
    with pytest.raises(ConfigError, match=words):
        registry(tmp_path / "r.json", **members)


def whole(**members):
    tree = {"as_of": "2026-05-01T00:00:00Z", "uas": [UAS | {"operator": "OP-7"}],
            "operators": [OPERATOR], "friends": [FRIEND]}  # fmt: skip
    return registry_from("r.json", tree | members)


def standing(made: Registry, ident=DRONE, t_ns=T0) -> Standing:
    return Standing(made.known(t_ns, np.array([ident_of(ident)])).standing[0])


def test_newest_word_on_an_operator_holds_for_its_drones_and_the_older_ones_stay():
    made = whole()
    assert standing(made) == Standing.BLACKLISTED
    assert standing(made, OTHER) == Standing.NEUTRAL
    assert [word.author for word in made.operators[0].history] == ["li", "wu"]
    assert made.operators[0].history[1].reason == "flew at night"
    assert made.fleets == {"OP-7": (ident_of(DRONE),)}


def test_friend_is_one_until_his_time_is_over():
    hour = 3600 * SECOND
    asked = np.array([ident_of(OTHER), ident_of(DRONE)])
    assert whole().known(T0 + hour - 1, asked).friend.tolist() == [True, False]
    assert whole().known(T0 + hour, asked).friend.tolist() == [False, False]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"operators": []}, "uas 0: operator 'OP-7' is not in operators"),
        ({"operators": [OPERATOR, OPERATOR]}, "operators 1: id 'OP-7' is there twice"),
        ({"operators": [OPERATOR | {"history": OPERATOR["history"][::-1]}]}, "not in the order of"),
        ({"operators": [OPERATOR | {"history": [{"standing": "good"}]}]}, "'good' is none of neut"),
        ({"operators": [OPERATOR | {"history": [{"standing": "trusted"}]}]}, "reason must be"),
        ({"friends": [without(FRIEND, "until")]}, "friends 0: until is missing"),
        ({"friends": [without(FRIEND, "reason")]}, "friends 0: reason must be a text"),
        ({"friends": [FRIEND | {"ident": "7"}]}, "friends 0: ident '7'"),
        ({"friends": 7}, "friends must be a list"),
    ],
)
def test_unclear_operator_or_friend_is_refused(members, words):
    with pytest.raises(ConfigError, match=words):
        whole(**members)


def test_word_on_an_operator_is_added_and_never_replaces_what_was_said():
    word = {"standing": "neutral", "reason": "paid", "author": "wu", "at": "2026-04-30T00:00:00Z"}
    made = whole().changed("frame", {"op": "put", "operator": {"id": "OP-7", "history": [word]}})
    assert standing(made) == Standing.NEUTRAL
    assert [w.standing for w in made.operators[0].history] == [
        Standing.TRUSTED, Standing.BLACKLISTED, Standing.NEUTRAL,
    ]  # fmt: skip
    assert made.operators[0].name == "somebody"


def test_entries_are_put_and_removed_one_by_one_and_a_whole_file_replaces_all():
    made = whole()
    new = UAS | {"ident": OTHER, "mark": "00000001", "class": "micro"}
    made = made.changed("f", {"op": "put", "uas": new, "as_of": "2026-05-02T00:00:00Z"})
    assert [uas.ident for uas in made.uas] == sorted([DRONE, OTHER])
    assert made.as_of_ns == T0 + 24 * 3600 * SECOND
    made = made.changed("f", {"op": "put", "uas": new | {"class": "small"}})
    assert len(made.uas) == 2
    made = made.changed("f", {"op": "remove", "id": DRONE})
    assert [uas.uas_class for uas in made.uas] == ["small"]
    made = made.changed("f", {"op": "remove", "of": "friends", "id": OTHER})
    assert made.friends == ()
    made = made.changed("f", {"as_of": "2026-05-03T00:00:00Z", "uas": []})
    assert (made.uas, made.operators) == ((), ())


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"op": "remove", "id": OTHER}, "no entry of uas is named"),
        ({"op": "remove", "id": "OP-7", "of": "operators"}, "operator 'OP-7' is not in operators"),
        ({"op": "put"}, "put needs one of uas, operator, friend"),
        ({"op": "put", "uas": UAS, "friend": FRIEND}, "put needs one of"),
        ({"op": "put", "uas": UAS | {"mark": "x"}}, "mark 'x'"),
        ({"op": "burn"}, "op 'burn' is none of"),
        ({"uas": []}, "as_of is missing"),
    ],
)
def test_refused_change_names_what_is_wrong_and_leaves_the_registry(document, words):
    made = whole()
    with pytest.raises(ConfigError, match=words):
        made.changed("frame", document)
    assert made == whole()


def test_registry_comes_back_from_its_source():
    made = whole().changed("f", {"op": "put", "uas": UAS | {"ident": OTHER, "mark": "00000001"}})
    assert registry_from("state", made.source) == made
