"""The TLS handshake, and the check of its result against the level (TLS_README, "Client TLS security levels").

OpenSSL verifies the chain, as in Postfix; ``certificate`` verifies names and fingerprints. As in Postfix, main.cf sets the
versions of TLS, and the level sets OpenSSL's security level (seen, Postfix 3.7.11 with OpenSSL 3.0): 1 if the server must
prove its identity, which excludes versions before 1.2 and keys below 80 bits, else 0, which excludes nothing. The client
sends a server name (SNI) only if ``smtp_tls_servername`` is set, since a server can choose its certificate by it.

Known limits: treats ``smtp_tls_mandatory_ciphers`` and similar parameters as ``medium``, their default.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from dms_relay.postfix.nexthop import is_address
from dms_relay.relay_test import certificate
from dms_relay.relay_test.connection import reason_of
from dms_relay.relay_test.demand import VERIFIED_LEVELS
from dms_relay.relay_test.outcome import Detail, Failure, StepError

if TYPE_CHECKING:
    import socket

    from dms_relay.relay_test.demand import Demand
    from dms_relay.relay_test.outcome import Observations
    from dms_relay.relay_test.targets import Target

#: Postfix's "medium" grade (postconf(5), tls_medium_cipherlist); if the server must prove its identity, without the
#: ciphers that use no certificate.
_CIPHERS = "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH:@SECLEVEL=0"
_CIPHERS_TO_VERIFY = "HIGH:MEDIUM:+RC4:!aNULL:@STRENGTH:@SECLEVEL=1"
#: What is wrong with a certificate, by OpenSSL's codes X509_V_ERR_… (x509_vfy.h). Unknown authorities: no issuer (2, 20,
#: 27), no first certificate (21), self-signed (18, 19).
_DETAILS = {9: Detail.NOT_YET, 10: Detail.EXPIRED, 66: Detail.WEAK, 67: Detail.WEAK, 68: Detail.WEAK}
_DETAILS |= dict.fromkeys((2, 18, 19, 20, 21, 27), Detail.NONE)
_NEW_VERSIONS = frozenset({"TLSv1.2", "TLSv1.3"})


def context(demand: Demand, *, is_verified: bool) -> ssl.SSLContext:
    """Return the context of a handshake; with ``is_verified`` it fails for a certificate of an unknown authority.

    Raises ``StepError`` if the authorities cannot be read.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED if is_verified else ssl.CERT_NONE
    made.set_ciphers(_CIPHERS_TO_VERIFY if demand.level in VERIFIED_LEVELS else _CIPHERS)
    if not demand.protocols <= _NEW_VERSIONS:
        # Naming an old version is deprecated; ``check`` tests the negotiated one.
        made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    elif demand.protocols == {"TLSv1.3"}:
        made.minimum_version = ssl.TLSVersion.TLSv1_3
    if "TLSv1.3" not in demand.protocols:
        made.maximum_version = ssl.TLSVersion.TLSv1_2
    if is_verified:
        _trust(made, demand)
    return made


def _trust(made: ssl.SSLContext, demand: Demand) -> None:
    if demand.are_defaults_trusted:
        made.load_default_certs()
    if not demand.ca_file and not demand.ca_path:
        return
    try:
        made.load_verify_locations(demand.ca_file or None, demand.ca_path or None)
    except (OSError, ssl.SSLError) as error:
        where = " or ".join(filter(None, (demand.ca_file, demand.ca_path)))
        reason = error.strerror or type(error).__name__
        what = f"the certificate authorities in {where} cannot be read: {reason}"
        raise StepError(Failure.CERTIFICATE, what, detail=Detail.AUTHORITIES) from None


def handshake(
    sock: socket.socket, target: Target, seen: Observations, timeout: float, *, is_verified: bool
) -> ssl.SSLSocket:
    """Start TLS on a socket and record the result. The caller explains ``ssl.SSLError`` and ``OSError``."""
    demand = target.demand
    made = context(demand, is_verified=is_verified)
    sock.settimeout(timeout)
    inside = made.wrap_socket(sock, server_hostname=_server_name(target, seen))
    seen.protocol = inside.version() or ""
    cipher = inside.cipher()
    seen.cipher = cipher[0] if cipher else ""
    der = inside.getpeercert(binary_form=True)
    seen.certificate = certificate.read(der) if der else None
    return inside


def _server_name(target: Target, seen: Observations) -> str | None:
    """Return the server name to send (postconf(5), smtp_tls_servername); an address cannot be one (RFC 6066)."""
    names = {"": None, "hostname": seen.host, "nexthop": target.host}
    name = names.get(target.demand.server_name, target.demand.server_name)
    return None if not name or is_address(name) else certificate.ascii_name(name)


def check(inside: ssl.SSLSocket, target: Target, seen: Observations) -> None:
    """Raise ``StepError`` unless version and certificate meet the level's demands."""
    demand = target.demand
    if seen.protocol not in demand.protocols:
        raise StepError(Failure.HANDSHAKE, f"the server uses {seen.protocol}, which main.cf does not permit")
    if demand.asks_authorities:
        _check_names(target, seen)
    if demand.level == "fingerprint":
        _check_fingerprint(inside, target, seen)


def _check_names(target: Target, seen: Observations) -> None:
    wanted = certificate.wanted_names(target.demand.match, seen.host, target.host)
    names = seen.certificate.names if seen.certificate else ()
    if not certificate.matches(names, wanted):
        shown = ", ".join(names) or "no host name"
        what = f"the certificate is for {shown}, not for {' or '.join(wanted)}"
        raise StepError(Failure.CERTIFICATE, what, detail=Detail.NAMES)


def _check_fingerprint(inside: ssl.SSLSocket, target: Target, seen: Observations) -> None:
    der = inside.getpeercert(binary_form=True) or b""
    demand = target.demand
    if certificate.is_weak(der):
        what = "the certificate was not accepted: EE certificate key too weak"
        raise StepError(Failure.CERTIFICATE, what, detail=Detail.WEAK)
    if not certificate.has_fingerprint(der, demand.fingerprints, demand.digest):
        found = seen.certificate.fingerprint if seen.certificate else "none"
        what = f"the fingerprint does not match: that of the certificate is {found} (SHA-256)"
        raise StepError(Failure.CERTIFICATE, what, detail=Detail.FINGERPRINT)


def explain(error: OSError, timeout: float) -> StepError:
    """Return the failure that corresponds to an error in the handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        what = f"the certificate was not accepted: {error.verify_message}"
        return StepError(Failure.CERTIFICATE, what, detail=_DETAILS.get(error.verify_code, Detail.INVALID))
    if isinstance(error, TimeoutError):
        return StepError(Failure.TIMED_OUT, f"the TLS handshake did not end within {timeout:g} s")
    if isinstance(error, ssl.SSLError):
        return StepError(Failure.HANDSHAKE, f"the TLS handshake failed: {reason_of(error)}")
    return StepError(Failure.LOST, f"the connection broke in the TLS handshake: {reason_of(error)}")
