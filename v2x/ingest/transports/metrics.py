"""The page of Prometheus: what the tally holds at the moment somebody asks."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from v2x.errors import SourceError
from v2x.ingest.transports.intake import Tally


class _Page(Collector):
    def __init__(self, tally: Tally, retries: Callable[[], int]) -> None:
        self._tally, self._retries = tally, retries

    def collect(self) -> Iterator[Metric]:
        """Metrics of this moment."""
        tally = self._tally
        for name, text, counts in (
            ("frames", "Frames that arrived", tally.frames),
            ("payload_bytes", "Bytes of the frames that arrived", tally.payload_bytes),
            ("skipped_bytes", "Bytes that belong to no frame", tally.skipped_bytes),
        ):
            metric = CounterMetricFamily(f"v2x_bridge_{name}", text, labels=["transport"])
            for transport, n in counts.copy().items():
                metric.add_metric([transport], n)
            yield metric
        for name, label, text, pairs in (
            ("dropped", "reason", "Frames that were not taken", tally.dropped),
            ("events", "event", "Connections made, lost, refused and the like", tally.events),
        ):
            metric = CounterMetricFamily(f"v2x_bridge_{name}", text, labels=["transport", label])
            for (transport, what), n in pairs.copy().items():
                metric.add_metric([transport, what], n)
            yield metric
        yield CounterMetricFamily(
            "v2x_bridge_confirmed", "Frames that are safe", value=tally.confirmed
        )
        yield CounterMetricFamily(
            "v2x_bridge_retries", "Failures of the outlet", value=self._retries()
        )
        for name, value in (
            ("waiting_frames", tally.waiting_frames),
            ("waiting_bytes", tally.waiting_bytes),
        ):
            yield GaugeMetricFamily(f"v2x_bridge_{name}", "Taken and not yet safe", value=value)
        gauge = GaugeMetricFamily(
            "v2x_bridge_connections", "Connections that are open", labels=["transport"]
        )
        for transport, n in tally.connections.copy().items():
            gauge.add_metric([transport], n)
        yield gauge


class Page:
    """The page, served until it is closed."""

    def __init__(self, address: str, tally: Tally, retries: Callable[[], int]) -> None:
        host, _, port = address.rpartition(":")
        registry = CollectorRegistry()
        registry.register(_Page(tally, retries))
        try:
            self._server, self._thread = start_http_server(
                int(port), host.strip("[]"), registry=registry
            )
        except OSError as e:
            raise SourceError(f"[bridge] metrics: {address}: {e.strerror or e}") from e

    @property
    def port(self) -> int:
        """Port that was taken."""
        return int(self._server.server_port)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
