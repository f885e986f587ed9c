"""Generated flights of the low airspace: incursions, innocents, identities, false claims.

=============  =====================================================================================
`truth`        zones as shapes, flights as places in time, and what follows from the two alone
`motion`       how a drone moves: legs of speed, turn and climb within what one can fly
`incursions`   families of flights that enter a zone
`innocents`    families of flights that no red or orange alert may come of
`claims`       families about identity: dark, unheard, late, and five kinds of false claims
`airport`      the obstacle surfaces that manned flights cross
`field`        many flights far apart, with sensors, zones, registry and plans: one run
`senders`      what the sensors of a field put on the wire
=============  =====================================================================================

Flight `k` of a suite and seed is drawn from a generator of its own, so that it is the same flight
however many others are asked for.
"""
