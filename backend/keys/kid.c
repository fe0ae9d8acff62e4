/* SPDX-License-Identifier: MIT */
/*
 * Key ids and the allow-list: see kid.h.
 *
 * Taken apart by hand and not by a URL library: what two parsers read
 * differently is what an attacker writes.
 *
 * Source: docs/FORMATS.md, "Key ids".
 */
#include "backend/keys/kid.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

enum { KID_TEXT_MAX = 512, PORT_DIGITS_MAX = 5, HTTPS_PORT = 443 };

static const char HTTPS[] = "https://";
static const char KEYS[] = "/keys/";

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '.';
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-';
}

static bool
is_version_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* How many of the first characters are of a class, at most max + 1. */
static size_t
run_of(const char *s, bool (*is)(char), size_t max)
{
	size_t n = 0;

	while (n <= max && is(s[n]))
		n++;
	return n;
}

/* Copies a run of 1..max characters and moves *s behind it. */
static bool
take_run(const char **s, bool (*is)(char), size_t max, char *out)
{
	size_t n = run_of(*s, is, max);

	if (n == 0 || n > max)
		return false;
	memcpy(out, *s, n);
	out[n] = '\0';
	*s += n;
	return true;
}

static bool
take_port(const char **s, uint16_t *out)
{
	size_t n = run_of(*s, is_digit, PORT_DIGITS_MAX);
	uint64_t port = 0;

	if (n == 0 || n > PORT_DIGITS_MAX || **s == '0')
		return false;
	if (!u64_parse(*s, n, &port) || port > UINT16_MAX)
		return false;
	*out = (uint16_t)port;
	*s += n;
	return true;
}

/* Labels of a host are never empty: "a..b" and ".a" are nobody's name. */
static bool
host_is_sane(const char *host)
{
	return host[0] != '.' && host[0] != '-' && strstr(host, "..") == NULL;
}

/* "https://HOST[:PORT]"; *s then stands behind it. */
static const char *
take_origin(const char **s, struct kid *out)
{
	if (strncmp(*s, HTTPS, strlen(HTTPS)) != 0)
		return "does not begin with https:// in lower case";
	*s += strlen(HTTPS);
	if (!take_run(s, is_host_char, KID_HOST_MAX, out->host) || !host_is_sane(out->host))
		return "has no plain lower-case host name";
	if (**s != ':')
		return NULL;
	(*s)++;
	return take_port(s, &out->port) ? NULL : "has no sound port number";
}

/* "/keys/NAME[/VERSION][/]" up to the end of the text. */
static const char *
take_key(const char **s, struct kid *out)
{
	if (strncmp(*s, KEYS, strlen(KEYS)) != 0)
		return "has no /keys/ behind the host";
	*s += strlen(KEYS);
	if (!take_run(s, is_name_char, KID_NAME_MAX, out->name))
		return "has no sound key name";
	if (**s == '/' && (*s)[1] != '\0') {
		(*s)++;
		if (!take_run(s, is_version_char, KID_VERSION_LEN, out->version) ||
		    strlen(out->version) != KID_VERSION_LEN)
			return "has a version that is not 32 hexadecimal digits";
	}
	if (**s == '/')
		(*s)++;
	return **s == '\0' ? NULL : "has something behind the key";
}

static const char *
take_kid(const char *text, struct kid *out)
{
	const char *wrong;

	if (strnlen(text, KID_TEXT_MAX + 1) > KID_TEXT_MAX)
		return "is longer than 512 bytes";
	wrong = take_origin(&text, out);
	return wrong != NULL ? wrong : take_key(&text, out);
}

static bool
is_whole_vault(const char *text)
{
	struct kid scratch = { 0 };

	if (take_origin(&text, &scratch) != NULL)
		return false;
	return text[0] == '\0' || (text[0] == '/' && text[1] == '\0');
}

int
kid_parse(const char *text, struct kid *out, struct err *e)
{
	struct kid k = { 0 };
	const char *wrong = take_kid(text, &k);

	if (wrong != NULL)
		return err_set(e, EINVAL, "key id \"%.160s\" %s", text, wrong);
	*out = k;
	return 0;
}

int
vault_entry_parse(const char *text, struct vault_entry *out, struct err *e)
{
	struct vault_entry entry = { 0 };
	const char *rest = text, *wrong;

	if (strnlen(text, KID_TEXT_MAX + 1) <= KID_TEXT_MAX && is_whole_vault(text))
		wrong = take_origin(&rest, &entry.kid);
	else
		wrong = take_kid(text, &entry.kid);
	if (wrong != NULL) {
		(void)err_set(e, EINVAL, "vault \"%.160s\" %s", text, wrong);
		return err_mark(e, NULL,
				"write https://NAME.vault.azure.net for all keys of a vault, "
				"or the id of one key");
	}
	if (entry.kid.port == HTTPS_PORT)
		entry.kid.port = 0; /* what key ids leave out */
	*out = entry;
	return 0;
}

bool
vault_entry_covers(const struct vault_entry *entry, const struct kid *k)
{
	const struct kid *own = &entry->kid;

	if (strcmp(own->host, k->host) != 0 || own->port != k->port)
		return false;
	if (own->name[0] == '\0')
		return true;
	if (strcasecmp(own->name, k->name) != 0)
		return false;
	return own->version[0] == '\0' || strcmp(own->version, k->version) == 0;
}
