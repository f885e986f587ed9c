"""v2x: vehicle, road, air and space sensing as one stream.

Frames from roadside units, BeiDou terminals, drone receivers and radars become one fused picture
of road and low airspace, and that picture becomes alerts. Nothing is imported here, so that
``v2x --help`` answers at once.
"""

__version__ = "0.1.0"
