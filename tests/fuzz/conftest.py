"""How many inputs a fuzz test tries: few and always the same ones in CI, many with --hypothesis-profile=long."""

from datetime import timedelta

from hypothesis import HealthCheck, settings

COMMON = {
    "deadline": timedelta(seconds=5),  # an input that takes longer is a fault too; the machine may be busy
    "database": None,
    "suppress_health_check": list(HealthCheck),
}
settings.register_profile("short", max_examples=150, derandomize=True, **COMMON)
settings.register_profile("long", max_examples=25_000, **COMMON)
settings.load_profile("short")
