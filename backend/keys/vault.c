/* SPDX-License-Identifier: MIT */
/*
 * Key Vault and Managed HSM as a key provider: the allow-list, unwrapping,
 * and finding the version that a versionless key id meant.  How it wraps is in
 * vaultwrap.h.
 *
 * What is contacted is built from the allow-list's entry and from the checked
 * parts of the key id.
 *
 * Source: docs/FORMATS.md, "Key Vault".
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/keys/kid.h"
#include "backend/keys/provider.h"
#include "backend/keys/secretjson.h"
#include "backend/keys/vaultanswer.h"
#include "backend/keys/vaultask.h"
#include "backend/keys/vaulthost.h"
#include "backend/keys/vaultwrap.h"
#include "backend/net/cloud.h"
#include "base/mutex.h"
#include "crypto/cek.h"

enum {
	LIST_PAGES_MAX = 40, /* of 25 versions */
	REMEMBERED_MAX = 64
};

struct listed { /* an entry of the allow-list, and who serves it */
	struct vault_entry entry;
	struct vault_host *host; /* one of hosts */
};

struct resource {
	const char *name; /* static */
	struct token_source *tokens;
};

struct remembered { /* the version that a versionless id last meant */
	struct kid kid;
	char version[KID_VERSION_LEN + 1];
};

struct vault_provider {
	struct provider base;
	struct http_client *client;
	const struct identity_env *env;
	enum credential_kind kind;
	struct listed *list;
	size_t n_list;
	struct vault_host **hosts; /* at most n_list */
	size_t n_hosts;
	struct resource *resources; /* at most n_list */
	size_t n_resources;
	struct vaultwrap *wrapping;

	pthread_mutex_t mu; /* guards what follows */
	struct remembered remembered[REMEMBERED_MAX];
	unsigned next_remembered;
};

/* ---- the allow-list ---- */

static const struct listed *
find_listed(const struct vault_provider *vp, const struct kid *k)
{
	for (size_t i = 0; i < vp->n_list; i++)
		if (vault_entry_covers(&vp->list[i].entry, k))
			return &vp->list[i];
	return NULL;
}

/* AES keys live in managed HSMs only.  Of hosts of no known cloud nothing is known, so they may. */
static bool
may_hold_aes_keys(const char *host)
{
	const char *service = strstr(cloud_vault_resource(host), "://") + 3;
	size_t h = strlen(host), s = strlen(service);
	bool known = h > s && host[h - s - 1] == '.' && strcasecmp(host + h - s, service) == 0;

	return !known || strncmp(service, "managedhsm.", strlen("managedhsm.")) == 0;
}

static int
take_question(const struct vault_provider *vp, const char *kid, struct vaultask *q, struct err *e)
{
	const struct listed *l = NULL;

	if (kid_parse(kid, &q->kid, e) == 0)
		l = find_listed(vp, &q->kid);
	else
		err_clear(e);
	if (l == NULL) {
		(void)err_set(e, EACCES, "no vault= entry covers the key id");
		return err_mark(e, "policy.kek", NULL);
	}
	if (q->alg != 0 && !wrap_alg_is_rsa(q->alg) && !may_hold_aes_keys(q->kid.host)) {
		(void)err_set(e, EACCES, "%s does not fit a key of this vault",
			      wrap_alg_name(q->alg));
		return err_mark(e, "policy.kek_alg", NULL);
	}
	q->host = l->host;
	return 0;
}

/* ---- one unwrap ---- */

/* Asks one version, "" the current one. */
static int
unwrap_with(const struct vaultask *q, const char *version, struct room out, size_t *out_n,
	    char *out_version, bool *rejected, struct err *e)
{
	struct kid answered = { 0 };
	int r = vaultask_operate(q, VAULT_UNWRAP, version, out, out_n, &answered, rejected, e);

	if (r == 0)
		memcpy(out_version, answered.version, sizeof(answered.version));
	return r;
}

/* ---- versionless ids: which version wrapped it? ---- */

static struct remembered *
find_remembered_locked(struct vault_provider *vp, const struct kid *k)
{
	for (size_t i = 0; i < REMEMBERED_MAX; i++) {
		struct remembered *m = &vp->remembered[i];

		if (m->version[0] != '\0' && strcmp(m->kid.host, k->host) == 0 &&
		    m->kid.port == k->port && strcasecmp(m->kid.name, k->name) == 0)
			return m;
	}
	return NULL;
}

static bool
recall(struct vault_provider *vp, const struct kid *k, char version[static KID_VERSION_LEN + 1])
{
	const struct remembered *m;

	mutex_lock(&vp->mu);
	m = find_remembered_locked(vp, k);
	if (m != NULL)
		memcpy(version, m->version, KID_VERSION_LEN + 1);
	mutex_unlock(&vp->mu);
	return m != NULL;
}

static void
remember(struct vault_provider *vp, const struct kid *k, const char *version)
{
	struct remembered *m;

	mutex_lock(&vp->mu);
	m = find_remembered_locked(vp, k);
	if (m == NULL)
		m = &vp->remembered[vp->next_remembered++ % REMEMBERED_MAX];
	m->kid = *k;
	(void)snprintf(m->version, sizeof(m->version), "%s", version);
	mutex_unlock(&vp->mu);
}

static int
fetch_page(const struct vaultask *q, const char *query, struct vault_versions *all,
	   struct buf *next, struct err *e)
{
	AUTO_BUF answer;
	int r;

	buf_init(&answer, VAULT_ANSWER_MAX);
	r = vaultask_get(q, "/versions", query, &answer, e);
	return r == 0 ? vaultanswer_versions(buf_span(&answer), &q->kid, all, next, e) : r;
}

static int
list_versions(const struct vaultask *q, struct vault_versions *all, struct err *e)
{
	AUTO_BUF query, next;
	int r;

	buf_init(&query, VAULT_ANSWER_MAX);
	buf_init(&next, VAULT_ANSWER_MAX);
	r = buf_addf(&query, e, "%s&maxresults=25", VAULTASK_API);
	for (unsigned page = 0; r == 0 && page < LIST_PAGES_MAX; page++) {
		r = fetch_page(q, buf_str(&query), all, &next, e);
		buf_reset(&query);
		if (r != 0 || next.n == 0)
			return r;
		r = buf_add(&query, next.p, next.n, e);
	}
	return r;
}

/* A version that is not the one, or is gone meanwhile, leaves hope for the next; anything else ends
 * the search. */
static bool
may_be_another(int r, bool rejected)
{
	return rejected || r == -ENOKEY;
}

static int
try_versions(const struct vaultask *q, const struct vault_versions *all, struct room out,
	     size_t *out_n, char *out_version, struct err *e)
{
	struct err last = { 0 };
	bool rejected;
	int r = -EBADMSG;

	for (unsigned i = 0; i < all->n; i++) {
		err_clear(&last);
		r = unwrap_with(q, all->v[i].version, out, out_n, out_version, &rejected, &last);
		if (r == 0)
			return 0;
		if (!may_be_another(r, rejected)) {
			*e = last;
			return r;
		}
	}
	(void)err_set(e, EBADMSG, "no enabled version of the key fits the wrapped key (%u tried)",
		      all->n);
	return err_mark(e, "integrity.cek", NULL);
}

/* The current version did not fit, or is disabled (*e says so): looks among the older ones. */
static int
search_versions(const struct vaultask *q, struct room out, size_t *out_n, char *out_version,
		struct err *e)
{
	const struct err current = *e;
	struct vault_versions all = { 0 };
	struct err why = { 0 };
	int r = list_versions(q, &all, &why);

	if (r == -EPERM || r == -EACCES || r == -ENOKEY || r == -EBADMSG)
		return err_in(e, "older versions cannot be listed (%.100s)", why.text);
	if (r != 0) {
		*e = why;
		return r;
	}
	err_clear(e);
	r = try_versions(q, &all, out, out_n, out_version, e);
	if (r == -EBADMSG && current.no == ENOKEY) {
		*e = current; /* the one that is disabled may have been the one */
		r = -ENOKEY;
	}
	return r;
}

static bool
is_disabled(const struct err *e)
{
	return e->event != NULL && strcmp(e->event, "key.disabled") == 0;
}

static int
unwrap_versionless(struct vault_provider *vp, const struct vaultask *q, struct room out,
		   size_t *out_n, struct err *e)
{
	char version[KID_VERSION_LEN + 1] = "", used[KID_VERSION_LEN + 1] = "";
	bool rejected;
	int r;

	if (recall(vp, &q->kid, version)) {
		r = unwrap_with(q, version, out, out_n, used, &rejected, e);
		if (!may_be_another(r, rejected))
			return r;
		err_clear(e);
	}
	r = unwrap_with(q, "", out, out_n, used, &rejected, e);
	if (r != 0 && (rejected || is_disabled(e)))
		r = search_versions(q, out, out_n, used, e);
	if (r == 0)
		remember(vp, &q->kid, used);
	return r;
}

static bool
vault_claims(struct provider *p, const char *kid)
{
	struct err ignored = { 0 };
	struct kid k;

	return kid_parse(kid, &k, &ignored) == 0 &&
	       find_listed((const struct vault_provider *)p, &k) != NULL;
}

static int
vault_unwrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span wrapped,
	     struct deadline d, struct room out, size_t *out_n, struct err *e)
{
	struct vault_provider *vp = (struct vault_provider *)p;
	struct vaultask q = { .alg = alg, .value = wrapped, .deadline = d };
	char used[KID_VERSION_LEN + 1];
	bool rejected;
	int r = take_question(vp, kid, &q, e);

	if (r != 0)
		return r;
	if (out.n > CEK_UNWRAPPED_MAX)
		out.n = CEK_UNWRAPPED_MAX;
	if (q.kid.version[0] == '\0')
		return unwrap_versionless(vp, &q, out, out_n, e);
	return unwrap_with(&q, q.kid.version, out, out_n, used, &rejected, e);
}

static int
vault_wrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span plain,
	   struct deadline d, struct wrapped_key *out, struct err *e)
{
	struct vault_provider *vp = (struct vault_provider *)p;
	struct vaultask q = { .alg = alg, .value = plain, .deadline = d };
	int r = take_question(vp, kid, &q, e);

	return r == 0 ? vaultwrap_wrap(vp->wrapping, &q, out, e) : r;
}

/* ---- making one ---- */

static int
tokens_for(struct vault_provider *vp, const char *host, struct token_source **out, struct err *e)
{
	const char *name = cloud_vault_resource(host);
	struct resource *new = &vp->resources[vp->n_resources];
	int r;

	for (size_t i = 0; i < vp->n_resources; i++)
		if (strcmp(vp->resources[i].name, name) == 0) {
			*out = vp->resources[i].tokens;
			return 0;
		}
	r = token_source_new(vp->client, vp->env, vp->kind, name, &new->tokens, e);
	if (r != 0)
		return r;
	new->name = name;
	vp->n_resources++;
	*out = new->tokens;
	return 0;
}

static int
host_for(struct vault_provider *vp, const struct kid *where, struct vault_host **out, struct err *e)
{
	struct token_source *tokens = NULL;
	int r;

	for (size_t i = 0; i < vp->n_hosts; i++)
		if (vaulthost_is(vp->hosts[i], where)) {
			*out = vp->hosts[i];
			return 0;
		}
	r = tokens_for(vp, where->host, &tokens, e);
	if (r == 0)
		r = vaulthost_new(vp->client, vp->env, tokens, where, &vp->hosts[vp->n_hosts], e);
	if (r == 0)
		*out = vp->hosts[vp->n_hosts++];
	return r;
}

static int
read_entries(struct vault_provider *vp, const char *const *entries, size_t n, struct err *e)
{
	vp->list = calloc(n + 1, sizeof(*vp->list));
	vp->hosts = calloc(n + 1, sizeof(struct vault_host *));
	vp->resources = calloc(n + 1, sizeof(*vp->resources));
	if (vp->list == NULL || vp->hosts == NULL || vp->resources == NULL)
		return err_set(e, ENOMEM, "no memory for the vaults");
	for (; vp->n_list < n; vp->n_list++) {
		struct listed *l = &vp->list[vp->n_list];
		int r = vault_entry_parse(entries[vp->n_list], &l->entry, e);

		if (r == 0)
			r = host_for(vp, &l->entry.kid, &l->host, e);
		if (r != 0)
			return r;
	}
	return 0;
}

static void
vault_free(struct provider *p)
{
	struct vault_provider *vp = (struct vault_provider *)p;

	for (size_t i = 0; i < vp->n_hosts; i++)
		vaulthost_free(vp->hosts[i]);
	for (size_t i = 0; i < vp->n_resources; i++)
		token_source_free(vp->resources[i].tokens);
	vaultwrap_free(vp->wrapping);
	(void)pthread_mutex_destroy(&vp->mu);
	free(vp->list);
	free(vp->hosts);
	free(vp->resources);
	free(vp);
}

static const struct provider_ops vault_ops = {
	.name = "vault",
	.claims = vault_claims,
	.unwrap = vault_unwrap,
	.wrap = vault_wrap,
	.free = vault_free,
};

int
vault_provider_new(struct http_client *client, const struct identity_env *token_env,
		   int credential_kind, const char *const *entries, struct provider **out,
		   struct err *e)
{
	struct vault_provider *vp = calloc(1, sizeof(*vp));
	size_t n = 0;
	int r;

	secretjson_setup();
	if (vp == NULL)
		return err_set(e, ENOMEM, "no memory for the vaults");
	vp->base.ops = &vault_ops;
	vp->client = client;
	vp->env = token_env;
	vp->kind = (enum credential_kind)credential_kind;
	(void)pthread_mutex_init(&vp->mu, NULL);
	while (entries[n] != NULL)
		n++;
	r = vaultwrap_new(&vp->wrapping, e);
	if (r == 0)
		r = read_entries(vp, entries, n, e);
	if (r != 0) {
		vault_free(&vp->base);
		return r;
	}
	*out = &vp->base;
	return 0;
}
