"""The active-learning loop for Label Studio, as an ML backend."""

__version__ = "0.1.0"
