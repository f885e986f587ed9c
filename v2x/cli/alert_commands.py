"""Commands of ``v2x alerts``: what people do about alerts.

They go into the mailbox of the store. Where a pipeline runs on the store it answers between two
slices; where none does, this process answers them itself, from the history.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from v2x.cli.stores import CONFIG, ID, JSON, STORE, full_id, opened, print_json, seconds

if TYPE_CHECKING:
    from v2x.alerts.store import Store

WHO = Annotated[str, typer.Option("--who", help="Who asks; default: the user of the system.")]
ROLE = Annotated[str, typer.Option("--role", help="operator, supervisor, field, ...")]
TAG = Annotated[str, typer.Option("--if-match", help="Only if the alert still has this tag.")]
KEY = Annotated[
    str, typer.Option("--key", help="Idempotency key: repeated, nothing is done twice.")
]
WAIT = Annotated[float, typer.Option("--wait", help="Seconds to wait for the running pipeline.")]
NOTE = Annotated[str, typer.Option("--note", help="Words for the history.")]
REASON = Annotated[str, typer.Option("--reason", help="Why.")]
CODE = Annotated[str, typer.Option("--code", help="Close code, such as bird_or_clutter.")]
UNIT = Annotated[str, typer.Option("--unit", help="Unit; with --role field: who is speaking.")]


def ack(
    id: ID, store: STORE = None, config: CONFIG = None, who: WHO = "", role: ROLE = "operator",
    note: NOTE = "", if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Say that somebody has seen it."""
    _ask("ack", id, store, config, who, role, if_match, key, wait, json_, note=note)


def assign(
    id: ID, unit: UNIT, store: STORE = None, config: CONFIG = None, who: WHO = "",
    role: ROLE = "operator", task: Annotated[str, typer.Option(help="Number of the task.")] = "",
    eta_s: Annotated[float | None, typer.Option(help="Seconds until the unit arrives.")] = None,
    note: NOTE = "", if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Give it to a unit; one that has a unit already is given to this one instead."""
    with opened(store, config) as kept:
        state = _state(kept, id)
    event = "reassign" if state in ("assigned", "responding") and not if_match else "assign"
    _ask(event, id, store, config, who, role, if_match, key, wait, json_, unit=unit, task=task,
         eta_s=eta_s, note=note)  # fmt: skip


def accept(
    id: ID, unit: UNIT, store: STORE = None, config: CONFIG = None, who: WHO = "",
    role: ROLE = "field",
    eta_s: Annotated[float | None, typer.Option(help="Seconds until it arrives.")] = None,
    if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Say that the unit it was given to is on its way."""
    _ask("accept", id, store, config, who, role, if_match, key, wait, json_, unit=unit,
         eta_s=eta_s)  # fmt: skip


def unassign(
    id: ID, store: STORE = None, config: CONFIG = None, who: WHO = "", role: ROLE = "operator",
    reason: REASON = "", if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Take it from its unit."""
    _ask("unassign", id, store, config, who, role, if_match, key, wait, json_, reason=reason)


def resolve(
    id: ID, store: STORE = None, config: CONFIG = None, who: WHO = "", role: ROLE = "operator",
    code: CODE = "", text: Annotated[str, typer.Option(help="What was found.")] = "",
    override: Annotated[
        bool, typer.Option("--override", help="Although it is still active; needs --text.")
    ] = False,
    unit: UNIT = "", if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Say that what was the matter is dealt with."""
    _ask("resolve", id, store, config, who, role, if_match, key, wait, json_, code=code, text=text,
         override=override, unit=unit)  # fmt: skip


def unresolve(
    id: ID, reason: REASON, store: STORE = None, config: CONFIG = None, who: WHO = "",
    role: ROLE = "operator", if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0,
    json_: JSON = False,
) -> None:  # fmt: skip
    """Take a resolution back: it did not hold."""
    _ask("unresolve", id, store, config, who, role, if_match, key, wait, json_, reason=reason)


def close(
    id: ID, store: STORE = None, config: CONFIG = None, who: WHO = "", role: ROLE = "operator",
    code: CODE = "", text: Annotated[str, typer.Option(help="Words for the file.")] = "",
    if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Close a resolved alert with its code; children close with it."""
    _ask("close", id, store, config, who, role, if_match, key, wait, json_, code=code, text=text)


def dismiss(
    id: ID, code: CODE, store: STORE = None, config: CONFIG = None, who: WHO = "",
    role: ROLE = "operator", text: Annotated[str, typer.Option(help="Words for the file.")] = "",
    if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Close an acked alert that was none: a false alarm, a duplicate, a drill."""
    _ask("dismiss", id, store, config, who, role, if_match, key, wait, json_, code=code, text=text)


def reopen(
    id: ID, reason: REASON, store: STORE = None, config: CONFIG = None, who: WHO = "",
    role: ROLE = "supervisor", if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0,
    json_: JSON = False,
) -> None:  # fmt: skip
    """Open a closed alert again."""
    _ask("reopen", id, store, config, who, role, if_match, key, wait, json_, reason=reason)


def shelve(
    id: ID, reason: REASON,
    for_: Annotated[str, typer.Option("--for", help="How long: 30m, 2h; at most 8h.")] = "",
    until: Annotated[str, typer.Option(help="Or its end, as 2026-05-01T08:00:00+08:00.")] = "",
    store: STORE = None, config: CONFIG = None, who: WHO = "", role: ROLE = "operator",
    if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Withhold it for a while; severity 1 needs a supervisor."""
    for_s = seconds(for_, "--for") if for_ else None
    _ask("shelve", id, store, config, who, role, if_match, key, wait, json_, reason=reason,
         until=until, for_s=for_s)  # fmt: skip


def unshelve(
    id: ID, store: STORE = None, config: CONFIG = None, who: WHO = "", role: ROLE = "operator",
    reason: REASON = "", if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Take it off the shelf before its time."""
    _ask("unshelve", id, store, config, who, role, if_match, key, wait, json_, reason=reason)


def escalate(
    id: ID, store: STORE = None, config: CONFIG = None, who: WHO = "", role: ROLE = "operator",
    note: NOTE = "", if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Take it to somebody higher."""
    _ask("escalate", id, store, config, who, role, if_match, key, wait, json_, note=note)


def note(
    id: ID, text: Annotated[str, typer.Argument(help="The words.")], store: STORE = None,
    config: CONFIG = None, who: WHO = "", role: ROLE = "operator", unit: UNIT = "",
    file: Annotated[str, typer.Option(help="Hash of a file that belongs to it.")] = "",
    key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Write something down."""
    _ask(
        "note", id, store, config, who, role, "", key, wait, json_, text=text, file=file, unit=unit
    )


def merge(
    id: ID, into: Annotated[str, typer.Option(help="The alert that speaks for both.")],
    store: STORE = None, config: CONFIG = None, who: WHO = "", role: ROLE = "operator",
    if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0, json_: JSON = False,
) -> None:  # fmt: skip
    """Let another alert speak for it."""
    with opened(store, config) as kept:
        parent = full_id(kept, into)
    _ask("merge", id, store, config, who, role, if_match, key, wait, json_, parent=parent)


def split(
    id: ID, reason: REASON, store: STORE = None, config: CONFIG = None, who: WHO = "",
    role: ROLE = "operator", if_match: TAG = "", key: KEY = "", wait: WAIT = 5.0,
    json_: JSON = False,
) -> None:  # fmt: skip
    """Let it speak for itself again."""
    _ask("split", id, store, config, who, role, if_match, key, wait, json_, reason=reason)


VERBS = (
    ack, assign, accept, unassign, resolve, unresolve, close, dismiss, reopen, shelve, unshelve,
    escalate, note, merge, split,
)  # fmt: skip
"""The commands, in the order of an alert's life."""


def _ask(
    event: str, id: str, store: Path | None, config: Path | None, who: str, role: str,
    if_match: str, key: str, wait: float, json_: bool, **given: Any,
) -> None:  # fmt: skip
    """Put a command into the mailbox and print its answer; exit code 1 if it was refused."""
    import getpass
    import json
    import os
    import time

    from v2x.alerts.commands import Command
    from v2x.alerts.offline import answer
    from v2x.errors import DecodeError, StoreError

    now_ns = time.time_ns()
    with opened(store, config) as kept:
        plain = {
            "id": full_id(kept, id),
            "event": event,
            "who": who or getpass.getuser(),
            "role": role,
            "key": key or f"cli-{os.getpid()}-{now_ns}",
            "if_match": if_match,
            **given,
        }
        plain = {name: value for name, value in plain.items() if value not in ("", None, False)}
        payload = json.dumps(plain, ensure_ascii=False).encode()
        try:
            command = Command.parse(payload, now_ns)
        except DecodeError as e:
            raise typer.BadParameter(str(e)) from None
        kept.put_command(command.key, payload, now_ns)
        end = time.monotonic() + wait
        while (reply := kept.reply(command.key)) is None:
            if kept.own():
                answer(kept)
            elif time.monotonic() < end:
                time.sleep(0.05)
            else:
                raise StoreError(
                    f"{kept.path}: the pipeline that runs on it has not answered within {wait:g} "
                    f"s; the command waits there: ask again with --key {command.key}"
                )
    if json_:
        print_json(reply)
    elif reply["ok"]:
        word = "" if reply["changed"] else ": it was so already"
        print(f"{event} {reply['id']}: {reply['state']}, revision {reply['rev']}{word}")
    else:
        why = reply["refused"]
        detail = f" ({why['detail']})" if why.get("detail") else ""
        allowed = f"; possible: {', '.join(why['allowed'])}" if why.get("allowed") else ""
        where = f" in state {why['from']}" if why.get("from") else ""
        print(f"{event} {reply['id']}: refused{where}: {why['reason']}{detail}{allowed}")
    if not reply["ok"]:
        raise typer.Exit(1)


def _state(kept: "Store", id: str) -> str:
    """State of an alert as it is stored; empty if it is not known."""
    entries = [entry for entry in kept.history(full_id(kept, id)) if "to" in entry]
    return str(entries[-1]["to"]) if entries else ""
