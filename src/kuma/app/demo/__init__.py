"""`kumactl demo`: a mesh of three small services on this machine, to look at and to play with.

    page (demo-web) --http--> counter (demo-api, v1 and v2) --tcp--> key-value store (demo-kv)

applications.py holds the services, topology.py what runs where, processes.py starts and stops it,
check.py proves with real requests that it works. Nothing here is used by the mesh itself.
"""
