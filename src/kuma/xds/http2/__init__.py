"""HTTP/2 for a gRPC server (RFC 9113), without I/O: bytes in, bytes out, a handler per stream.

What a server of streams needs and no more: no push, no priorities, no header compression of what it
sends. Knows nothing of gRPC; called by `xds.listener`.
"""
