"""What MeshTLS policies say of an inbound, and with it of its proxy."""

from kuma.plan.tls import TlsParameters, TlsVersion
from kuma.policies.meshtls.model import TlsConf, Version, Versions
from kuma.resolve.inbound_rules import merge_unconditional
from kuma.resolve.placement import InboundRules, TlsTerms


def build_terms(rules: InboundRules) -> TlsTerms:
    conf = merge_unconditional(rules.by_match, TlsConf) or TlsConf()
    return TlsTerms(conf.mode, build_parameters(conf))


def build_parameters(conf: TlsConf) -> TlsParameters:
    """Policies that are merged may contradict each other; then the newer of both limits is the
    minimum, and there is no maximum. A maximum before the usual minimum is both.

    # Differs from Kuma, where Envoy then rejects the proxy's configuration.
    """
    versions = conf.tls_version or Versions()
    oldest, newest = _limit(versions.min), _limit(versions.max)
    minimum = oldest or min(TlsVersion.TLS12, newest or TlsVersion.TLS12)
    return TlsParameters(
        minimum=minimum,
        maximum=newest if newest is not None and newest >= minimum else None,
        ciphers=tuple(dict.fromkeys(cipher.value for cipher in conf.tls_ciphers or ())),
    )


def _limit(version: Version) -> TlsVersion | None:
    return None if version is Version.AUTO else TlsVersion(version.value)
