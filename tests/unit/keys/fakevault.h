/* SPDX-License-Identifier: MIT */
/*
 * A vault behind fakenet.h: keys in versions, which really wrap and unwrap, and the service's
 * errors.  To be included by one file of a test program.
 */
#ifndef TESTS_UNIT_KEYS_FAKEVAULT_H
#define TESTS_UNIT_KEYS_FAKEVAULT_H

#include <jansson.h>
#include <pthread.h>

#include "base/base64.h"
#include "crypto/kek.h"
#include "tests/unit/keys/fakenet.h"

enum { FAKE_VERSIONS_MAX = 40 };

struct fake_version {
	char version[33];
	struct kek *kek; /* borrowed */
	bool disabled;
	long created;
	const char *key;	/* members of the key that GET shows; NULL = an AES key */
	const char *attributes; /* more of them, with a leading comma; NULL = none */
};

/* One vault with one key. */
struct fake_vault {
	const char *origin, *name;
	struct fake_version v[FAKE_VERSIONS_MAX]; /* oldest first; the last one is current */
	unsigned n;
	unsigned page;		 /* versions on a page of a list; 0 = all */
	const char *next_origin; /* of nextLink; NULL = the right one */
	bool no_list;		 /* 403 for lists */
	bool no_get;		 /* 403 for GET key */
	const char *get;	 /* what GET key answers instead, or NULL */

	pthread_mutex_t mu; /* guards the record of what was asked */
	char url[512];
	char body[4096];
	atomic_uint unwraps, lists, gets, wraps;
};

static struct fake_vault fake_vault = { .mu = PTHREAD_MUTEX_INITIALIZER };

static void
fake_error(struct fake_answer *out, int status, const char *code, const char *inner,
	   const char *message)
{
	struct err e = { 0 };

	out->status = status;
	if (buf_addf(&out->body, &e,
		     "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"innererror\":{\"code\":\"%"
		     "s\"}}}",
		     code, message, inner) != 0)
		abort();
}

static struct fake_version *
fake_find_version(const char *version, size_t n)
{
	struct fake_vault *v = &fake_vault;

	if (n == 0)
		return v->n > 0 ? &v->v[v->n - 1] : NULL;
	for (unsigned i = 0; i < v->n; i++)
		if (n == 32 && strncmp(v->v[i].version, version, 32) == 0)
			return &v->v[i];
	return NULL;
}

/* The operation itself; false: BadParameter. */
static bool
fake_operate(const struct fake_version *ver, bool wraps, const char *name, const char *value,
	     struct buf *out)
{
	uint8_t in[1100], plain[CEK_UNWRAPPED_MAX];
	struct err e = { 0 };
	enum wrap_alg alg;
	size_t n, n_plain;

	if (value == NULL || name == NULL || strchr(value, '=') != NULL ||
	    !wrap_alg_parse(name, &alg) ||
	    !base64_decode(BASE64_URL, span_str(value), (struct room){ in, sizeof(in) }, &n))
		return false;
	if (wraps)
		return kek_wrap(ver->kek, alg, span_of(in, n), out, &e) == 0;
	return kek_unwrap(ver->kek, alg, span_of(in, n), (struct room){ plain, sizeof(plain) },
			  &n_plain, &e) == 0 &&
	       buf_add(out, plain, n_plain, &e) == 0;
}

static void
fake_answer_operation(const struct fake_version *ver, bool wraps, const struct http_request *req,
		      struct fake_answer *out)
{
	json_t *j = json_loadb((const char *)req->body.p, req->body.n, 0, NULL);
	struct err e = { 0 };
	AUTO_BUF result;

	buf_init(&result, 1100);
	if (!fake_operate(ver, wraps, json_string_value(json_object_get(j, "alg")),
			  json_string_value(json_object_get(j, "value")), &result)) {
		fake_error(out, 400, "BadParameter", "", "no");
	} else if (buf_addf(&out->body, &e, "{\"kid\":\"%s/keys/%s/%s\",\"value\":\"",
			    fake_vault.origin, fake_vault.name, ver->version) != 0 ||
		   base64_encode(BASE64_URL, buf_span(&result), &out->body, &e) != 0 ||
		   buf_add_str(&out->body, "\"}", &e) != 0) {
		abort();
	}
	json_decref(j);
}

static void
fake_answer_get(const struct fake_version *ver, struct fake_answer *out)
{
	struct err e = { 0 };

	fake_vault.gets++;
	if (fake_vault.no_get)
		fake_error(out, 403, "Forbidden", "ForbiddenByRbac", "no get");
	else if (ver == NULL)
		fake_error(out, 404, "KeyNotFound", "", "none");
	else if (fake_vault.get != NULL) {
		if (buf_add_str(&out->body, fake_vault.get, &e) != 0)
			abort();
	} else if (buf_addf(&out->body, &e,
			    "{\"key\":{\"kid\":\"%s/keys/%s/"
			    "%s\",%s},\"attributes\":{\"enabled\":%s%s}"
			    "}",
			    fake_vault.origin, fake_vault.name, ver->version,
			    ver->key != NULL
				    ? ver->key
				    : "\"kty\":\"oct-HSM\",\"key_ops\":[\"wrapKey\",\"unwrapKey\"]",
			    ver->disabled ? "false" : "true",
			    ver->attributes != NULL ? ver->attributes : "") != 0) {
		abort();
	}
}

static void
fake_answer_list(unsigned first, struct fake_answer *out)
{
	const struct fake_vault *v = &fake_vault;
	unsigned end = v->page != 0 && first + v->page < v->n ? first + v->page : v->n;
	struct err e = { 0 };
	int r = buf_add_str(&out->body, "{\"value\":[", &e);

	for (unsigned i = first; r == 0 && i < end; i++)
		r = buf_addf(&out->body, &e,
			     "%s{\"kid\":\"%s/keys/%s/"
			     "%s\",\"attributes\":{\"enabled\":%s,\"created\":%ld}}",
			     i > first ? "," : "", v->origin, v->name, v->v[i].version,
			     v->v[i].disabled ? "false" : "true", v->v[i].created);
	if (r == 0 && end < v->n)
		r = buf_addf(
			&out->body, &e,
			"],\"nextLink\":\"%s/keys/%s/versions?api-version=7.4&$skiptoken=%u\"}",
			v->next_origin != NULL ? v->next_origin : v->origin, v->name, end);
	else if (r == 0)
		r = buf_add_str(&out->body, "],\"nextLink\":null}", &e);
	if (r != 0)
		abort();
}

static void
fake_vault_serve(const struct http_request *req, struct fake_answer *out)
{
	struct fake_vault *v = &fake_vault;
	char key[300];
	const struct fake_version *ver;
	const char *rest, *skip;
	bool wraps;
	size_t n;

	(void)snprintf(key, sizeof(key), "%s/keys/%s/", v->origin, v->name);
	n = strlen(key);
	pthread_mutex_lock(&v->mu);
	(void)snprintf(v->url, sizeof(v->url), "%s", req->url);
	(void)snprintf(v->body, sizeof(v->body), "%.*s", (int)req->body.n,
		       (const char *)req->body.p);
	pthread_mutex_unlock(&v->mu);
	if (strstr(req->url, "api-version=7.4") == NULL) {
		fake_error(out, 400, "BadParameter", "", "No api-version");
		return;
	}
	if (strncasecmp(req->url, key, n - 1) == 0 && req->url[n - 1] == '?') {
		fake_answer_get(fake_find_version("", 0), out);
		return;
	}
	if (strncasecmp(req->url, key, n) != 0) {
		fake_error(out, 404, "KeyNotFound", "", "none");
		return;
	}
	rest = req->url + n;
	if (strncmp(rest, "versions?", 9) == 0) {
		v->lists++;
		skip = strstr(rest, "skiptoken=");
		if (v->no_list)
			fake_error(out, 403, "Forbidden", "ForbiddenByRbac", "no list");
		else
			fake_answer_list(skip != NULL ? (unsigned)strtoul(skip + 10, NULL, 10) : 0,
					 out);
		return;
	}
	n = strcspn(rest, "/?");
	wraps = strstr(rest, "unwrapkey?") == NULL;
	ver = fake_find_version(
		rest,
		strncmp(rest, "unwrapkey?", 10) == 0 || strncmp(rest, "wrapkey?", 8) == 0 ? 0 : n);
	if (req->body.n == 0) {
		fake_answer_get(ver, out);
		return;
	}
	if (wraps)
		v->wraps++;
	else
		v->unwraps++;
	if (ver == NULL)
		fake_error(out, 404, "KeyNotFound", "", "none");
	else if (ver->disabled)
		fake_error(out, 403, "Forbidden", "KeyDisabled", "disabled");
	else
		fake_answer_operation(ver, wraps, req, out);
}

static void
fake_vault_reset(const char *origin, const char *name)
{
	struct fake_vault *v = &fake_vault;

	v->origin = origin;
	v->name = name;
	v->n = v->page = 0;
	v->unwraps = v->lists = v->gets = v->wraps = 0;
	v->next_origin = v->get = NULL;
	v->no_list = v->no_get = false;
	fake_serve = fake_vault_serve;
	fake_requests = 0;
	fake_tokens = 0;
	fake_n_resources = 0;
}

static void
fake_vault_add(struct kek *kek, bool disabled)
{
	struct fake_vault *v = &fake_vault;
	struct fake_version *ver = &v->v[v->n++];

	*ver = (struct fake_version){ .kek = kek, .disabled = disabled, .created = 1000 + v->n };
	(void)snprintf(ver->version, sizeof(ver->version), "%032x", v->n);
}

#endif
