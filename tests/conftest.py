"""Settings of the whole suite."""

import os

from hypothesis import HealthCheck, settings

# Kernels compile on their first call, so single examples have no deadline; CI repeats the same
# examples, the soak draws new ones.
settings.register_profile(
    "v2x", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "soak", settings.get_profile("v2x"), derandomize=False, max_examples=1_000
)
settings.load_profile("soak" if os.environ.get("V2X_SOAK") else "v2x")
