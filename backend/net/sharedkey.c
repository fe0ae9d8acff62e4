/* SPDX-License-Identifier: MIT */
/* Shared Key signatures: see sharedkey.h.  Source: docs/FORMATS.md, "Blob authorization". */
#include "backend/net/sharedkey.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/net/accountkey.h"
#include "backend/net/attempt.h"
#include "backend/net/httpdate.h"
#include "backend/net/url.h"

enum { PAIRS_MAX = ATTEMPT_HEADERS_MAX, TO_SIGN_MAX = 64 << 10 };

struct sharedkey {
	struct http_auth base;
	char *account;
	struct secret_text *key; /* base64 */
};

/* Names and values to be sorted; the text lies in the attempt or in `text`. */
struct pairs {
	struct pair {
		char *name;  /* owned, lower case */
		char *value; /* owned */
	} at[PAIRS_MAX];
	size_t n;
};

static void
pairs_clear(struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->at[i].name);
		free(p->at[i].value);
	}
	p->n = 0;
}

static int
pairs_add(struct pairs *p, const char *name, size_t name_n, const char *value, size_t value_n)
{
	struct pair *at = &p->at[p->n];

	if (p->n == PAIRS_MAX)
		return -E2BIG;
	at->name = strndup(name, name_n);
	at->value = strndup(value, value_n);
	if (at->name == NULL || at->value == NULL) {
		free(at->name);
		free(at->value);
		return -ENOMEM;
	}
	for (char *c = at->name; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	p->n++;
	return 0;
}

/* The service's collation: '_' before digits and letters, which bytes have between them. */
static int
name_order(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	if (*a != *b && (*a == '_' || *b == '_'))
		return isalnum((unsigned char)*a) ? 1 : isalnum((unsigned char)*b) ? -1 : *a - *b;
	return (unsigned char)*a - (unsigned char)*b;
}

static int
pair_order(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int names = name_order(x->name, y->name);

	return names != 0 ? names : strcmp(x->value, y->value);
}

static void
pairs_sort(struct pairs *p)
{
	qsort(p->at, p->n, sizeof(p->at[0]), pair_order);
}

static int
take_ms_header(void *arg, const char *name, const char *value)
{
	size_t n = strlen(value);

	if (strncasecmp(name, "x-ms-", 5) != 0)
		return 0;
	while (n > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		n--;
	}
	while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		n--;
	return pairs_add(arg, name, strlen(name), value, n);
}

static int
add_headers(const struct http_attempt *at, struct buf *out, struct err *e)
{
	struct pairs CLEANUP(pairs_clear) p = { .n = 0 };
	int r = http_attempt_each(at, take_ms_header, &p);

	if (r < 0)
		return err_set(e, -r, "too many headers to sign");
	pairs_sort(&p);
	for (size_t i = 0; r == 0 && i < p.n; i++)
		r = buf_addf(out, e, "%s:%s\n", p.at[i].name, p.at[i].value);
	return r;
}

static int
take_parameter(struct pairs *p, const char *text, size_t n, struct err *e)
{
	const char *eq = memchr(text, '=', n);
	size_t name_n = eq == NULL ? n : (size_t)(eq - text);
	AUTO_BUF name, value;
	int r;

	buf_init(&name, n);
	buf_init(&value, n);
	r = url_decode(&name, text, name_n, e);
	if (r == 0 && eq != NULL)
		r = url_decode(&value, eq + 1, n - name_n - 1, e);
	if (r < 0)
		return r;
	r = pairs_add(p, buf_str(&name), name.n, buf_str(&value), value.n);
	return r < 0 ? err_set(e, -r, "too many query parameters to sign") : 0;
}

static int
add_sorted_parameters(const struct pairs *p, struct buf *out, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++)
		if (i > 0 && strcmp(p->at[i].name, p->at[i - 1].name) == 0)
			r = buf_addf(out, e, ",%s", p->at[i].value);
		else
			r = buf_addf(out, e, "\n%s:%s", p->at[i].name, p->at[i].value);
	return r;
}

static int
add_resource(const char *account, const struct http_attempt *at, struct buf *out, struct err *e)
{
	struct pairs CLEANUP(pairs_clear) p = { .n = 0 };
	AUTO_URL u = { 0 };
	const char *query;
	int r = url_parse(http_attempt_request(at)->url, &u, e);

	if (r < 0)
		return r;
	r = buf_addf(out, e, "/%s%s", account, u.path[0] != '\0' ? u.path : "/");
	for (query = u.query; r == 0 && query != NULL;) {
		size_t n = strcspn(query, "&");

		if (n > 0)
			r = take_parameter(&p, query, n, e);
		query = query[n] == '\0' ? NULL : query + n + 1;
	}
	if (r < 0)
		return r;
	pairs_sort(&p);
	return add_sorted_parameters(&p, out, e);
}

/* The lines between verb and x-ms headers.  Date stays empty because x-ms-date is sent. */
static int
add_standard_lines(const struct http_attempt *at, struct buf *out, struct err *e)
{
	static const char *const names[] = {
		"Content-Encoding",
		"Content-Language",
		"Content-Length",
		"Content-MD5",
		"Content-Type",
		"Date",
		"If-Modified-Since",
		"If-Match",
		"If-None-Match",
		"If-Unmodified-Since",
		"Range",
	};
	size_t body = http_attempt_request(at)->body.n;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(names); i++) {
		const char *value = http_attempt_get(at, names[i]);

		if (strcmp(names[i], "Content-Length") == 0)
			r = body > 0 ? buf_addf(out, e, "%zu\n", body) : buf_add_str(out, "\n", e);
		else if (value == NULL || strcmp(names[i], "Date") == 0)
			r = buf_add_str(out, "\n", e);
		else
			r = buf_addf(out, e, "%s\n", value);
	}
	return r;
}

int
sharedkey_string_to_sign(const char *account, const struct http_attempt *at, struct buf *out,
			 struct err *e)
{
	int r = buf_addf(out, e, "%s\n", http_attempt_request(at)->method);

	if (r == 0)
		r = add_standard_lines(at, out, e);
	if (r == 0)
		r = add_headers(at, out, e);
	if (r == 0)
		r = add_resource(account, at, out, e);
	return r;
}

static int
add_signature(const struct sharedkey *s, struct http_attempt *at, struct span to_sign,
	      struct err *e)
{
	AUTO_BUF value;
	int r;

	buf_init(&value, 512);
	r = buf_addf(&value, e, "SharedKey %s:", s->account);
	if (r == 0)
		r = accountkey_sign(s->key, to_sign, &value, e);
	return r < 0 ? r : http_attempt_header(at, "Authorization", buf_str(&value), e);
}

static int
sharedkey_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	const struct sharedkey *s = (const struct sharedkey *)a;
	AUTO_BUF to_sign;
	int r;

	(void)d;
	buf_init(&to_sign, TO_SIGN_MAX);
	r = httpdate_add(at, e);
	if (r == 0)
		r = sharedkey_string_to_sign(s->account, at, &to_sign, e);
	return r < 0 ? r : add_signature(s, at, buf_span(&to_sign), e);
}

static void
sharedkey_free(struct http_auth *a)
{
	struct sharedkey *s = (struct sharedkey *)a;

	free(s->account);
	secret_text_free(s->key);
	free(s);
}

static const struct http_auth_ops sharedkey_ops = {
	.apply = sharedkey_apply,
	.free = sharedkey_free,
};

int
sharedkey_auth_new(const char *account, struct secret_text *key, struct http_auth **out,
		   struct err *e)
{
	struct sharedkey *s;
	int r = accountkey_check(key, e);

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (s == NULL || (s->account = strdup(account)) == NULL) {
		free(s);
		return err_set(e, ENOMEM, "out of memory");
	}
	s->base.ops = &sharedkey_ops;
	s->key = secret_text_ref(key);
	*out = &s->base;
	return 0;
}
