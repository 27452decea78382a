"""Arithmetic that two or more rooms need: neighbours, moments, a probe, a projection, small networks."""
