"""Tests of a claim: is a Remote ID drone where, and what, it says it is.

Each test is a function of what was claimed lately, one row per identity and oldest claim first, NaN
or False where there is none. None remembers anything; `v2x.lowalt.doubts` keeps what they need and
says how long each must hold. Allowed for before anything is held against a claim: a clock up to
`DELAY_S` late, the error of satellite navigation (`GNSS_SD_M`, whatever the claim says of itself),
and a height over another datum (`DATUM_M`). All limits are ours, to be tuned, unless a source is
named.
"""

from math import nan

import numpy as np

from v2x.columns import B1, F8, I8

DELAY_S, EARLY_S = 2.0, 0.5
"""A claim may describe the place of so long ago, or of so soon: it is fixed, sent, stamped and
relayed by different clocks."""
GNSS_SD_M, WORST_SD_M = 10.0, 30.0
"""Standard deviation taken for the part of a claim's error that does not average out, and the most
that a claim is granted for saying that it is poor."""
DATUM_M = 15.0
"""Heights of one place over sea level, ellipsoid or a wrong geoid differ by less around Tianjin
(undulation -8.2 m)."""
LLR = 10.0
FASTEST_MPS = 120.0
"""Nothing called a drone here flies faster."""
PLACES_M = 500.0
PLACES_NS = 2_000_000_000
JUMP_SIGMAS = 5.0
AGILE_MPS2 = 10.0
"""Acceleration of a manoeuvre that is not a jump."""
CLASS_MPS = (26.0, 43.0)
"""Speed over ground of the classes micro and light: 40 and 100 km/h (Interim Regulations on
unmanned aircraft flight, article 62), and 15 m/s of wind."""
FAST_MPS, CLIMB_MPS = 100.0, 30.0
"""The same for other classes, and a climb or descent of any."""
LAW_M = 5.0
PRESSURE_M = 60.0
POWER_SD_DB = 8.0
"""Shadowing and antennas around the law of free space, per receiver."""
POWER_STILL_DB = 2.0
"""Received power that varies by no more than this (standard deviation) is constant."""
RANGE_DB = 20.0 * np.log10(3.0)
"""Range times three, in dB."""
SIGMAS_001 = 3.09
"""One-sided normal quantile of p = 0.001."""
PILOT_M = 10_000.0
COMMON_M = 25.0
"""Shifts closer than this to each other are one shift."""
VICTIMS, VICTIM_SHARE = 5, 0.6
"""So many identities, and so large a share of those compared, make it an area."""
PRODUCT_ID = frozenset("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ")
"""Characters of a product id: GB 46860, and CTA-2063-A alike, leave out O and I."""


def without_delay(offset: F8, velocity: F8) -> F8:
    """What remains of offsets (..., 2) when the claim's clock may be late or early.

    A claim that is ``tau`` s late lies ``velocity * tau`` behind; the ``tau`` within the limits
    that leaves least is taken out. An unknown velocity explains nothing.
    """
    v = np.nan_to_num(velocity)
    speed2 = (v * v).sum(axis=-1)
    back = -(offset * v).sum(axis=-1)
    tau = np.clip(back / np.maximum(speed2, 1e-9), -EARLY_S, DELAY_S)
    made: F8 = offset + v * tau[..., None]
    return made


def without_datum(up: F8) -> F8:
    """What remains of height differences when one may be over another datum, (n,) m."""
    made: F8 = np.sign(up) * np.maximum(np.abs(up) - DATUM_M, 0.0)
    return made


def position_llr(offset: F8, velocity: F8, sd: F8, up: F8, up_sd: F8) -> tuple[F8, F8]:
    """Log-likelihood that claims are shifted against sensors, over that they are not; the shift.

    Parameters
    ----------
    offset, velocity : (n, k, 2)
        Claim minus object by the sensors, m, and what it moves at, m/s.
    sd, up_sd : (n, k)
        Standard deviations of offset and of `up`, m: of the object, and of the claim's error that
        lasts.
    up : (n, k)
        Claimed height minus the sensors'; NaN unknown.

    Returns
    -------
    llr : (n,)
        NaN below three comparisons. The mean offset and the mean height difference are free under
        the one hypothesis, delay and datum under the other; each free number costs half of
        ln(comparisons).
    shift : (n, 2)
        Mean offset, m.
    """
    n = np.isfinite(offset[:, :, 0]).sum(axis=1)
    m = np.isfinite(up).sum(axis=1)
    shift = _mean(offset)
    left = without_delay(shift, _mean(velocity))
    z2 = (left * left).sum(axis=1) / _mean(sd) ** 2
    llr = 0.5 * z2 - 1.5 * np.log(np.maximum(n, 1))
    tall = 0.5 * (without_datum(_mean(up)) / _mean(up_sd)) ** 2 - np.log(np.maximum(m, 1))
    llr += np.where((m >= 3) & (tall > 0.0), tall, 0.0)
    return np.where(n >= 3, llr, nan), shift


def two_places(when: I8, place: F8, sd: F8, mac: I8) -> B1:
    """Identities that are claimed in two places, (n,).

    Either claims alternate: three moves in the window that ask for more than `FASTEST_MPS` also
    when clocks are off. Or two transmitters send it, `PLACES_M` apart within `PLACES_NS`.

    when (n, k) ns, place (n, k, 2) m, sd (n, k) m, mac (n, k), -1 unknown.
    """
    step = np.linalg.norm(np.diff(place, axis=1), axis=2)
    gap = np.abs(np.diff(when, axis=1))
    sure = step - 3.0 * np.hypot(sd[:, 1:], sd[:, :-1])
    far = sure > FASTEST_MPS * (gap * 1e-9 + DELAY_S)
    other = (mac[:, 1:] != mac[:, :-1]) & (mac[:, 1:] >= 0) & (mac[:, :-1] >= 0)
    twins = other & (step > PLACES_M) & (gap <= PLACES_NS)
    made: B1 = (far.sum(axis=1) >= 3) | twins.any(axis=1)
    return made


def impossible_motion(when: I8, place: F8, velocity: F8, sd: F8, uas_class: I8) -> B1:
    """Identities that twice in the window moved as no drone of their class does, (n,).

    A jump: a fix more than 5 sigma from where the fix before said it would be; there and back
    counts once. Or a speed or climb beyond the class, claimed twice.

    when (n, k) ns, place (n, k, 2) m, velocity (n, k, 3) m/s, sd (n, k) m, uas_class (n,) as
    `Name.UAS_CLASS`, -1 unknown.
    """
    gap = np.diff(when, axis=1) * 1e-9
    flat = velocity[:, :, :2]
    move = np.diff(place, axis=1)
    claimed = 0.5 * (flat[:, 1:] + flat[:, :-1])
    off = np.linalg.norm(move - claimed * gap[:, :, None], axis=2)
    speed = np.linalg.norm(claimed, axis=2)
    agile = 0.5 * AGILE_MPS2 * np.square(gap)
    sigma = np.sqrt(sd[:, 1:] ** 2 + sd[:, :-1] ** 2 + agile**2 + (speed * 0.25 * DELAY_S) ** 2)
    jump = (off > JUMP_SIGMAS * sigma) & (gap > 0.0) & (gap < 10.0)
    jumps, last = np.zeros(len(when), np.int64), np.zeros(len(when), np.bool_)
    for k in range(jump.shape[1]):
        last = jump[:, k] & ~last
        jumps += last
    limit = np.full(len(when), FAST_MPS)
    for code, fastest in enumerate(CLASS_MPS):
        limit[uas_class == code] = fastest
    too_fast = np.linalg.norm(flat, axis=2) > limit[:, None]
    too_fast |= np.abs(velocity[:, :, 2]) > CLIMB_MPS
    made: B1 = (jumps >= 2) | (too_fast.sum(axis=1) >= 2)
    return made


def power_against_range(power: F8, log_range: F8) -> B1:
    """Identities whose received powers do not fit the ranges they claim, p < 0.001, (n,).

    power, log_range (n, receivers): mean received power in dBm, less what the receiver is off by,
    and 20 log10 of the claimed range in m; NaN not heard. Under the law of free space their sum is
    the transmitter's power plus shadowing: chi-square about its mean, at three receivers or more.
    Its upper tail by Wilson and Hilferty (1931).
    """
    level = power + log_range
    n = np.isfinite(level).sum(axis=1)
    rest = level - _mean(level[:, :, None])
    chi2 = np.nansum(np.square(rest), axis=1) / POWER_SD_DB**2
    made: B1 = (n >= 3) & (_tail_sigmas(chi2, n - 1) > SIGMAS_001)
    return made


def power_without_range(power: F8, log_range: F8) -> B1:
    """Identities that one receiver hears alike however far away they claim to be, (n,).

    power, log_range (n, k) of one receiver each. The claimed range must change by a factor of
    three; the power must stand still, and its slope on the range be p < 0.001 above free space's.
    """
    there = np.isfinite(power) & np.isfinite(log_range)
    n = there.sum(axis=1)
    x = np.where(there, log_range, nan)
    y = np.where(there, power, nan)
    dx, dy = x - _mean(x[:, :, None]), y - _mean(y[:, :, None])
    sxx = np.nansum(dx * dx, axis=1)
    slope = np.nansum(dx * dy, axis=1) / np.maximum(sxx, 1e-9)
    rest = np.nansum(np.square(dy - slope[:, None] * dx), axis=1) / np.maximum(n - 2, 1)
    error = np.sqrt(np.maximum(rest, 9.0) / np.maximum(sxx, 1e-9))
    still = np.sqrt(np.nansum(dy * dy, axis=1) / np.maximum(n - 1, 1)) <= POWER_STILL_DB
    made: B1 = (n >= 6) & still & (_span(x) >= RANGE_DB)
    made &= (slope + 1.0) / error > SIGMAS_001
    return made


def height_law_broken(over_take_off: F8, over_pressure: F8, region_m: float) -> B1:
    """Identities whose heights do not belong together, (n,).

    over_take_off, over_pressure (n, k) m: claimed height less that above take-off, which is the
    height of the take-off point and constant, and less pressure altitude, which is the region's
    `region_m` (NaN: not known, not judged). Medians of the older and the newer half, at least four
    of each, may differ by `LAW_M` and by 4 sigma of their own scatter.
    """
    half = over_take_off.shape[1] // 2
    old, new = over_take_off[:, :half], over_take_off[:, half:]
    enough = np.minimum(np.isfinite(old).sum(axis=1), np.isfinite(new).sum(axis=1))
    a, b = _median(old), _median(new)
    scatter = 1.4826 * np.maximum(
        _median(np.abs(old - a[:, None])), _median(np.abs(new - b[:, None]))
    )
    sigma = 1.25 * scatter * np.sqrt(2.0 / np.maximum(enough, 1))
    made: B1 = (enough >= 4) & (np.abs(a - b) > np.maximum(LAW_M, 4.0 * sigma))
    p = np.isfinite(over_pressure).sum(axis=1) >= 5
    made |= p & (np.abs(_median(over_pressure) - region_m) > PRESSURE_M)
    return made


def malformed(product_id: str, mark: str) -> bool:
    """Whether a 20-character product id, or a mark, is none by its characters; "" not sent.

    Identities of other lengths belong to other schemes and are not judged.
    """
    wrong = len(product_id) == 20 and not PRODUCT_ID.issuperset(product_id)
    return wrong or bool(mark and not (len(mark) == 8 and mark.isascii() and mark.isdigit()))


def common_shift(shift: F8, body: I8) -> B1:
    """Identities that one and the same shift carries off: victims of an area, not forgers, (n,).

    shift (n, 2) m of every identity that was compared, body (n,) the track each was compared with:
    a forger can invent identities, but not the drones that sensors see. True for those that lie
    within `COMMON_M` of the median of the shifted ones, if they are `VICTIMS` tracks or more and
    `VICTIM_SHARE` of all that were compared.
    """
    victims = np.zeros(len(shift), np.bool_)
    moved = np.flatnonzero(np.linalg.norm(shift, axis=1) > COMMON_M)
    if len(moved) < VICTIMS:
        return victims
    middle = np.median(shift[moved], axis=0)
    alike = moved[np.linalg.norm(shift[moved] - middle, axis=1) <= COMMON_M]
    tracks = len(np.unique(body[alike]))
    victims[alike] = tracks >= VICTIMS and tracks >= VICTIM_SHARE * len(np.unique(body))
    return victims


def _tail_sigmas(chi2: F8, freedom: I8) -> F8:
    """Standard normal deviate with the same upper tail as chi-square."""
    k = np.maximum(freedom, 1)
    made: F8 = (np.cbrt(chi2 / k) - 1.0 + 2.0 / (9.0 * k)) / np.sqrt(2.0 / (9.0 * k))
    return made


def _mean(x: F8) -> F8:
    """Mean over axis 1 of what is there; NaN where nothing is. A last axis of 1 stays as (n, 1)."""
    there = np.isfinite(x)
    n = there.sum(axis=1)
    made: F8 = np.where(n > 0, np.where(there, x, 0.0).sum(axis=1) / np.maximum(n, 1), nan)
    return made


def _median(x: F8) -> F8:
    """Median over axis 1 of what is there; NaN where nothing is."""
    there = np.isfinite(x).sum(axis=1)
    ranked = np.sort(x, axis=1)  # NaN last
    at = np.arange(len(x))
    low, high = ranked[at, np.maximum(there - 1, 0) // 2], ranked[at, there // 2 % x.shape[1]]
    made: F8 = np.where(there > 0, 0.5 * (low + high), nan)
    return made


def _span(x: F8) -> F8:
    """Largest less smallest over axis 1 of what is there; -inf where nothing is."""
    there = np.isfinite(x)
    most, least = np.where(there, x, -np.inf).max(axis=1), np.where(there, x, np.inf).min(axis=1)
    made: F8 = np.where(there.any(axis=1), most - least, -np.inf)
    return made
