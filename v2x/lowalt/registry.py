"""Registered drones, their operators, and friends: from a JSON file, changed by documents.

::

    {"as_of": "2026-05-01T00:00:00+08:00",
     "uas": [{"ident": "rid:ABCDE012345678901234", "mark": "12345678", "class": "light",
              "owner": "...", "operator": "OP-7"}],
     "operators": [{"id": "OP-7", "name": "...",
                    "history": [{"standing": "trusted", "reason": "...", "author": "...",
                                 "at": "2026-04-01T00:00:00+08:00"}]}],
     "friends": [{"ident": "rid:...", "reason": "...", "author": "...",
                  "until": "2026-06-01T00:00:00+08:00"}]}

Only ``as_of`` and ``uas`` must be there. What is thought of an operator is the newest word of its
history; nothing of it is ever overwritten. It colours what is shown and overrides no physics.

A document is such a file whole, or ``{"op": "put", "uas" | "operator" | "friend": entry}``, where
putting an operator adds its words to the history, or ``{"op": "remove", "id": ..., "of": "uas" |
"operators" | "friends"}``; ``as_of`` beside it moves the date.
"""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from v2x.columns import B1, I8, U1
from v2x.errors import ConfigError
from v2x.lowalt import files
from v2x.observations import ident_of
from v2x.picture import Standing, UasClass

FRESH_NS = 24 * 3600 * 1_000_000_000
"""A registry older than a day says nothing about what is absent from it."""

CLASSES = ("micro", "light", "small", "medium", "large")
STANDINGS = tuple(word.name.lower() for word in Standing)
UNREGISTERED_MARK = "00000000"
"""What GB 46750-2025 item 002 carries where a drone was never registered."""
KINDS = ("uas", "operators", "friends")


@dataclass(frozen=True)
class Uas:
    """One registered drone: broadcast identity, registration mark, class by law, owner."""

    ident: str
    mark: str
    uas_class: str
    owner: str
    operator: str = ""


@dataclass(frozen=True)
class Word:
    """What somebody thought of an operator, why, and when he said so."""

    standing: Standing
    reason: str
    author: str
    at_ns: int


@dataclass(frozen=True)
class Operator:
    """Who flies drones; `history` runs from the oldest word to the newest, which holds."""

    id: str
    name: str
    history: tuple[Word, ...] = ()

    @property
    def standing(self) -> Standing:
        """What is thought of it now."""
        return self.history[-1].standing if self.history else Standing.NEUTRAL


@dataclass(frozen=True)
class Friend:
    """A drone of our own side, until a time."""

    ident: str
    reason: str
    author: str
    until_ns: int


class Known(NamedTuple):
    """What a registry says of some identities, (n,) each."""

    held: B1
    uas_class: U1
    standing: U1
    friend: B1


@dataclass(frozen=True)
class Registry:
    """Registered drones in the order of their identities, as of one time."""

    as_of_ns: int
    uas: tuple[Uas, ...] = ()
    operators: tuple[Operator, ...] = ()
    friends: tuple[Friend, ...] = ()
    source: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The file that says all this: what a checkpoint carries on."""

    def fresh(self, t_ns: int) -> bool:
        """Whether absence from it still means something: younger than a day at `t_ns`."""
        return t_ns - self.as_of_ns < FRESH_NS

    def known(self, t_ns: int, idents: I8) -> Known:
        """What it says of identities (n,) at a time."""
        n = len(idents)
        made = Known(
            np.zeros(n, np.bool_), np.zeros(n, np.uint8), np.zeros(n, np.uint8),
            np.zeros(n, np.bool_),
        )  # fmt: skip
        for k, ident in enumerate(idents.tolist()):
            entry = self._entries.get(ident)
            if entry is not None:
                made.held[k] = True
                made.uas_class[k], made.standing[k] = entry
            made.friend[k] = self._friends.get(ident, t_ns) > t_ns
        return made

    @cached_property
    def fleets(self) -> dict[str, tuple[int, ...]]:
        """Identity hashes of each operator's drones."""
        made: dict[str, list[int]] = {}
        for uas in self.uas:
            if uas.operator:
                made.setdefault(uas.operator, []).append(ident_of(uas.ident))
        return {operator: tuple(idents) for operator, idents in made.items()}

    def changed(self, where: str, document: dict[str, Any]) -> "Registry":
        """Return the registry after a document.

        Raises
        ------
        ConfigError
            Names the entry, and what is wrong with it; nothing was changed.
        """
        operation = document.get("op")
        if operation is None:
            return registry_from(where, document)
        tree: dict[str, Any] = {key: list(self.source.get(key, ())) for key in KINDS}
        tree["as_of"] = document.get("as_of", self.source.get("as_of"))
        if operation == "put":
            self._put(where, tree, document)
        elif operation == "remove":
            of = files.choice(where, document, "of", KINDS, "uas")
            gone, key = files.text(where, document, "id"), "id" if of == "operators" else "ident"
            left = [entry for entry in tree[of] if entry[key] != gone]
            if len(left) == len(tree[of]):
                raise ConfigError(f"{where}: no entry of {of} is named {gone!r}")
            tree[of] = left
        else:
            raise ConfigError(f"{where}: op {operation!r} is none of put, remove")
        return registry_from(where, tree)

    def _put(self, where: str, tree: dict[str, Any], document: dict[str, Any]) -> None:
        singular = {"uas": "uas", "operator": "operators", "friend": "friends"}
        found = [word for word in singular if word in document]
        if len(found) != 1:
            raise ConfigError(f"{where}: put needs one of {', '.join(singular)}")
        of, entry = singular[found[0]], files.members(where, document[found[0]])
        key = "id" if of == "operators" else "ident"
        name = files.text(where, entry, key)
        before = next((old for old in tree[of] if old[key] == name), None)
        if of == "operators" and before is not None:
            told = [
                *before.get("history", ()),
                *files.entries(where, {"history": []} | entry, "history"),
            ]
            entry = before | entry | {"history": told}
        tree[of] = [old for old in tree[of] if old[key] != name] + [entry]

    @cached_property
    def _entries(self) -> dict[int, tuple[UasClass, Standing]]:
        standing = {operator.id: operator.standing for operator in self.operators}
        return {
            ident_of(uas.ident): (
                UasClass[uas.uas_class.upper()],
                standing.get(uas.operator, Standing.NEUTRAL),
            )
            for uas in self.uas
        }

    @cached_property
    def _friends(self) -> dict[int, int]:
        return {ident_of(friend.ident): friend.until_ns for friend in self.friends}


def load_registry(path: Path) -> Registry:
    """Read the registry of drones.

    Raises
    ------
    ConfigError
        Names the file, the entry, and what is wrong with it.
    """
    return registry_from(str(path), files.members(str(path), files.read_json(path)))


def registry_from(where: str, tree: dict[str, Any]) -> Registry:
    """Check a registry that was read; `where` begins the words of a refusal."""
    as_of = files.moment(where, tree, "as_of")
    if as_of is None:
        raise ConfigError(f"{where}: as_of is missing: when was this registry true?")
    source: dict[str, Any] = {"as_of": tree["as_of"], "uas": files.entries(where, tree, "uas")}
    for key in KINDS[1:]:
        source[key] = files.entries(where, {key: []} | tree, key)
    read = {"uas": _uas, "operators": _operator, "friends": _friend}
    made: dict[str, dict[str, Any]] = {key: {} for key in KINDS}
    for key in KINDS:
        name = "id" if key == "operators" else "ident"
        for k, entry in enumerate(source[key]):
            one = read[key](f"{where}: {key} {k}", entry)
            if getattr(one, name) in made[key]:
                raise ConfigError(
                    f"{where}: {key} {k}: {name} {getattr(one, name)!r} is there twice"
                )
            made[key][getattr(one, name)] = one
    for k, uas in enumerate(made["uas"].values()):
        if uas.operator and uas.operator not in made["operators"]:
            raise ConfigError(f"{where}: uas {k}: operator {uas.operator!r} is not in operators")
    uas, operators, friends = (
        tuple(made[key][name] for name in sorted(made[key])) for key in KINDS
    )
    return Registry(as_of, uas, operators, friends, source)


def ident_text(where: str, text: str) -> str:
    """Check that a text is a Remote ID identity."""
    if not text.startswith("rid:") or len(text) == len("rid:"):
        raise ConfigError(f"{where}: ident {text!r} is not 'rid:' and a product id")
    return text


def _uas(where: str, entry: Any) -> Uas:
    tree = files.members(where, entry)
    mark = files.text(where, tree, "mark")
    if len(mark) != 8 or not (mark.isascii() and mark.isdigit()) or mark == UNREGISTERED_MARK:
        raise ConfigError(f"{where}: mark {mark!r} is not 8 digits with one that is not 0")
    return Uas(
        ident=ident_text(where, files.text(where, tree, "ident")),
        mark=mark,
        uas_class=files.choice(where, tree, "class", CLASSES),
        owner=files.text(where, tree, "owner", ""),
        operator=files.text(where, tree, "operator", ""),
    )


def _operator(where: str, entry: Any) -> Operator:
    tree = files.members(where, entry)
    history = [
        _word(f"{where}: history {k}", word)
        for k, word in enumerate(files.entries(where, {"history": []} | tree, "history"))
    ]
    for before, after in pairwise(history):
        if after.at_ns < before.at_ns:
            raise ConfigError(f"{where}: history is not in the order of time")
    return Operator(
        id=files.text(where, tree, "id"),
        name=files.text(where, tree, "name", ""),
        history=tuple(history),
    )


def _word(where: str, entry: Any) -> Word:
    tree = files.members(where, entry)
    return Word(
        standing=Standing[files.choice(where, tree, "standing", STANDINGS).upper()],
        reason=files.text(where, tree, "reason"),
        author=files.text(where, tree, "author"),
        at_ns=_needed(where, tree, "at"),
    )


def _friend(where: str, entry: Any) -> Friend:
    tree = files.members(where, entry)
    return Friend(
        ident=ident_text(where, files.text(where, tree, "ident")),
        reason=files.text(where, tree, "reason"),
        author=files.text(where, tree, "author"),
        until_ns=_needed(where, tree, "until"),
    )


def _needed(where: str, tree: dict[str, Any], key: str) -> int:
    moment = files.moment(where, tree, key)
    if moment is None:
        raise ConfigError(f"{where}: {key} is missing")
    return moment
