"""The universal service mesh: kuma-cp, kuma-dp and kumactl.

A folder imports only what is below it (see `[tool.importlinter]`):
app > api > xds, dataplane > pipeline > policies > resolve, envoy, identity > plan, stores
> resources > config, kit.
"""
