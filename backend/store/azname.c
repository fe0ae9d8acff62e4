/* SPDX-License-Identifier: MIT */
/* Names and places: see azname.h. */
#include "backend/store/azname.h"

#include <errno.h>

#include "backend/net/url.h"
#include "base/utf8.h"

enum { KEY_UNITS_MAX = 1024 /* UTF-16 units of a blob's name */ };

bool
azname_is_container(struct span name)
{
	size_t i = name.n > 0 && name.p[0] == '$' ? 1 : 0;

	if (name.n < 3 || name.n > 63)
		return false;
	for (; i < name.n; i++)
		if (!(name.p[i] >= 'a' && name.p[i] <= 'z') &&
		    !(name.p[i] >= '0' && name.p[i] <= '9') && name.p[i] != '-')
			return false;
	return true;
}

struct azplace
azname_place(const struct azname_store *b, struct span name)
{
	const uint8_t *slash;

	if (b->container != NULL)
		return (struct azplace){ span_str(b->container), name };
	slash = name.n > 0 ? memchr(name.p, '/', name.n) : NULL;
	if (slash == NULL)
		return (struct azplace){ { NULL, 0 }, name };
	return (struct azplace){ span_of(name.p, (size_t)(slash - name.p)),
				 span_of(slash + 1, name.n - (size_t)(slash - name.p) - 1) };
}

static int
no_blob(struct err *e)
{
	(void)err_set(e, ENOENT, "the blob does not exist");
	return err_mark(e, "remote.gone", NULL);
}

static int
add_url(const struct azname_store *b, struct azplace place, struct buf *url, struct err *e)
{
	int r = azpage_container_url(&b->root, place.container, url, e);

	if (r == 0)
		r = buf_add_str(url, "/", e);
	if (r == 0)
		r = url_encode(url, b->prefix, strlen(b->prefix), true, e);
	if (r == 0 && b->single == NULL && place.key.n > 0)
		r = url_encode(url, (const char *)place.key.p, place.key.n, true, e);
	return r;
}

int
azname_url(const struct azname_store *b, const char *name, struct buf *url, struct err *e)
{
	const struct azplace place = azname_place(b, span_str(name));

	if (b->single != NULL ? strcmp(name, b->single) != 0
			      : place.key.n == 0 || !utf8_is_valid(place.key) ||
					!azname_is_container(place.container))
		return no_blob(e);
	return add_url(b, place, url, e);
}

/* Of valid UTF-8: four bytes are a surrogate pair, all else is one unit. */
static size_t
utf16_units(const char *text)
{
	size_t units = 0;

	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;

		units += (c & 0xc0) != 0x80;
		units += c >= 0xf0;
	}
	return units;
}

static int
check_key(const struct azname_store *b, struct span key, const char *name, struct err *e)
{
	if (key.n == 0)
		return err_set(e, EINVAL, "a blob needs a name");
	if (!utf8_is_valid(key))
		return err_set(e, EINVAL, "a blob's name is Unicode");
	/* The service takes it for a slash. */
	if (memchr(key.p, '\\', key.n) != NULL)
		return err_set(e, EINVAL, "a blob's name cannot hold a backslash");
	if (utf16_units(b->prefix) + utf16_units(name + (strlen(name) - key.n)) > KEY_UNITS_MAX)
		return err_set(e, EINVAL, "a blob's name has at most %d characters", KEY_UNITS_MAX);
	return 0;
}

int
azname_url_to_write(const struct azname_store *b, const char *name, struct buf *url, struct err *e)
{
	const struct azplace place = azname_place(b, span_str(name));
	int r;

	if (b->single != NULL) {
		if (strcmp(name, b->single) != 0)
			return err_set(e, EACCES, "the source is one blob: there are no others");
		return add_url(b, place, url, e);
	}
	if (place.container.n == 0)
		return err_set(e, EACCES, "containers are not made here");
	r = check_key(b, place.key, name, e);
	if (r < 0)
		return r;
	if (!azname_is_container(place.container)) {
		(void)err_set(e, ENOENT, "the container does not exist");
		return err_mark(e, "remote.gone", NULL);
	}
	return add_url(b, place, url, e);
}
