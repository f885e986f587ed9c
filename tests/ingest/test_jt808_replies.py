import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest import naive_jt808
from v2x.ingest.formats.jt808 import encode_batch, encode_heartbeat, encode_position
from v2x.ingest.jt808_encode import (
    encode_authentication,
    encode_frame,
    encode_parts,
    encode_registration,
)
from v2x.ingest.jt808_replies import reply_to
from v2x.ingest.timestamps import parse_iso

T = parse_iso("2026-11-24T02:11:12Z")
PHONE = "13800138000"


def registration(edition: str, phone: str = PHONE) -> bytes:
    said = dict(maker="70111", model="KT", terminal="1", colour=1, plate="津A12345")
    return encode_registration(phone, 0x7E7D, **said, edition=edition)


def opened(reply: bytes) -> tuple[str, str, int, str]:
    """Message, phone, serial and body of an answer whose check byte and length are right."""
    plain = naive_jt808.plain(reply)
    check = 0
    for byte in plain:
        check ^= byte
    assert check == 0
    late = plain[2] >> 6 & 1
    head = 17 if late else 12
    assert int.from_bytes(plain[2:4], "big") & 0x3FF == len(plain) - head - 1
    phone = plain[5:15] if late else plain[4:10]
    return (
        plain[:2].hex(), phone.hex().lstrip("0"),
        int.from_bytes(plain[head - 2 : head], "big"), plain[head:-1].hex(),
    )  # fmt: skip


@pytest.mark.parametrize("edition", ["2013", "2019"])
@pytest.mark.parametrize(
    ("frame", "about"),
    [
        (lambda e: encode_heartbeat(PHONE, 5, edition=e), "0005000200"),
        (lambda e: encode_authentication(PHONE, 6, "secret", edition=e), "0006010200"),
        (lambda e: encode_position(PHONE, 7, T, 39, 117, 3, 0, 0, edition=e), "0007020000"),
        (lambda e: encode_batch(PHONE, 0x7E7D, [], edition=e), "7e7d070400"),
        (lambda e: encode_frame(0x0801, PHONE, 8, bytes(40), edition=e), "0008080100"),
        (lambda e: encode_frame(0x0F01, PHONE, 9, b"", edition=e), "00090f0103"),
    ],
)
def test_a_message_is_acknowledged_by_its_serial_and_number(frame, about, edition):
    assert opened(reply_to(frame(edition), 0x17D7E)) == ("8001", PHONE, 0x7D7E, about)


def test_every_part_is_acknowledged_by_its_own_serial():
    parts = encode_parts(0x0801, PHONE, 20, bytes(2000))
    assert [opened(reply_to(part, 1))[3] for part in parts] == ["0014080100", "0015080100"]


def test_an_encrypted_message_is_not_supported():
    frame = encode_frame(0x0200, PHONE, 7, bytes(28))
    plain = bytearray(naive_jt808.plain(frame))
    plain[2] |= 0x04
    plain[-1] ^= 0x04
    assert opened(reply_to(b"\x7e" + bytes(plain) + b"\x7e", 1))[3] == "0007020003"


def test_a_wrong_check_byte_is_acknowledged_as_the_decoder_reads_it_all_the_same():
    frame = bytearray(encode_position(PHONE, 7, T, 39, 117, 3, 0, 0))
    frame[-2] ^= 0x11
    assert opened(reply_to(bytes(frame), 1))[3] == "0007020000"


@pytest.mark.parametrize("edition", ["2011", "2013", "2019"])
def test_registration_gets_a_code_that_depends_on_the_phone_alone(edition):
    message, phone, serial, body = opened(reply_to(registration(edition), 3))
    assert (message, phone, serial) == ("8100", PHONE, 3)
    assert body[:6] == "7e7d00"
    code = bytes.fromhex(body[6:])
    assert len(code) == 16
    assert opened(reply_to(registration("2019"), 9))[3][6:] == code.hex()
    assert opened(reply_to(registration(edition, "7"), 3))[3][6:] != code.hex()


@pytest.mark.parametrize("message", [0x0001, 0x0104, 0x0201, 0x0500, 0x8001, 0x8103, 0x9101])
def test_answers_and_what_platforms_send_are_not_answered(message):
    assert reply_to(encode_frame(message, PHONE, 1, bytes(30)), 1) is None


def test_every_cut_of_a_frame_is_answered_or_not_and_never_fails():
    frame = registration("2019")
    for k in range(len(frame)):
        assert reply_to(frame[:k], 1) is None
        opened(reply_to(b"\x7e" + frame[1:k] + b"\x7e", 1) or encode_heartbeat("1", 1))


@given(st.binary(max_size=80), st.integers(0, 1 << 40))
def test_any_bytes_are_answered_with_a_frame_or_nothing(noise, serial):
    for frame in (noise, b"\x7e" + noise + b"\x7e"):
        reply = reply_to(frame, serial)
        if reply is not None:
            assert opened(reply)[2] == serial & 0xFFFF
