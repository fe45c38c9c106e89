"""Delivery: the ADS stream machine (no I/O), the gRPC and bootstrap server around it on port 5678.
Hands bytes that the pipeline made to Envoys and reports what they said.
"""
