"""Beside Envoy: bootstrap request, supervision, readiness, drain. Starts fast, stays small; imports
nothing of the control plane.
"""
