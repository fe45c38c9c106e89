"""Typed settings of kuma-cp and kuma-dp, from YAML and KUMA_* variables; called by `app/`, read by all.
No setting is read anywhere else from the environment.
"""
