"""What kuma-dp does for a MeshMetric: measures Envoy and the applications, serves it, sends it on.

Envoy's dynamic configuration -> wanted.py -> scrape.py -> exposition.py -> server.py | export.py
"""
