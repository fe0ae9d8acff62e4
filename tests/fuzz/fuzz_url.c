/* SPDX-License-Identifier: MIT */
/*
 * Target: url_parse, url_origin, url_encode and url_decode (backend/net/url.c).
 * Input: a URL.  Properties: the origin of what is accepted parses to the same host and port; a
 * loopback host is never a name; what is encoded decodes to the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

static void
check_origin(const struct url *u)
{
	struct err e = { 0 };
	AUTO_BUF origin = { 0 };
	AUTO_URL again = { 0 };

	buf_init(&origin, 16384);
	need(url_origin(u, &origin, &e) == 0);
	need(url_parse(buf_str(&origin), &again, &e) == 0);
	need(strcmp(again.host, u->host) == 0 && again.port == u->port && again.https == u->https);
	need(again.path[0] == '\0' && again.query == NULL);
	need(u->path[0] == '\0' || u->path[0] == '/');
	need(!url_is_loopback(u) || !url_is_link_local(u));
}

static void
check_encoding(const char *text, size_t n)
{
	struct err e = { 0 };
	AUTO_BUF encoded = { 0 };
	AUTO_BUF back = { 0 };

	buf_init(&encoded, 3 * n + 1);
	buf_init(&back, n + 1);
	need(url_encode(&encoded, text, n, n % 2 == 0, &e) == 0);
	if (memchr(text, '\0', n) != NULL)
		return;
	need(url_decode(&back, buf_str(&encoded), encoded.n, &e) == 0);
	need(back.n == n && (n == 0 || memcmp(back.p, text, n) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);
	AUTO_URL u = { 0 };
	struct err e = { 0 };

	if (text == NULL)
		return 0;
	if (n > 0)
		memcpy(text, data, n);
	text[n] = '\0';
	if (url_parse(text, &u, &e) == 0)
		check_origin(&u);
	check_encoding(text, n);
	free(text);
	return 0;
}
