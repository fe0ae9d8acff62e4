/* SPDX-License-Identifier: MIT */
/*
 * Wraps a content key under keys of a vault, as a writer does, and prints what came of it; run by
 * test_vaultwrap.py with a vault at its side.
 *
 *	test_vaultwrap VAULT {KID[=ALGORITHM]}...
 *
 * One line for each: "KID ALGORITHM BASE64", or "EVENT ERRNO TEXT".  What was wrapped is read back
 * twice: through the same keyring, which asks nobody, and through a new one, which has the vault
 * unwrap it; a key that differs aborts.  AZC_CA and AZC_PROXY are the client's; who asks is in
 * Azure's own environment variables.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/keys/keyring.h"
#include "backend/net/http.h"
#include "backend/net/token.h"
#include "base/base64.h"

static struct http_client *client;
static struct identity_env env;
static const char *entries[2];
static struct cek cek;

static void
need(bool good, const struct err *e)
{
	if (good)
		return;
	(void)fprintf(stderr, "test_vaultwrap: %s\n", e->text);
	abort();
}

static struct deadline
soon(void)
{
	return deadline_in(60 * NS_PER_S);
}

static struct keyring *
new_ring(void)
{
	static const struct keyring_config cfg = { .ttl_ns = 60 * NS_PER_S };
	struct provider *p = NULL;
	struct keyring *k = NULL;
	struct err e = { 0 };

	need(vault_provider_new(client, &env, CREDENTIAL_CHAIN, entries, &p, &e) == 0, &e);
	need(keyring_new_take(&cfg, &p, 1, &k, &e) == 0, &e);
	return k;
}

static void
read_back(struct keyring *k, const struct envelope *wrapped)
{
	struct key_ref *ref = NULL;
	struct err e = { 0 };

	need(keyring_cek(k, wrapped, soon(), &ref, &e) == 0, &e);
	need(memcmp(key_ref_cek(ref)->k, cek.k, CEK_LEN) == 0, &e);
	key_ref_put(ref);
}

static void
print_wrapped(const struct envelope *wrapped)
{
	struct err e = { 0 };
	AUTO_BUF text;

	buf_init(&text, 2 * ENVELOPE_WRAPPED_MAX);
	need(base64_encode(BASE64_STANDARD, span_of(wrapped->wrapped, wrapped->n_wrapped), &text,
			   &e) == 0,
	     &e);
	(void)printf("%s %s %s\n", wrapped->kid, wrap_alg_name(wrapped->alg), buf_str(&text));
}

/* "KID" or "KID=ALGORITHM". */
static void
wrap_one(struct keyring *k, char *what)
{
	char *name = strchr(what, '=');
	AUTO_ENVELOPE wrapped = { 0 };
	struct err e = { 0 };
	enum wrap_alg alg = 0;
	struct keyring *fresh;

	if (name != NULL) {
		*name++ = '\0';
		need(wrap_alg_parse(name, &alg), &e);
	}
	if (keyring_wrap(k, what, alg, PROTOCOL_V2_0, &cek, soon(), &wrapped, NULL, &e) != 0) {
		(void)printf("%s %s %s\n", e.event != NULL ? e.event : "-", err_name(e.no), e.text);
		return;
	}
	need(keyring_has(k, &wrapped), &e);
	read_back(k, &wrapped);
	fresh = new_ring();
	read_back(fresh, &wrapped);
	keyring_free(fresh);
	print_wrapped(&wrapped);
}

int
main(int argc, char **argv)
{
	const struct http_config http = { .ca_file = getenv("AZC_CA"),
					  .proxy = getenv("AZC_PROXY") };
	struct err e = { 0 };
	struct keyring *k;

	if (argc < 2)
		return 64;
	entries[0] = argv[1];
	for (unsigned i = 0; i < CEK_LEN; i++)
		cek.k[i] = (uint8_t)i;
	need(identity_env_read(&env, &e) == 0, &e);
	need(http_client_new(&http, &client, &e) == 0, &e);
	k = new_ring();
	for (int i = 2; i < argc; i++)
		wrap_one(k, argv[i]);
	keyring_free(k);
	http_client_free(client);
	identity_env_clear(&env);
	return 0;
}
