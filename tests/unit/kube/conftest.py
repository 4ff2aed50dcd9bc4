"""How patient property tests are with the machine they run on."""

from hypothesis import HealthCheck, settings

# A busy machine is no finding: pytest's own time limit is what ends a test that hangs.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")
