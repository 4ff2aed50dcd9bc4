"""The subject of a certificate request, however long its names are."""

import warnings

from cryptography import x509


def subject_of(request: x509.CertificateSigningRequest) -> x509.Name:
    """Return whom a request is for.

    Raises:
        ValueError: The name cannot be read.
    """
    with warnings.catch_warnings():
        # X.520 once limited common names to 64 characters. Kubernetes' user names know no such
        # limit and an add-on agent's is nearly always longer: the library's reminder is no news.
        warnings.simplefilter("ignore", UserWarning)
        return request.subject
