"""What a benchmark found as one HTML page: no script, no outside resource, light and dark."""

from typing import Any

from v2x.cli.bench import charts
from v2x.cli.bench.judging import WARM_UP_S
from v2x.cli.bench.markup import Markup, node
from v2x.cli.bench.report import HEAD, cells, groups, times
from v2x.cli.bench.runs import Result

PARTS = (("localisation", "p0"), ("missed", "p1"), ("false", "p2"))
COLOURS = 8
"""Trackers beyond share colours."""
SCALE = 2.5
"""A peer that errs more often than ours by this factor is cut, so that the others can be seen."""

STYLE = Markup("""
:root { color-scheme: light dark;
  --paper: #fcfcfb; --card: #ffffff; --ink: #1d2327; --soft: #5d6870; --rule: #e1e5e8;
  --band: #d9dee2;
  --c0: #0b67c2; --c1: #d1570a; --c2: #23853a; --c3: #8a3fb5; --c4: #b8860b; --c5: #c02666;
  --c6: #0d8f93; --c7: #6b7280; --p0: #4f8fd6; --p1: #e0a92e; --p2: #d2504a; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14181b; --card: #1b2125; --ink: #e6eaed; --soft: #9aa6ae; --rule: #2f383e;
  --band: #343e45;
  --c0: #5aa9f5; --c1: #f59249; --c2: #5cc274; --c3: #c48aea; --c4: #e0b84c; --c5: #f2749f;
  --c6: #4fcdd0; --c7: #a3adb8; --p0: #5a97d9; --p1: #dfb048; --p2: #e06c66; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 28px 24px 60px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Noto Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 44px 0 2px; padding-top: 18px; border-top: 1px solid var(--rule); }
h3 { font-size: 15px; margin: 26px 0 2px; }
p { margin: 4px 0 10px; color: var(--soft); max-width: 88ch; }
nav a { color: var(--c0); margin-right: 14px; }
code { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; margin: 10px 0;
  padding: 10px 14px; white-space: pre-wrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 12px 0; }
dt { color: var(--soft); } dd { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 10px 0; background: var(--card);
  font-variant-numeric: tabular-nums; font-size: 13.5px; }
th, td { padding: 6px 9px; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; }
td.best { font-weight: 700; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr));
  gap: 14px; align-items: start; }
.pair { grid-template-columns: repeat(auto-fill, minmax(440px, 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: 10px 12px 4px; }
figcaption { font-weight: 600; font-size: 13.5px; }
.keys { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 4px 0 8px; font-size: 13px; }
.keys i { display: inline-block; width: 11px; height: 11px; border-radius: 3px;
  margin-right: 6px; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11px; font-family: inherit; }
svg .name { fill: var(--ink); font-size: 12px; }
.pair svg text { font-size: 9px; } .pair svg .name { font-size: 9.5px; }
svg .end { text-anchor: end; } svg .mid { text-anchor: middle; }
svg .grid { stroke: var(--rule); } svg .axis { stroke: var(--soft); }
svg .one { stroke: var(--soft); stroke-dasharray: 3 3; } svg .band { fill: var(--band); }
svg .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
svg .area { stroke-width: 1.4; fill-opacity: 0.16; }
footer { margin-top: 44px; }
""")


def page(made: dict[str, Any], results: list[Result]) -> str:
    """The whole page from a report and the results behind it."""
    found = groups(results)
    sections = [
        section(group, found[group["scenario"], group["size"]], made["options"])
        for group in made["summary"]
    ]
    colours = "".join(
        f".k{k} {{ fill: var(--c{k}); stroke: var(--c{k}); background: var(--c{k}); }}\n"
        for k in range(COLOURS)
    ) + "".join(f".p{k} {{ fill: var(--p{k}); background: var(--p{k}); }}\n" for k in range(3))
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("title", "v2x bench fusion"),
        node("style", STYLE, Markup(colours)),
    )
    body = node("body", _header(made), sections, _footer(made))
    return f"<!DOCTYPE html>\n{node('html', head, body, lang='en')}\n"


def _header(made: dict[str, Any]) -> list[Markup]:
    where, options = made["machine"], made["options"]
    facts = {
        "machine": f"{where['cpu']}, {where['cores']} cores, load {where['load_1min']:.1f} at the "
        f"end; {where['system']}",
        "versions": ", ".join(f"{k} {v}" for k, v in made["versions"].items()),
        "window": f"seeds {options['seeds']}, "
        f"stream {options['stream']}, scored from {WARM_UP_S} s",
        "settings of ours": ", ".join(options["config"]) or "defaults",
    }
    links = [
        node("a", f"{g['scenario']} {g['size']:,}", href=f"#{g['scenario']}-{g['size']}")
        for g in made["summary"]
    ]
    return [
        node("h1", "Multi-object tracking: v2x beside its peers"),
        node("p", "All trackers on the same scans, in one process, one after the other."),
        node("pre", node("code", made["command"])),
        node("dl", [(node("dt", key), node("dd", value)) for key, value in facts.items()]),
        node("nav", links) if len(links) > 1 else Markup(""),
    ]


def _footer(made: dict[str, Any]) -> Markup:
    method = [(node("dt", key), node("dd", value)) for key, value in made["method"].items()]
    return node(
        "footer",
        node("h3", "Method"),
        node("dl", method),
        node(
            "p",
            "GOSPA with alpha 2 (Rahmathullah et al. 2017), in metres; GOSPA/√N is over the root "
            "of the number of objects. Located, missed and false are its parts. OSPA(2): Beard, "
            "Vo and Vo 2020. IDF1: Ristani et al. 2016. HOTA: Luiten et al. 2021. NEES and NIS "
            "per axis: 1 for an honest filter, above 1 for one too sure of itself.",
        ),
    )


def section(
    group: dict[str, Any], trackers: dict[str, list[Result]], options: dict[str, Any]
) -> Markup:
    """One scenario at one size: table and charts."""
    style = {name: f"k{k % COLOURS}" for k, name in enumerate(trackers)}
    timed = {name: rows for name, rows in trackers.items() if rows[0].watch}
    parts: list[Any] = [
        node("h2", f"{group['scenario']}, {group['size']:,} objects"),
        node("p", f"{group['trackers']['v2x']['scans']} scans a seed. {_verdict(group)}"),
        node("div", _table(group["trackers"]), class_="wide"),
    ]
    if options["score"]:
        parts += _gospa(trackers)
        parts += _consistency(timed, style)
    parts += _speed(timed, style, group["trackers"])
    return node("section", parts, id=f"{group['scenario']}-{group['size']}")


def _verdict(group: dict[str, Any]) -> str:
    words = []
    for name, ratio in group["ratios"].items():
        one = f"{times(ratio['throughput'])} times the throughput of {name}"
        if ratio["gospa"] is not None:
            one += f" at {ratio['gospa']:.2f} of its GOSPA"
        words.append(one)
    return "v2x: " + "; ".join(words) + "." if words else "v2x alone."


def _table(rows: dict[str, Any]) -> Markup:
    """Summary over seeds; the best tracker of each column stands out, bounds do not compete."""
    body = [(cells(name, row), row["plots_per_cpu_s"] is not None) for name, row in rows.items()]
    racing = [line for line, runs in body if runs]
    best = [_best(column, [line[k] for line in racing]) for k, column in enumerate(HEAD)]
    lines = [
        node(
            "tr",
            [
                node("td", word, class_="best" if stands and word == best[k] else None)
                for k, word in enumerate(line)
            ],
        )
        for line, runs in body
        for stands in [runs and len(racing) > 1]
    ]
    return node(
        "table",
        node("thead", node("tr", [node("th", name) for name in HEAD])),
        node("tbody", lines),
    )


def _best(column: str, words: list[str]) -> str | None:
    known = [word for word in words if word != "-"]
    if column == "tracker" or not known:
        return None

    def size(word: str) -> float:
        return float(word.split(" ")[0].replace(",", ""))

    if column in ("NEES", "NIS"):
        return min(known, key=lambda word: abs(size(word) - 1.0))
    if column in ("IDF1", "HOTA", "plots/CPU-s"):
        return max(known, key=size)
    return min(known, key=size)


def _keys(names: list[tuple[str, str]]) -> Markup:
    return node(
        "div", [node("span", node("i", class_=style), name) for name, style in names], class_="keys"
    )


def _figure(caption: str, drawing: Markup) -> Markup:
    return node("figure", node("figcaption", caption), drawing)


def _gospa(trackers: dict[str, list[Result]]) -> list[Any]:
    """GOSPA over time in its parts, a chart for each tracker, all on one scale."""
    over = {
        name: {key: _mean(runs, key) for key in ("gospa", *(part for part, _ in PARTS))}
        for name, runs in trackers.items()
    }
    t = next(iter(trackers.values()))[0].series["t_s"]
    highest = [max([v for v in made["gospa"] if v is not None] + [1e-3]) for made in over.values()]
    top = 1.08 * min(max(highest), SCALE * highest[0])
    figures = [
        _figure(
            name,
            charts.stacked(
                f"GOSPA over time of {name}",
                t,
                [(part, style, [v or 0.0 for v in made[part]]) for part, style in PARTS],
                top,
                "m/√N",
            ),
        )
        for name, made in over.items()
    ]
    return [
        node("h3", "GOSPA/√N over time"),
        node(
            "p",
            "Mean over seeds. The coloured heights are each part's share of the squares, so they "
            f"add up to the whole. One scale for all; it ends at {SCALE} times the worst of v2x.",
        ),
        _keys([(part, style) for part, style in PARTS]),
        node("div", figures, class_="figures"),
    ]


def _mean(runs: list[Result], key: str) -> list[float | None]:
    """Mean over seeds at each instant, of those that have a value."""
    made: list[float | None] = []
    for values in zip(*(r.series[key] for r in runs), strict=True):
        known = [v for v in values if v is not None]
        made.append(sum(known) / len(known) if known else None)
    return made


def _band(runs: list[Result], key: str) -> list[float | None]:
    """Half width for the mean over seeds: the seeds are independent."""
    return [None if v is None else v / len(runs) ** 0.5 for v in _mean(runs, f"{key}_band")]


def _consistency(trackers: dict[str, list[Result]], style: dict[str, str]) -> list[Any]:
    """NEES and NIS over time, each with the band of the tracker that stands first."""
    figures = []
    stating: list[tuple[str, str]] = []
    for key, name in (("nees", "NEES: is the stated covariance the real one"),
                      ("nis", "NIS: are innovations as large as predicted")):  # fmt: skip
        having = {who: runs for who, runs in trackers.items() if key in runs[0].series}
        if not having:
            continue
        first = next(iter(having.values()))
        lines = [(who, style[who], _mean(runs, key)) for who, runs in having.items()]
        stating += [(who, style[who]) for who in having if (who, style[who]) not in stating]
        t = first[0].series["t_s"]
        drawing = charts.banded(name, t, lines[::-1], _band(first, key), f"{key.upper()} per axis")
        figures.append(_figure(name, drawing))
    if not figures:
        return []
    return [
        node("h3", "Consistency over time"),
        node(
            "p",
            "Grey: where 95 % of the means of an honest filter lie, for as many pairs as the first "
            "tracker had. Peers that state no covariance are absent; NIS is told by v2x alone.",
        ),
        _keys(stating),
        node("div", figures, class_="figures pair"),
    ]


def _speed(
    timed: dict[str, list[Result]], style: dict[str, str], rows: dict[str, Any]
) -> list[Any]:
    """Throughput bars, and wall time per scan as histogram and percentiles."""
    bars = [
        (name, style[name], rows[name]["plots_per_cpu_s"], f"{rows[name]['plots_per_cpu_s']:,.0f}")
        for name in timed
    ]
    ms = [
        (name, style[name], [ns / 1e6 for r in runs if r.watch for ns in r.watch.wall_ns])
        for name, runs in timed.items()
    ]
    columns = (("p50_ms", "p50"), ("p99_ms", "p99"), ("p50_clean_ms", "p50, steal-free"),
               ("p99_clean_ms", "p99, steal-free"))  # fmt: skip
    body = []
    for name in timed:
        row = rows[name]
        words = [f"{row[key]:.3f}" if row[key] is not None else "-" for key, _ in columns]
        words += [f"{row['steal_s']:.2f}", f"{row['wait_s']:.2f}"]
        body.append(node("tr", node("td", name), [node("td", word) for word in words]))
    head = ["ms per scan", *(title for _, title in columns), "stolen s", "waited s"]
    return [
        node("h3", "Throughput and latency"),
        node(
            "p",
            "Throughput and time stand on logarithmic axes. Steal-free: over seconds in which the "
            "host took nothing from this machine. Percentiles are medians over seeds.",
        ),
        _keys([(name, style[name]) for name in timed]),
        node(
            "div",
            _figure("Throughput, one thread", charts.bars("Throughput", bars)),
            _figure("Wall time per scan", charts.histogram("Latency histogram", ms, "ms per scan")),
            class_="figures pair",
        ),
        node(
            "div",
            node(
                "table",
                node("thead", node("tr", [node("th", word) for word in head])),
                node("tbody", body),
            ),
            class_="wide",
        ),
    ]
