"""``v2x alerts``: what is open, what was done about it, and how well that went."""

from typing import Annotated, Any

import typer

from v2x.cli.stores import (
    CONFIG,
    ID,
    JSON,
    SPANS,
    STORE,
    full_id,
    opened,
    print_json,
    seconds,
    time_ns,
)


def list_(
    store: STORE = None,
    config: CONFIG = None,
    state: Annotated[str, typer.Option(help="Only these states, comma-separated.")] = "",
    severity: Annotated[str, typer.Option(help="Only these, such as 1,2.")] = "",
    type_: Annotated[str, typer.Option("--type", help="Only these types.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    json_: JSON = False,
) -> None:
    """List alerts as they are now, the most urgent first."""
    from v2x.alerts.cases import operator_tag
    from v2x.alerts.transitions import CLOSED, STATES

    states, severities, types = (set(filter(None, w.split(","))) for w in (state, severity, type_))
    if strange := sorted(states - set(STATES)):
        raise typer.BadParameter(f"--state {strange[0]!r} is none of {', '.join(STATES)}")
    if strange := sorted(severities - set("1234")):
        raise typer.BadParameter(f"--severity {strange[0]!r} is none of 1, 2, 3, 4")
    with opened(store, config) as kept:
        bodies = [alert.body for alert in kept.latest()]
    chosen = [
        {**body, "tag": operator_tag(body)}
        for body in bodies
        if (not states or body["state"] in states)
        and (all_ or states or body["state"] != CLOSED)
        and (not severities or str(body["severity"]) in severities)
        and (not types or body["type"] in types)
    ]
    chosen.sort(key=lambda b: (b["severity"], b["onset"], b["id"]))
    if json_:
        print_json(chosen)
    else:
        _table(chosen)


def show(id: ID, store: STORE = None, config: CONFIG = None, json_: JSON = False) -> None:
    """Show one alert and everything that was done about it."""
    from v2x.alerts.cases import operator_tag

    with opened(store, config) as kept:
        whole = full_id(kept, id)
        history = kept.history(whole)
        revs = [entry["rev"] for entry in history if "rev" in entry]
        if not revs:
            print(f"no alert {id} in {kept.path}")
            raise typer.Exit(1)
        body = kept.alert(whole, max(revs)).body
    if json_:
        print_json({**body, "tag": operator_tag(body), "history": history})
        return
    print(body["text"]["en"])
    for name in ("id", "type", "severity", "condition", "state", "prior_state", "onset", "zone",
                 "subject", "position", "responders", "parent", "incident", "close"):  # fmt: skip
        if name in body:
            print(f"{name:>12}  {_short(body[name])}")
    print(f"{'tag':>12}  {operator_tag(body)}")
    for entry in history:
        if entry["event"] == "update":
            continue
        given = {k: v for k, v in entry.get("given", {}).items() if k != "changed"}
        told = f"refused: {entry['refused']['reason']}" if "refused" in entry else _short(given)
        print(f"{entry['t']}  {entry['event']:<14} {entry['who']} ({entry['role']})  {told}")


def report(
    since: Annotated[
        str, typer.Option(help="Span before the end, as 30d or 12h, or an ISO 8601 time.")
    ] = "30d",
    until: Annotated[
        str, typer.Option(help="End, an ISO 8601 time; default: the newest of the store.")
    ] = "",
    store: STORE = None, config: CONFIG = None, json_: JSON = False,
) -> None:  # fmt: skip
    """Count alerts, answers and false alarms against their targets."""
    from v2x.alerts.report import report as reported

    with opened(store, config) as kept:
        entries = kept.history()
        newest = max((entry["t_ns"] for entry in entries), default=0)
        until_ns = time_ns(until) if until else max(newest, kept.reached().t_ns) + 1
        start = since[:-1] if since[-1:] in SPANS else ""
        since_ns = until_ns - round(seconds(since, "--since") * 1e9) if start else time_ns(since)
        if since_ns >= until_ns:
            raise typer.BadParameter("--since: not before the end")
        bodies = (alert.body for alert in kept.latest())
        told = reported(entries, bodies, kept.deliveries(), since_ns, until_ns)
    if json_:
        print_json(told)
    else:
        _say_report(told)


def verify(
    store: STORE = None,
    config: CONFIG = None,
    head: Annotated[
        str, typer.Option(help="NUMBER:LINK as it was printed and noted earlier.")
    ] = "",
    json_: JSON = False,
) -> None:
    """Check the chain of the history; exit code 1 names each row that was changed or is missing."""
    noted = None
    if head:
        number, _, link = head.partition(":")
        if not (number.isascii() and number.isdigit() and link):
            raise typer.BadParameter(f"--head {head!r}: wanted NUMBER:LINK")
        noted = int(number), link
    with opened(store, config) as kept:
        faults = kept.faults(noted)
        number_now, link_now = kept.head()
    if json_:
        print_json(
            {
                "ok": not faults,
                "rows": number_now,
                "head": f"{number_now}:{link_now}",
                "faults": [{"row": fault.number, "what": fault.what} for fault in faults],
            }
        )
    else:
        for fault in faults:
            print(f"row {fault.number}: {fault.what}")
        word = f"{len(faults)} faults" if faults else "sound"
        print(f"{word}; {number_now} rows, head {number_now}:{link_now}")
    if faults:
        raise typer.Exit(1)


def _short(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(bodies: list[dict[str, Any]]) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{len(bodies)} alerts")
    for name in ("id", "onset", "severity", "state", "condition", "what"):
        table.add_column(name, overflow="fold")
    for body in bodies:
        headline = body["text"]["en"].partition("\n")[0]
        table.add_row(body["id"][:12], body["onset"], str(body["severity"]), body["state"],
                      body["condition"], headline)  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _say_report(told: dict[str, Any]) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{told['alerts_total']} alerts, {told['since']} to {told['until']}")
    for name in ("measure", "value", "target", "pass"):
        table.add_column(name, overflow="fold")
    for name, value in told.items():
        goal = told["targets"].get(name, {})
        if name in ("targets", "since", "until", "alerts_total"):
            continue
        passed = goal.get("pass")
        word = "" if passed is None else ("yes" if passed else "NO")
        table.add_row(name, _short(value), _short(goal.get("target", "")), word)
    Console(width=None if sys.stdout.isatty() else 140).print(table)
