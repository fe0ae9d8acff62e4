/* SPDX-License-Identifier: MIT */
/*
 * Target: what a vault answers (backend/keys/vaultanswer.c).  The first byte chooses the parser.
 * Properties: a failure says what it is and leaves the outputs alone; what is accepted keeps to its
 * bounds; the next page's query cannot leave the query of an address.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/keys/vaultanswer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct kid asked = { .host = "v.vault.azure.net", .name = "k" };

static void
need(bool good)
{
	if (!good)
		abort();
}

static void
try_value(struct span json)
{
	uint8_t out[64];
	struct kid answered = { 0 };
	struct err e = { 0 };
	size_t n = 4711;
	int r = vaultanswer_value(json, &asked, (struct room){ out, sizeof(out) }, &n, &answered,
				  &e);

	need(r == -e.no);
	if (r == 0)
		need(n <= sizeof(out) && strlen(answered.version) == KID_VERSION_LEN);
	else
		need(n == 4711 && answered.name[0] == '\0');
}

static void
try_versions(struct span json)
{
	struct vault_versions all = { 0 };
	struct err e = { 0 };
	AUTO_BUF next;
	int r;

	buf_init(&next, VAULT_ANSWER_MAX);
	r = vaultanswer_versions(json, &asked, &all, &next, &e);
	need(r == -e.no && all.n <= VAULT_VERSIONS_MAX);
	for (unsigned i = 0; i < all.n; i++) {
		need(strlen(all.v[i].version) == KID_VERSION_LEN);
		need(i == 0 || all.v[i - 1].created >= all.v[i].created);
	}
	need(strpbrk(buf_str(&next), " #\r\n") == NULL);
}

static void
try_refusal(struct span json)
{
	struct vault_refusal why;

	vaultanswer_refusal(json, &why);
	need(strnlen(why.code, sizeof(why.code)) < sizeof(why.code));
	need(strnlen(why.inner, sizeof(why.inner)) < sizeof(why.inner));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0 || n > VAULT_ANSWER_MAX)
		return 0;
	if (data[0] == 'u')
		try_value(span_of(data + 1, n - 1));
	else if (data[0] == 'v')
		try_versions(span_of(data + 1, n - 1));
	else
		try_refusal(span_of(data + 1, n - 1));
	return 0;
}
