"""Which polygons hold a point, which does a move touch, how far is the edge: a grid index.

Square cells over the outlines' box. For each cell and each polygon that has part in it there is one
entry: either no outline comes near the cell and the polygon covers it (no geometry left to test),
or the edges that touch the cell are copied side by side, with one parity bit. A look-up is one
cell, its entries, a few edges.

**Parity without a full ring.** Walk from far west along the bottom of the cell's row to the cell's
lower left corner, up the cell's left side to the height of the point, then east to the point. The
first leg is the same for the whole cell, the other two stay in the cell and can only meet its own
edges. Each comparison of a vertex with a line is half open (``>``), so that a line through a vertex
counts once. An edge that passes near the bend is met by both legs or by none, and which of the two
drops out of the sum, so no rounded number decides there. What is left for each edge of the cell:

* the edge spans the point's height: is the point right of it, xor does its lower end lie left of
  the cell's side;
* it does not, but spans the cell's side line: is it below the point.

Constants of the sum (first leg, lower end of the second) are the parity bit. Holes, islands in
holes and multipolygons need nothing more.

**The boundary is inside.** Parity alone gives either answer there, and GEOS another. A point within
`PolygonIndex.tolerance` (1e-10 m to 100 km of the origin) of an edge is inside, edges of holes too;
further off the edge the sign of one cross product in float64 is certain, and the answer is that of
exact arithmetic.

**Not a number, or far away.** Coordinates are compared as floats before any cast to an index: NaN,
infinities and 1e300 are in no polygon.

A long file: filing edges and looking points up must agree to the last bit, so they stay together.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from v2x.errors import ConfigError
from v2x.jit import kernel

F8 = NDArray[np.float64]
I4 = NDArray[np.int32]
U1 = NDArray[np.uint8]

FAR_M = 1e8
"""No coordinate of a polygon or a fix lies beyond: further than the Earth is wide."""

MAX_CELLS = 1 << 22
"""Cells of the grid, 16 MB of starts; ours."""
MAX_COVER = 1 << 24
"""Cells in the boxes of all polygons together: bounds entries (12 B each) and build time; ours."""
MAX_REACH = 1 << 22
"""Cells that edges run through, summed over edges: bounds edge copies (32 B each); ours."""
SPARSE = 8
"""Cells a point from which on points are not sorted by cell: 4 to 16 measured alike."""
BLOCK = 128
"""Points looked up together; 32 to 512 measured alike."""


@dataclass(frozen=True)
class PolygonIndex:
    """Polygons ready for questions; made by `build`, never changed: edits build another one.

    Points are (n, 2) f8, metres east and north in the same plane as the rings.

    Parameters
    ----------
    cell_m, x0, y0 : float
        Side of a cell and corner of the grid, metres.
    nx, ny : int
        Cells east and north.
    tolerance : float
        Metres from an edge that still count as on it.
    bounds : (p, 4) f8
        West, south, east, north of each polygon; NaN for one without rings.
    outline : (m, 4) f8
        All edges, polygon by polygon, each from its lower end: x1, y1, x2, y2 with y1 <= y2.
    outline_start : (p + 1,) i4
        First edge of each polygon.
    cell_start : (nx * ny + 1,) i4
        First entry of each cell, row by row from the south-west.
    entries : (k, 3) i4
        Polygon * 2 + parity bit, first and last + 1 of its rows in `edges`; in a cell by polygon.
        One more row at the end, of zeros, so that looking ahead never leaves the array.
    edges : (l, 4) f8
        Copies of the edges that touch the cell of an entry, and a row of zeros.
    """

    cell_m: float
    x0: float
    y0: float
    nx: int
    ny: int
    tolerance: float
    bounds: F8
    outline: F8
    outline_start: I4
    cell_start: I4
    entries: I4
    edges: F8

    def __len__(self) -> int:
        return len(self.bounds)

    @property
    def nbytes(self) -> int:
        """Memory of all columns, bytes."""
        columns = (self.bounds, self.outline, self.outline_start)
        return sum(c.nbytes for c in (*columns, self.cell_start, self.entries, self.edges))

    @cached_property
    def busiest(self) -> int:
        """Entries of the cell that has most."""
        return int(np.diff(self.cell_start).max(initial=0))

    def inside(
        self,
        points: F8,
        height: F8 | None = None,
        floor: F8 | None = None,
        ceiling: F8 | None = None,
        active: U1 | None = None,
    ) -> tuple[I4, I4]:
        """Every (point, polygon) pair where the polygon holds the point.

        Height and activity are tested before geometry, so inactive polygons cost next to nothing.

        Parameters
        ----------
        points : (n, 2) f8
            Metres; a point that is not finite is in no polygon.
        height : (n,) f8, optional
            Metres HAE, never ENU up. NaN means unknown and passes every band: the caller knows
            which rows those are and judges them one step milder.
        floor, ceiling : (p,) f8, optional
            Metres HAE, both inclusive; -inf and inf are none. NaN passes, as above.
        active : (p,) u1, optional
            0 leaves the polygon out.

        Returns
        -------
        point, polygon : (k,) i4
            Rows, sorted by point, then polygon.
        """
        points = _points(points)
        height = _column(height, len(points), np.nan, "height")
        floor = _column(floor, len(self), -np.inf, "floor")
        ceiling = _column(ceiling, len(self), np.inf, "ceiling")
        if active is None:
            active = np.ones(len(self), np.uint8)
        elif len(active) != len(self):
            raise ValueError(f"active: {len(active)} values for {len(self)} polygons")
        else:
            active = _own(active, np.uint8)
        order = self.order(points)
        span = np.empty((len(points), 2), np.int32)
        ahead, warm = np.empty((4, BLOCK), np.int32), np.empty(BLOCK)
        size = max(64, 2 * len(points))
        while True:
            held = np.empty(size, np.int32)
            found = points_inside(
                points, order, height, floor, ceiling, active, *self.cells,
                ahead, warm, span, held,
            )  # fmt: skip
            if found < size:  # one place is left over: the kernel writes before it decides
                point, polygon = np.empty((2, found), np.int32)
                by_point(span, held, point, polygon)
                return point, polygon
            size = found + 1

    def order(self, points: F8) -> I4:
        """Rows of points in the order in which to look them up: that of the cells, if many.

        Points of one cell, and of those beside it, find its entries and edges still at hand: twice
        the speed at a hundred thousand points. Sorting costs a pass over all cells, which few
        points are not worth.
        """
        n, cells = len(points), self.nx * self.ny
        if n < cells // SPARSE:
            return np.arange(n, dtype=np.int32)
        order, cell = np.empty((2, n), np.int32)
        count = np.zeros(cells + 2, np.int32)
        cell_order(points, self._grid(), self.nx, self.ny, cell, count, order)
        return order

    def crossed(self, a: F8, b: F8) -> tuple[I4, I4]:
        """Every (move, polygon) pair where the straight line from `a` to `b` touches the polygon.

        True as well for a move that starts, ends or stays inside; with `inside` of both ends this
        tells entering, leaving and passing through between two fixes.

        Parameters
        ----------
        a, b : (n, 2) f8
            Ends, metres. A move with an end that is not finite, or beyond 1e8 m, touches nothing.

        Returns
        -------
        move, polygon : (k,) i4
            Rows, sorted by move, then polygon.
        """
        a, b = _points(a), _points(b)
        if len(a) != len(b):
            raise ValueError(f"{len(a)} starts and {len(b)} ends")
        grid = self._grid()
        size = max(64, 2 * len(a))
        while True:
            move, polygon = np.empty((2, size), np.int32)
            seen = np.full(len(self), -1, np.int32)
            found = moves_crossing(
                a, b, grid, self.nx, self.ny, self.cell_start, self.entries, self.edges,
                seen, move, polygon,
            )  # fmt: skip
            if found <= size:
                return move[:found], polygon[:found]
            size = found

    def nearest(self, points: F8, polygon: ArrayLike) -> tuple[F8, F8]:
        """Signed distance to the boundary and the boundary's nearest point, pair by pair.

        Looks at every edge of the polygon: for the few pairs that matter, not for all of them.

        Parameters
        ----------
        points : (n, 2) f8
            Metres.
        polygon : (n,) int
            Row of the polygon to measure each point against.

        Returns
        -------
        distance : (n,) f8
            Metres, negative inside, -0.0 or 0.0 on the boundary; NaN for a point that is not
            finite and for a row that names no polygon or one without rings.
        foot : (n, 2) f8
            The nearest point; of two equally near the one on the earlier edge.
        """
        points = _points(points)
        rows = _own(polygon, np.int64)
        if rows.shape != (len(points),):
            raise ValueError(f"{len(points)} points against polygons of shape {rows.shape}")
        distance, foot = np.empty(len(points)), np.empty((len(points), 2))
        nearest_edge(points, rows, self.outline, self.outline_start, self.tolerance, distance, foot)
        return distance, foot

    def distance(self, points: F8, polygon: ArrayLike) -> F8:
        """Signed distance to the boundary of one polygon for each point; see `nearest`."""
        return self.nearest(points, polygon)[0]

    def _grid(self) -> F8:
        return np.array([self.x0, self.y0, self.cell_m, self.tolerance])

    @property
    def cells(self) -> tuple[F8, int, int, I4, I4, F8]:
        """What kernels of other rooms walk on: grid, nx, ny, cell_start, entries, edges.

        grid (4,) holds x0, y0, cell_m and tolerance.
        """
        return self._grid(), self.nx, self.ny, self.cell_start, self.entries, self.edges


def build(rings: Sequence[Iterable[ArrayLike]], cell_m: float = 100.0) -> PolygonIndex:
    """Index over polygons.

    Parameters
    ----------
    rings : list of lists of (k, 2) f8
        For each polygon its rings, east and north in metres, closed or not, in either direction:
        outlines, holes, islands, further parts. Parity decides what is in; no rings, nothing in.
        Coordinates are rounded to 2^-40 m (1e-12 m), so that no edge is too short for arithmetic.
    cell_m : float
        Wanted side of a cell, at least 1 m; 100 m suits outlines of 100 m to 20 km. Where the
        polygons are so large that `MAX_CELLS`, `MAX_COVER` or `MAX_REACH` would be passed, cells
        grow until they are not: answers stay the same, memory stays below some 400 MB plus the
        outlines, look-ups become slower.

    Raises
    ------
    ConfigError
        A ring of fewer than three corners, a coordinate that is not finite or beyond 1e8 m; the
        message names polygon and ring. A cell of less than 1 m.
    """
    if not 1.0 <= cell_m <= FAR_M:
        raise ConfigError(f"cell_m {cell_m!r}: the side of a cell must be 1 m or more")
    outline, start = _outline(rings)
    bounds = np.full((len(rings), 4), np.nan)
    filled = np.flatnonzero(np.diff(start))
    if not len(filled):
        return PolygonIndex(
            cell_m, 0.0, 0.0, 0, 0, 1e-10, bounds, outline, start, np.zeros(2, np.int32),
            np.zeros((1, 3), np.int32), np.zeros((1, 4)),
        )  # fmt: skip
    for k, reduce in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
        both = reduce(outline[:, k % 2], outline[:, k % 2 + 2])
        bounds[filled, k] = reduce.reduceat(both, start[filled])
    box = bounds[filled]
    west, south = box[:, 0].min(), box[:, 1].min()
    east, north = box[:, 2].max(), box[:, 3].max()
    side = _side(box, outline, cell_m)
    # A quarter cell off: outlines on round coordinates should not run along the cells' sides.
    x0, y0 = float(west - 0.25 * side), float(south - 0.25 * side)
    tolerance = max(1e-10, 8.0 * float(np.spacing(np.abs(box).max())))
    grow = grown_by(side, tolerance)
    nx = int((east + 2.0 * grow - x0) / side) + 1
    ny = int((north + 2.0 * grow - y0) / side) + 1
    grid = np.array([x0, y0, side, tolerance])
    cell_start, room = np.zeros((2, nx * ny + 1), np.int32)
    spans = (box[:, 2:] - box[:, :2] + 2.0 * grow) / side
    scratch = int(((spans[:, 0] + 3.0) * (spans[:, 1] + 3.0)).max())
    count, slot = np.empty((2, scratch), np.int32)
    parity = np.empty(scratch, np.uint8)
    work = (outline, start, bounds, grid, nx, ny, count, slot, parity)
    file_edges(*work, cell_start, room, np.empty((0, 3), np.int32), np.empty((0, 4)))
    np.cumsum(cell_start, out=cell_start)
    np.cumsum(room, out=room)
    entries = np.zeros((int(cell_start[-1]) + 1, 3), np.int32)
    edges = np.zeros((int(room[-1]) + 1, 4))
    file_edges(*work, cell_start[:-1].copy(), room, entries, edges)
    return PolygonIndex(
        side, x0, y0, nx, ny, tolerance, bounds, outline, start, cell_start, entries, edges
    )


def _outline(rings: Sequence[Iterable[ArrayLike]]) -> tuple[F8, I4]:
    """Edges of all polygons from their lower ends (m, 4) f8, and first edge of each (p + 1,) i4."""
    parts: list[F8] = []
    owner: list[int] = []
    for p, polygon in enumerate(rings):
        for ring in polygon:
            part = np.asarray(ring, dtype=np.float64)
            if part.ndim != 2 or part.shape[1] != 2 or not len(part):
                raise ConfigError(
                    f"polygon {p}, ring {_ring(owner, p)}: expected (k, 2) corners, "
                    f"found shape {part.shape}"
                )
            parts.append(part)
            owner.append(p)
    if not parts:
        return np.empty((0, 4)), np.zeros(len(rings) + 1, np.int32)
    length = np.array([len(part) for part in parts])
    ring_of = np.repeat(np.arange(len(parts)), length)
    corner = np.concatenate(parts)
    bad = np.flatnonzero(~(np.abs(corner) <= FAR_M).all(axis=1))
    if len(bad):
        k = int(ring_of[bad[0]])
        raise ConfigError(
            f"polygon {owner[k]}, ring {_ring(owner[:k], owner[k])}: corner {corner[bad[0]]} is "
            f"not finite or beyond {FAR_M:g} m"
        )
    corner = np.round(corner * 2.0**40) / 2.0**40
    following = np.arange(1, len(corner) + 1)
    last = np.cumsum(length) - 1
    following[last] = last + 1 - length
    real = (corner != corner[following]).any(axis=1)
    few = np.flatnonzero(np.bincount(ring_of[real], minlength=len(parts)) < 3)
    if len(few):
        k = int(few[0])
        raise ConfigError(
            f"polygon {owner[k]}, ring {_ring(owner[:k], owner[k])}: fewer than three corners"
        )
    edge = np.hstack((corner, corner[following]))[real]
    down = edge[:, 1] > edge[:, 3]
    edge[down] = edge[down][:, [2, 3, 0, 1]]
    start = np.zeros(len(rings) + 1, np.int32)
    np.cumsum(np.bincount(np.array(owner)[ring_of[real]], minlength=len(rings)), out=start[1:])
    return np.ascontiguousarray(edge), start


def _ring(owner: list[int], p: int) -> int:
    """Number of rings of polygon `p` among those seen: the number of the next one."""
    return owner.count(p)


def _side(box: F8, outline: F8, cell_m: float) -> float:
    """Side of a cell, metres: `cell_m`, or as much larger as the limits ask for."""
    spans = box[:, 2:] - box[:, :2]
    whole = box[:, 2:].max(axis=0) - box[:, :2].min(axis=0)
    cover = float((spans[:, 0] * spans[:, 1]).sum())
    reach = float(np.abs(outline[:, 2:] - outline[:, :2]).sum())
    side = max(float(cell_m), math.sqrt(cover / MAX_COVER), reach / MAX_REACH)
    while (whole[0] / side + 2.0) * (whole[1] / side + 2.0) > MAX_CELLS:
        side *= 1.1
    return side


def _points(points: F8) -> F8:
    points = _own(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points: expected (n, 2), found {points.shape}")
    return points


def _column(values: F8 | None, n: int, missing: float, name: str) -> F8:
    if values is None:
        return np.full(n, missing)
    if len(values) != n:
        raise ValueError(f"{name}: {len(values)} values for {n} rows")
    return _own(values, np.float64)


def _own(values: ArrayLike, dtype: type[Any]) -> NDArray[Any]:
    """Contiguous array; read-only memory is copied, else every kernel would be compiled twice."""
    array = np.ascontiguousarray(values, dtype=dtype)
    return array if array.flags.writeable else array.copy()


@kernel
def grown_by(side: float, tolerance: float) -> float:
    """Metres by which cells are enlarged when edges are filed: far above rounding, far below sense.

    Edges of a cell's neighbour so near that a point could be *on* them are thereby at hand, and a
    point that the division puts into the cell next to its own finds the same edges.
    """
    return max(1e-6 * side, 4.0 * tolerance)


@kernel
def cell_number(x: float, n: int) -> int:
    """Cell number of `x`, in cells from the grid's corner, held in 0 .. n-1 before the cast."""
    return int(min(max(x, 0.0), n - 1.0))


@kernel
def stretch(
    x1: float, y1: float, x2: float, y2: float, low: float, high: float
) -> tuple[float, float]:
    """West and east end of the part of a line (y1 <= y2) between two heights."""
    t1, t2 = 0.0, 1.0
    if y1 < low:
        t1 = min((low - y1) / (y2 - y1), 1.0) if y2 > y1 else 0.0
    if y2 > high:
        t2 = max((high - y1) / (y2 - y1), 0.0) if y2 > y1 else 1.0
    a = x1 + t1 * (x2 - x1)
    b = x2 if t2 == 1.0 else x1 + t2 * (x2 - x1)
    return min(a, b), max(a, b)


@kernel
def _east_of(x1: float, y1: float, x2: float, y2: float, y: float, x0: float, side: float) -> int:
    """First column whose left side lies east of where the edge is at height y."""
    x = x1 + (y - y1) / (y2 - y1) * (x2 - x1)
    return math.floor((x - x0) / side) + 1


@kernel
def file_edges(
    outline: F8,
    outline_start: I4,
    bounds: F8,
    grid: F8,
    nx: int,
    ny: int,
    count: I4,
    slot: I4,
    parity: U1,
    where: I4,
    room: I4,
    entries: I4,
    edges: F8,
) -> None:
    """File every polygon into its cells: first call counts, second call fills.

    With no room in `entries`: where[cell + 1] and room[cell + 1] += entries and edges of the cell.
    With room: where[cell] and room[cell] are its next free rows of both: edges of a cell lie side
    by side whatever polygon they are of, which points that come in the order of cells read in one
    go. count, slot i4 and parity u1 are scratch for the cells of the largest polygon's box.
    """
    x0, y0, side, tolerance = grid[0], grid[1], grid[2], grid[3]
    grow = grown_by(side, tolerance)
    fill = entries.shape[0] > 0
    for p in range(outline_start.shape[0] - 1):
        if outline_start[p] == outline_start[p + 1]:
            continue
        c0 = cell_number((bounds[p, 0] - grow - x0) / side, nx)
        c1 = cell_number((bounds[p, 2] + grow - x0) / side, nx)
        r0 = cell_number((bounds[p, 1] - grow - y0) / side, ny)
        r1 = cell_number((bounds[p, 3] + grow - y0) / side, ny)
        w = c1 - c0 + 1
        count[: w * (r1 - r0 + 1)] = 0
        parity[: w * (r1 - r0 + 1)] = 0
        for e in range(outline_start[p], outline_start[p + 1]):
            x1, y1, x2, y2 = outline[e, 0], outline[e, 1], outline[e, 2], outline[e, 3]
            ra = cell_number((y1 - grow - y0) / side, ny)
            rb = cell_number((y2 + grow - y0) / side, ny)
            for r in range(ra, rb + 1):
                y = y0 + r * side
                a, b = stretch(x1, y1, x2, y2, y - grow, y + side + grow)
                ca = cell_number((a - grow - x0) / side, nx)
                cb = cell_number((b + grow - x0) / side, nx)
                for c in range(ca, cb + 1):
                    count[(r - r0) * w + c - c0] += 1
                if y1 <= y < y2:
                    c = _east_of(x1, y1, x2, y2, y, x0, side)
                    if c <= c1:
                        parity[(r - r0) * w + max(c, c0) - c0] ^= 1
        for r in range(r0, r1 + 1):
            odd = 0  # of the corner: crossings of the row's bottom line west of it
            for c in range(c0, c1 + 1):
                k = (r - r0) * w + c - c0
                odd ^= parity[k]
                if count[k] == 0 and odd == 0:
                    continue
                cell = r * nx + c
                if fill:
                    j = where[cell]
                    where[cell] += 1
                    entries[j, 0] = 2 * p + odd
                    entries[j, 1] = room[cell]
                    entries[j, 2] = room[cell] + count[k]
                    room[cell] += count[k]
                    count[k] = entries[j, 1]
                    slot[k] = j
                else:
                    where[cell + 1] += 1
                    room[cell + 1] += count[k]
        if not fill:
            continue
        for e in range(outline_start[p], outline_start[p + 1]):
            x1, y1, x2, y2 = outline[e, 0], outline[e, 1], outline[e, 2], outline[e, 3]
            ra = cell_number((y1 - grow - y0) / side, ny)
            rb = cell_number((y2 + grow - y0) / side, ny)
            for r in range(ra, rb + 1):
                y = y0 + r * side
                a, b = stretch(x1, y1, x2, y2, y - grow, y + side + grow)
                ca = cell_number((a - grow - x0) / side, nx)
                cb = cell_number((b + grow - x0) / side, nx)
                spans = y1 <= y < y2
                east = _east_of(x1, y1, x2, y2, y, x0, side) if spans else 0
                for c in range(ca, cb + 1):
                    k = (r - r0) * w + c - c0
                    m = count[k]
                    count[k] += 1
                    edges[m, 0] = x1
                    edges[m, 1] = y1
                    edges[m, 2] = x2
                    edges[m, 3] = y2
                    # Take the edge's share out of the corner's parity and put in its share of
                    # the sum at the corner, so that a look-up adds only its share at the point.
                    x = x0 + c * side
                    if spans:
                        share = (max(east, c0) <= c) ^ (x1 <= x)
                    else:
                        share = ((x1 > x) != (x2 > x)) & (y >= y2)
                    if share:
                        entries[slot[k], 0] ^= 1


@kernel
def _on(px: float, py: float, x1: float, y1: float, x2: float, y2: float, tol: float) -> bool:
    """Whether a point lies within `tol` of a segment."""
    dx, dy = x2 - x1, y2 - y1
    long2 = dx * dx + dy * dy
    t = ((px - x1) * dx + (py - y1) * dy) / long2 if long2 > 0.0 else 0.0
    t = min(max(t, 0.0), 1.0)
    qx, qy = px - x1 - t * dx, py - y1 - t * dy
    return qx * qx + qy * qy <= tol * tol


@kernel
def holds(
    px: float, py: float, left: float, odd: int, edges: F8, first: int, last: int, tol: float
) -> bool:
    """Whether an entry's polygon holds a point of its cell; `left` is the cell's left side."""
    inside = odd == 1
    for k in range(first, last):
        x1, y1, x2, y2 = edges[k, 0], edges[k, 1], edges[k, 2], edges[k, 3]
        dx, dy = x2 - x1, y2 - y1
        turn = dx * (py - y1) - dy * (px - x1)
        if abs(turn) <= tol * (abs(dx) + dy) and _on(px, py, x1, y1, x2, y2, tol):
            return True
        # Both shares computed, one picked by mask: a branch here is a coin toss to the processor.
        spans = (y1 <= py) & (py < y2)
        west = x1 <= left
        below = (west ^ (x2 <= left)) & (py >= y2)
        inside ^= (spans & ((turn < 0.0) ^ west)) | (below & (not spans))
    return inside


@kernel
def cell_order(points: F8, grid: F8, nx: int, ny: int, cell: I4, count: I4, order: I4) -> None:
    """Rows of points (n, 2) in the order of their cells -> order (n,), by row within a cell.

    cell (n,) and count (nx * ny + 2,) are scratch, the latter zeros; points beside the grid come
    last.
    """
    x0, y0, side = grid[0], grid[1], grid[2]
    for i in range(points.shape[0]):
        fx, fy = (points[i, 0] - x0) / side, (points[i, 1] - y0) / side
        on_grid = (fx >= 0.0) & (fx < nx) & (fy >= 0.0) & (fy < ny)
        cell[i] = int(fy) * nx + int(fx) if on_grid else nx * ny
        count[cell[i] + 1] += 1
    for k in range(1, count.shape[0]):
        count[k] += count[k - 1]
    for i in range(points.shape[0]):
        order[count[cell[i]]] = i
        count[cell[i]] += 1


@kernel
def by_point(span: I4, held: I4, point: I4, polygon: I4) -> None:
    """Pairs in the order of points: span (n, 2) says where in `held` those of each point are."""
    at = 0
    for i in range(span.shape[0]):
        for k in range(span[i, 0], span[i, 1]):
            point[at] = i
            polygon[at] = held[k]
            at += 1


@kernel
def points_inside(
    points: F8,
    order: I4,
    height: F8,
    floor: F8,
    ceiling: F8,
    active: U1,
    grid: F8,
    nx: int,
    ny: int,
    cell_start: I4,
    entries: I4,
    edges: F8,
    ahead: I4,
    warm: F8,
    span: I4,
    held: I4,
) -> int:
    """Polygons that hold points (n, 2), looked up in `order` -> held (size,); number found.

    held[span[i, 0] : span[i, 1]] are those of point i. Where as many or more are found than there
    is room for, all of the output is to be thrown away.

    ahead (4, b), warm (b,) are scratch. Points go through in blocks of b, first all their cells,
    then the first entry of each, then its first edge, then the verdicts: so the look-ups in memory
    overlap instead of each waiting for the branch before it, which makes large scattered batches
    1.5 times as fast. Lost: a mask of 8 x 8 parts for each entry, which spares most edge tests,
    gave another sixth and doubled the time to build.
    """
    x0, side, tol = grid[0], grid[2], grid[3]
    size = held.shape[0] - 1
    found = 0
    for base in range(0, order.shape[0], warm.shape[0]):
        n = min(warm.shape[0], order.shape[0] - base)
        look_up(points, order, base, n, grid, nx, ny, cell_start, ahead)
        for i in range(n):
            warm[i] = entries[ahead[2, i], 1]
        for i in range(n):
            warm[i] = edges[int(warm[i]), 0]
        for i in range(n):
            row = ahead[0, i]
            h = height[row]
            span[row, 0] = found
            for j in range(ahead[2, i], ahead[3, i]):
                p = entries[j, 0] >> 1
                # Two "outside" tests, not one "inside": an unknown height or limit passes.
                if active[p] == 0 or h < floor[p] or h > ceiling[p]:
                    continue
                hit = holds(
                    points[row, 0], points[row, 1], x0 + ahead[1, i] * side,
                    entries[j, 0] & 1, edges, entries[j, 1], entries[j, 2], tol,
                )  # fmt: skip
                held[min(found, size)] = p
                found += 1 if hit else 0
            span[row, 1] = found
    return found


@kernel
def look_up(
    points: F8, order: I4, base: int, n: int, grid: F8, nx: int, ny: int, cell_start: I4, ahead: I4
) -> None:
    """Of `n` points from `order[base]` on: row, column of the cell, its first entry and last + 1.

    -> ahead (4, n); a point beside the grid has no entries.
    """
    x0, y0, side = grid[0], grid[1], grid[2]
    for i in range(n):
        row = order[base + i]
        fx, fy = (points[row, 0] - x0) / side, (points[row, 1] - y0) / side
        on_grid = (fx >= 0.0) & (fx < nx) & (fy >= 0.0) & (fy < ny)
        c = int(fx) if on_grid else 0
        cell = int(fy) * nx + c if on_grid else 0
        ahead[0, i] = row
        ahead[1, i] = c
        ahead[2, i] = cell_start[cell]
        ahead[3, i] = cell_start[cell + 1] if on_grid else cell_start[cell]


@kernel
def touch(
    ax: float,
    ay: float,
    bx: float,
    by: float,
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    tol: float,
) -> bool:
    """Whether two segments have a point in common, or come within `tol` of it."""
    if max(ax, bx) < min(x1, x2) - tol or min(ax, bx) > max(x1, x2) + tol:
        return False
    if max(ay, by) < min(y1, y2) - tol or min(ay, by) > max(y1, y2) + tol:
        return False
    dx, dy = x2 - x1, y2 - y1
    ex, ey = bx - ax, by - ay
    da, db = dx * (ay - y1) - dy * (ax - x1), dx * (by - y1) - dy * (bx - x1)
    d1, d2 = ex * (y1 - ay) - ey * (x1 - ax), ex * (y2 - ay) - ey * (x2 - ax)
    if (da > 0.0) != (db > 0.0) and (d1 > 0.0) != (d2 > 0.0):
        return True
    near, near_move = tol * (abs(dx) + abs(dy)), tol * (abs(ex) + abs(ey))
    return (
        (abs(da) <= near and _on(ax, ay, x1, y1, x2, y2, tol))
        or (abs(db) <= near and _on(bx, by, x1, y1, x2, y2, tol))
        or (abs(d1) <= near_move and _on(x1, y1, ax, ay, bx, by, tol))
        or (abs(d2) <= near_move and _on(x2, y2, ax, ay, bx, by, tol))
    )


@kernel
def moves_crossing(
    a: F8,
    b: F8,
    grid: F8,
    nx: int,
    ny: int,
    cell_start: I4,
    entries: I4,
    edges: F8,
    seen: I4,
    move: I4,
    polygon: I4,
) -> int:
    """Pairs of moves a -> b (n, 2) and polygons -> move, polygon (size,); number found.

    seen (p,) holds -1: the last move that each polygon was reported for.
    """
    x0, y0, side, tol = grid[0], grid[1], grid[2], grid[3]
    # Half of what edges were filed with: a cell that the move only comes near to, and that has no
    # edges, is so surely inside that the move's own points there are.
    grow = 0.5 * grown_by(side, tol)
    found = 0
    for i in range(a.shape[0]):
        ax, ay, bx, by = a[i, 0], a[i, 1], b[i, 0], b[i, 1]
        if not (abs(ax) <= FAR_M and abs(ay) <= FAR_M and abs(bx) <= FAR_M and abs(by) <= FAR_M):
            continue
        begin = found
        x1, y1, x2, y2 = (ax, ay, bx, by) if ay <= by else (bx, by, ax, ay)
        lowest, highest = (y1 - grow - y0) / side, (y2 + grow - y0) / side
        if highest < 0.0 or lowest >= ny:
            continue
        start_c, start_r = math.floor((ax - x0) / side), math.floor((ay - y0) / side)
        for r in range(cell_number(lowest, ny), cell_number(highest, ny) + 1):
            y = y0 + r * side
            xa, xb = stretch(x1, y1, x2, y2, y - grow, y + side + grow)
            west, east = (xa - grow - x0) / side, (xb + grow - x0) / side
            if east < 0.0 or west >= nx:
                continue
            for c in range(cell_number(west, nx), cell_number(east, nx) + 1):
                cell = r * nx + c
                for j in range(cell_start[cell], cell_start[cell + 1]):
                    p = entries[j, 0] >> 1
                    if seen[p] == i:
                        continue
                    odd, first, last = entries[j, 0] & 1, entries[j, 1], entries[j, 2]
                    hit = first == last
                    for k in range(first, last):
                        if touch(
                            ax, ay, bx, by,
                            edges[k, 0], edges[k, 1], edges[k, 2], edges[k, 3], tol,
                        ):  # fmt: skip
                            hit = True
                            break
                    if not hit and r == start_r and c == start_c:
                        hit = holds(ax, ay, x0 + c * side, odd, edges, first, last, tol)
                    if not hit:
                        continue
                    seen[p] = i
                    if found < move.shape[0]:
                        k = found  # a move meets few polygons: insertion keeps them sorted
                        while k > begin and polygon[k - 1] > p:
                            polygon[k] = polygon[k - 1]
                            k -= 1
                        polygon[k] = p
                        move[found] = i
                    found += 1
    return found


@kernel
def nearest_edge(
    points: F8,
    polygon: NDArray[np.int64],
    outline: F8,
    outline_start: I4,
    tol: float,
    distance: F8,
    foot: F8,
) -> None:
    """Signed distance (n,) m and nearest boundary point (n, 2) of points (n, 2), pair by pair."""
    for i in range(points.shape[0]):
        px, py, p = points[i, 0], points[i, 1], polygon[i]
        distance[i] = np.nan
        foot[i, 0] = np.nan
        foot[i, 1] = np.nan
        if not (abs(px) <= FAR_M and abs(py) <= FAR_M and 0 <= p < outline_start.shape[0] - 1):
            continue
        best = np.inf
        inside = False
        for k in range(outline_start[p], outline_start[p + 1]):
            x1, y1, x2, y2 = outline[k, 0], outline[k, 1], outline[k, 2], outline[k, 3]
            dx, dy = x2 - x1, y2 - y1
            t = ((px - x1) * dx + (py - y1) * dy) / (dx * dx + dy * dy)
            t = min(max(t, 0.0), 1.0)
            qx, qy = x1 + t * dx, y1 + t * dy
            d2 = (px - qx) * (px - qx) + (py - qy) * (py - qy)
            if d2 < best:
                best = d2
                foot[i, 0] = qx
                foot[i, 1] = qy
            inside ^= (y1 <= py) & (py < y2) & (dx * (py - y1) - dy * (px - x1) < 0.0)
        if best < np.inf:
            d = math.sqrt(best)
            distance[i] = -d if inside or d <= tol else d
