/* SPDX-License-Identifier: MIT */
/* Cutting SOURCE/path: see source.h. */
#include "cli/source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/dirsource.h"
#include "backend/source.h"
#include "fs/names.h"

static int
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/*
 * Decodes %XX.  %00 stays: no name holds a NUL, and ls shows an empty component and a hidden file
 * so.
 */
static int
decode(const char *text, size_t n, struct buf *out, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const int high = text[i] == '%' && i + 2 < n ? digit_of(text[i + 1]) : -1;
		const int low = high >= 0 ? digit_of(text[i + 2]) : -1;
		char c = text[i];

		if (low >= 0 && high * 16 + low != 0) {
			c = (char)(high * 16 + low);
			i += 2;
		}
		r = buf_add(out, &c, 1, e);
	}
	return r;
}

/* One component of a decoded path, as the view names it. */
static int
add_component(const char *p, size_t n, struct buf *path, struct err *e)
{
	const bool hidden = n > 3 && memcmp(p + n - 3, "%00", 3) == 0;
	AUTO_BUF name;
	int r;

	if (n == 3 && memcmp(p, "%00", 3) == 0)
		n = 0;
	buf_init(&name, 4 * NAMES_FILE_MAX);
	r = names_escape(span_of(p, hidden ? n - 3 : n), hidden, &name, e);
	if (r == 0 && path->n > 0)
		r = buf_add(path, "/", 1, e);
	return r < 0 ? r : buf_add(path, name.p, name.n, e);
}

/*
 * The part of a URL behind a container of documents.  What lies there is named by the view, and
 * escaped already: decoding is all it takes.
 */
static int
path_in_documents(const char *rest, struct buf *path, struct err *e)
{
	size_t n = strlen(rest);

	if (n > 0 && rest[n - 1] == '/')
		n--;
	return decode(rest, n, path, e);
}

/* The part of a URL behind a container of blobs. */
static int
path_of_url(const char *rest, struct buf *path, struct err *e)
{
	AUTO_BUF decoded;
	const char *p, *end;
	int r;

	buf_init(&decoded, path->max);
	r = decode(rest, strlen(rest), &decoded, e);
	p = buf_str(&decoded);
	end = p + decoded.n;
	if (end > p && end[-1] == '/')
		end--;
	if (p == end)
		return r;
	while (r == 0) {
		const char *slash = memchr(p, '/', (size_t)(end - p));

		r = add_component(p, (size_t)((slash != NULL ? slash : end) - p), path, e);
		if (slash == NULL)
			break;
		p = slash + 1;
	}
	return r;
}

/*
 * What lies behind the first n components of a URL's path; NULL when there are no more than that.
 */
static const char *
behind(const char *url, unsigned n)
{
	const char *p = strstr(url, "://");

	p = p == NULL ? NULL : strchr(p + 3, '/');
	for (unsigned i = 0; p != NULL && i < n; i++)
		p = strchr(p + 1, '/');
	return p;
}

static int
take_source(const char *text, size_t n, char **source, struct err *e)
{
	char *copy = strndup(text, n);

	if (copy == NULL)
		return err_set(e, ENOMEM, "out of memory");
	*source = copy;
	return 0;
}

/* The length of the part of a dir: source that names the store, and what is shown of it. */
static size_t
dir_length(const char *dir, bool *out_here)
{
	struct dirsource store;
	size_t n;

	*out_here = false;
	if (!dirsource_find(dir, &store))
		return strlen(dir);
	n = store.n;
	*out_here = n == 0;
	for (int i = 0; i < 2 && store.kind == SOURCE_DOCUMENTS; i++) {
		const size_t slashes = strspn(dir + n, "/");

		if (dir[n + slashes] == '\0')
			break;
		n += slashes;
		n += strcspn(dir + n, "/");
	}
	return n;
}

static int
split_dir(const char *text, char **source, struct buf *path, struct err *e)
{
	const char *const dir = text + strlen("dir:");
	bool here;
	const size_t n = dir_length(dir, &here);
	const char *rest = dir + n;
	size_t rest_n;
	int r;

	rest += strspn(rest, "/");
	rest_n = strlen(rest);
	while (rest_n > 0 && rest[rest_n - 1] == '/')
		rest_n--;
	r = buf_add(path, rest, rest_n, e);
	if (r < 0)
		return r;
	return here && n == 0 ? take_source("dir:.", 5, source, e)
			      : take_source(text, strlen("dir:") + n, source, e);
}

int
source_split(const char *text, char **source, struct buf *path, struct err *e)
{
	const bool documents = source_is_cosmos(text);
	const bool path_style = strncmp(text, "blob:", 5) == 0;
	const char *rest;
	int r;

	buf_reset(path);
	if (strncmp(text, "dir:", 4) == 0)
		return split_dir(text, source, path, e);
	rest = behind(text, documents || path_style ? 2 : 1);
	if (rest == NULL || strpbrk(text, "?#") != NULL)
		return take_source(text, strlen(text), source, e);
	r = documents ? path_in_documents(rest + 1, path, e) : path_of_url(rest + 1, path, e);
	return r < 0 ? r : take_source(text, (size_t)(rest - text), source, e);
}

void
source_shown(const char *text, char *out, size_t out_n)
{
	const char *host = strstr(text, "://");
	const char *key = strcasestr(text, "AccountKey=");
	size_t end = strcspn(text, "?#");
	const char *at = NULL;

	if (key != NULL && (size_t)(key - text) < end)
		end = (size_t)(key - text);
	if (host != NULL && (size_t)(host - text) < end) {
		host += 3;
		at = memrchr(host, '@', strcspn(host, "/?#"));
	}
	if (at != NULL)
		(void)snprintf(out, out_n, "%.*s%.*s", (int)(host - text), text,
			       (int)(end - (size_t)(at + 1 - text)), at + 1);
	else
		(void)snprintf(out, out_n, "%.*s", (int)end, text);
}
