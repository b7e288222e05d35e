"""What the toolkit relies on in Sigstore's client beyond its documentation. An upgrade begins in docs/fragile.md."""


def test_a_signing_context_is_made_from_a_trust_configuration(parameters):
    """Its docstring calls it private, and its documentation uses it."""
    from sigstore.models import ClientTrustConfig
    from sigstore.sign import SigningContext

    assert parameters(SigningContext.from_trust_config) == ["trust_config"]
    assert "offline" in parameters(ClientTrustConfig.production)
