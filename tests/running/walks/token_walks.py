"""Walks through the remedies of access tokens, and of passwords where services want tokens."""

from __future__ import annotations

from dms_relay.postfix.mechanism_filter import PARAMETER
from dms_relay.postfix.sasl_plugin import PLUGIN
from tests.running.walks import ANNA, PASSWORD, YAML, Arrivals, Walk, apply, edit, printed, put, run, write
from tests.running.walks.token_scene import (
    SECRET,
    agreeing,
    changed_secret,
    failing,
    plugins,
    with_keeper,
    without_keeper,
)

AT_T: Arrivals = {ANNA: "t.test user"}
TOKEN = (
    "version: 1\nrelays:\n  t: {host: t.test, port: {t.test port}, tls: {ca_file: '{ca}', level: secure}, login:"
    f" {{username: user, oauth2: {{token_url: '{{token}}', ca_file: '{{ca}}', client_id: us, client_secret: {SECRET}}}}}}}\n"
    "default: t\n"
)
WITHOUT_LOGIN = f"{TOKEN.partition(', login:')[0]}}}\ndefault: t\n"
#: The token of the environment, where relay.yaml says where mail goes.
OF_NO_RELAY = {
    "RELAY_USER": "user",
    "RELAY_OAUTH2_TOKEN_URL": "{token}",
    "RELAY_OAUTH2_CA_FILE": "{ca}",
    "RELAY_OAUTH2_CLIENT_ID": "us",
    "RELAY_OAUTH2_CLIENT_SECRET": SECRET,
}
DEVICE = TOKEN.replace(f"client_id: us, client_secret: {SECRET}", "client_id: device, device_url: '{device}'")
WRONG = edit(YAML, f"client_secret: {SECRET}", "client_secret: wrong")
NEW = edit(YAML, f"client_secret: {SECRET}", f"client_secret: {SECRET}-2")
RENEW = run("dms-relay renew t")
OWN_PLUGINS = "import_environment = MAIL_CONFIG TZ LANG=C SASL_PATH={config}/../plugins\n"
KEEP_OUT = f"{PARAMETER} = !xoauth2, !oauthbearer, static:all"
GMAIL = (
    "version: 1\nrelays:\n  g: {host: smtp.gmail.com, port: {smtp.gmail.com port}, tls: {ca_file: '{ca}'}, login:"
    f" {{username: user, password: {PASSWORD}}}}}\ndefault: g\n"
)
PASSWORD_AT_T = {"DEFAULT_RELAY_HOST": "[t.test]:{t.test port}", "RELAY_USER": "user", "RELAY_PASSWORD": PASSWORD}
WRONG_SECRET = (
    "create a new one in the Entra admin center, App registrations, your app, Certificates & secrets, and write its Value,"
    " which is shown once"
)

WALKS = (
    Walk(
        "no-token",
        WRONG_SECRET,
        {YAML: TOKEN},
        choice="what the endpoint says",
        before=(WRONG, apply),
        follow=(edit(YAML, "client_secret: wrong", f"client_secret: {SECRET}"),),
        arrives=AT_T,
    ),
    Walk(
        "no-token",
        "run dms-relay renew t, after dms-relay apply if that is due; and start dms-relay watch",
        {YAML: TOKEN},
        follow=(apply, printed("dms-relay renew t")),
        arrives=AT_T,
    ),
    Walk(
        "no-token",
        "run dms-relay login t",
        {YAML: DEVICE},
        follow=(apply, agreeing("login t")),
        arrives=AT_T,
    ),
    Walk(
        "login-without-relay",
        "move the login to its relay in relay.yaml (login: oauth2), and remove RELAY_USER and RELAY_OAUTH2_…",
        {YAML: WITHOUT_LOGIN},
        OF_NO_RELAY,
        (write({YAML: TOKEN}), put(**dict.fromkeys(OF_NO_RELAY)), apply, run("dms-relay renew t")),
        AT_T,
    ),
    Walk(
        "token-renewal-fails",
        WRONG_SECRET,
        {YAML: TOKEN},
        choice="what the endpoint says",
        before=(apply, changed_secret, failing("renew", "t")),
        follow=(NEW, apply, RENEW),
        arrives=AT_T,
    ),
    Walk(
        "token-not-renewed",
        "start dms-relay watch, or run dms-relay renew --due on a timer",
        {YAML: TOKEN},
        before=(apply, without_keeper),
        follow=(with_keeper,),
        arrives=AT_T,
    ),
    Walk(
        "token-of-other-secrets",
        "run dms-relay renew t after dms-relay apply, to see if the new ones work",
        {YAML: TOKEN},
        before=(apply, changed_secret, NEW),
        follow=(printed("dms-relay apply"), printed("dms-relay renew t")),
        arrives=AT_T,
    ),
    Walk(
        "token-plugin-missing",
        "run make plugin, and make plugin-install as root, in dms_relay's source; then postfix reload (sasl/README.md)",
        {YAML: TOKEN},
        main=OWN_PLUGINS,
        before=(apply, plugins()),
        follow=(plugins(PLUGIN), printed("postfix reload")),
        arrives=AT_T,
    ),
    Walk(
        "other-token-plugin",
        "remove the package that it belongs to (dpkg -S)",
        {YAML: TOKEN},
        main=OWN_PLUGINS,
        before=(apply, plugins(PLUGIN, "libsasl-xoauth2.so")),
        follow=(plugins(PLUGIN),),
        arrives=AT_T,
    ),
    Walk(
        "password-as-token",
        f"set {KEEP_OUT} in main.cf, and remove what overrides it",
        env=PASSWORD_AT_T,
        main=f"{PARAMETER} = xoauth2, plain\n",
        before=(apply,),
        follow=(run(f"postconf -e '{KEEP_OUT}'"), run("postfix reload")),
        arrives=AT_T,
    ),
    Walk(
        "token-to-unverified-server",
        "set tls: {level: secure} in relay.yaml, or RELAY_TLS_LEVEL=secure",
        {YAML: TOKEN.replace("level: secure", "level: encrypt")},
        before=(apply,),
        follow=(edit(YAML, "level: encrypt", "level: secure"),),
        arrives=AT_T,
    ),
    Walk(
        "password-login-ends",
        "give it oauth2 instead of the password (docs/gmail.md)",
        {YAML: GMAIL},
        follow=(
            edit(
                YAML,
                f"password: {PASSWORD}",
                f"oauth2: {{token_url: '{{token}}', ca_file: '{{ca}}', client_id: us, client_secret: {SECRET}}}",
            ),
        ),
        arrives={ANNA: "smtp.gmail.com user"},
    ),
)
