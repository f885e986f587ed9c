"""The webhook against a real HTTP server, judged by the reference library of Standard Webhooks."""

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import trustme
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from v2x.alert import Alert
from v2x.alerts.sinks import webhook as module
from v2x.alerts.sinks.webhook import Webhook
from v2x.errors import ConfigError, GiveUp, RetryLater

from .pictures import drone, engine, picture, run

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
LOOPBACK = ("127.0.0.0/8",)


class Receiver:
    """A server on loopback that keeps what comes and answers what it is told to."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.status, self.headers = 204, dict[str, str]()
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(
                    (self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                )
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def alert() -> Alert:
    from v2x.alerts.rules.zone_intrusion import RULE

    settings = {"zone_intrusion": (True, 0.0, None)}
    (made,) = run(
        engine(RULE, settings=settings), [picture(0, [drone()], inside=[(0, "P-1", 1.0)])]
    )
    return made


def to(receiver: Receiver, *secrets: str, **options: Any) -> Webhook:
    url = f"http://127.0.0.1:{receiver.port}/hooks/v2x?token=t"
    return Webhook(url, secrets or (SECRET,), LOOPBACK, source="v2x/test", **options)


def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name have these addresses."""
    found = [ip_address(address) for address in addresses]
    monkeypatch.setattr(module, "resolved", lambda host, port: found)


def test_the_reference_library_takes_what_is_sent(receiver: Receiver, alert: Alert) -> None:
    sink = to(receiver)
    receipt = sink.send(alert)
    sink.close()
    ((path, headers, body),) = receiver.got
    event = Verifier(SECRET).verify(body, headers)
    assert path == "/hooks/v2x?token=t"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert (headers["webhook-id"], event["id"]) == (f"{alert.id}.{alert.rev}",) * 2
    assert (event["specversion"], event["type"], event["source"]) == (
        "1.0", "v2x.alert.v1", "v2x/test",
    )  # fmt: skip
    assert (event["subject"], event["sequence"]) == (alert.id, str(alert.rev))
    assert event["time"] == alert.body["event_time"]
    assert event["data"] == alert.body
    assert receipt.destination == "webhook"
    assert receipt.reference.startswith("204 ")
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body.replace(b"uas", b"uaz"), headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(OTHER).verify(body, headers)


def test_a_repeat_has_the_same_body_and_id_and_a_time_of_its_own(
    receiver: Receiver, alert: Alert
) -> None:
    times = iter([1_790_000_000.9, 1_790_000_060.0])
    sink = to(receiver, clock=lambda: next(times))
    sink.send(alert)
    sink.send(alert)
    sink.close()
    (_, first, one), (_, second, other) = receiver.got
    assert one == other
    assert first["webhook-id"] == second["webhook-id"]
    assert [h["webhook-timestamp"] for h in (first, second)] == ["1790000000", "1790000060"]
    assert first["webhook-signature"] != second["webhook-signature"]


def test_while_a_secret_is_replaced_both_verify(receiver: Receiver, alert: Alert) -> None:
    sink = to(receiver, OTHER, SECRET)
    sink.send(alert)
    sink.close()
    ((_, headers, body),) = receiver.got
    assert len(headers["webhook-signature"].split()) == 2
    for secret in (OTHER, SECRET):
        Verifier(secret).verify(body, headers)


@pytest.mark.parametrize(
    ("status", "headers", "after_s"),
    [
        (500, {}, 0.0),
        (404, {}, 0.0),
        (503, {"Retry-After": "7"}, 7.0),
        (429, {"Retry-After": "999999"}, 3600.0),
        (503, {"Retry-After": "Fri, 31 Dec 2027 23:59:59 GMT"}, 0.0),
        (302, {"Location": "http://127.0.0.1:1/elsewhere"}, 0.0),
    ],
)
def test_an_answer_that_is_no_receipt_is_tried_again(
    receiver: Receiver, alert: Alert, status: int, headers: dict[str, str], after_s: float
) -> None:
    receiver.status, receiver.headers = status, headers
    sink = to(receiver)
    with pytest.raises(RetryLater, match=f"answered {status}") as told:
        sink.send(alert)
    assert told.value.after_s == after_s
    assert "token" not in str(told.value)
    receiver.status, receiver.headers = 200, {}
    sink.send(alert)
    sink.close()
    assert len(receiver.got) == 2


def test_a_receiver_that_is_gone_gets_nothing_more(receiver: Receiver, alert: Alert) -> None:
    receiver.status = 410
    sink = to(receiver)
    for _ in range(2):
        with pytest.raises(GiveUp, match="answered 410"):
            sink.send(alert)
    sink.close()
    assert len(receiver.got) == 1


def test_one_alert_that_is_too_large_does_not_stop_the_others(
    receiver: Receiver, alert: Alert
) -> None:
    sink = to(receiver)
    receiver.status = 413
    with pytest.raises(GiveUp, match="answered 413"):
        sink.send(alert)
    receiver.status = 200
    sink.send(alert)
    sink.close()


def test_a_server_that_is_not_there_is_tried_again(alert: Alert) -> None:
    receiver = Receiver()
    receiver.close()
    sink = to(receiver)
    with pytest.raises(RetryLater, match=r"at 127\.0\.0\.1: "):
        sink.send(alert)
    sink.close()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.9", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
     "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "224.0.0.1"],
)  # fmt: skip
def test_a_name_that_leads_inside_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, alert: Alert, address: str
) -> None:
    names(monkeypatch, "93.184.216.34", address)
    sink = Webhook("https://alerts.example/hook", (SECRET,))
    with pytest.raises(RetryLater, match="is not public"):
        sink.send(alert)


def test_what_is_not_encrypted_stays_in_the_networks_that_are_allowed(
    monkeypatch: pytest.MonkeyPatch, alert: Alert
) -> None:
    names(monkeypatch, "93.184.216.34")
    with pytest.raises(RetryLater, match="is not encrypted"):
        Webhook("http://alerts.example/hook", (SECRET,), LOOPBACK).send(alert)


def test_an_encrypted_receiver_must_be_who_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alert: Alert
) -> None:
    authority = trustme.CA()
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    for named, fits in (("localhost", True), ("elsewhere.example", False)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(named).configure_cert(context)
        receiver = Receiver(context)
        sink = Webhook(
            f"https://localhost:{receiver.port}/", (SECRET,), LOOPBACK,
            authorities=str(trusted),
        )  # fmt: skip
        names(monkeypatch, "127.0.0.1")
        try:
            if fits:
                sink.send(alert)
                assert json.loads(receiver.got[0][2])["data"] == alert.body
            else:
                with pytest.raises(RetryLater, match=r"at 127\.0\.0\.1: .*[Cc]ertificate|hostname"):
                    sink.send(alert)
        finally:
            sink.close()
            receiver.close()


@pytest.mark.parametrize(
    ("url", "secrets", "allow", "told"),
    [
        ("ftp://alerts.example/", (SECRET,), (), "no http"),
        ("https:///hook", (SECRET,), (), "no http"),
        ("https://u:p@alerts.example/", (SECRET,), (), "user, password"),
        ("https://alerts.example:99999/", (SECRET,), (), "[Pp]ort"),
        ("https://alerts.example/", (), (), "no secret"),
        ("https://alerts.example/", ("whsec_c2hvcnQ=",), (), "24 to 64 bytes"),
        ("https://alerts.example/", (SECRET.removeprefix("whsec_"),), (), "whsec_"),
        ("https://alerts.example/", (SECRET,), ("10.0.0.1/8",), "host bits"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(
    url: str, secrets: tuple[str, ...], allow: tuple[str, ...], told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as e:
        Webhook(url, secrets, allow)
    assert all(secret.removeprefix("whsec_") not in str(e.value) for secret in secrets)
