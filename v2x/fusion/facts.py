"""What is known of the sensors, and their plots against the paths the other sensors saw."""

from dataclasses import dataclass

from v2x.columns import B1, F8, I4, I8, Columns, column
from v2x.fusion.elimination import BIASES


@dataclass(frozen=True, slots=True)
class SensorFacts(Columns):
    """What is known of each sensor, a row each in the order of the table; NaN: not observable.

    Biases are against the consensus of the sensors: what all share cannot be seen. Where it is
    open who is off (two sensors that differ), both are half off, with a deviation as large.

    Attributes
    ----------
    offset, offset_sd
        (n, 3) east, north, up, m.
    yaw, yaw_sd, scale, scale_sd, clock_s, clock_sd
        psi in rad, kappa, tau in s, of the module's formula.
    cov
        (n, 6, 6) covariance of offset, yaw, scale, clock; where not observable, the prior's.
    observable
        (n, 6) which of the six the data can tell.
    agreement
        Weight in the consensus: 1 like the others, near 0 let go.
    windows
        Windows that speak of it, those of the past half-lives counted less.
    noise
        Variance of its plots about the paths over the stated one, 1 if they are honest.
    nis
        NIS per dimension; expected 1.
    p_detect, p_detect_sd
        Share of expected looks at confirmed tracks that gave a plot.
    clutter, clutter_sd
        Unexplained plots per look and unit of area or volume.
    duplicates
        Share of plots that were copies.
    """

    offset: F8 = column("f8", 3)
    offset_sd: F8 = column("f8", 3)
    yaw: F8 = column("f8")
    yaw_sd: F8 = column("f8")
    scale: F8 = column("f8")
    scale_sd: F8 = column("f8")
    clock_s: F8 = column("f8")
    clock_sd: F8 = column("f8")
    cov: F8 = column("f8", (BIASES, BIASES))
    observable: B1 = column("?", BIASES)
    agreement: F8 = column("f8")
    windows: F8 = column("f8")
    noise: F8 = column("f8")
    nis: F8 = column("f8")
    p_detect: F8 = column("f8")
    p_detect_sd: F8 = column("f8")
    clutter: F8 = column("f8")
    clutter_sd: F8 = column("f8")
    duplicates: F8 = column("f8")


@dataclass(frozen=True, slots=True)
class CrossResiduals(Columns):
    """Plots of closed windows against the path of the *other* sensors in the window.

    Attributes
    ----------
    t_ns, sensor, track
        Of the plot.
    residual
        (n, 3) plot minus path, m; up NaN where either has no height.
    cov
        (n, 6) its covariance, m², upper triangle: that of plot and path, biases aside.
    vel
        (n, 3) velocity of that path, m/s.
    """

    t_ns: I8 = column("i8")
    sensor: I4 = column("i4")
    track: I8 = column("i8")
    residual: F8 = column("f8", 3)
    cov: F8 = column("f8", 6)
    vel: F8 = column("f8", 3)
