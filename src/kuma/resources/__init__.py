"""Resource kinds, metadata, target refs, validation, the registry and the store port.

Every kind is declared once (`Kind`); REST routes, OpenAPI, kumactl verbs and documentation are
derived from that declaration. No protobuf, no I/O but the store port's signatures.
"""
