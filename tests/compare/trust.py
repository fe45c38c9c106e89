"""Meshes, who their proxies are, and whom they trust."""

from tests.compare import targets
from tests.compare.chance import Chance, Json
from tests.compare.mutation import mutated, odd

_MODES = ("Disabled", "Everywhere", "ReachableBackends", "Exclusive", "Exclusive", None)
_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUO2Pw0b9xnkfm6zMi0RsXQqiBDUIwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIYWNtZS5vcmcwIBcNMjYxMTI5MDEwNTQ1WhgPMjEyNjExMDUw
MTA1NDVaMBMxETAPBgNVBAMMCGFjbWUub3JnMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEudpgzHcORtHWdMwFSx9kKoorLUHlBaQH6BaLoItbOBA+A9VuH6ys853r
l/FbvOwFh5ZlyH8Z/jBlWgXZG7n1eqNxMG8wHQYDVR0OBBYEFNHf46pA1Uw7lDkn
EPXbMpBF/YA1MB8GA1UdIwQYMBaAFNHf46pA1Uw7lDknEPXbMpBF/YA1MBwGA1Ud
EQQVMBOGEXNwaWZmZTovL2FjbWUub3JnMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDSQAwRgIhAO4Uwe0O0/3bZgO1UaMrVlwGv9/NLD1fPl9gP4hBRblpAiEA
mE9LZwWmx3vMjq1Sov7mpcJge3zL7A9kfXpkUMiZM3g=
-----END CERTIFICATE-----
"""


def a_mesh(r: Chance, name: str) -> Json:
    mode = r.choice(_MODES)
    return {
        "type": "Mesh",
        "name": name,
        **({"mtls": _mtls(r)} if r.at(0.6) else {}),
        **({"meshServices": {"mode": mode}} if mode else {}),
        **({"skipCreatingInitialPolicies": r.choice([["*"], ["MeshRetry"]])} if r.at(0.5) else {}),
        **({"networking": {"outbound": {"passthrough": r.flag()}}} if r.at(0.2) else {}),
    }  # fmt: skip


def _mtls(r: Chance) -> Json:
    backend: Json = {"name": "ca", "type": "builtin"}
    if r.at(0.3):
        backend["mode"] = r.choice(["PERMISSIVE", "STRICT"])
    return {"enabledBackend": "ca", "backends": [backend]}


def an_odd_mesh(r: Chance, name: str) -> Json:
    """Of which only the verdict, and how it is stored, is compared."""
    mesh = a_mesh(r, name)
    mtls = _mtls(r)
    mtls["backends"][0] |= r.some(
        mode=lambda: r.choice([0, 1, "PERMISSIVE", "permissive", 2]),
        dpCert=lambda: {
            "rotation": {"expiration": r.choice(["1d", "0s", "10m", "x", "1y", "24h"])},
            **({"requestTimeout": r.choice(["1s", "10s", "x", "0s"])} if r.at(0.4) else {}),
        },
        conf=lambda: {
            "caCert": r.some(
                RSAbits=lambda: r.choice([0, 2048, 4096, 1024, "2048"]),
                expiration=lambda: r.choice(["10y", "1d", "0s", "x", ""]),
            )
        },
    )
    constraints = {"requirements": [{"tags": targets.tags(r, wild=True)}], "restrictions": []}
    mesh |= r.some(
        mtls=lambda: mtls,
        constraints=lambda: {"dataplaneProxy": constraints},
        meshServices=lambda: {"mode": r.choice([0, 1, 2, 3, 4, "exclusive", "Exclusive"])},
        routing=lambda: r.some(
            zoneEgress=lambda: False, defaultForbidMeshExternalServiceAccess=r.flag
        ),
    )
    return mutated(r, mesh) if r.at(0.5) else mesh


def an_identity(r: Chance, mesh: str, name: str) -> Json:
    return odd(r, {
        "type": "MeshIdentity",
        "mesh": mesh,
        "name": name,
        "spec": {
            "selector": {"dataplane": {"matchLabels": dict(r.some_of(targets.LABELS, most=1))}},
            "spiffeID": r.some(
                trustDomain=lambda: r.choice(["{{ .Mesh }}.{{ .Zone }}.mesh.local", "acme.org"]),
                path=lambda: r.choice(["/ns/x", '/{{ label "app" }}']),
            ),
            "provider": {
                "type": "Bundled",
                "bundled": {
                    "autogenerate": {"enabled": True},
                    "insecureAllowSelfSigned": True,
                    **({"meshTrustCreation": r.choice(["Enabled", "Disabled"])} if r.at(0.6) else {}),
                    **({"certificateParameters": {"expiry": r.choice(["24h", "1h"])}} if r.at(0.5) else {}),
                },
            },
        },
    }, 0.25)  # fmt: skip


def a_trust(r: Chance, mesh: str, name: str) -> Json:
    return odd(r, {
        "type": "MeshTrust",
        "mesh": mesh,
        "name": name,
        "spec": {
            "trustDomain": r.choice(["acme.org", "other.acme.org"]),
            "caBundles": [{"type": "Pem", "pem": {"value": _CERTIFICATE}}],
        },
    }, 0.25)  # fmt: skip
