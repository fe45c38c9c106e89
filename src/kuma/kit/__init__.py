"""What could be a library of its own: values, durations, clock, the incremental engine.

Nothing here knows what a mesh is. Called by every folder above.
"""
