"""The certificate that proxies verify this server by: for which hosts it holds, and whether it is a CA."""

from ipaddress import ip_address

from cryptography import x509

from kuma.xds.bootstrap.errors import BadRequest

_NOT_A_CA = (
    "A data plane proxy is trying to verify the control plane using the certificate which is not "
    "a certificate authority (basic constraint 'CA' is set to 'false').\n"
    "Provide CA that was used to sign a certificate used in the control plane by using "
    "'kuma-dp run --ca-cert-file=file' or via KUMA_CONTROL_PLANE_CA_CERT_FILE"
)


def check_host(certificate: bytes, host: str) -> None:
    """Raises BadRequest unless the server's certificate (PEM) holds for `host`: Envoy would refuse
    to connect, much later. Source: RFC 6125."""
    names = x509.load_pem_x509_certificate(certificate)
    addresses, hosts = _sans(names)
    try:
        holds = str(ip_address(host)) in addresses
    except ValueError:
        holds = any(_matches(each, host.rstrip(".").lower()) for each in hosts)
    if not holds:
        shown = ", ".join(f'"{each}"' for each in (*addresses, *hosts))
        raise BadRequest(
            f'A data plane proxy is trying to connect to the control plane using "{host}" address, '
            f"but the certificate in the control plane has the following SANs [{shown}]. "
            "Either change the --cp-address in kuma-dp to one of those, or give the control plane "
            "a certificate for that address: 'kumactl generate tls-certificate --type=server "
            f"--hostname={host}', KUMA_GENERAL_TLS_CERT_FILE and KUMA_GENERAL_TLS_KEY_FILE."
        )


def check_ca(pem: bytes, origin: str) -> None:
    """Raises BadRequest. A certificate without basic constraints counts as a CA, as in Kuma."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise BadRequest(f"{origin} is not a PEM certificate") from error
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return
    if not found.value.ca:
        raise BadRequest(_NOT_A_CA)


def _sans(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return [], []
    addresses = [str(each) for each in found.value.get_values_for_type(x509.IPAddress)]
    return addresses, found.value.get_values_for_type(x509.DNSName)


def _matches(pattern: str, host: str) -> bool:
    pattern = pattern.lower()
    if pattern.startswith("*."):
        first, _, rest = host.partition(".")
        return bool(first) and rest == pattern[2:]
    return pattern == host
