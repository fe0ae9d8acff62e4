/* SPDX-License-Identifier: MIT */
/* Metadata files of the dir: store: see dirmeta.h. */
#include "backend/store/dirmeta.h"

#include <errno.h>
#include <strings.h>

#include <jansson.h>

#include "backend/store/azattr.h"

enum { DEPTH_MAX = 8, CONTENT_DIGITS = 16 };

static int
bad(struct err *e, const char *what)
{
	(void)err_set(e, EBADMSG, "%s", what);
	return err_mark(e, "integrity.dir", NULL);
}

/* The parser recurses, on a thread with a small stack: nesting is looked at before. */
static bool
is_shallow(struct span text)
{
	unsigned depth = 0;
	bool inside = false;

	for (size_t i = 0; i < text.n; i++) {
		const uint8_t c = text.p[i];

		if (inside && c == '\\')
			i++;
		else if (c == '"')
			inside = !inside;
		else if (!inside && (c == '{' || c == '[') && ++depth > DEPTH_MAX)
			return false;
		else if (!inside && (c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return true;
}

struct json_t *
dirmeta_json(struct span text, struct err *e)
{
	json_error_t why;
	json_t *json;

	if (text.n > DIRMETA_FILE_MAX || !is_shallow(text)) {
		(void)bad(e, "too large, or nested too deeply");
		return NULL;
	}
	json = json_loadb(text.n > 0 ? (const char *)text.p : "", text.n, JSON_REJECT_DUPLICATES,
			  &why);
	if (json == NULL) {
		(void)err_set(e, EBADMSG, "not JSON as it should be: line %d: %s", why.line,
			      why.text);
		(void)err_mark(e, "integrity.dir", NULL);
	}
	return json;
}

/* Exactly END.<16 hexadecimal digits>.x, so neither a '/' nor ".." can be in it. */
static bool
is_content_of(const char *content, const char *end)
{
	const size_t n = strlen(end);

	if (strncmp(content, end, n) != 0 || content[n] != '.')
		return false;
	content += n + 1;
	return strspn(content, "0123456789abcdef") == CONTENT_DIGITS &&
	       strcmp(content + CONTENT_DIGITS, ".x") == 0;
}

static bool
blob_type(const char *text, enum store_blob_type *out)
{
	static const char *const names[] = { [STORE_BLOCK] = "BlockBlob",
					     [STORE_PAGE] = "PageBlob",
					     [STORE_APPEND] = "AppendBlob" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (text != NULL && strcmp(text, names[i]) == 0) {
			*out = (enum store_blob_type)i;
			return true;
		}
	return false;
}

static int
take_identity(struct dirmeta *m, struct span name, const char *end, struct err *e)
{
	const json_t *named = json_object_get(m->json, "name");
	char etag[STORE_ETAG_MAX + 1];

	if (json_integer_value(json_object_get(m->json, "version")) != 1)
		return bad(e, "not of version 1");
	if (!json_is_string(named) || json_string_length(named) != name.n ||
	    memcmp(json_string_value(named), name.p, name.n) != 0)
		return bad(e, "belongs to an object of another name");
	m->content = json_string_value(json_object_get(m->json, "content"));
	if (m->content == NULL || !is_content_of(m->content, end))
		return bad(e, "its content file cannot be that of this object");
	m->entry.etag = json_string_value(json_object_get(m->json, "etag"));
	if (m->entry.etag == NULL || !azattr_etag(m->entry.etag, etag) ||
	    strcmp(etag, m->entry.etag) != 0)
		return bad(e, "no ETag, or one that cannot be");
	return 0;
}

static int
take_attributes(struct dirmeta *m, struct err *e)
{
	const json_t *length = json_object_get(m->json, "length"),
		     *type = json_object_get(m->json, "content_type");
	const char *date = json_string_value(json_object_get(m->json, "last_modified"));
	int64_t s;

	if (!json_is_integer(length) || json_integer_value(length) < 0)
		return bad(e, "no length, or one that cannot be");
	m->entry.size = (uint64_t)json_integer_value(length);
	if (date == NULL || !azattr_iso_date(date, &s))
		return bad(e, "no date, or one that cannot be");
	m->entry.mtime_ns = s * NS_PER_S;
	if (type != NULL && !json_is_string(type))
		return bad(e, "a content type that is no text");
	m->entry.content_type = type != NULL ? json_string_value(type) : "";
	if (!blob_type(json_string_value(json_object_get(m->json, "blob_type")), &m->entry.type))
		return bad(e, "no type of blob, or an unknown one");
	return 0;
}

static int
take_metadata(struct dirmeta *m, struct err *e)
{
	json_t *metadata = json_object_get(m->json, "metadata"), *value;
	struct store_entry *entry = &m->entry;
	const char *key;

	if (metadata != NULL && !json_is_object(metadata))
		return bad(e, "metadata that are no object");
	json_object_foreach(metadata, key, value)
	{
		if (!json_is_string(value) || json_string_length(value) > STORE_METADATA_MAX)
			return bad(e, "a metadata item that is no text, or too long");
		if (azattr_metadata_key(key) == AZATTR_ENVELOPE && entry->envelope.p == NULL)
			entry->envelope = span_of(json_string_value(value),
						  json_string_length(value));
		if (azattr_metadata_key(key) == AZATTR_FOLDER)
			entry->folder = entry->size == 0 &&
					strcasecmp(json_string_value(value), "true") == 0;
	}
	return 0;
}

int
dirmeta_parse(struct span json, struct span name, const char *end, struct dirmeta *out,
	      struct err *e)
{
	struct dirmeta m = { .entry = { .kind = STORE_OBJECT } };
	int r = 0;

	m.json = dirmeta_json(json, e);
	if (m.json == NULL)
		return -e->no;
	if (!json_is_object(m.json))
		r = bad(e, "no JSON object");
	if (r == 0)
		r = take_identity(&m, name, end, e);
	if (r == 0)
		r = take_attributes(&m, e);
	if (r == 0)
		r = take_metadata(&m, e);
	if (r < 0) {
		dirmeta_clear(&m);
		return r;
	}
	*out = m;
	return 0;
}

void
dirmeta_clear(struct dirmeta *m)
{
	json_decref(m->json);
	m->json = NULL;
}
