"""Is a text the PEM that Envoy needs? Asked before it is sent, since Envoy refuses a whole cluster."""


def find_certificate_error(pem: bytes) -> str:
    """What is wrong; empty: it holds certificates."""
    from cryptography import x509  # here, since most runs of kumactl need none

    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        return "holds no certificate in PEM"
    return ""


def find_pair_error(cert_pem: bytes, key_pem: bytes) -> str:
    """What is wrong with the key of a certificate that is right; empty: they belong together."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "holds no unencrypted key in PEM"
    if key.public_key() != x509.load_pem_x509_certificates(cert_pem)[0].public_key():
        return "is not the key of the client certificate"
    return ""
