"""The broker of the tests, and topics on it.

Order: ``V2X_KAFKA_BOOTSTRAP`` (a broker that runs elsewhere), jars in ``.kafka/lib``, Maven, skip.
Under ``CI=true`` the last is a failure: a run that tests nothing must not look green.
"""

import contextlib
import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import pytest

from .broker import Broker, find_libs  # before kafka: it mutes a warning of that import

# isort: split
from kafka import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

NewTopic = Callable[..., str]


@dataclass(frozen=True)
class OutsideBroker:
    """A broker that somebody else runs: tests may neither stop nor kill it."""

    bootstrap: str


@pytest.fixture(scope="session")
def libs() -> Path:
    """Folder of the broker's jars."""
    folder, why = find_libs()
    if folder is None:
        if os.environ.get("CI") == "true":
            pytest.fail(why, pytrace=False)
        pytest.skip(why)
    return folder


@pytest.fixture(scope="session")
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broker | OutsideBroker]:
    """The one broker of the test run. Do not stop it: take ``own_broker`` for that."""
    if outside := os.environ.get("V2X_KAFKA_BOOTSTRAP"):
        yield OutsideBroker(outside)
        return
    with running(tmp_path_factory.mktemp("kafka"), request.getfixturevalue("libs")) as own:
        yield own


@pytest.fixture
def own_broker(tmp_path: Path, libs: Path) -> Iterator[Broker]:
    """A running broker for one test, which may stop, kill or freeze it."""
    with running(tmp_path / "kafka", libs) as own:
        yield own


@pytest.fixture(scope="session")
def admin(broker: Broker | OutsideBroker) -> Iterator[KafkaAdminClient]:
    """An admin client of ``broker``."""
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as client:
        yield client


@pytest.fixture
def topic(
    request: pytest.FixtureRequest, broker: Broker | OutsideBroker, admin: KafkaAdminClient
) -> Iterator[NewTopic]:
    """``topic(partitions=1, configs=None)``: name of a new topic that no other test has.

    The name comes from the test's id and a counter, so it serves as group or transactional id too.
    """
    with new_topics(request.node, broker, admin) as new:
        yield new


@pytest.fixture(scope="module")
def module_topic(
    request: pytest.FixtureRequest, broker: Broker | OutsideBroker, admin: KafkaAdminClient
) -> Iterator[NewTopic]:
    """Like ``topic``, for what the tests of a module share."""
    with new_topics(request.node, broker, admin) as new:
        yield new


@contextlib.contextmanager
def new_topics(
    node: pytest.Item | pytest.Collector,
    broker: Broker | OutsideBroker,
    admin: KafkaAdminClient,
) -> Iterator[NewTopic]:
    """Make topics named after a test or module; on an outside broker they go at the end."""
    slug = re.sub(r"[^a-zA-Z0-9_]+", "-", node.name)[:80].strip("-")
    digest = blake2b(node.nodeid.encode(), digest_size=4).hexdigest()
    numbers = itertools.count()
    made: list[str] = []

    def new(partitions: int = 1, configs: Mapping[str, str] | None = None) -> str:
        options = {"num_partitions": partitions, "configs": dict(configs or {})}
        for n in numbers:  # an outside broker may still have the topics of an earlier run
            name = f"{slug}-{digest}-{n}"
            try:
                admin.create_topics({name: options}, wait_for_metadata=True)
            except TopicAlreadyExistsError:
                continue
            made.append(name)
            return name
        raise AssertionError("a counter does not end")

    yield new
    if made and isinstance(broker, OutsideBroker):
        admin.delete_topics(made)


@contextlib.contextmanager
def running(folder: Path, libs: Path) -> Iterator[Broker]:
    """Start a broker; at the end stop it and drop its data. Its log stays for whoever looks."""
    own = Broker(folder, libs)
    own.start()
    try:
        yield own
    finally:
        own.stop()
        shutil.rmtree(folder / "data", ignore_errors=True)
        shutil.rmtree(folder / "tmp", ignore_errors=True)
