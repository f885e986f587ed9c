"""Identity texts of roadside messages."""


def ident_text(scheme: str, octets: bytes) -> str:
    """Identity text of an 8-octet id: ``bsm:`` in hex, ``rsu:`` in ASCII where it is that.

    Empty for padding alone (NUL, and blanks in a unit's name).
    """
    if not octets.strip(b"\0"):
        return ""
    if scheme == "rsu":
        name = octets.strip(b"\0 ")
        if not name:
            return ""
        if all(0x20 < c < 0x7F for c in name):
            return f"rsu:{name.decode('ascii')}"
    return f"{scheme}:{octets.hex()}"
