"""The scattering transform: one plan of what to compute, and an executor for each array library."""

from digitlab.features.executors.plans import Plan, plan, run

__all__ = ["Plan", "plan", "run"]
