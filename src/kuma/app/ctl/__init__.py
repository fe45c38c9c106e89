"""kumactl: the command line. Speaks to the REST API of a control plane, Kuma's or this one.

`main.py` names the commands; each stands in `commands/` and is imported when it is called, so that
none pays for another. What it knows of kinds it asks the control plane (`kinds.py`); resource
models and cryptography are imported by the few commands that work without one.
"""
