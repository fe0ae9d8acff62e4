/* SPDX-License-Identifier: MIT */
/* What a user writes as SOURCE: see source.h. */
#include "backend/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/net/cloud.h"
#include "backend/net/url.h"
#include "backend/store/store.h"
#include "base/buf.h"
#include "crypto/container.h"

enum { URL_MAX = 8 << 10, ACCOUNT_MAX = 64, CONTAINER_MAX = 63 };

static const char ADVICE_FORMS[] =
	"write https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX], "
	"https://ACCOUNT.documents.azure.com/DATABASE/CONTAINER, "
	"blob:URL or cosmos:URL for any other host, or dir:PATH";
static const char ADVICE_SAS[] =
	"a SAS goes into a file that only you may read, named with sas_file=, or into "
	"AZURE_STORAGE_SAS_TOKEN";
static const char ADVICE_KEY[] =
	"a key goes into a file that only you may read, named with cosmos_key_file=, or into "
	"AZURE_COSMOS_KEY";
static const char ADVICE_CONNECTION[] = "a connection string goes into "
					"AZURE_STORAGE_CONNECTION_STRING or "
					"AZURE_COSMOS_CONNECTION_STRING";
static const char ADVICE_DATABASE[] =
	"write https://ACCOUNT.documents.azure.com/DATABASE/CONTAINER, with %XX for what has no "
	"place in a URL";
static const char ADVICE_ESCAPE[] = "in a blob's name, write %3F for '?' and %23 for '#'";

static int
refuse(struct err *e, const char *why, const char *advice)
{
	(void)err_set(e, EINVAL, "SOURCE %s", why);
	return err_mark(e, NULL, advice);
}

static int
copy(const char *text, char **out, struct err *e)
{
	*out = strdup(text);
	return *out == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

/* Before anything else looks at the text, and might repeat it. */
static int
refuse_secrets(const char *url, const char *advice, struct err *e)
{
	const char *authority = strstr(url, "://");
	const char *query = strchr(url, '?');
	size_t n;

	authority = authority != NULL ? authority + 3 : url;
	n = strcspn(authority, "/?#");
	if (memchr(authority, '@', n) != NULL)
		return refuse(e, "holds user info in front of the host", advice);
	if (query != NULL && strcasestr(query, "sig=") != NULL)
		return refuse(e, "holds a shared access signature, which other users could see",
			      advice);
	if (query != NULL || strchr(url, '#') != NULL)
		return refuse(e, "has a query or a fragment", ADVICE_ESCAPE);
	return 0;
}

/* Only a dir: may hold that: it would be the name of a file. */
static int
refuse_connection(const char *text, struct err *e)
{
	if (strncasecmp(text, "AccountKey=", 11) != 0 && strcasestr(text, ";AccountKey=") == NULL)
		return 0;
	return refuse(e, "is a connection string with a key, which other users could see",
		      ADVICE_CONNECTION);
}

/* ---- where the service ends and the container begins ---- */

static bool
is_account(const char *s, size_t n)
{
	if (n == 0 || n >= ACCOUNT_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '-'))
			return false;
	return true;
}

/* The account is the first part of the path. */
static int
take_path_style(const struct url *u, struct source *out, const char **rest, struct err *e)
{
	const char *account = u->path[0] == '/' ? u->path + 1 : u->path;
	size_t n = strcspn(account, "/");
	AUTO_BUF service;
	int r;

	buf_init(&service, URL_MAX);
	if (!is_account(account, n))
		return refuse(e, "does not name the account as the first part of its path",
			      ADVICE_FORMS);
	out->account = strndup(account, n);
	if (out->account == NULL)
		return err_set(e, ENOMEM, "out of memory");
	*rest = account + n;
	r = buf_addf(&service, e, "%s/%s", out->origin, out->account);
	return r == 0 ? copy(buf_str(&service), &out->service, e) : r;
}

static int
take_host_style(const char *account, const char *path, struct source *out, const char **rest,
		struct err *e)
{
	int r = copy(account, &out->account, e);

	*rest = path;
	return r == 0 ? copy(out->origin, &out->service, e) : r;
}

/* Whether the URL lies at the known service; *rest is what follows then. */
static bool
is_at(const struct url *u, const struct source_endpoint *known, const char **rest)
{
	struct err ignored = { 0 };
	AUTO_URL k = { 0 };
	size_t n;

	if (known == NULL || known->account == NULL || url_parse(known->url, &k, &ignored) != 0)
		return false;
	n = strlen(k.path);
	if (k.https != u->https || k.port != u->port || strcmp(k.host, u->host) != 0)
		return false;
	if (strncmp(u->path, k.path, n) != 0 || (u->path[n] != '\0' && u->path[n] != '/'))
		return false;
	*rest = u->path + n;
	return true;
}

static int
take_known(const struct source_endpoint *known, struct source *out, struct err *e)
{
	int r = copy(known->account, &out->account, e);

	return r == 0 ? copy(known->url, &out->service, e) : r;
}

static int
take_service(const struct url *u, bool any_host, const struct source_endpoint *known,
	     struct source *out, const char **rest, struct err *e)
{
	char account[ACCOUNT_MAX];

	if (cloud_blob_account(u->host, account, sizeof(account)))
		return take_host_style(account, u->path, out, rest, e);
	if (is_at(u, known, rest))
		return take_known(known, out, e);
	if (!any_host)
		return refuse(e, "is at no known host of Azure Blob Storage", ADVICE_FORMS);
	return take_path_style(u, out, rest, e);
}

/* ---- container and prefix ---- */

/* Lower-case letters, digits and '-'; "$root", "$web" and the like are the service's own. */
static bool
is_container(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > CONTAINER_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '-' ||
		      (s[i] == '$' && i == 0)))
			return false;
	return true;
}

static int
decode(const char *text, size_t n, size_t max, char **out, struct err *e)
{
	struct err why = { 0 };
	AUTO_BUF b;

	buf_init(&b, max);
	if (url_decode(&b, text, n, &why) != 0)
		return refuse(
			e, why.no == EFBIG ? "has a name that is too long" : "has a malformed %XX",
			ADVICE_FORMS);
	return copy(buf_str(&b), out, e);
}

static int
take_names(const char *rest, struct source *out, struct err *e)
{
	size_t n;
	int r;

	if (rest[0] == '/')
		rest++;
	if (rest[0] == '\0')
		return copy("", &out->prefix, e);
	n = strcspn(rest, "/");
	r = decode(rest, n, URL_MAX, &out->container, e);
	if (r == 0 && !is_container(out->container))
		r = refuse(e, "does not name a container: lower-case letters, digits and '-'",
			   ADVICE_FORMS);
	rest += n + (rest[n] == '/');
	for (n = strlen(rest); n > 0 && rest[n - 1] == '/';)
		n--;
	return r == 0 ? decode(rest, n, STORE_NAME_MAX, &out->prefix, e) : r;
}

static int
parse_address(const char *text, struct url *u, struct source *out, struct err *e)
{
	AUTO_BUF origin;
	int r = url_parse(text, u, e);

	buf_init(&origin, URL_MAX);
	if (r == 0)
		r = url_origin(u, &origin, e);
	if (r == 0)
		r = copy(buf_str(&origin), &out->origin, e);
	out->https = u->https;
	return r;
}

static int
parse_blobs(const char *text, bool any_host, const struct source_endpoint *known,
	    struct source *out, struct err *e)
{
	AUTO_URL u = { 0 };
	const char *rest = "";
	int r = refuse_secrets(text, ADVICE_SAS, e);

	if (r == 0)
		r = parse_address(text, &u, out, e);
	if (r == 0)
		r = take_service(&u, any_host, known, out, &rest, e);
	return r == 0 ? take_names(rest, out, e) : r;
}

/* ---- database and container ---- */

/* The next part of the path, NULL when there is none; *rest goes on behind it. */
static int
take_id(const char **rest, char **out, struct err *e)
{
	const char *id = *rest + (**rest == '/');
	const size_t n = strcspn(id, "/");
	int r;

	*rest = id + n;
	if (id[0] == '\0')
		return 0;
	r = decode(id, n, URL_MAX, out, e);
	if (r == 0 && !cosmos_id_is_good(*out))
		r = refuse(e, "holds a name that no database or container can have",
			   ADVICE_DATABASE);
	return r;
}

static int
parse_cosmos(const char *text, struct source *out, struct err *e)
{
	char account[ACCOUNT_MAX];
	AUTO_URL u = { 0 };
	const char *rest;
	int r = refuse_secrets(text, ADVICE_KEY, e);

	out->place = SOURCE_AT_COSMOS;
	if (r == 0)
		r = parse_address(text, &u, out, e);
	if (r < 0)
		return r;
	rest = u.path;
	r = take_host_style(cloud_cosmos_account(u.host, account, sizeof(account)) ? account
										   : u.host,
			    rest, out, &rest, e);
	if (r == 0)
		r = take_id(&rest, &out->database, e);
	if (r == 0)
		r = take_id(&rest, &out->container, e);
	if (r == 0 && rest[rest[0] == '/'] != '\0')
		r = refuse(e, "names more than a database and a container in it", ADVICE_DATABASE);
	return r;
}

bool
source_is_cosmos(const char *text)
{
	char account[ACCOUNT_MAX], host[256];
	const char *at = strstr(text, "://");
	size_t n;

	if (strncmp(text, "cosmos:", 7) == 0)
		return true;
	if (at == NULL || (strncmp(text, "https:", 6) != 0 && strncmp(text, "http:", 5) != 0))
		return false;
	n = strcspn(at + 3, ":/?#");
	if (n >= sizeof(host))
		return false;
	memcpy(host, at + 3, n);
	host[n] = '\0';
	return cloud_cosmos_account(host, account, sizeof(account));
}

/* ---- the forms ---- */

static int
parse_dir(const char *path, struct source *out, struct err *e)
{
	out->place = SOURCE_AT_DIR;
	if (path[0] == '\0')
		return refuse(e, "dir: names no directory", ADVICE_FORMS);
	return copy(path, &out->path, e);
}

static int
parse(const char *text, const struct source_endpoint *known, struct source *out, struct err *e)
{
	if (strncmp(text, "dir:", 4) == 0)
		return parse_dir(text + 4, out, e);
	if (refuse_connection(text, e) < 0)
		return -e->no;
	if (strncmp(text, "cosmos:", 7) == 0)
		return parse_cosmos(text + 7, out, e);
	if (source_is_cosmos(text))
		return parse_cosmos(text, out, e);
	if (strncmp(text, "blob:", 5) == 0)
		return parse_blobs(text + 5, true, known, out, e);
	if (strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0)
		return parse_blobs(text, false, known, out, e);
	return refuse(e, "is none of the forms that are known", ADVICE_FORMS);
}

int
source_parse(const char *text, const struct source_endpoint *known, struct source *out,
	     struct err *e)
{
	AUTO_SOURCE s = { 0 };
	int r = parse(text, known, &s, e);

	if (r != 0)
		return r;
	*out = s;
	s = (struct source){ 0 };
	return 0;
}

void
source_clear(struct source *s)
{
	free(s->path);
	free(s->origin);
	free(s->service);
	free(s->account);
	free(s->database);
	free(s->container);
	free(s->prefix);
	*s = (struct source){ 0 };
}
