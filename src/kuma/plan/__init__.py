"""The ProxyPlan: what one proxy should do, with the origin of each part. Immutable, comparable.

Made by `resolve`, turned into protobuf by `envoy`, printed as YAML for people and goldens. Structure
only: the configuration of policies rides in typed slots (`conf`), so nothing here knows a policy.
"""
