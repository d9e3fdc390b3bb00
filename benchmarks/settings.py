"""The TOM's own settings, with one view more to compare with."""

from tom_desc.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"
