"""Logins by OAuth2 in ``relay.yaml`` that cannot be used. No message shows any part of a secret."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from tests.invalid_inputs.relay_yaml_kinds import login, text

if TYPE_CHECKING:
    from typing import Unpack

    from tests.invalid_inputs import Wrong
    from tests.invalid_inputs.relay_yaml_kinds import Other

URL = "token_url: https://id.test/token"
KEY = "-----BEGIN PRIVATE KEY-----\ns3cret-P4ss\n"
FILE = "the absolute path of a file"
NO_URL = "nothing says where to get a token -- write provider: microsoft or provider: google, or token_url: https://…"
KINDS = "Postfix has one list of mechanisms for a service"


def oauth2(name: str, keys: str, *errors: str, **other: Unpack[Other]) -> Wrong:
    """Make a case of what stands below oauth2, on line 6 from column 34 on."""
    return login(name, f"{{username: u, oauth2: {{{keys}}}}}", *errors, **other)


CASES = (
    login(
        "oauth2: a password beside it",
        f"{{username: u, password: s3cret-P4ss, oauth2: {{{URL}, client_id: c}}}}",
        "6:49: oauth2 together with password -- keep only one of them",
    ),
    oauth2("oauth2: nothing", "", "6:34: client_id is missing -- write client_id: …", f"6:34: {NO_URL}"),
    oauth2(
        "oauth2: http",
        "token_url: 'http://id.test/token', client_id: c, client_secret: s3cret-P4ss",
        "6:46: over http: the secret and the token would travel in the clear -- write https://…",
    ),
    oauth2(
        "oauth2: a password in the address",
        "token_url: 'https://u:s3cret-P4ss@id.test/token', client_id: c, client_secret: s3cret-P4ss",
        "6:46: not the https address of an endpoint --"
        " write it as the provider shows it, such as https://id.example.net/token",
    ),
    oauth2(
        "oauth2: no tenant",
        "provider: microsoft, client_id: c, client_secret: s3cret-P4ss",
        "6:45: provider microsoft needs the tenant -- write tenant: contoso.onmicrosoft.com",
    ),
    oauth2(
        "oauth2: a tenant without Microsoft",
        f"{URL}, tenant: t.test, client_id: c, client_secret: s3cret-P4ss",
        "6:77: tenant has no effect without provider microsoft -- write provider: microsoft, or remove it",
    ),
    oauth2(
        "oauth2: another provider",
        "provider: yahoo, client_id: c, client_secret: s3cret-P4ss",
        '6:45: "yahoo" is not one of those allowed -- write one of microsoft, google',
    ),
    oauth2(
        "oauth2: two secrets",
        f"{URL}, client_id: c, client_secret: s3cret-P4ss, client_secret_env: E",
        "6:111: client_secret_env together with client_secret -- keep only one of them",
        env={"E": "s3cret-P4ss"},
    ),
    oauth2(
        "oauth2: a secret beside a service account",
        'provider: google, client_secret: s3cret-P4ss, service_account_file: "{secrets}/a"',
        "6:81: service_account_file together with client_secret -- keep only one of them",
        secrets={"a": json.dumps({"client_email": "a@b.test", "private_key": KEY})},
    ),
    oauth2(
        "oauth2: Google without anything",
        "provider: google, client_id: c",
        "6:45: Google gives a client no token without the client's secret --"
        " write client_secret_file: /run/secrets/client, or service_account_file",
    ),
    oauth2(
        "oauth2: no way to a token",
        f"{URL}, client_id: c",
        "6:34: nothing says how to get a token -- write one of client_secret_file, refresh_token_file, device_url",
    ),
    oauth2(
        "oauth2: a grant without what it needs",
        f"{URL}, client_id: c, grant: refresh-token",
        "6:90: grant refresh-token needs refresh_token_file -- write refresh_token_file: /run/secrets/file",
    ),
    oauth2(
        "oauth2: a file that is not there",
        f'{URL}, client_id: c, client_secret_file: "{{secrets}}/gone"',
        "6:103: the file that it names cannot be read: No such file or directory -- mount the file, or name another",
        code=os.EX_NOINPUT,
    ),
    oauth2(
        "oauth2: an empty file",
        f'{URL}, client_id: c, client_secret_file: "{{secrets}}/pw"',
        "6:103: the file that it names is empty -- write the secret into it",
        secrets={"pw": "\n"},
    ),
    oauth2(
        "oauth2: a secret of two lines",
        f'{URL}, client_id: c, client_secret_file: "{{secrets}}/pw"',
        "6:103: more than one line -- write only the secret, on one line",
        secrets={"pw": "s3cret-P4ss\ns3cret-P4ss\n"},
    ),
    oauth2(
        "oauth2: a variable that is not set",
        f"{URL}, client_id: c, refresh_token_env: NOPE",
        "6:102: the variable it names is not set -- set it, or name another",
    ),
    oauth2(
        "oauth2: a key with a passphrase",
        f'{URL}, client_id: c, client_key_file: "{{secrets}}/k"',
        "6:100: the key has a passphrase -- remove it: openssl pkey -in KEY -out NEW",
        secrets={"k": "-----BEGIN ENCRYPTED PRIVATE KEY-----\ns3cret-P4ss\n"},
    ),
    oauth2(
        "oauth2: no key in the file",
        f'{URL}, client_id: c, client_key_file: "{{secrets}}/k"',
        "6:100: the file that it names contains no private key -- name a file with BEGIN PRIVATE KEY in it",
        secrets={"k": "s3cret-P4ss\n"},
    ),
    oauth2(
        "oauth2: a certificate without a key",
        f'{URL}, client_id: c, client_secret: s3cret-P4ss, client_certificate_file: "{{secrets}}/c"',
        "6:136: a certificate without its private key -- write client_key_file: /run/secrets/key",
        secrets={"c": "-----BEGIN CERTIFICATE-----\n"},
    ),
    oauth2(
        "oauth2: a key without a certificate",
        'provider: microsoft, tenant: t.test, client_id: c, client_key_file: "{secrets}/k"',
        "6:103: Microsoft identifies a key by its certificate, which is missing --"
        " write client_certificate_file: /run/secrets/certificate",
        secrets={"k": KEY},
    ),
    oauth2(
        "oauth2: no service account",
        'provider: google, service_account_file: "{secrets}/a"',
        "6:75: the file that it names is not the key of a Google service account --"
        " download the key of the service account as JSON, and name that file",
        secrets={"a": '{"private_key": "s3cret-P4ss"}'},
    ),
    oauth2(
        "oauth2: no certificate in ca_file",
        f'{URL}, client_id: c, client_secret: s3cret-P4ss, ca_file: "{{secrets}}/c"',
        "6:120: the file that it names contains no PEM certificate -- name a file with BEGIN CERTIFICATE in it",
        secrets={"c": "s3cret-P4ss"},
    ),
    login(
        "oauth2: a mechanism that takes no token",
        f"{{username: u, mechanisms: [xoauth2, plain], oauth2: {{{URL}, client_id: c, client_secret: s3cret-P4ss}}}}",
        "6:38: plain takes no token -- write xoauth2 or oauthbearer, or leave it out",
    ),
    login(
        "oauth2: a mechanism that takes no password",
        "{username: u, mechanisms: [xoauth2, plain], password: s3cret-P4ss}",
        "6:38: xoauth2 uses a token, not a password -- write oauth2: instead of the password",
    ),
    text(
        "oauth2: at a level without TLS",
        "version: 1\nrelays:\n  r:\n    host: r.test\n    tls: {level: may}\n"
        f"    login: {{username: u, oauth2: {{{URL}, client_id: c, client_secret: s3cret-P4ss}}}}\ndefault: r\n",
        "3:3: level may does not protect the login at relay r --"
        " choose secure or encrypt, or write allow_cleartext_login: true",
    ),
    text(
        "oauth2: beside a password at the same relay",
        "version: 1\nrelays:\n  r:\n    host: r.test\n    login: {username: u, password: s3cret-P4ss}\ndefault: r\n"
        "senders:\n  a.test:\n    relay: r\n"
        f"    login: {{username: v, oauth2: {{{URL}, client_id: c, client_secret: s3cret-P4ss}}}}\n",
        f"10:12: relay r has a login with a password (relay.yaml:5:12) and this one with a token, but {KINDS} --"
        " write a second relay in relay.yaml with the same host, for this login",
    ),
)
