"""The core and system kinds, one file each, and `catalogue.py`, the tuple of all of them.

targetRef policies are declared in `policies/`, not here.
"""
