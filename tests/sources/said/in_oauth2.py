"""What is said of OAuth2, in ``relay.yaml`` and in settings."""

from __future__ import annotations

from tests.checks.given import DEFAULT, SECRET, TRANSPORTS
from tests.sources.said import HERE, Said, relay, whole

CLIENT = "client_id: us"
KEYED = f"{CLIENT}, client_secret: {SECRET}"
AT = "token_url: 'https://id.test/token'"
OWN = f"{AT}, {KEYED}"
TENANT = "contoso.onmicrosoft.com"
MICROSOFT = f"provider: microsoft, tenant: {TENANT}"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
LOCKED = KEY.replace("PRIVATE", "ENCRYPTED PRIVATE")
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
ACCOUNT = '{"client_email": "us@test", "private_key": "-----BEGIN PRIVATE KEY-----\\nMIIB"}'
FILES = {"key": KEY, "certificate": CERTIFICATE, "account": ACCOUNT, "s": SECRET}


def oauth2(remedy: str, wrong: str, right: str = OWN, **then: str) -> Said:
    """Make a case of what stands below ``oauth2``; each of ``FILES`` that it names is there, and right but for ``then``."""
    case = relay(remedy, *(f"host: r.test, login: {{username: user, oauth2: {text}}}" for text in (wrong, right)))
    return Said(remedy, {**FILES, **case.files, **then}, {}, {**case.then, **{name: FILES[name] for name in then}})


def below(remedy: str, wrong: str, right: str = OWN, **then: str) -> Said:
    """Make a case of the keys there."""
    return oauth2(remedy, f"{{{wrong}}}", f"{{{right}}}", **then)


KEY_FILE, CERTIFICATE_FILE, ACCOUNT_FILE = (
    f"client_key_file: {HERE}/key",
    f"client_certificate_file: {HERE}/certificate",
    f"service_account_file: {HERE}/account",
)
TOKEN_FILE = f"refresh_token_file: {HERE}/s"
KEY_PAIR = f"{AT}, {CLIENT}, {KEY_FILE}, {CERTIFICATE_FILE}"
GOOGLE = f"provider: google, {KEYED}"
VALUES = (
    oauth2("write provider: or token_url: below it, and client_id:", "us", f"{{{OWN}}}"),
    below("write https://…", OWN.replace("https", "http")),
    below("write it as the provider shows it, such as https://id.example.net/token", OWN.replace("https://", "")),
    below(
        "write its domain, such as contoso.onmicrosoft.com, or its ID",
        f"{MICROSOFT}/x, {KEYED}",
        f"{MICROSOFT}, {KEYED}",
    ),
    below("write it as the provider shows it", OWN.replace("us", "'u s'")),
    below("write it as the provider shows it", OWN.replace(SECRET, f"' {SECRET}'")),
    below("write only the secret, on one line", OWN.replace(SECRET, f'"{SECRET}\\nx"')),
    below("write its words with one space between them", f"{OWN}, scope: 'a  b'", f"{OWN}, scope: 'a b'"),
    below("write one of microsoft, google", f"provider: gogle, {KEYED}", f"provider: google, {KEYED}"),
    below("write only the name, such as SES_PASSWORD", f"{AT}, {CLIENT}, client_secret_env: $NO"),
    below("set it, or name another", f"{AT}, {CLIENT}, client_secret_env: NOT_SET"),
    below("write the secret into it", f"{AT}, {CLIENT}, {TOKEN_FILE}", f"{AT}, {CLIENT}, {TOKEN_FILE}", s=""),
    below("mount the file, or name another", f"{AT}, {CLIENT}, {TOKEN_FILE}x"),
    below("keep only one of them", f"{OWN}, {KEY_FILE}"),
    below("name a file with BEGIN PRIVATE KEY in it", KEY_PAIR, KEY_PAIR, key="MIIB\n"),
    below("remove it: openssl pkey -in KEY -out NEW", KEY_PAIR, KEY_PAIR, key=LOCKED),
    below("name a file with BEGIN CERTIFICATE in it", KEY_PAIR, KEY_PAIR, certificate="MIIB\n"),
    below(
        "name a file with BEGIN CERTIFICATE in it",
        f"{OWN}, ca_file: {HERE}/certificate",
        f"{OWN}, ca_file: {HERE}/certificate",
        certificate="MIIB\n",
    ),
    below(
        "download the key of the service account as JSON, and name that file",
        f"provider: google, {ACCOUNT_FILE}",
        f"provider: google, {ACCOUNT_FILE}",
        account="{}",
    ),
)
TOGETHER = (
    below("write provider: microsoft or provider: google, or token_url: https://…", KEYED),
    below(f"write tenant: {TENANT}", f"provider: microsoft, {KEYED}", f"{MICROSOFT}, {KEYED}"),
    below("write client_id: …", f"{AT}, client_secret: {SECRET}"),
    below("write client_key_file: /run/secrets/key", f"{OWN}, {CERTIFICATE_FILE}", KEY_PAIR),
    below(
        "write client_certificate_file: /run/secrets/certificate",
        f"{MICROSOFT}, {CLIENT}, {KEY_FILE}",
        f"{MICROSOFT}, {CLIENT}, {KEY_FILE}, {CERTIFICATE_FILE}",
    ),
    below(
        "write service_account_file: /run/secrets/account instead of grant and the client's secret or key",
        f"{GOOGLE}, grant: client-credentials",
        f"provider: google, {CLIENT}, {ACCOUNT_FILE}",
    ),
    below(
        "write client_secret_file: /run/secrets/client, or service_account_file",
        f"provider: google, {CLIENT}",
        f"provider: google, {CLIENT}, client_secret_file: {HERE}/s",
    ),
    below(
        "write client_secret_file: /run/secrets/client, or service_account_file",
        f"provider: google, {CLIENT}",
        f"provider: google, {CLIENT}, {ACCOUNT_FILE}",
    ),
    *(
        below(
            "write one of client_secret_file, refresh_token_file, device_url",
            f"{AT}, {CLIENT}",
            f"{AT}, {CLIENT}, {part}",
        )
        for part in (f"client_secret_file: {HERE}/s", TOKEN_FILE, "device_url: 'https://id.test/device'")
    ),
    below(
        "write device_url: https://…",
        f"{OWN}, grant: device-code",
        f"{OWN}, grant: device-code, device_url: 'https://id.test/device'",
    ),
    below(
        "write refresh_token_file: /run/secrets/file",
        f"{OWN}, grant: refresh-token",
        f"{OWN}, grant: refresh-token, {TOKEN_FILE}",
    ),
    below("write provider: microsoft, or remove it", f"{OWN}, tenant: {TENANT}"),
    below("write provider: microsoft, or remove it", f"{OWN}, tenant: {TENANT}", f"{OWN}, {MICROSOFT}"),
    below("write provider: google", f"provider: microsoft, {ACCOUNT_FILE}", f"provider: google, {ACCOUNT_FILE}"),
    below(
        "write provider: google, and remove tenant", f"{MICROSOFT}, {ACCOUNT_FILE}", f"provider: google, {ACCOUNT_FILE}"
    ),
    below("remove grant, or this", f"{OWN}, grant: client-credentials, {TOKEN_FILE}", f"{OWN}, {TOKEN_FILE}"),
    below(
        "remove grant, or this",
        f"{OWN}, grant: client-credentials, {TOKEN_FILE}",
        f"{OWN}, grant: client-credentials",
    ),
    below(
        "keep only one of them", f"provider: google, {TOKEN_FILE}, {ACCOUNT_FILE}", f"provider: google, {ACCOUNT_FILE}"
    ),
)
LOGIN, WITH_TOKEN = f"{{username: user, password: {SECRET}", f"{{username: user, oauth2: {{{OWN}}}"
MIXED = f"version: 1\nrelays:\n  r: {{host: r.test, login: {WITH_TOKEN}}}}}\nSECONDdefault: r\nsenders: {{a.test: SENDER}}\n"
AROUND = (
    relay(
        "write xoauth2 or oauthbearer, or leave it out",
        f"host: r.test, login: {WITH_TOKEN}, mechanisms: plain}}",
        f"host: r.test, login: {WITH_TOKEN}}}",
    ),
    relay(
        "write oauth2: instead of the password",
        f"host: r.test, login: {LOGIN}, mechanisms: xoauth2}}",
        f"host: r.test, login: {WITH_TOKEN}, mechanisms: xoauth2}}",
    ),
    whole(
        "write a second relay in relay.yaml with the same host, for this login",
        MIXED.replace("SECOND", "").replace("SENDER", f"{{relay: r, login: {LOGIN}}}}}"),
        MIXED.replace("SECOND", f"  s: {{host: r.test, login: {LOGIN}}}}}\n").replace("SENDER", "s"),
    ),
)
BASE = {**DEFAULT, **TRANSPORTS, "RELAY_TLS_LEVEL": "secure", "RELAY_USER": "user"}
ID, URL = {"CLIENT_ID": "us"}, {"TOKEN_URL": "https://id.test/token"}
GIVEN = {**URL, **ID, "CLIENT_SECRET": SECRET}
OF_TENANT = {"PROVIDER": "microsoft", "TENANT": TENANT}
PAIR = {"CLIENT_KEY__FILE": f"{HERE}/key", "CLIENT_CERTIFICATE__FILE": f"{HERE}/certificate"}
IN_ACCOUNT = {"SERVICE_ACCOUNT__FILE": f"{HERE}/account"}


def settings(remedy: str, wrong: dict[str, str], right: dict[str, str] = GIVEN, **other: str) -> Said:
    """Make a case of ``RELAY_OAUTH2_…``; ``other`` settings are there before."""
    before, after = ({f"RELAY_OAUTH2_{name}": value for name, value in env.items()} for env in (wrong, right))
    return Said(remedy, FILES, {**BASE, **before, **other}, {}, {**BASE, **after})


SETTINGS = (
    settings("write one of microsoft, google", {"PROVIDER": "gogle", **GIVEN}, {"PROVIDER": "google", **GIVEN}),
    settings(
        "write its domain, such as contoso.onmicrosoft.com, or its ID",
        {**OF_TENANT, **GIVEN, "TENANT": "a/b"},
        {**OF_TENANT, **GIVEN},
    ),
    settings("write https://…", {**GIVEN, "TOKEN_URL": "http://id.test/token"}),
    settings(
        "name a file, such as /etc/ssl/certs/id.pem",
        {**GIVEN, "CA_FILE": "id.pem"},
        {**GIVEN, "CA_FILE": f"{HERE}/certificate"},
    ),
    settings(
        "name a file with BEGIN CERTIFICATE in it",
        {**GIVEN, "CA_FILE": f"{HERE}/s"},
        {**GIVEN, "CA_FILE": f"{HERE}/certificate"},
    ),
    settings("write only the secret, on one line", {**GIVEN, "CLIENT_SECRET": f"{SECRET}\nx"}),
    settings(
        "name a file with BEGIN PRIVATE KEY in it",
        {**URL, **ID, **PAIR, "CLIENT_KEY__FILE": f"{HERE}/s"},
        {**URL, **ID, **PAIR},
    ),
    settings(
        "download the key of the service account as JSON, and name that file",
        {"PROVIDER": "google", "SERVICE_ACCOUNT__FILE": f"{HERE}/s"},
        {"PROVIDER": "google", **IN_ACCOUNT},
    ),
    settings("set RELAY_USER to the address of the mailbox", GIVEN, RELAY_USER=""),
    settings("set RELAY_ROUTING=transports", GIVEN, RELAY_ROUTING="maps"),
    settings("keep only one of them", GIVEN, RELAY_PASSWORD=SECRET),
    settings(
        "set RELAY_OAUTH2_PROVIDER=microsoft or RELAY_OAUTH2_PROVIDER=google, or RELAY_OAUTH2_TOKEN_URL=https://…",
        {**ID, "CLIENT_SECRET": SECRET},
    ),
    settings(
        f"set RELAY_OAUTH2_TENANT={TENANT}",
        {**ID, "CLIENT_SECRET": SECRET, "PROVIDER": "microsoft"},
        {**GIVEN, **OF_TENANT},
    ),
    settings("set RELAY_OAUTH2_CLIENT_ID=…", {**URL, "CLIENT_SECRET": SECRET}),
    settings(
        "set RELAY_OAUTH2_CLIENT_CERTIFICATE__FILE=/run/secrets/certificate",
        {**ID, **OF_TENANT, "CLIENT_KEY__FILE": f"{HERE}/key"},
        {**ID, **OF_TENANT, **PAIR},
    ),
    settings(
        "set RELAY_OAUTH2_CLIENT_KEY__FILE=/run/secrets/key",
        {**GIVEN, "CLIENT_CERTIFICATE__FILE": f"{HERE}/certificate"},
        {**URL, **ID, **PAIR},
    ),
    *(
        settings(
            "set RELAY_OAUTH2_CLIENT_SECRET__FILE=/run/secrets/client, or RELAY_OAUTH2_SERVICE_ACCOUNT__FILE",
            {**ID, "PROVIDER": "google"},
            {**ID, "PROVIDER": "google", **right},
        )
        for right in ({"CLIENT_SECRET__FILE": f"{HERE}/s"}, IN_ACCOUNT)
    ),
    *(
        settings(
            "set one of RELAY_OAUTH2_CLIENT_SECRET__FILE, RELAY_OAUTH2_REFRESH_TOKEN__FILE",
            {**ID, **URL},
            {**ID, **URL, f"{part}__FILE": f"{HERE}/s"},
        )
        for part in ("CLIENT_SECRET", "REFRESH_TOKEN")
    ),
    settings("set RELAY_OAUTH2_PROVIDER=microsoft, or remove it", {**GIVEN, "TENANT": TENANT}),
    settings(
        "set RELAY_OAUTH2_PROVIDER=google, and remove RELAY_OAUTH2_TENANT",
        {**OF_TENANT, **IN_ACCOUNT},
        {"PROVIDER": "google", **IN_ACCOUNT},
    ),
    settings("keep only one of them", {**GIVEN, "CLIENT_KEY__FILE": f"{HERE}/key"}),
    settings(
        "keep only one of them",
        {"PROVIDER": "google", **IN_ACCOUNT, "REFRESH_TOKEN": SECRET},
        {"PROVIDER": "google", **IN_ACCOUNT},
    ),
)
CASES = (*VALUES, *TOGETHER, *AROUND, *SETTINGS)
