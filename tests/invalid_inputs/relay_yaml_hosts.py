"""Hosts, ports and TLS settings in ``relay.yaml`` that cannot be used."""

from __future__ import annotations

import os

from tests.invalid_inputs.relay_yaml_kinds import relay, text

SHA256 = ":".join(["AB"] * 32)
HOST_COLON = (
    "the host contains a colon, but is not an IPv6 address -- "
    "write only the host; its port goes in port:, a login in login:"
)
ONE_PORT = (
    "port 465 and another port: implicit TLS applies to a whole relay -- write two relays, or tls: {mode: implicit}"
)
UNKNOWN = "is not one of those allowed -- write"
ADDRESS = "needs a host name: no certificate matches an address -- write the host's name"
OR_MATCH = ", or tls: {match: the name in the certificate}, or fingerprints"
DIRECTORY = (
    "the file that it names cannot be read: Is a directory -- "
    "a file that is mounted must be there before the container is made"
)
PATH = "this is not the absolute path of a file -- write its path from /, such as /run/secrets/relay"
SIGNS = "the path has characters that main.cf cannot hold -- write a path of letters, digits and /._+@:~=-"
FIRST_OCTET = "implicit TLS (port 465) is not possible at level"
STRONGER = " -- write level: encrypt or a stronger one, or tls: {mode: starttls}"
NOT_PROTECTED = (
    "does not protect the login at relay r -- choose secure or encrypt, or write allow_cleartext_login: true"
)
LEVELS = "one of secure, verify, dane-only, dane, fingerprint, encrypt, may, none"
PORT = "a number from 1 to 65535 -- write a number from 1 to 65535"
NOT_A_DOMAIN = "is not valid -- use letters, digits, hyphens and dots only"
HOST_PORT = " -- write host:port; a login goes in login:"

HOSTS = (
    relay("port 0", "{host: r.test, port: 0}", f'4:27: "0" is not {PORT}'),
    relay("port 65536", "{host: r.test, port: 65536}", f'4:27: "65536" is not {PORT}'),
    relay("port -1", "{host: r.test, port: -1}", f'4:27: "-1" is not {PORT}'),
    relay("port abc", "{host: r.test, port: abc}", f'4:27: "abc" is a text to YAML, not {PORT}, without quotes'),
    relay('port "587"', '{host: r.test, port: "587"}', f'4:27: "587" is a text to YAML, not {PORT}, without quotes'),
    relay("port 1.5", "{host: r.test, port: 1.5}", f'4:27: "1.5" is not {PORT}'),
    relay("port 0587", "{host: r.test, port: 0587}", f'4:27: "0587" is a text to YAML, not {PORT}, without quotes'),
    relay("port 0x1bb", "{host: r.test, port: 0x1bb}", f'4:27: "0x1bb" is not {PORT}'),
    relay("port 4_65", "{host: r.test, port: 4_65}", f'4:27: "4_65" is not {PORT}'),
    relay("port [25]", "{host: r.test, port: [25]}", f"4:27: a list instead of {PORT}"),
    relay("port null", "{host: r.test, port: null}", "4:27: there is no value -- write a number from 1 to 65535"),
    relay(
        "port 99999999999999999999",
        "{host: r.test, port: 99999999999999999999}",
        f'4:27: "99999999999999999999" is not {PORT}',
    ),
    relay(
        "a relay as a text",
        "r.test",
        "4:6: a text instead of a relay -- write host: below its name, and what else there is to say",
    ),
    relay(
        "a relay as a list",
        "[r.test]",
        "4:6: a list instead of a relay -- write host: below its name, and what else there is to say",
    ),
    relay(
        "a relay without a value",
        "",
        "4:5: there is no value -- write host: below its name, and what else there is to say",
    ),
    relay("no host", "{port: 25}", "4:6: host or hosts is missing -- write host: a host name or address"),
    relay(
        "host beside hosts",
        "{host: a.test, hosts: [b.test]}",
        "4:21: hosts together with host -- keep only one of them",
    ),
    relay(
        "a port in the host",
        '{host: "r.test:587"}',
        '4:13: host "r.test:587" contains a port -- write host: r.test and port: 587',
    ),
    relay(
        "IPv6 and a port",
        '{host: "[2001:db8::1]:25"}',
        '4:13: host "[2001:db8::1]:25" contains a port -- write host: 2001:db8::1 and port: 25',
    ),
    relay("a login in the host", '{host: "user:s3cret-P4ss"}', f"4:13: {HOST_COLON}"),
    relay("a login, host and port", '{host: "user:s3cret-P4ss@r.test:25"}', f"4:13: {HOST_COLON}"),
    relay("a URL", '{host: "smtp://r.test"}', f"4:13: {HOST_COLON}"),
    relay("two hosts", '{host: "a.test, b.test"}', "4:13: more than one host -- write hosts: [first, second]"),
    relay(
        "a no-break space",
        '{host: "r.test\\u00a0"}',
        "4:13: the text contains a no-break space or the like -- type a plain space instead",
    ),
    relay("a dot at the end", "{host: r.test.}", '4:13: host name "r.test." ends in a dot -- remove the dot'),
    relay("no host name", "{host: -r.test}", f'4:13: host name "-r.test" {NOT_A_DOMAIN}'),
    relay(
        "hosts as a text",
        "{hosts: a.test}",
        "4:14: a text instead of a list, each a host, or host:port -- write [first, second]",
    ),
    relay("hosts as an empty list", "{hosts: []}", "4:14: an empty list -- remove it, or fill it"),
    relay(
        "hosts that cannot be used",
        '{hosts: ["a.test:0", "-b", "user:s3cret-P4ss", "u:s3cret-P4ss@a.test", '
        '"1.2.3", "[a.test", "a.test:", "[::1]25", 12]}',
        '4:15: port "0" is not a number from 1 to 65535 -- write the relay\'s port, such as 587',
        f'4:27: host name "-b" {NOT_A_DOMAIN}',
        f"4:33: the text after the colon is not a port{HOST_PORT}",
        f"4:53: the nexthop contains an @{HOST_PORT}",
        '4:77: host "1.2.3" is not an IPv4 address -- write four numbers from 0 to 255, or a host name',
        f'4:86: nexthop "[a.test" has no closing bracket{HOST_PORT}',
        f"4:97: the port is missing after the colon{HOST_PORT}",
        f"4:108: text after the closing bracket{HOST_PORT}",
        '4:119: "12" is a number to YAML, not a host, or host:port -- put it in quotes',
    ),
    relay("port 465 beside another", '{hosts: ["a.test:465", "b.test"]}', f"4:6: {ONE_PORT}"),
    relay(
        "mx with an address",
        "{host: 192.0.2.1, mx: true, tls: {level: encrypt}}",
        "4:13: mx with an address: only a domain has MX hosts -- remove mx",
    ),
    relay(
        "mx with an IPv6 address",
        '{host: "2001:db8::1", mx: true, tls: {level: encrypt}}',
        "4:13: mx with an address: only a domain has MX hosts -- remove mx",
    ),
    relay(
        "mx with brackets",
        '{host: "[a.test]", mx: true}',
        "4:13: brackets forbid an MX lookup, and mx asks for one -- remove the brackets, or mx",
    ),
    relay("mx: yes", "{host: a.test, mx: yes}", '4:25: "yes" is not true or false -- write true or false'),
    relay(
        "mx as a text",
        '{host: a.test, mx: "true"}',
        '4:25: "true" is a text to YAML, not true or false -- write true or false, without quotes',
    ),
)

TLS = (
    relay(
        "tls as a text",
        "{host: a.test, tls: may}",
        "4:26: a text instead of a mapping of TLS settings -- write level: or another setting below it",
    ),
    relay(
        "an unknown level",
        "{host: 192.0.2.1, tls: {level: high}}",
        f'4:37: "high" {UNKNOWN} {LEVELS}',
    ),
    relay(
        "a level in capitals",
        "{host: a.test, tls: {level: MAY}}",
        f'4:34: "MAY" {UNKNOWN} {LEVELS}',
    ),
    relay(
        "an unknown mode",
        "{host: a.test, tls: {mode: ssl}}",
        f'4:33: "ssl" {UNKNOWN} implicit or starttls',
    ),
    relay(
        "level secure for an address",
        "{host: 192.0.2.1, tls: {level: secure}}",
        f"4:13: level secure {ADDRESS}{OR_MATCH}",
    ),
    relay(
        "level verify for an address",
        "{host: 192.0.2.1, tls: {level: verify}}",
        f"4:13: level verify {ADDRESS}{OR_MATCH}",
    ),
    relay(
        "level dane-only for an address",
        "{host: 192.0.2.1, tls: {level: dane-only}}",
        f"4:13: level dane-only {ADDRESS}",
    ),
    relay(
        "an IPv6 address",
        '{hosts: ["[2001:db8::1]:587", "2001:db8::2"]}',
        f"4:15: level secure {ADDRESS}{OR_MATCH}",
        f"4:36: level secure {ADDRESS}{OR_MATCH}",
    ),
    relay(
        "match at level encrypt",
        "{host: a.test, tls: {level: encrypt, match: b.test}}",
        "4:50: level encrypt ignores match -- write level: secure, or remove it",
    ),
    relay(
        "match at level dane",
        "{host: a.test, tls: {level: dane, match: b.test}}",
        "4:47: level dane ignores match -- write level: secure, or remove it",
    ),
    relay(
        "match beside fingerprints",
        '{host: a.test, tls: {match: b.test, fingerprints: "' + SHA256 + '"}}',
        "4:34: level fingerprint ignores match -- keep only one of them",
    ),
    relay(
        "names that no certificate has",
        '{host: a.test, tls: {match: ["-x", "*.a.test", ""]}}',
        f'4:35: name "-x" {NOT_A_DOMAIN}',
        f"4:41: name {NOT_A_DOMAIN}",
        "4:53: there is no value -- write a name that the certificate must have",
    ),
    relay(
        "fingerprints at level verify",
        '{host: a.test, tls: {level: verify, fingerprints: ["' + SHA256 + '"]}}',
        "4:56: level verify ignores fingerprints -- write level: fingerprint, or remove them",
    ),
    relay(
        "fingerprints at level encrypt",
        '{host: a.test, tls: {level: encrypt, fingerprints: ["' + SHA256 + '"]}}',
        "4:57: level encrypt ignores fingerprints -- write level: fingerprint, or remove them",
    ),
    relay(
        "level fingerprint without",
        "{host: a.test, tls: {level: fingerprint}}",
        "4:34: level fingerprint needs fingerprints -- write fingerprints: [AB:CD:…]",
    ),
    relay(
        "level fingerprint with an empty list",
        "{host: a.test, tls: {level: fingerprint, fingerprints: []}}",
        "4:61: an empty list -- remove it, or fill it",
    ),
    relay(
        "a SHA-1 fingerprint",
        '{host: a.test, tls: {fingerprints: "AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB"}}',
        "4:41: not a SHA-256 fingerprint -- write what openssl x509 -noout -fingerprint -sha256 says after the =",
    ),
    relay(
        "a fingerprint that is a number",
        "{host: a.test, tls: {fingerprints: [" + ":".join(["12"] * 32) + "]}}",
        "4:42: the value is a number to YAML, not a SHA-256 fingerprint -- put it in quotes",
    ),
    relay(
        "a CA file that is not there",
        '{host: a.test, tls: {ca_file: "{secrets}/ca.pem"}}',
        "4:36: the file that it names cannot be read: No such file or directory -- mount the file, or name another",
        code=os.EX_NOINPUT,
    ),
    relay(
        "a CA file without PEM",
        '{host: a.test, tls: {ca_file: "{secrets}/ca.pem"}}',
        "4:36: the file that it names contains no PEM certificate -- name a file with BEGIN CERTIFICATE in it",
        secrets={"ca.pem": "s3cret-P4ss\n"},
    ),
    relay(
        "a CA file that is a directory",
        '{host: a.test, tls: {ca_file: "{secrets}"}}',
        f"4:36: {DIRECTORY}",
        secrets={"ca.pem": "x"},
        code=os.EX_NOINPUT,
    ),
    relay("a relative CA file", "{host: a.test, tls: {ca_file: ca.pem}}", f"4:36: {PATH}"),
    relay("a CA file with a blank", '{host: a.test, tls: {ca_file: "/a b.pem"}}', f"4:36: {SIGNS}"),
    relay(
        "port 465 at level none", "{host: a.test, port: 465, tls: {level: none}}", f"4:45: {FIRST_OCTET} none{STRONGER}"
    ),
    relay(
        "port 465 at level may", "{host: a.test, port: 465, tls: {level: may}}", f"4:45: {FIRST_OCTET} may{STRONGER}"
    ),
    relay(
        "port 465 at level dane", "{host: a.test, port: 465, tls: {level: dane}}", f"4:45: {FIRST_OCTET} dane{STRONGER}"
    ),
    relay(
        "implicit TLS at level may",
        "{host: a.test, tls: {level: may, mode: implicit}}",
        f"4:34: {FIRST_OCTET} may{STRONGER}",
    ),
    relay(
        "a login at level none",
        "{host: a.test, login: {username: u, password: s3cret-P4ss}, tls: {level: none}}",
        f"4:3: level none {NOT_PROTECTED}",
    ),
    relay(
        "a login at level may",
        "{host: a.test, login: {username: u, password: s3cret-P4ss}, tls: {level: may}}",
        f"4:3: level may {NOT_PROTECTED}",
    ),
    relay(
        "a login at level dane",
        "{host: a.test, login: {username: u, password: s3cret-P4ss}, tls: {level: dane}}",
        f"4:3: level dane {NOT_PROTECTED}",
    ),
    relay(
        "a login at level may, and the flag is false",
        "{host: a.test, login: {username: u, password: s3cret-P4ss}, tls: {level: may, allow_cleartext_login: false}}",
        f"4:3: level may {NOT_PROTECTED}",
    ),
    text(
        "the login of a sender at level none",
        (
            "version: 1\n"
            "relays:\n"
            "  r: {host: r.test, tls: {level: none}}\n"
            "senders:\n"
            "  a.test: {relay: r, login: {username: u, password: s3cret-P4ss}}\n"
        ),
        f"3:3: level none {NOT_PROTECTED}",
    ),
    text(
        "the login of a sender at level may",
        (
            "version: 1\n"
            "relays:\n"
            "  r: {host: r.test, tls: {level: may}}\n"
            "senders:\n"
            "  a.test: {relay: r, login: {username: u, password: s3cret-P4ss}}\n"
        ),
        f"3:3: level may {NOT_PROTECTED}",
    ),
    text(
        "the login of a sender at level dane",
        (
            "version: 1\n"
            "relays:\n"
            "  r: {host: r.test, tls: {level: dane}}\n"
            "senders:\n"
            "  a.test: {relay: r, login: {username: u, password: s3cret-P4ss}}\n"
        ),
        f"3:3: level dane {NOT_PROTECTED}",
    ),
    text(
        "a flag that says yes",
        ("version: 1\ndefault: r\nrelays:\n  r: {host: r.test, tls: {level: may, allow_cleartext_login: yes}}\n"),
        '4:62: "yes" is not true or false -- write true or false',
    ),
)

CASES = (*HOSTS, *TLS)
