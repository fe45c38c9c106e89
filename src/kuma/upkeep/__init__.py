"""What the leader keeps true, for as long as it leads: the defaults, resources that are made from others,
their status, and the end of what nobody needs any more. Each module is one job, which looks only at what a
change may touch. `app/control_plane/leader.py` runs them.
"""
