/* SPDX-License-Identifier: MIT */
/*
 * URLs: see url.h.  What libcurl would read in another way than we do (odd IPv4 spellings,
 * backslashes) is refused.
 */
#include "backend/net/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum { URL_MAX = 8192, HOST_MAX = 253 };

static bool
all_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~' || *s == '\\')
			return false;
	return true;
}

/* "https://" or "http://", any case; the rest, or NULL. */
static const char *
after_scheme(const char *text, bool *https)
{
	if (strncasecmp(text, "https://", 8) == 0) {
		*https = true;
		return text + 8;
	}
	if (strncasecmp(text, "http://", 7) == 0) {
		*https = false;
		return text + 7;
	}
	return NULL;
}

static bool
is_ipv6_literal(const char *host, size_t n)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in6;

	if (n < 4 || n - 2 >= sizeof(text) || host[0] != '[' || host[n - 1] != ']')
		return false;
	memcpy(text, host + 1, n - 2);
	text[n - 2] = '\0';
	return inet_pton(AF_INET6, text, &in6) == 1;
}

/*
 * A last label that looks like a number makes the whole an IPv4 address to libcurl: only the
 * plain form may pass.
 */
static bool
is_name_or_ipv4(const char *host)
{
	const char *last = strrchr(host, '.');
	struct in_addr in;

	last = last == NULL ? host : last + 1;
	if (last[strspn(last, "0123456789")] == '\0' || strncmp(last, "0x", 2) == 0)
		return inet_pton(AF_INET, host, &in) == 1;
	return true;
}

/* Letters, digits, '-', '_' and single dots between. */
static bool
is_host(const char *host, size_t n)
{
	char previous = '.';

	if (n == 0 || n > HOST_MAX)
		return false;
	if (host[0] == '[')
		return is_ipv6_literal(host, n);
	for (size_t i = 0; i < n; i++) {
		if (host[i] == '.' && previous == '.')
			return false;
		if (host[i] != '.' && host[i] != '-' && host[i] != '_' &&
		    !isalnum((unsigned char)host[i]))
			return false;
		previous = host[i];
	}
	return previous != '.' && is_name_or_ipv4(host);
}

static int
take_port(const char *digits, size_t n, struct url *u, struct err *e)
{
	uint64_t port;

	if (n > 5 || !u64_parse(digits, n, &port) || port == 0 || port > UINT16_MAX)
		return err_set(e, EINVAL, "the port of the URL is not a number from 1 to 65535");
	u->port = (uint16_t)port;
	u->port_given = true;
	return 0;
}

/* host[:port], n bytes of text. */
static int
take_authority(const char *text, size_t n, struct url *u, struct err *e)
{
	size_t host_n = n;
	int r = 0;

	if (memchr(text, '@', n) != NULL)
		return err_set(e, EINVAL, "the URL holds user information");
	if (n > 0 && text[0] == '[') {
		const char *end = memchr(text, ']', n);

		host_n = end == NULL ? n : (size_t)(end - text) + 1;
	} else {
		const char *colon = memchr(text, ':', n);

		host_n = colon == NULL ? n : (size_t)(colon - text);
	}
	u->host = strndup(text, host_n);
	if (u->host == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (char *p = u->host; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	if (!is_host(u->host, host_n))
		return err_set(e, EINVAL, "the URL has no proper host name");
	if (host_n < n && text[host_n] != ':')
		return err_set(e, EINVAL, "the URL has no proper host name");
	if (host_n < n)
		r = take_port(text + host_n + 1, n - host_n - 1, u, e);
	return r;
}

static int
take_parts(const char *text, struct url *u, struct err *e)
{
	const char *rest = after_scheme(text, &u->https), *query;
	size_t authority;
	int r;

	if (rest == NULL)
		return err_set(e, EINVAL, "the URL begins with neither https:// nor http://");
	u->port = u->https ? 443 : 80;
	authority = strcspn(rest, "/?");
	r = take_authority(rest, authority, u, e);
	if (r < 0)
		return r;
	rest += authority;
	query = strchr(rest, '?');
	u->path = query == NULL ? strdup(rest) : strndup(rest, (size_t)(query - rest));
	if (query != NULL)
		u->query = strdup(query + 1);
	if (u->path == NULL || (query != NULL && u->query == NULL))
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

int
url_parse(const char *text, struct url *out, struct err *e)
{
	struct url u = { 0 };
	int r;

	if (strlen(text) > URL_MAX)
		return err_set(e, EINVAL, "the URL is longer than %d bytes", URL_MAX);
	if (!all_printable(text))
		return err_set(e, EINVAL,
			       "the URL holds a blank, a backslash or a byte that is not ASCII");
	if (strchr(text, '#') != NULL)
		return err_set(e, EINVAL, "the URL holds a fragment");
	r = take_parts(text, &u, e);
	if (r < 0) {
		url_clear(&u);
		return r;
	}
	*out = u;
	return 0;
}

void
url_clear(struct url *u)
{
	if (u->query != NULL)
		explicit_bzero(u->query, strlen(u->query));
	free(u->host);
	free(u->path);
	free(u->query);
	*u = (struct url){ 0 };
}

int
url_origin(const struct url *u, struct buf *out, struct err *e)
{
	const char *scheme = u->https ? "https" : "http";

	if (u->port == (u->https ? 443 : 80))
		return buf_addf(out, e, "%s://%s", scheme, u->host);
	return buf_addf(out, e, "%s://%s:%u", scheme, u->host, (unsigned)u->port);
}

/* The IPv4 address that the host is, in host order; false for names and IPv6. */
static bool
host_ipv4(const struct url *u, uint32_t *out)
{
	struct in_addr in;

	if (inet_pton(AF_INET, u->host, &in) != 1)
		return false;
	*out = ntohl(in.s_addr);
	return true;
}

bool
url_is_loopback(const struct url *u)
{
	char text[INET6_ADDRSTRLEN];
	size_t n = strlen(u->host);
	struct in6_addr in6;
	uint32_t v4;

	if (strcmp(u->host, "localhost") == 0)
		return true;
	if (host_ipv4(u, &v4))
		return v4 >> 24 == 127;
	if (u->host[0] != '[' || n - 2 >= sizeof(text))
		return false;
	memcpy(text, u->host + 1, n - 2);
	text[n - 2] = '\0';
	return inet_pton(AF_INET6, text, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6);
}

bool
url_is_link_local(const struct url *u)
{
	uint32_t v4;

	return host_ipv4(u, &v4) && v4 >> 16 == (169 << 8 | 254);
}

static bool
is_unreserved(unsigned char c)
{
	return isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '~';
}

int
url_encode(struct buf *out, const char *bytes, size_t n, bool keep_slash, struct err *e)
{
	size_t before = out->n;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];
		int r;

		if (c < 0x80 && (is_unreserved(c) || (c == '/' && keep_slash)))
			r = buf_add(out, &c, 1, e);
		else
			r = buf_addf(out, e, "%%%02X", (unsigned)c);
		if (r < 0) {
			out->n = before;
			return r;
		}
	}
	return 0;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that a "%XX" at text stands for; -1 when malformed, cut short or zero. */
static int
escaped_byte(const char *text, size_t n)
{
	int hi, lo;

	if (n < 3)
		return -1;
	hi = hex_value(text[1]);
	lo = hex_value(text[2]);
	if (hi < 0 || lo < 0 || hi + lo == 0)
		return -1;
	return hi << 4 | lo;
}

int
url_decode(struct buf *out, const char *text, size_t n, struct err *e)
{
	size_t before = out->n;

	for (size_t i = 0; i < n; i++) {
		int v = text[i] == '%' ? escaped_byte(text + i, n - i) : (unsigned char)text[i];
		uint8_t c = (uint8_t)v;
		int r = v < 0 ? err_set(e, EINVAL, "malformed percent-encoding")
			      : buf_add(out, &c, 1, e);

		if (r < 0) {
			out->n = before;
			return r;
		}
		if (text[i] == '%')
			i += 2;
	}
	return 0;
}
