"""Resources -> ProxyPlan: which policies apply to a proxy, merged, with origins. Pure and total: a bad
policy gives a diagnostic, never an exception. No protobuf, no I/O.
"""
