"""Replica -> snapshots for every connected proxy: the incremental queries, fan-out, insights,
inspection. Holds the only mutable state between the store and xDS.
"""
