"""What the event and sign numbers of an RSI are called.

Event codes are class x 100 + sequence of GB/T 29100-2012, which is sold, not published: the class
is reliable, the sequence is that of one maker's table and likely; 407, 408 and 707 have a second
source. Class 9 is an extension of makers. Sign numbers are rows of GB 5768.2-2009.
"""

CLASSES = {
    1: "accident", 2: "disaster", 3: "weather", 4: "road surface", 5: "works", 6: "activity",
    7: "major event", 9: "vehicle state",
}  # fmt: skip

EVENTS = {
    101: "vehicle breakdown", 102: "accident with a person", 103: "accident between vehicles",
    104: "accident with infrastructure", 199: "other accident",
    201: "vehicle fire", 202: "road fire", 205: "infrastructure fire", 206: "geological disaster",
    207: "flood", 299: "other disaster",
    301: "rain", 302: "hail", 304: "wind", 305: "fog", 306: "heat", 308: "snow", 311: "haze",
    397: "sleet", 398: "temperature and humidity", 399: "sand storm",
    401: "debris", 405: "pedestrian on the road", 406: "animal on the road",
    407: "water on the road", 408: "slippery road", 409: "ice", 410: "snow cover",
    411: "road damage",
    499: "other state of the surface",
    501: "lane occupied by works", 502: "road cut by works", 503: "rescue or repair",
    599: "other works",
    601: "commercial, sport or cultural activity", 602: "official activity", 603: "other activity",
    701: "gas leak", 704: "explosion", 706: "violence", 707: "congestion", 708: "falling rock",
    709: "landslide", 799: "other major event",
    901: "vehicle too fast", 902: "vehicle too slow", 903: "vehicle stopped", 904: "wrong way",
    905: "emergency lane used", 906: "give way to a heavy vehicle", 907: "illegal lane change",
    908: "straddling lanes", 998: "other vehicle state",
}  # fmt: skip

SIGNS = {
    0: "text", 2: "sharp bend", 5: "steep slope", 15: "falling rock", 17: "slippery road",
    21: "tunnel", 26: "dip", 27: "ford", 34: "accident spot", 37: "danger", 38: "works",
    53: "no motor vehicles", 76: "no overtaking", 78: "no parking", 81: "width limit",
    82: "height limit", 85: "speed limit", 114: "pedestrian crossing", 163: "narrowing",
    242: "school",
}  # fmt: skip


def event_name(code: int) -> str:
    """Name of an event type; of its class where the sequence is not known, else its number."""
    known = EVENTS.get(code)
    if known is None:
        group = CLASSES.get(code // 100)
        return str(code) if group is None else f"{group} {code}"
    return known


def sign_name(code: int) -> str:
    """Name of a sign type, or its number."""
    return SIGNS.get(code, str(code))
