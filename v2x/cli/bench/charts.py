"""Small charts as inline SVG; colours come from the page's style sheet, classes `k0`, `k1`, ...

A plane maps numbers to the drawing; charts are a plane, its grid, and marks. Everything is placed
by arithmetic on the numbers given: same numbers, same bytes.
"""

from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import Any

from v2x.cli.bench.markup import Markup, node

WIDTH, HEIGHT = 460, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 34


@dataclass(frozen=True)
class Plane:
    """Rectangle of numbers, linear or with a logarithmic x axis."""

    x0: float
    x1: float
    y0: float
    y1: float
    log_x: bool = False

    def x(self, value: float) -> float:
        """Abscissa in the drawing."""
        a, b, v = self.x0, self.x1, value
        if self.log_x:
            a, b, v = log10(a), log10(b), log10(v)
        return LEFT + (v - a) / (b - a) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Ordinate in the drawing; values outside stand on the edge."""
        share = (min(max(value, self.y0), self.y1) - self.y0) / (self.y1 - self.y0)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def path(self, points: list[tuple[float, float]]) -> str:
        """Move and lines through `points`."""
        return "M" + "L".join(f"{self.x(a):.1f} {self.y(b):.1f}" for a, b in points)

    def grid(self, x_label: str, y_label: str) -> list[Markup]:
        """Lines, numbers and names of the axes."""
        made = []
        for v in ticks(self.y0, self.y1):
            y = self.y(v)
            made.append(node("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
            made.append(node("text", short(v), x=LEFT - 6, y=y + 3.5, class_="tick end"))
        marks = decades(self.x0, self.x1) if self.log_x else ticks(self.x0, self.x1)
        for v in marks:
            x = self.x(v)
            made.append(
                node("line", x1=x, x2=x, y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM + 4, class_="axis")
            )
            made.append(node("text", short(v), x=x, y=HEIGHT - BOTTOM + 15, class_="tick mid"))
        base = HEIGHT - BOTTOM
        made.append(node("line", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base, class_="axis"))
        middle = (LEFT + WIDTH - RIGHT) / 2.0
        made.append(node("text", x_label, x=middle, y=HEIGHT - 4, class_="label mid"))
        turned = f"translate(11 {(TOP + base) / 2.0:.1f}) rotate(-90)"
        made.append(node("text", y_label, transform=turned, class_="label mid"))
        return made


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** floor(log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough * 0.999)
    return [k * step for k in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten, with 2 and 5 between them where there are few."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    factors = (1, 2, 5) if len(powers) <= 3 else (1,)
    made = [k * 10.0**p for p in powers for k in factors]
    return [v for v in made if low * 0.999 <= v <= high * 1.001]


def short(value: float) -> str:
    """A number for an axis: 0.05, 12, 300, 5k, 2M."""
    for limit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"


def picture(title: str, *marks: Any, height: int = HEIGHT) -> Markup:
    """SVG with a title that screen readers speak."""
    return node(
        "svg", node("title", title), *marks, viewBox=f"0 0 {WIDTH} {height}", role="img"
    )  # fmt: skip


def runs(x: list[float], y: list[float | None]) -> list[list[tuple[float, float]]]:
    """Points cut where a value is missing."""
    made: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(x, y, strict=True):
        if b is None or not isfinite(b):
            made.append([])
        else:
            made[-1].append((a, b))
    return [part for part in made if part]


def stacked(
    title: str, t: list[float], bands: list[tuple[str, str, list[float]]], top: float, unit: str
) -> Markup:
    """Areas on one another: (name, class, heights) from the bottom; what is above `top` is cut."""
    plane = Plane(t[0], t[-1] if len(t) > 1 else t[0] + 0.1, 0.0, top)
    marks: list[Any] = []
    floor_ = [0.0] * len(t)
    for name, style, heights in bands:
        roof = [a + b for a, b in zip(floor_, heights, strict=True)]
        edge = list(zip(t, roof, strict=True)) + list(zip(t, floor_, strict=True))[::-1]
        marks.append(node("path", node("title", name), d=plane.path(edge) + "Z", class_=style))
        floor_ = roof
    return picture(title, plane.grid("time, s", unit), marks)


def banded(
    title: str,
    t: list[float],
    lines: list[tuple[str, str, list[float | None]]],
    half_width: list[float | None],
    unit: str,
    most: float = 3.0,
) -> Markup:
    """Lines about 1 with the 95 % band ``1 ± half_width``; above `most` they run on the edge."""
    seen = [v for _, _, values in lines for v in values if v is not None]
    seen += [1.0 + h for h in half_width if h is not None]
    top = min(most, 1.05 * max([1.5, *seen]))
    plane = Plane(t[0], t[-1] if len(t) > 1 else t[0] + 0.1, 0.0, top)
    marks: list[Any] = []
    for part in runs(t, half_width):
        upper = [(a, 1.0 + h) for a, h in part]
        lower = [(a, max(0.0, 1.0 - h)) for a, h in part]
        marks.append(node("path", d=plane.path(upper + lower[::-1]) + "Z", class_="band"))
    y = plane.y(1.0)
    marks.append(node("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="one"))
    for name, style, values in lines:
        for part in runs(t, values):
            d = plane.path(part)
            marks.append(node("path", node("title", name), d=d, class_=f"line {style}"))
    return picture(title, plane.grid("time, s", unit), marks)


def histogram(title: str, groups: list[tuple[str, str, list[float]]], unit: str) -> Markup:
    """Shares of positive values on a logarithmic axis, 12 bins a decade: (name, class, values)."""
    low = floor(12.0 * log10(min(min(values) for _, _, values in groups))) - 1
    high = ceil(12.0 * log10(max(max(values) for _, _, values in groups))) + 1
    edges = [10.0 ** (k / 12.0) for k in range(low, high + 1)]
    shares = []
    for _, _, values in groups:
        counts = [0] * (len(edges) - 1)
        for v in values:
            counts[min(max(floor(12.0 * log10(v)) - low, 0), len(counts) - 1)] += 1
        shares.append([100.0 * c / len(values) for c in counts])
    plane = Plane(edges[0], edges[-1], 0.0, 1.08 * max(max(s) for s in shares), log_x=True)
    marks = []
    for (name, style, _), share in zip(groups, shares, strict=True):
        steps = [(edges[0], 0.0)]
        for left, right, height in zip(edges, edges[1:], share, strict=False):
            steps += [(left, height), (right, height)]
        steps.append((edges[-1], 0.0))
        inside = node("title", name)
        marks.append(node("path", inside, d=plane.path(steps) + "Z", class_=f"area {style}"))
    return picture(title, plane.grid(unit, "% of scans"), marks)


def bars(
    title: str, rows: list[tuple[str, str, float, str]], unit: str = "plots per CPU second"
) -> Markup:
    """Horizontal bars on a logarithmic axis: (name, class, value, words behind the bar)."""
    row, left, room = 26, 118, 112
    low = 10.0 ** floor(log10(min(value for _, _, value, _ in rows)) - 0.3)
    high = 10.0 ** ceil(log10(max(value for _, _, value, _ in rows)))
    base = 8 + row * len(rows)
    scale = (WIDTH - left - room) / (log10(high) - log10(low))
    marks: list[Any] = []
    powers = range(round(log10(low)), round(log10(high)) + 1)
    for power in powers:
        x = left + (power - log10(low)) * scale
        marks.append(node("line", x1=x, x2=x, y1=6, y2=base, class_="grid"))
        marks.append(node("text", short(10.0**power), x=x, y=base + 15, class_="tick mid"))
    for k, (name, style, value, words) in enumerate(rows):
        y, width = 8 + row * k, (log10(value) - log10(low)) * scale
        marks.append(node("text", name, x=left - 8, y=y + 15, class_="name end"))
        marks.append(node("rect", x=left, y=y + 3, width=width, height=row - 9, rx=2, class_=style))
        marks.append(node("text", words, x=left + width + 6, y=y + 15, class_="name"))
    middle = left + (WIDTH - left - room) / 2.0
    marks.append(node("text", unit, x=middle, y=base + 31, class_="label mid"))
    return picture(title, marks, height=base + 36)
