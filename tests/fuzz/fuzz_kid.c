/* SPDX-License-Identifier: MIT */
/*
 * Target: kid_parse, vault_entry_parse, vault_entry_covers (backend/keys/kid.c).
 * Properties: an accepted id says nothing but what its parts say (written out again, it is the same
 * text but for a slash at its end); an entry covers the id it was made of; no part holds a byte
 * that could change an address.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/keys/kid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

static void
check_text(const char *text, const struct kid *k)
{
	char port[8] = "", again[1024];
	size_t n = strlen(text);

	if (k->port != 0)
		(void)snprintf(port, sizeof(port), ":%u", k->port);
	(void)snprintf(again, sizeof(again), "https://%s%s/keys/%s%s%s", k->host, port, k->name,
		       k->version[0] != '\0' ? "/" : "", k->version);
	need(strncmp(text, again, strlen(again)) == 0);
	need(n == strlen(again) || (n == strlen(again) + 1 && text[n - 1] == '/'));
	need(strpbrk(again + 8, "@?#%\\ \n") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char text[1024] = "";
	struct vault_entry entry = { 0 };
	struct kid k = { 0 };
	struct err e = { 0 }, e2 = { 0 };

	memcpy(text, data, n < sizeof(text) ? n : sizeof(text) - 1);
	need(kid_parse(text, &k, &e) == -e.no);
	need(vault_entry_parse(text, &entry, &e2) == -e2.no);
	if (e.no != 0) {
		need(k.host[0] == '\0' && e.text[0] != '\0');
		return 0;
	}
	check_text(text, &k);
	need(e2.no == 0);
	need(k.port == 443 || vault_entry_covers(&entry, &k));
	return 0;
}
