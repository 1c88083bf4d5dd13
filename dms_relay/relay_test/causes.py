"""The likely cause and the remedy of each class of failure, for ``diagnosis``. Pure.

Each class has one, and some have more for details and circumstances; ``{…}`` are facts (``diagnosis``).
"""

from __future__ import annotations

from dms_relay.model import SYSTEM_AUTHORITIES
from dms_relay.relay_test.outcome import Detail, Failure
from dms_relay.relay_test.token_causes import ANY, TOKEN_TEXTS, Diagnosis

# Circumstances in addition to the detail of the failure itself.
BY_MX, AT_MX_PORT, BY_MAPS = "mx", "port 25", "maps"

_USUAL_PORTS = "use the port that the service documents: usually {ports}"
_OTHER_PORT = "use a port that answers, if the service offers it: {more_ports}; or have the port opened"
_AUTH_PORT = "use the port that the service documents for logins: {ports}; or remove the login if none is needed"
_TLS_PORT = "use the port that the service documents for TLS: {ports}"
_ASK_FOR_PASSWORDS = (
    "ask the service how to use SMTP with a password: another port, or a setting of the account;"
    " or whether it accepts OAuth2 (docs/oauth2.md)"
)
TEXTS = {
    **TOKEN_TEXTS,
    (Failure.NAME, ANY): Diagnosis(
        "a typing error in the name, or a DNS server that does not answer. Postfix asks only the DNS: a name in /etc/hosts"
        " counts only with smtp_host_lookup = native in main.cf",
        "check the spelling of the name, or add it to the DNS that this machine asks (/etc/resolv.conf)",
    ),
    (Failure.NAME, Detail.NATIVE): Diagnosis(
        "a typing error in the name, or a resolver that does not answer. With this main.cf, Postfix asks only this"
        " machine's resolver: /etc/hosts, and what else /etc/nsswitch.conf names",
        "check the spelling of the name, or add it to /etc/hosts or to the DNS that this machine asks (/etc/resolv.conf)",
    ),
    (Failure.NAME, Detail.DNS_OR_NATIVE): Diagnosis(
        "a typing error in the name, or a DNS server that does not answer. Postfix asks the DNS and this machine's resolver"
        " (smtp_host_lookup in main.cf), and neither has the name",
        "check the spelling of the name, or add it to /etc/hosts or to the DNS that this machine asks (/etc/resolv.conf)",
    ),
    (Failure.NAME, Detail.DNS_FIRST): Diagnosis(
        "this machine's resolver has the name (/etc/hosts), but Postfix asks the DNS before it (smtp_host_lookup in main.cf)"
        ", and if that fails it looks no further",
        "have the DNS that this machine asks (/etc/resolv.conf) answer, or set smtp_host_lookup = native in main.cf, in the"
        " image in postfix-main.cf, and run postfix reload",
    ),
    (Failure.NAME, Detail.NO_MX): Diagnosis(
        "without brackets this is a mail domain, but main.cf turns the DNS off, so Postfix looks up no MX hosts, and the"
        " domain itself has no address",
        "remove smtp_dns_support_level = disabled or disable_dns_lookups = yes from main.cf, or write one of its hosts in"
        " brackets",
    ),
    (Failure.NAME, BY_MX): Diagnosis(
        "without brackets this is a mail domain, and Postfix looks up its MX hosts",
        "write [{host}]:{port} for the host itself; otherwise check the spelling of the name",
    ),
    (Failure.NAME, Detail.DNS): Diagnosis(
        "a DNS server fails: the one that this machine asks, or the domain's own; the name itself may be right",
        "try again; if this continues, ask the DNS for the name yourself (host, dig), and check /etc/resolv.conf",
    ),
    (Failure.NAME, Detail.FAMILY): Diagnosis(
        "inet_protocols in main.cf excludes every address that the host has, so Postfix finds none",
        "set inet_protocols = all in main.cf and run postfix reload, if the network has both; otherwise name another host",
    ),
    (Failure.LOOP, ANY): Diagnosis(
        "the relay is this server itself, so Postfix does not deliver there: mail loops back to myself (5.4.6)",
        "write the host of your relay service; if the relay is another server, give each its own name (myhostname)",
    ),
    (Failure.REFUSED, ANY): Diagnosis(
        "the host is up, but nothing listens on this port, or a firewall refuses the connection", _USUAL_PORTS
    ),
    (Failure.TIMED_OUT, ANY): Diagnosis(
        "the host is down or slow, or a firewall drops the packets",
        "try again with a longer --timeout; if that does not help, ask your network administrator, or the service",
    ),
    (Failure.TIMED_OUT, AT_MX_PORT): Diagnosis(
        "the host is down, or a firewall drops the packets: many networks block port 25",
        "use a port of the service that is meant for this: {ports}",
    ),
    (Failure.BLOCKED, ANY): Diagnosis(
        "a firewall blocks port {port}: on this machine, on the way, or at the host", _OTHER_PORT
    ),
    (Failure.BLOCKED, AT_MX_PORT): Diagnosis(
        "a firewall blocks port 25, as many networks do: on this machine, on the way, or at the host", _OTHER_PORT
    ),
    (Failure.UNREACHABLE, ANY): Diagnosis(
        "this machine has no network route to the host: the network is down, or there is no IPv6",
        "check the machine's network; if it has no IPv6, set inet_protocols = ipv4 in main.cf, and run postfix reload",
    ),
    (Failure.LOST, ANY): Diagnosis(
        "the server closes connections from this machine: there are too many, or it does not accept this address",
        "try again later; ask the service whether it accepts connections from this machine's address",
    ),
    (Failure.LOST, Detail.AT_LOGIN): Diagnosis(
        "some servers close the connection at a wrong login, or after too many attempts from here",
        "correct the login at {origin}, if it is wrong; otherwise wait, then try again",
    ),
    (Failure.NOT_SMTP, ANY): Diagnosis("something other than a mail server answers on this port", _USUAL_PORTS),
    (Failure.NO_TLS, ANY): Diagnosis(
        "this port has no TLS, or something on the way removes STARTTLS from the server's replies",
        _TLS_PORT,
    ),
    (Failure.NO_TLS, BY_MAPS): Diagnosis(
        "this port has no TLS, or something on the way removes STARTTLS from the server's replies",
        _TLS_PORT + "; if the network itself is protected, write the relay in relay.yaml, with"
        " tls: {{level: none, allow_cleartext_login: true}}",
    ),
    (Failure.NO_TLS, Detail.CLEARTEXT): Diagnosis(
        "no TLS; level {level} permits that, but a login may not be sent in the clear",
        "raise the level: {raise}; or, if the network itself is protected, write tls: {{allow_cleartext_login: true}}{file}",
    ),
    (Failure.HANDSHAKE, ANY): Diagnosis(
        "the server has no TLS version from 1.2 on, or none that main.cf permits, or no cipher in common",
        "ask the service for TLSv1.2 or later; check smtp_tls_mandatory_protocols and smtp_tls_protocols in main.cf",
    ),
    (Failure.CERTIFICATE, ANY): Diagnosis(
        "no trusted authority signed it: it is self-signed or of a private authority, or another server answers",
        "make {ca_file} name a file that contains the authority's certificate; Debian's own is " + SYSTEM_AUTHORITIES,
    ),
    (Failure.CERTIFICATE, Detail.EXPIRED): Diagnosis(
        "the certificate has expired, or this machine's clock is wrong",
        "have the relay renew its certificate; check the clock with: date -u",
    ),
    (Failure.CERTIFICATE, Detail.NOT_YET): Diagnosis(
        "the certificate is not valid yet, or this machine's clock is wrong",
        "check the clock with: date -u; if it is right, have the relay correct its certificate",
    ),
    (Failure.CERTIFICATE, Detail.WEAK): Diagnosis(
        "a key or a signature of the certificate, or of its authorities, is too weak for this level",
        "have the relay get a certificate with a stronger key; level encrypt does not verify it",
    ),
    (Failure.CERTIFICATE, Detail.INVALID): Diagnosis(
        "the certificate, or one between it and its authority, is faulty, whoever signed it",
        "have the relay correct its certificate; level encrypt does not verify it",
    ),
    (Failure.CERTIFICATE, Detail.NAMES): Diagnosis(
        "the host has another name, or another server answers",
        "write a name of the certificate as the host, if it belongs to the service; or add it to {match}",
    ),
    (Failure.CERTIFICATE, Detail.FINGERPRINT): Diagnosis(
        "the server has a new certificate, or another server answers",
        "ask the service for the fingerprint; if it is the one shown, add it to {fingerprints}",
    ),
    (Failure.CERTIFICATE, Detail.AUTHORITIES): Diagnosis(
        "the file of certificate authorities is missing, or is not valid",
        "install ca-certificates, or make {ca_file} name an existing file",
    ),
    (Failure.IMPLICIT_TLS, ANY): Diagnosis(
        "port {port} expects implicit TLS (SMTPS), which is not configured",
        "{implicit}",
    ),
    (Failure.STARTTLS, ANY): Diagnosis(
        "port {port} expects STARTTLS, but implicit TLS is configured",
        "{starttls}",
    ),
    (Failure.CONFIGURATION, ANY): Diagnosis(
        "Postfix reports a client TLS configuration problem, and keeps the mail in the queue",
        "correct smtp_tls_security_level, smtp_tls_policy_maps or smtp_tls_wrappermode in main.cf",
    ),
    (Failure.NOT_CHECKED, ANY): Diagnosis(
        "this command does not look up TLSA records, and sends no login where it cannot verify the level",
        "try: posttls-finger -l {level} '{nexthop}'",
    ),
    (Failure.NOT_CHECKED, Detail.OTHER_MECHANISM): Diagnosis(
        "Cyrus SASL, with which Postfix logs in, takes the strongest mechanism that is announced and installed, even if the"
        " server does not support it for this login: mail may wait although PLAIN or LOGIN would work",
        "write {mechanisms}, if the server has one of the two; otherwise send a message through Postfix, and see its log",
    ),
    (Failure.NO_AUTH, ANY): Diagnosis(
        "this server accepts mail without a login, or recognizes this machine by its address", _AUTH_PORT
    ),
    (Failure.NO_AUTH, Detail.CLEARTEXT): Diagnosis(
        "many servers offer AUTH only inside TLS", "raise the level: {raise}"
    ),
    (Failure.NO_AUTH, AT_MX_PORT): Diagnosis("port 25 is for mail between servers, without a login", _AUTH_PORT),
    (Failure.MECHANISM, ANY): Diagnosis(
        "the server does not accept passwords for this account, right or wrong: see its reply", _ASK_FOR_PASSWORDS
    ),
    (Failure.MECHANISM, Detail.NOT_OURS): Diagnosis(
        "the server offers none of the mechanisms that this command tests for passwords: PLAIN, LOGIN, CRAM-MD5. XOAUTH2 and"
        " OAUTHBEARER need an access token (login: oauth2); SCRAM and DIGEST-MD5 may work in Postfix",
        _ASK_FOR_PASSWORDS,
    ),
    (Failure.MECHANISM, Detail.NOT_ALLOWED): Diagnosis(
        "Postfix would not log in either: noplaintext excludes PLAIN and LOGIN, or smtp_sasl_mechanism_filter does",
        "set smtp_sasl_security_options = noanonymous, and check smtp_sasl_mechanism_filter, in main.cf",
    ),
    (Failure.MECHANISM, Detail.NOT_LISTED): Diagnosis(
        "Postfix would not log in either: the mechanisms of this relay are {permitted}",
        "if the service has no other, write login: {{mechanisms: [{subject}]}} at this relay in relay.yaml",
    ),
    (Failure.MECHANISM, Detail.NO_PLUGIN): Diagnosis(
        "Postfix would not log in either: the plugins of Cyrus SASL are not installed", "install libsasl2-modules"
    ),
    (Failure.LOGIN, ANY): Diagnosis(
        "the user name or the password is wrong, or is not the one for SMTP: many services have separate ones",
        "correct the login at {origin}; use the service's SMTP credentials, if it has separate ones",
    ),
    (Failure.REJECTED, ANY): Diagnosis(
        "the server does not accept this machine, its name, or an address: see its reply",
        "read the reply; usually you must verify the sender at the service, or have it allow this machine's address",
    ),
    (Failure.REJECTED, Detail.LOGIN_WANTED): Diagnosis(
        "the server requires a login, and none is set for this relay",
        "set a login for this relay: RELAY_USER and RELAY_PASSWORD, postfix-sasl-password.cf, or relay.yaml",
    ),
    (Failure.REJECTED, Detail.TLS_WANTED): Diagnosis(
        "the server wants TLS first, and at level {level} this connection has none", "raise the level: {raise}"
    ),
    (Failure.REJECTED, Detail.TLS_NOT_NOW): Diagnosis(
        "the server has TLS, but not at the moment: it has too many connections, or trouble with its certificate",
        "wait, then try again; if the reply stays the same, ask the service about it",
    ),
    (Failure.REJECTED, Detail.HELO): Diagnosis(
        "the server does not accept the name of this machine in EHLO, {subject}: see its reply",
        "set smtp_helo_name in main.cf to the full name by which the DNS knows this machine, and run postfix reload;"
        " if the reply is about something else, wait or ask the service",
    ),
    (Failure.REJECTED, Detail.TEMPORARY): Diagnosis(
        "the server temporarily refuses: overload, a limit, or too many attempts from here",
        "wait, then try again; if the reply stays the same, ask the service about it",
    ),
}
