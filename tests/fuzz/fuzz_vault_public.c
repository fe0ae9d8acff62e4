/* SPDX-License-Identifier: MIT */
/*
 * Target: the public key that a vault shows (backend/keys/vaultpublic.c).  The first byte chooses
 * whether a version was asked for.  Properties: a failure says what it is and leaves the output
 * alone; what is accepted is the asked key, and it wraps, to bytes that a reader takes, with its
 * own algorithm and with no other family's.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/keys/vaultanswer.h"
#include "backend/keys/vaultpublic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define VERSION "0123456789abcdef0123456789abcdef"

static const struct kid current = { .host = "v.vault.azure.net", .name = "k" };
static const struct kid versioned = { .host = "v.vault.azure.net",
				      .name = "k",
				      .version = VERSION };

static void
need(bool good)
{
	if (!good)
		abort();
}

static void
try_wrap(const struct kek *k)
{
	static const uint8_t plain[40] = "2.0";
	struct err e = { 0 };
	AUTO_BUF out;

	buf_init(&out, ENVELOPE_WRAPPED_MAX);
	need(kek_wrap(k, WRAP_A256KW, span_of(plain, sizeof(plain)), &out, &e) == -EACCES);
	err_clear(&e);
	need(kek_default_alg(k) == WRAP_RSA_OAEP);
	need(kek_wrap(k, WRAP_RSA_OAEP, span_of(plain, sizeof(plain)), &out, &e) == 0);
	need(out.n >= 256 && out.n <= ENVELOPE_WRAPPED_MAX);
	need(memmem(out.p, out.n, plain, sizeof(plain)) == NULL);
}

static void
try_check(const struct vaultpublic *p)
{
	static const int64_t moments[] = { INT64_MIN, -1, 0, 1700000000, INT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		struct err e = { 0 };
		int r = vaultpublic_check(p, moments[i], &e);

		need(r == -e.no);
		need(r == 0 || r == -ENOKEY || r == -EACCES);
		if (r == 0)
			need(p->enabled && p->permits_wrap && p->not_before <= moments[i] &&
			     p->expires > moments[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct kid *asked = n > 0 && data[0] == 'v' ? &versioned : &current;
	struct vaultpublic p = { .bits = 4711 };
	struct err e = { 0 };
	int r;

	if (n == 0 || n > VAULT_ANSWER_MAX)
		return 0;
	r = vaultpublic_parse(span_of(data + 1, n - 1), asked, &p, &e);
	need(r == -e.no);
	if (r != 0) {
		need(r == -EBADMSG || r == -EACCES);
		need(p.bits == 4711 && p.rsa == NULL);
		return 0;
	}
	need(strcmp(p.kid.host, asked->host) == 0 && strcasecmp(p.kid.name, asked->name) == 0);
	need(strlen(p.kid.version) == KID_VERSION_LEN);
	need(asked == &current || strcmp(p.kid.version, VERSION) == 0);
	try_check(&p);
	if (p.rsa != NULL)
		try_wrap(p.rsa);
	else
		need(p.bits == 0 || p.bits == 128 || p.bits == 192 || p.bits == 256);
	vaultpublic_clear(&p);
	return 0;
}
