/* SPDX-License-Identifier: MIT */
/* What a vault answers: see vaultanswer.h. */
#include "backend/keys/vaultanswer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "backend/keys/secretjson.h"
#include "backend/net/url.h"
#include "base/base64.h"

int
vaultanswer_bad(struct err *e, const char *why)
{
	(void)err_set(e, EBADMSG, "the vault's answer %s", why);
	return err_mark(e, "integrity.cek", NULL);
}

static uint16_t
port_of(const struct kid *k)
{
	return k->port != 0 ? k->port : 443;
}

/* Services write host names in any case: folded here, and only here, before the strict look. */
static bool
parse_answered_kid(const char *text, struct kid *out)
{
	struct err ignored = { 0 };
	char folded[600];
	size_t slash = 0;

	if (text == NULL || snprintf(folded, sizeof(folded), "%s", text) >= (int)sizeof(folded))
		return false;
	for (char *c = folded; *c != '\0' && slash < 3; c++) {
		slash += *c == '/';
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	}
	return kid_parse(folded, out, &ignored) == 0;
}

bool
vaultanswer_is_key(const char *text, const struct kid *asked, struct kid *out)
{
	if (!parse_answered_kid(text, out) || out->version[0] == '\0')
		return false;
	if (strcmp(out->host, asked->host) != 0 || port_of(out) != port_of(asked))
		return false;
	if (strcasecmp(out->name, asked->name) != 0)
		return false;
	return asked->version[0] == '\0' || strcmp(out->version, asked->version) == 0;
}

int
vaultanswer_value(struct span json, const struct kid *asked, struct room out, size_t *out_n,
		  struct kid *answered, struct err *e)
{
	AUTO_JSON j = secretjson_object(json);
	struct kid key = { 0 };
	const char *value;
	size_t n = 0;

	if (j == NULL)
		return vaultanswer_bad(e, "is not a JSON object");
	if (!vaultanswer_is_key(secretjson_string(j, "kid"), asked, &key))
		return vaultanswer_bad(e, "is about another key");
	value = secretjson_string(j, "value");
	if (value == NULL || !base64_decode(BASE64_URL, span_str(value), out, &n))
		return vaultanswer_bad(e, "holds no key of a sound length");
	*out_n = n;
	*answered = key;
	return 0;
}

static void
insert_version(struct vault_versions *all, const struct vault_version *v)
{
	unsigned at = all->n;

	while (at > 0 && all->v[at - 1].created < v->created)
		at--;
	if (at == VAULT_VERSIONS_MAX)
		return;
	if (all->n < VAULT_VERSIONS_MAX)
		all->n++;
	memmove(&all->v[at + 1], &all->v[at], (all->n - 1 - at) * sizeof(all->v[0]));
	all->v[at] = *v;
}

static int
add_version(const json_t *item, const struct kid *asked, struct vault_versions *all, struct err *e)
{
	const json_t *attributes = json_object_get(item, "attributes");
	struct vault_version v = { 0 };
	struct kid k = { 0 };

	if (!vaultanswer_is_key(secretjson_string(item, "kid"), asked, &k))
		return vaultanswer_bad(e, "lists versions of another key");
	if (!json_is_true(json_object_get(attributes, "enabled")))
		return 0;
	memcpy(v.version, k.version, sizeof(v.version));
	v.created = json_integer_value(json_object_get(attributes, "created"));
	insert_version(all, &v);
	return 0;
}

/* A next page is asked for at our own address; from the link only the query is taken, and only if
 * the rest is where we are. */
static int
take_next(const char *link, const struct kid *asked, struct buf *next_query, struct err *e)
{
	struct err ignored = { 0 };
	AUTO_URL u = { 0 };
	char path[sizeof("/keys//versions") + KID_NAME_MAX];
	size_t n;

	if (link == NULL || link[0] == '\0')
		return 0;
	if (url_parse(link, &u, &ignored) != 0 || u.query == NULL)
		return vaultanswer_bad(e, "continues at no sound address");
	(void)snprintf(path, sizeof(path), "/keys/%s/versions", asked->name);
	n = strlen(u.path);
	if (n > 0 && u.path[n - 1] == '/')
		u.path[n - 1] = '\0';
	if (!u.https || strcasecmp(u.host, asked->host) != 0 || u.port != port_of(asked) ||
	    strcasecmp(u.path, path) != 0)
		return vaultanswer_bad(e, "continues at another address");
	return buf_add_str(next_query, u.query, e);
}

int
vaultanswer_versions(struct span json, const struct kid *asked, struct vault_versions *all,
		     struct buf *next_query, struct err *e)
{
	AUTO_JSON j = secretjson_object(json);
	struct kid key = *asked;
	const json_t *list = json_object_get(j, "value"), *item;
	size_t i;
	int r;

	key.version[0] = '\0';
	buf_reset(next_query);
	if (!json_is_array(list))
		return vaultanswer_bad(e, "is no list of versions");
	json_array_foreach(list, i, item)
	{
		r = add_version(item, &key, all, e);
		if (r != 0)
			return r;
	}
	return take_next(secretjson_string(j, "nextLink"), &key, next_query, e);
}

static void
copy_code(const json_t *object, char out[static 64])
{
	const char *code = secretjson_string(object, "code");

	(void)snprintf(out, 64, "%.63s", code != NULL ? code : "");
}

/* Vaults of some ages say it in the message only. */
static bool
speaks_of_address(const char *message)
{
	if (message == NULL)
		return false;
	return strcasestr(message, "client address") != NULL ||
	       strcasestr(message, "trusted service") != NULL;
}

void
vaultanswer_refusal(struct span json, struct vault_refusal *out)
{
	AUTO_JSON j = secretjson_object(json);
	const json_t *error = json_object_get(j, "error");

	*out = (struct vault_refusal){ 0 };
	copy_code(error, out->code);
	copy_code(json_object_get(error, "innererror"), out->inner);
	out->firewall = strcmp(out->inner, "ForbiddenByFirewall") == 0 ||
			strcmp(out->code, "ForbiddenByFirewall") == 0 ||
			speaks_of_address(secretjson_string(error, "message"));
}

int
vaultanswer_unusable(const char *code, struct err *e)
{
	if (strcmp(code, "KeyDisabled") == 0) {
		(void)err_set(e, ENOKEY, "the key is disabled in its vault");
		return err_mark(e, "key.disabled", "enable the key in the vault");
	}
	if (strcmp(code, "KeyExpired") == 0)
		(void)err_set(e, ENOKEY, "the key has expired in its vault");
	else if (strcmp(code, "KeyNotYetValid") == 0)
		(void)err_set(e, ENOKEY, "the key is not valid yet in its vault");
	else
		return 0;
	return err_mark(e, "key.expired", "create a new version of the key, or change its dates");
}
