/*
 * A client plugin of Cyrus SASL for logins with an access token: XOAUTH2 (Google's and Microsoft's) and OAUTHBEARER
 * (RFC 7628). smtp(8) passes the plugin the password from its table, which is the token. See README.md.
 *
 * It reads two callbacks, the user name and the password, and nothing else: no file, no environment, no network. It refuses
 * a bad user name or token before anything is sent, and smtp(8) then defers the mail.
 *
 * Known limits: omits the server's port, which RFC 7628 allows in a message, since smtp(8) does not pass it. Refuses a
 * program that would prompt the user (SASL_INTERACT).
 */
#include <stdio.h>
#include <string.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>

/* The password in the table while there is no token: NO_TOKEN in dms_relay/model/oauth2.py. */
#define NO_TOKEN "-no-token-yet-"

/* Maximum octets of a token. A response is shorter than 12288 octets (RFC 4954, section 4); this keeps all sums in an int. */
#define LONGEST_TOKEN 65536
#define LONGEST_USER 1024

/*
 * No NOPLAINTEXT, because a token in the clear can be read like a password. No flag makes Cyrus SASL prefer PLAIN if a
 * server has both: that depends on the order in which it finds its plugins. So each service names its mechanisms
 * (smtp_sasl_mechanism_filter); see README.md.
 */
#define SECURITY_FLAGS SASL_SEC_NOANONYMOUS

struct mechanism {
    /* Writes the message like snprintf(), even with no room. */
    int (*compose)(char *out, size_t room, const char *user, const char *host, const sasl_secret_t *token);
    /* The client's response to an error in JSON, so that the server can refuse the login. */
    const char *after_error;
};

enum state { BEGIN, SENT, REFUSED };

struct login {
    const struct mechanism *mechanism;
    enum state state;
    char *message;
    unsigned length;
};

/* https://developers.google.com/workspace/gmail/imap/xoauth2-protocol */
static int compose_xoauth2(char *out, size_t room, const char *user, const char *host, const sasl_secret_t *token)
{
    (void)host;
    return snprintf(out, room, "user=%s\1auth=Bearer %.*s\1\1", user, (int)token->len, (const char *)token->data);
}

/* A comma and an equals sign have a meaning in this message (RFC 5801, section 4: saslname). */
static void write_saslname(char *out, const char *user)
{
    for (; *user; user++) {
        const char *code = *user == ',' ? "=2C" : *user == '=' ? "=3D" : NULL;
        size_t length = code ? 3 : 1;

        memcpy(out, code ? code : user, length);
        out += length;
    }
    *out = '\0';
}

/* RFC 7628, section 3.1 */
static int compose_oauthbearer(char *out, size_t room, const char *user, const char *host, const sasl_secret_t *token)
{
    char name[3 * LONGEST_USER + 1];
    int has_host = host && *host;

    write_saslname(name, user);
    return snprintf(out, room, "n,a=%s,\1%s%s%sauth=Bearer %.*s\1\1", name, has_host ? "host=" : "", has_host ? host : "",
                    has_host ? "\1" : "", (int)token->len, (const char *)token->data);
}

static const struct mechanism XOAUTH2 = {compose_xoauth2, ""};
static const struct mechanism OAUTHBEARER = {compose_oauthbearer, "\1"};

/* Finds a callback of the program that logs in; returns 0 if it has none. */
static int find(const sasl_utils_t *utils, unsigned long id, void (**function)(void), void **context)
{
    sasl_callback_ft found = NULL;

    if (utils->getcallback(utils->conn, id, &found, context) != SASL_OK || !found)
        return 0;
    *function = (void (*)(void))found;
    return 1;
}

static const char *get_user(const sasl_utils_t *utils)
{
    void (*function)(void), *context;
    const char *user = NULL;

    if (!find(utils, SASL_CB_AUTHNAME, &function, &context) ||
        ((sasl_getsimple_t *)function)(context, SASL_CB_AUTHNAME, &user, NULL) != SASL_OK)
        return NULL;
    return user;
}

static const sasl_secret_t *get_token(const sasl_utils_t *utils)
{
    void (*function)(void), *context;
    sasl_secret_t *token = NULL;

    if (!find(utils, SASL_CB_PASS, &function, &context) ||
        ((sasl_getsecret_t *)function)(utils->conn, context, SASL_CB_PASS, &token) != SASL_OK)
        return NULL;
    return token;
}

/* Octets 1 to 31 and 127 end a field or a line. */
static int is_user(const char *user)
{
    const char *c = user;

    while ((unsigned char)*c >= ' ' && *c != '\177')
        c++;
    return c > user && c - user <= LONGEST_USER && !*c;
}

/* RFC 6749, appendix A.12: visible characters of ASCII. */
static int is_token(const sasl_secret_t *token)
{
    unsigned long i = 0;

    while (i < token->len && token->data[i] > ' ' && token->data[i] < '\177')
        i++;
    return i > 0 && i <= LONGEST_TOKEN && i == token->len;
}

static int is_missing(const sasl_secret_t *token)
{
    return token->len == 0 || (token->len == sizeof NO_TOKEN - 1 && !memcmp(token->data, NO_TOKEN, token->len));
}

/* Reports why nothing is sent. No text contains the token, or a part of it. */
static int refuse(const sasl_utils_t *utils, int result, const char *why)
{
    utils->seterror(utils->conn, 0, "OAuth2: %s", why);
    return result;
}

static int check(const sasl_utils_t *utils, const char *user, const sasl_secret_t *token)
{
    if (!user || !token)
        return refuse(utils, SASL_FAIL, "the program gives no user name or no password");
    if (is_missing(token))
        return refuse(utils, SASL_UNAVAIL, "there is no access token yet; nothing was sent (see: dms-relay status)");
    if (!is_user(user))
        return refuse(utils, SASL_BADPARAM, "the user name is empty, too long, or has a control character");
    if (!is_token(token))
        return refuse(utils, SASL_BADPARAM, "the entry of the password table is not an access token; nothing was sent");
    return SASL_OK;
}

static int begin(struct login *login, sasl_client_params_t *params, sasl_out_params_t *oparams)
{
    const sasl_utils_t *utils = params->utils;
    const char *user = get_user(utils);
    const sasl_secret_t *token = get_token(utils);
    int result = check(utils, user, token);

    if (result == SASL_OK)
        result = params->canon_user(utils->conn, user, 0, SASL_CU_AUTHID | SASL_CU_AUTHZID, oparams);
    if (result != SASL_OK)
        return result;
    login->length = (unsigned)login->mechanism->compose(NULL, 0, user, params->serverFQDN, token);
    login->message = utils->malloc(login->length + 1);
    if (!login->message)
        return SASL_NOMEM;
    login->mechanism->compose(login->message, login->length + 1, user, params->serverFQDN, token);
    return SASL_OK;
}

static void forget(struct login *login, const sasl_utils_t *utils)
{
    if (!login->message)
        return;
    utils->erasebuffer(login->message, login->length);
    utils->free(login->message);
    login->message = NULL;
}

static int start(void *mechanism, sasl_client_params_t *params, void **context)
{
    struct login *login = params->utils->calloc(1, sizeof *login);

    if (!login)
        return SASL_NOMEM;
    login->mechanism = mechanism;
    *context = login;
    return SASL_OK;
}

/* The server has answered the message: with nothing if all is well, or with an error. */
static int end(struct login *login, unsigned length, const char **out, unsigned *outlength, sasl_out_params_t *oparams)
{
    if (length == 0) {
        oparams->doneflag = 1;
        return SASL_OK;
    }
    login->state = REFUSED;
    *out = login->mechanism->after_error;
    *outlength = (unsigned)strlen(*out);
    return SASL_CONTINUE;
}

static int step(void *context, sasl_client_params_t *params, const char *in, unsigned length, sasl_interact_t **prompts,
                const char **out, unsigned *outlength, sasl_out_params_t *oparams)
{
    struct login *login = context;
    int result;

    (void)in;
    (void)prompts;
    *out = "";
    *outlength = 0;
    if (login->state == SENT) {
        forget(login, params->utils);
        return end(login, length, out, outlength, oparams);
    }
    if (login->state == REFUSED)
        return refuse(params->utils, SASL_BADPROT, "the server continues after it has refused the access token");
    if (params->props.min_ssf > params->external_ssf)
        return refuse(params->utils, SASL_TOOWEAK, "a security layer is required, and there is none");
    result = begin(login, params, oparams);
    if (result != SASL_OK)
        return result;
    login->state = SENT;
    *out = login->message;
    *outlength = login->length;
    return SASL_CONTINUE;
}

static void dispose(void *context, const sasl_utils_t *utils)
{
    if (!context)
        return;
    forget(context, utils);
    utils->free(context);
}

#define MECHANISM(name, how)                                                                                               \
    {                                                                                                                      \
        .mech_name = (name), .security_flags = SECURITY_FLAGS, .features = SASL_FEAT_WANT_CLIENT_FIRST,                    \
        .glob_context = (void *)(how), .mech_new = start, .mech_step = step, .mech_dispose = dispose                       \
    }

static sasl_client_plug_t plugs[] = {MECHANISM("XOAUTH2", &XOAUTH2), MECHANISM("OAUTHBEARER", &OAUTHBEARER)};

__attribute__((visibility("default"))) sasl_client_plug_init_t sasl_client_plug_init;

int sasl_client_plug_init(const sasl_utils_t *utils, int newest, int *version, sasl_client_plug_t **list, int *count)
{
    if (newest < SASL_CLIENT_PLUG_VERSION)
        return refuse(utils, SASL_BADVERS, "this version of Cyrus SASL is too old");
    *version = SASL_CLIENT_PLUG_VERSION;
    *list = plugs;
    *count = sizeof plugs / sizeof plugs[0];
    return SASL_OK;
}
