/* SPDX-License-Identifier: MIT */
/* One vault: see vaulthost.h. */
#include "backend/keys/vaulthost.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/keys/vaultanswer.h"
#include "backend/net/retry.h"
#include "backend/net/url.h"
#include "base/log.h"
#include "base/mutex.h"

enum { ATTEMPTS_MAX = 10, ORIGIN_MAX = sizeof("https://:65535") + KID_HOST_MAX };

static const int64_t BACKOFF_MAX_NS = 30 * NS_PER_S;
static const int64_t QUIET_MIN_NS =
	NS_PER_S; /* after a 429 that names no time; doubled up to 16 s */
static const unsigned QUIET_DOUBLINGS = 4;
static const int64_t REOPEN_JITTER_NS =
	100 * NS_PER_MS; /* those who waited do not all come back in one instant */

#define ADVICE_ROLE(word)                                                                  \
	"grant the role \"Key Vault Crypto User\" on the key (managed HSM: \"Managed HSM " \
	"Crypto User\"), or " word " in the vault's access policy"
#define ADVICE_OPERATION(word) "allow " word " among the key's permitted operations (key_ops)"

static const struct {
	const char *may, *role, *permits, *operation;
} words[] = {
	[VAULT_UNWRAP] = { "unwrap with", ADVICE_ROLE("unwrapKey"), "to be unwrapped with",
			   ADVICE_OPERATION("unwrapKey") },
	[VAULT_WRAP] = { "wrap with", ADVICE_ROLE("wrapKey"), "to be wrapped with",
			 ADVICE_OPERATION("wrapKey") },
	[VAULT_READ] = { "read", ADVICE_ROLE("get and list"), "to be read",
			 ADVICE_OPERATION("get") },
};

static const char ADVICE_FIREWALL[] =
	"let this machine's address through the vault's firewall, or use a private "
	"endpoint";
static const char ADVICE_TENANT[] =
	"check that the identity is of the vault's tenant: AZURE_TENANT_ID, "
	"AZURE_AUTHORITY_HOST";

struct vault_host {
	struct http_client *client;
	const struct identity_env *env;
	struct http_auth *auth;
	struct kid where;
	char origin[ORIGIN_MAX];

	pthread_mutex_t mu;    /* guards what follows */
	int64_t not_before_ns; /* nobody asks before that */
	unsigned quiets;       /* 429s in a row */
	bool challenge_reported;
};

/* ---- quiet ---- */

static void
ask_for_quiet(struct vault_host *h, const struct http_response *r)
{
	int64_t wait = retry_after_ns(r, clock_wall_s()), until;

	mutex_lock(&h->mu);
	if (wait == 0)
		wait = QUIET_MIN_NS << (h->quiets < QUIET_DOUBLINGS ? h->quiets : QUIET_DOUBLINGS);
	h->quiets++;
	until = clock_now_ns() + wait;
	if (until > h->not_before_ns)
		h->not_before_ns = until;
	mutex_unlock(&h->mu);
}

static void
end_quiet(struct vault_host *h)
{
	mutex_lock(&h->mu);
	h->quiets = 0;
	mutex_unlock(&h->mu);
}

static int64_t
quiet_left_ns(struct vault_host *h)
{
	int64_t left;

	mutex_lock(&h->mu);
	left = h->not_before_ns - clock_now_ns();
	mutex_unlock(&h->mu);
	return left;
}

static int
sleep_within(int64_t ns, struct deadline d, const char *why, struct err *e)
{
	if (ns >= deadline_left_ns(d)) {
		(void)err_set(e, ETIMEDOUT, "%s, and the time is up before it may be asked again",
			      why);
		return err_mark(e, "net.deadline", NULL);
	}
	clock_sleep_ns(ns);
	if (clock_stopped())
		return err_set(e, ECANCELED, "the program ends");
	return 0;
}

static int
await_turn(struct vault_host *h, struct deadline d, struct err *e)
{
	int64_t left = quiet_left_ns(h);

	while (left > 0) {
		int r = sleep_within(left + arc4random_uniform((uint32_t)REOPEN_JITTER_NS), d,
				     "the vault throttles", e);

		if (r != 0)
			return r;
		left = quiet_left_ns(h);
	}
	return 0;
}

/* ---- what a refusal means ---- */

static int
refused_403(enum vault_op op, const struct vault_refusal *why, struct err *e)
{
	const char *code = why->inner[0] != '\0' ? why->inner : why->code;
	int r = vaultanswer_unusable(why->inner, e);

	if (r == 0)
		r = vaultanswer_unusable(why->code, e);
	if (r != 0)
		return r;
	if (why->firewall) {
		(void)err_set(e, EACCES,
			      "the vault's firewall refuses this machine's address (403 %s)", code);
		return err_mark(e, "auth.vault", ADVICE_FIREWALL);
	}
	if (strcmp(code, "KeyOperationForbidden") == 0) {
		(void)err_set(e, EACCES, "the key does not permit %s (403 %s)", words[op].permits,
			      code);
		return err_mark(e, "auth.vault", words[op].operation);
	}
	(void)err_set(e, op == VAULT_READ ? EPERM : EACCES,
		      "this identity may not %s the key (403 %s)", words[op].may, code);
	return err_mark(e, "auth.vault", words[op].role);
}

static int
refused_400(enum vault_op op, const struct vault_refusal *why, struct err *e)
{
	bool parameter = strcmp(why->code, "BadParameter") == 0 ||
			 strcmp(why->inner, "BadParameter") == 0;

	if (!parameter || op == VAULT_READ)
		return err_set(e, EIO, "the vault answers 400 %s", why->code);
	if (op == VAULT_WRAP)
		return err_set(e, EINVAL,
			       "the vault says that the algorithm is not one of this key (400 "
			       "BadParameter)");
	(void)err_set(e, EBADMSG,
		      "the vault says that the wrapped key is not of this key (400 BadParameter)");
	return err_mark(e, "integrity.cek", NULL);
}

static int
refused(enum vault_op op, const struct http_response *r, struct err *e)
{
	struct vault_refusal why;

	vaultanswer_refusal(buf_span(&r->error_body), &why);
	switch (r->status) {
	case 400:
		return refused_400(op, &why, e);
	case 401:
		(void)err_set(e, EACCES, "the vault does not accept the token (401 %s)", why.code);
		return err_mark(e, "auth.vault", ADVICE_TENANT);
	case 403:
		return refused_403(op, &why, e);
	case 404:
		(void)err_set(e, ENOKEY, "the vault has no such key or version (404 %s)", why.code);
		return err_mark(e, "key.missing",
				"a deleted key can be recovered while its vault retains it");
	case 409:
		return err_set(e, EIO, "the key is being deleted or recovered (409 %s)", why.code);
	default:
		return err_set(e, EIO, "the vault answers %d %s", r->status, why.code);
	}
}

/* ---- the challenge: never followed, but it tells of a wrong tenant ---- */

/* The URL behind authorization= or authorization_uri=, quotes or not. */
static bool
challenge_authority(const char *challenge, struct url *out)
{
	struct err ignored = { 0 };
	const char *at = strcasestr(challenge, "authorization");
	char text[512];
	size_t n;

	at = at != NULL ? strchr(at, '=') : NULL;
	if (at == NULL)
		return false;
	at += at[1] == '"' ? 2 : 1;
	n = strcspn(at, "\", ");
	if (n == 0 || n >= sizeof(text))
		return false;
	memcpy(text, at, n);
	text[n] = '\0';
	return url_parse(text, out, &ignored) == 0;
}

static bool
is_own_authority(const struct identity_env *env, const struct url *u)
{
	struct err ignored = { 0 };
	AUTO_URL own = { 0 };
	const char *tenant = u->path[0] == '/' ? u->path + 1 : u->path;
	size_t n = strcspn(tenant, "/");

	if (env->authority != NULL && url_parse(env->authority, &own, &ignored) == 0 &&
	    strcasecmp(own.host, u->host) != 0)
		return false;
	if (env->tenant == NULL || n == 0)
		return true;
	return strlen(env->tenant) == n && strncasecmp(env->tenant, tenant, n) == 0;
}

static void
report_challenge(struct vault_host *h, const struct http_response *r)
{
	AUTO_BUF scratch;
	AUTO_URL u = { 0 };
	const char *challenge;
	bool first;

	buf_init(&scratch, HTTP_HEADERS_MAX);
	challenge = http_header_get(r, "www-authenticate", &scratch);
	if (challenge == NULL || !challenge_authority(challenge, &u) ||
	    is_own_authority(h->env, &u))
		return;
	mutex_lock(&h->mu);
	first = !h->challenge_reported;
	h->challenge_reported = true;
	mutex_unlock(&h->mu);
	if (first)
		log_event(LOG_LEVEL_WARNING, "auth.challenge",
			  "vault %s asks for a token of %s%s, which is not the configured "
			  "authority and tenant; not followed",
			  h->where.host, u.host, u.path);
}

/* ---- asking ---- */

static int
ask_once(struct vault_host *h, const char *url, struct span body, struct deadline d,
	 struct buf *answer, struct http_response *out, struct err *e)
{
	struct http_request req = {
		.method = body.n > 0 ? "POST" : "GET",
		.url = url,
		.header = { { "Accept", "application/json" } },
		.body = body,
		.secret_body = true,
		.max_body = VAULT_ANSWER_MAX,
		/* All of this may well be repeated, but it is done here: see the head of
		 * vaulthost.h.
		 */
		.idempotent = false,
	};

	if (body.n > 0)
		req.header[1] = (struct http_header){ "Content-Type", "application/json" };
	buf_reset(answer);
	return http_call(h->client, h->auth, &req, http_sink_to_buf(answer), d, out, e);
}

static bool
is_transient(const struct err *e)
{
	static const char *const lasting[] = { "net.tls", "net.redirect", "net.protocol" };

	if (e->no != EIO)
		return false;
	for (size_t i = 0; e->event != NULL && i < ARRAY_LEN(lasting); i++)
		if (strcmp(e->event, lasting[i]) == 0)
			return false;
	return true;
}

static int64_t
pause_ns(unsigned attempts, const struct http_response *resp)
{
	int64_t asked = retry_after_ns(resp, clock_wall_s());
	int64_t own = retry_backoff_ns(attempts, BACKOFF_MAX_NS, arc4random());

	return asked > own ? asked : own;
}

/*
 * Whether to ask again after this attempt; the wait for it lies behind then.
 * r, and *e when it is not 0, say how the attempt ended; *e is replaced when the wait is what
 * fails.
 */
static bool
try_again(int r, unsigned attempts, const struct http_response *resp, struct deadline d,
	  struct err *e)
{
	char why[128] = "the vault is not available";

	if (attempts >= ATTEMPTS_MAX)
		return false;
	if (r == 0 ? !retry_status(resp->status) : !is_transient(e))
		return false;
	if (r != 0)
		(void)snprintf(why, sizeof(why), "%.127s", e->text);
	err_clear(e);
	return sleep_within(pause_ns(attempts, resp), d, why, e) == 0;
}

/* Asks until there is an answer that counts; *out is the last one. */
static int
ask(struct vault_host *h, const char *url, struct span body, struct deadline d, struct buf *answer,
    struct http_response *out, struct err *e)
{
	unsigned attempts = 0;
	bool throttled, again;
	int r;

	do {
		r = await_turn(h, d, e);
		if (r != 0)
			return r;
		http_response_clear(out);
		http_response_init(out);
		r = ask_once(h, url, body, d, answer, out, e);
		throttled = r == 0 && out->status == 429;
		if (throttled)
			ask_for_quiet(h, out);
		again = throttled || try_again(r, ++attempts, out, d, e);
	} while (again);
	return e->no != 0 ? -e->no : 0;
}

int
vaulthost_call(struct vault_host *h, enum vault_op op, const char *url, struct span body,
	       struct deadline d, struct buf *answer, struct err *e)
{
	AUTO_HTTP_RESPONSE resp;
	int r;

	assert(strncmp(url, h->origin, strlen(h->origin)) == 0 && url[strlen(h->origin)] == '/');
	http_response_init(&resp);
	r = ask(h, url, body, d, answer, &resp, e);
	if (r == 0)
		end_quiet(h);
	if (r == 0 && resp.status == 401)
		report_challenge(h, &resp);
	if (r == 0 && resp.status != 200)
		r = refused(op, &resp, e);
	if (r != 0 && e->request_id[0] == '\0')
		err_request(e, resp.request_id);
	return r;
}

const char *
vaulthost_origin(const struct vault_host *h)
{
	return h->origin;
}

bool
vaulthost_is(const struct vault_host *h, const struct kid *where)
{
	return strcmp(h->where.host, where->host) == 0 && h->where.port == where->port;
}

static void
write_origin(const struct kid *where, char out[static ORIGIN_MAX])
{
	if (where->port != 0)
		(void)snprintf(out, ORIGIN_MAX, "https://%s:%u", where->host, where->port);
	else
		(void)snprintf(out, ORIGIN_MAX, "https://%s", where->host);
}

int
vaulthost_new(struct http_client *client, const struct identity_env *env,
	      struct token_source *tokens, const struct kid *where, struct vault_host **out,
	      struct err *e)
{
	struct vault_host *h = calloc(1, sizeof(*h));
	int r;

	if (h == NULL)
		return err_set(e, ENOMEM, "no memory for a vault");
	h->client = client;
	h->env = env;
	h->where = *where;
	write_origin(where, h->origin);
	(void)pthread_mutex_init(&h->mu, NULL);
	r = bearer_auth_new(tokens, h->origin, &h->auth, e);
	if (r != 0) {
		vaulthost_free(h);
		return r;
	}
	*out = h;
	return 0;
}

void
vaulthost_free(struct vault_host *h)
{
	if (h == NULL)
		return;
	http_auth_free(h->auth);
	(void)pthread_mutex_destroy(&h->mu);
	free(h);
}
