"""Settings of the whole suite."""

from hypothesis import HealthCheck, settings

# Kernels compile on their first call, so single examples have no deadline; CI repeats the same
# examples, the soak draws new ones.
settings.register_profile(
    "v2x", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("v2x")
