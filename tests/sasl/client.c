/*
 * client MECHANISMS HOST: logs in by Cyrus SASL's client, as smtp(8) does, to whoever is at standard input and output.
 *
 * The first line of standard input is the user name, the second one the token, both in base64. Each further line is a
 * challenge, in base64. Written is a line for each answer: the result of the library, the mechanism, the message in base64,
 * and after a tab the text of an error. More words are security flags that are demanded, and the least strength of a security
 * layer. With LOOK in the environment, it ends with 4 where the library or a plugin frees memory that has the token in it.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sasl/sasl.h>
#include <sasl/saslutil.h>

#define LINE 200000
/* Octets of a token that does not stand in memory by chance. */
#define SHORTEST 8

static char user[LINE];
static sasl_secret_t *secret;
/* Not under valgrind, which sees that freed memory is read that was never written. */
static int looks;

static int get_user(void *context, int id, const char **result, unsigned *length)
{
    (void)context;
    (void)id;
    *result = user;
    if (length)
        *length = (unsigned)strlen(user);
    return SASL_OK;
}

static int get_secret(sasl_conn_t *connection, void *context, int id, sasl_secret_t **result)
{
    (void)connection;
    (void)context;
    (void)id;
    *result = secret;
    return SASL_OK;
}

static int log_text(void *context, int level, const char *text)
{
    (void)context;
    fprintf(stderr, "%d %s\n", level, text);
    return SASL_OK;
}

/* Reads a line of base64; 0 at the end. */
static int read_line(char *out, unsigned *length)
{
    static char line[LINE];
    size_t end;

    if (!fgets(line, sizeof line, stdin))
        return 0;
    end = strcspn(line, "\r\n");
    return sasl_decode64(line, (unsigned)end, out, LINE, length) == SASL_OK;
}

static int has_secret(const char *block, size_t size)
{
    for (; size >= secret->len; block++, size--)
        if (!memcmp(block, secret->data, secret->len))
            return 1;
    return 0;
}

/* Frees memory of the library or of a plugin, which may not have a token in it any more. */
static void look_and_free(void *block)
{
    if (block && looks && secret->len >= SHORTEST && has_secret(block, malloc_usable_size(block)))
        _Exit(4);
    free(block);
}

static void read_secret(void)
{
    static char token[LINE];
    unsigned length = 0;

    if (!read_line(token, &length))
        exit(2);
    /* Not an octet more than the token has, so that a read beyond it is seen. */
    secret = malloc(offsetof(sasl_secret_t, data) + length + (length < sizeof(void *)) * sizeof(sasl_secret_t));
    secret->len = length;
    memcpy(secret->data, token, length);
}

static void show(sasl_conn_t *connection, int result, const char *mechanism, const char *out, unsigned length)
{
    static char text[2 * LINE];
    unsigned written = 0;

    sasl_encode64(out ? out : "", out ? length : 0, text, sizeof text, &written);
    printf("%d %s %.*s\t%s\n", result, mechanism ? mechanism : "-", (int)written, text,
           result < 0 ? sasl_errdetail(connection) : "");
    fflush(stdout);
}

int main(int count, char **words)
{
    const sasl_callback_t callbacks[] = {
        {SASL_CB_USER, (int (*)(void))(void (*)(void))get_user, NULL},
        {SASL_CB_AUTHNAME, (int (*)(void))(void (*)(void))get_user, NULL},
        {SASL_CB_PASS, (int (*)(void))(void (*)(void))get_secret, NULL},
        {SASL_CB_LOG, (int (*)(void))(void (*)(void))log_text, NULL},
        {SASL_CB_LIST_END, NULL, NULL},
    };
    static char challenge[LINE];
    sasl_security_properties_t demands = {.max_ssf = 0, .maxbufsize = 4096, .security_flags = SASL_SEC_NOANONYMOUS};
    sasl_conn_t *connection = NULL;
    const char *out = NULL, *mechanism = NULL;
    unsigned length = 0;
    int result;

    if (count < 3 || !read_line(user, &length))
        return 2;
    user[length] = '\0';
    read_secret();
    looks = getenv("LOOK") != NULL;
    if (count > 3)
        demands.security_flags |= (unsigned)strtoul(words[3], NULL, 0);
    if (count > 4)
        demands.min_ssf = (unsigned)strtoul(words[4], NULL, 0);
    sasl_set_alloc((sasl_malloc_t *)malloc, (sasl_calloc_t *)calloc, (sasl_realloc_t *)realloc, look_and_free);
    if (sasl_client_init(callbacks) != SASL_OK ||
        sasl_client_new("smtp", words[2], NULL, NULL, callbacks, 0, &connection) != SASL_OK)
        return 3;
    sasl_setprop(connection, SASL_SEC_PROPS, &demands);
    result = sasl_client_start(connection, words[1], NULL, &out, &length, &mechanism);
    show(connection, result, mechanism, out, length);
    while ((result == SASL_CONTINUE || result == SASL_OK) && read_line(challenge, &length)) {
        result = sasl_client_step(connection, challenge, length, NULL, &out, &length);
        show(connection, result, mechanism, out, length);
    }
    sasl_dispose(&connection);
    sasl_client_done();
    free(secret);
    return 0;
}
