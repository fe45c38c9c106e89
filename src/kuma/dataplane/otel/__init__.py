"""What kuma-dp does for collectors of OpenTelemetry: takes OTLP of its Envoy, and its own, and sends it on
as the control plane and the environment say.

    environment.py ─┐
    told.py ────────┴─> merge.py ─> Target of each signal
    Envoy ── gRPC ──> receive.py ──> forward.py (held, tried again) ──> send.py ──> collector
"""
