/* SPDX-License-Identifier: MIT */
/* Envelopes that are alike: see template.h. */
#include "crypto/template.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"

void
envelope_template_clear(struct envelope_template *t)
{
	envelope_clear(&t->env);
	free(t->text);
	*t = (struct envelope_template){ 0 };
}

/* The same text but for the wrapped key, whose length in text (and so in bytes) is the same too. */
static bool
alike(const struct envelope_template *t, struct span json)
{
	const size_t after = t->key_at + t->n_key;

	return t->text != NULL && json.n == t->n_text &&
	       memcmp(json.p, t->text, t->key_at) == 0 &&			/* not secret */
	       memcmp(json.p + after, t->text + after, t->n_text - after) == 0; /* not secret */
}

static int
copy_with_key(const struct envelope *from, const uint8_t *wrapped, struct envelope *out,
	      struct err *e)
{
	struct envelope env = *from;

	env.kid = strdup(from->kid);
	env.wrapped = malloc(from->n_wrapped);
	if (env.kid == NULL || env.wrapped == NULL) {
		envelope_clear(&env);
		return err_set(e, ENOMEM, "out of memory");
	}
	memcpy(env.wrapped, wrapped, from->n_wrapped);
	*out = env;
	return 0;
}

/*
 * Remembers where the key stands; a text with escapes, which may spell it in another way, makes no
 * template.
 */
static void
remember(struct envelope_template *t, struct span json, const struct envelope *env)
{
	struct err ignored = { 0 };
	const uint8_t *at;
	AUTO_BUF key;

	buf_init(&key, 2 * ENVELOPE_WRAPPED_MAX);
	envelope_template_clear(t);
	if (env->protocol == PROTOCOL_V1 || memchr(json.p, '\\', json.n) != NULL ||
	    base64_encode(BASE64_STANDARD, span_of(env->wrapped, env->n_wrapped), &key, &ignored) <
		    0)
		return;
	at = memmem(json.p, json.n, key.p, key.n);
	if (at == NULL || memmem(at + 1, json.n - (size_t)(at + 1 - json.p), key.p, key.n) != NULL)
		return;
	if (copy_with_key(env, env->wrapped, &t->env, &ignored) < 0)
		return;
	t->text = malloc(json.n);
	if (t->text == NULL) {
		envelope_template_clear(t);
		return;
	}
	memcpy(t->text, json.p, json.n);
	t->n_text = json.n;
	t->key_at = (size_t)(at - json.p);
	t->n_key = key.n;
}

int
envelope_template_parse(struct envelope_template *t, struct span json, struct envelope *out,
			struct err *e)
{
	uint8_t wrapped[ENVELOPE_WRAPPED_MAX];
	size_t n;
	int r;

	if (alike(t, json) &&
	    base64_decode(BASE64_STANDARD, span_of(json.p + t->key_at, t->n_key),
			  (struct room){ wrapped, sizeof(wrapped) }, &n) &&
	    n == t->env.n_wrapped)
		return copy_with_key(&t->env, wrapped, out, e);
	r = envelope_parse(json, out, e);
	if (r == 0)
		remember(t, json, out);
	return r;
}
