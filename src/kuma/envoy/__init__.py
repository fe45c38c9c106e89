"""ProxyPlan -> Envoy's protobuf -> bytes. Pure. One table holds the order of HTTP filters, with reasons.
Policies edit what is built here through the shapers that they are given; nothing here knows a policy.
"""
