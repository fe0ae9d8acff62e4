/* SPDX-License-Identifier: MIT */
/* Connection strings of storage and of Cosmos: see connstring.h. */
#include "backend/connstring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/net/cloud.h"
#include "backend/net/url.h"
#include "base/buf.h"
#include "base/span.h"

enum { ENDPOINT_MAX = 2048, ACCOUNT_MAX = 64 };

/* The emulator's account: public, the same on every machine. */
static const char DEV_ACCOUNT[] = "devstoreaccount1";
static const char DEV_KEY[] = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
			      "K1SZFPTOtr/KBHBeksoGMGw==";
static const char DEV_HOST[] = "http://127.0.0.1";
static const char DEV_PORT[] = ":10000";

enum part {
	PROTOCOL,
	ACCOUNT,
	KEY,
	SAS,
	SUFFIX,
	ENDPOINT,
	SECONDARY,
	DEVELOPMENT,
	DEV_PROXY,
	COSMOS_ENDPOINT,
	N_PARTS
};

static const char *const part_names[N_PARTS] = {
	[PROTOCOL] = "DefaultEndpointsProtocol",
	[ACCOUNT] = "AccountName",
	[KEY] = "AccountKey",
	[SAS] = "SharedAccessSignature",
	[SUFFIX] = "EndpointSuffix",
	[ENDPOINT] = "BlobEndpoint",
	[SECONDARY] = "BlobSecondaryEndpoint",
	[DEVELOPMENT] = "UseDevelopmentStorage",
	[DEV_PROXY] = "DevelopmentStorageProxyUri",
	[COSMOS_ENDPOINT] = "AccountEndpoint",
};

struct parts {
	struct span at[N_PARTS]; /* p == NULL: not there */
};

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span
trimmed(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_of(s.p + 1, s.n - 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool
is_word(struct span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp((const char *)s.p, word, s.n) == 0;
}

/* "Name=value", cut at the first '=': keys end in '='. */
static int
take_pair(struct span pair, struct parts *out, struct err *e)
{
	const uint8_t *eq = pair.n > 0 ? memchr(pair.p, '=', pair.n) : NULL;
	struct span name, value;

	if (eq == NULL)
		return err_set(e, EINVAL, "the connection string has a part without '='");
	name = trimmed(span_of(pair.p, (size_t)(eq - pair.p)));
	value = trimmed(span_of(eq + 1, pair.n - (size_t)(eq - pair.p) - 1));
	for (unsigned i = 0; i < N_PARTS; i++) {
		if (!is_word(name, part_names[i]))
			continue;
		if (out->at[i].p != NULL)
			return err_set(e, EINVAL, "the connection string says %s twice",
				       part_names[i]);
		out->at[i] = value;
	}
	return 0;
}

static int
take_pairs(const char *text, struct parts *out, struct err *e)
{
	while (*text != '\0') {
		size_t n = strcspn(text, ";");
		struct span pair = trimmed(span_of(text, n));
		int r = pair.n > 0 ? take_pair(pair, out, e) : 0;

		if (r != 0)
			return r;
		text += text[n] == ';' ? n + 1 : n;
	}
	return 0;
}

static bool
has(const struct parts *p, enum part part)
{
	return p->at[part].n > 0;
}

/* Without '/' at the end, and checked to be an address. */
static int
take_endpoint(const char *text, size_t n, char **out, struct err *e)
{
	struct err why = { 0 };
	AUTO_URL u = { 0 };

	while (n > 0 && text[n - 1] == '/')
		n--;
	*out = strndup(text, n);
	if (*out == NULL)
		return err_set(e, ENOMEM, "out of memory");
	if (url_parse(*out, &u, &why) != 0 || u.query != NULL)
		return err_set(e, EINVAL, "the connection string has no sound blob endpoint");
	return 0;
}

static int
take_development(const struct parts *p, struct connection *out, struct err *e)
{
	char endpoint[ENDPOINT_MAX];
	struct span host = has(p, DEV_PROXY) ? p->at[DEV_PROXY] : span_str(DEV_HOST);
	int n;

	if (!is_word(p->at[DEVELOPMENT], "true"))
		return err_set(e, EINVAL, "UseDevelopmentStorage can only be true");
	if (has(p, ACCOUNT) || has(p, KEY) || has(p, SAS))
		return err_set(e, EINVAL,
			       "UseDevelopmentStorage and other credentials contradict each other");
	while (host.n > 0 && host.p[host.n - 1] == '/')
		host.n--;
	n = snprintf(endpoint, sizeof(endpoint), "%.*s%s/%s", (int)(host.n < 1024 ? host.n : 1024),
		     (const char *)host.p, DEV_PORT, DEV_ACCOUNT);
	out->account = strdup(DEV_ACCOUNT);
	if (out->account == NULL)
		return err_set(e, ENOMEM, "out of memory");
	if (secret_text_new(span_str(DEV_KEY), &out->key, e) != 0)
		return -e->no;
	return take_endpoint(endpoint, (size_t)n, &out->endpoint, e);
}

static int
compose_endpoint(const struct parts *p, struct connection *out, struct err *e)
{
	struct span protocol = has(p, PROTOCOL) ? p->at[PROTOCOL] : span_str("https");
	struct span suffix = has(p, SUFFIX) ? p->at[SUFFIX] : span_str("core.windows.net");
	char endpoint[ENDPOINT_MAX];
	int n;

	if (!has(p, ACCOUNT))
		return err_set(e, EINVAL,
			       "the connection string has neither AccountName nor BlobEndpoint");
	if (protocol.n + p->at[ACCOUNT].n + suffix.n > 1024)
		return err_set(e, EINVAL, "the connection string's parts are too long");
	n = snprintf(endpoint, sizeof(endpoint), "%.*s://%.*s.blob.%.*s", (int)protocol.n,
		     (const char *)protocol.p, (int)p->at[ACCOUNT].n,
		     (const char *)p->at[ACCOUNT].p, (int)suffix.n, (const char *)suffix.p);
	return take_endpoint(endpoint, (size_t)n, &out->endpoint, e);
}

/* The account that an endpoint tells by itself: its host's first label, or the only part of its
 * path. */
static int
account_of_endpoint(const char *endpoint, char **out, struct err *e)
{
	AUTO_URL u = { 0 };
	char account[ACCOUNT_MAX];
	int r = url_parse(endpoint, &u, e);

	if (r != 0)
		return r;
	if (cloud_blob_account(u.host, account, sizeof(account)))
		*out = strdup(account);
	else if (u.path[0] == '/' && u.path[1] != '\0' && strchr(u.path + 1, '/') == NULL)
		*out = strdup(u.path + 1);
	else
		return 0;
	return *out == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

static int
take_account(const struct parts *p, struct connection *out, struct err *e)
{
	if (!has(p, ACCOUNT))
		return account_of_endpoint(out->endpoint, &out->account, e);
	out->account = strndup((const char *)p->at[ACCOUNT].p, p->at[ACCOUNT].n);
	return out->account == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

static int
take_credential(const struct parts *p, struct connection *out, struct err *e)
{
	if (has(p, KEY) && out->account == NULL)
		return err_set(e, EINVAL,
			       "the connection string has AccountKey without AccountName");
	if (has(p, KEY))
		return secret_text_new(p->at[KEY], &out->key, e);
	if (has(p, SAS))
		return secret_text_new(p->at[SAS], &out->sas, e);
	return err_set(e, EINVAL,
		       "the connection string has neither AccountKey nor SharedAccessSignature");
}

static int
take_parts(const struct parts *p, struct connection *out, struct err *e)
{
	int r;

	if (has(p, DEVELOPMENT))
		return take_development(p, out, e);
	if (has(p, SECONDARY) && !has(p, ENDPOINT))
		return err_set(
			e, EINVAL,
			"the connection string has BlobSecondaryEndpoint without BlobEndpoint");
	r = has(p, ENDPOINT) ? take_endpoint((const char *)p->at[ENDPOINT].p, p->at[ENDPOINT].n,
					     &out->endpoint, e)
			     : compose_endpoint(p, out, e);
	if (r == 0)
		r = take_account(p, out, e);
	return r == 0 ? take_credential(p, out, e) : r;
}

/* ---- Cosmos ---- */

static int
take_cosmos_endpoint(struct span value, char **out, struct err *e)
{
	struct err why = { 0 };
	AUTO_URL u = { 0 };
	AUTO_BUF text, origin;
	int r;

	buf_init(&text, ENDPOINT_MAX);
	buf_init(&origin, ENDPOINT_MAX);
	if (buf_add(&text, value.p, value.n, &why) < 0 || url_parse(buf_str(&text), &u, &why) < 0 ||
	    u.query != NULL || (u.path[0] != '\0' && strcmp(u.path, "/") != 0))
		return err_set(e, EINVAL, "the connection string has no sound AccountEndpoint");
	r = url_origin(&u, &origin, e);
	if (r < 0)
		return r;
	*out = strdup(buf_str(&origin));
	return *out == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

static int
take_cosmos_parts(const struct parts *p, struct connection *out, struct err *e)
{
	int r;

	if (!has(p, COSMOS_ENDPOINT) || !has(p, KEY))
		return err_set(e, EINVAL, "the connection string has no %s",
			       part_names[has(p, KEY) ? COSMOS_ENDPOINT : KEY]);
	r = take_cosmos_endpoint(p->at[COSMOS_ENDPOINT], &out->endpoint, e);
	return r == 0 ? secret_text_new(p->at[KEY], &out->key, e) : r;
}

/* ---- both ---- */

static int
parse(const struct secret_text *text,
      int (*take)(const struct parts *p, struct connection *out, struct err *e),
      struct connection *out, struct err *e)
{
	AUTO_CONNECTION c = { 0 };
	struct parts p = { 0 };
	int r = take_pairs(secret_text_borrow(text), &p, e);

	if (r == 0)
		r = take(&p, &c, e);
	if (r != 0)
		return r;
	*out = c;
	c = (struct connection){ 0 };
	return 0;
}

int
connection_parse(const struct secret_text *text, struct connection *out, struct err *e)
{
	return parse(text, take_parts, out, e);
}

int
connection_parse_cosmos(const struct secret_text *text, struct connection *out, struct err *e)
{
	return parse(text, take_cosmos_parts, out, e);
}

void
connection_clear(struct connection *c)
{
	free(c->account);
	free(c->endpoint);
	secret_text_free(c->key);
	secret_text_free(c->sas);
	*c = (struct connection){ 0 };
}
