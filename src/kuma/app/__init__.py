"""Composition roots: control_plane, data_plane, ctl. They read argv and environment, build the objects and
own the signals.
"""
