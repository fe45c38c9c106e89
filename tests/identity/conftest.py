"""Keys are slow to make, so that the tests of this folder share some; none of them is changed."""

import pytest

from kuma.identity.builtin import generate_root
from kuma.identity.key_pair import CertificateAuthority, KeyPair, load_authority
from kuma.identity.signing_keys import generate_signing_key
from kuma.kit.clock import ManualClock
from kuma.plan.secret import SecretBytes


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def root() -> KeyPair:
    return generate_root("default", clock=ManualClock())


@pytest.fixture(scope="session")
def authority(root: KeyPair) -> CertificateAuthority:
    return load_authority(root)


@pytest.fixture(scope="session")
def signing_pem() -> SecretBytes:
    return generate_signing_key()


@pytest.fixture(scope="session")
def other_signing_pem() -> SecretBytes:
    return generate_signing_key()
