/* SPDX-License-Identifier: MIT */
/*
 * Parsing many envelopes that are alike.  One writer's V2 envelopes under one key differ in the
 * wrapped key alone, and a listing brings thousands of them: where all other text is the same,
 * only that value is decoded.  The result is what envelope_parse would give, to the byte.
 */
#ifndef CRYPTO_TEMPLATE_H
#define CRYPTO_TEMPLATE_H

#include "crypto/envelope.h"

/* The last envelope that was parsed in full; zeroed at first, used by one thread at a time. */
struct envelope_template {
	struct envelope env;
	uint8_t *text; /* owned; NULL: none yet */
	size_t n_text;
	size_t key_at, n_key; /* where the wrapped key's base64 stands in it */
};

/* As envelope_parse. */
int envelope_template_parse(struct envelope_template *t, struct span json, struct envelope *out,
			    struct err *e) MUST_CHECK;
void envelope_template_clear(struct envelope_template *t);

#endif
