/* SPDX-License-Identifier: MIT */
/* Metadata files of the dir: store: see dirmeta.h. */
#include "backend/store/dirmeta.h"

#include <errno.h>
#include <strings.h>

#include <jansson.h>

#include "backend/store/azattr.h"
#include "base/timetext.h"

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

/* The first envelope and the first binding tag count. */
static void
take_item(struct store_entry *entry, enum azattr_key key, const json_t *value)
{
	const char *text = json_string_value(value);
	const struct span bytes = span_of(text, json_string_length(value));

	if (key == AZATTR_ENVELOPE && entry->envelope.p == NULL)
		entry->envelope = bytes;
	else if (key == AZATTR_BIND && entry->bind.p == NULL)
		entry->bind = bytes;
	else if (key == AZATTR_FOLDER)
		entry->folder = entry->size == 0 && strcasecmp(text, "true") == 0;
	else if (key == AZATTR_OWN_MTIME && !timetext_parse(text, &entry->mtime_ns))
		return; /* the date of the file stands */
}

static int
take_metadata(struct dirmeta *m, struct err *e)
{
	json_t *metadata = json_object_get(m->json, "metadata"), *value;
	const char *key;

	if (metadata != NULL && !json_is_object(metadata))
		return bad(e, "metadata that are no object");
	json_object_foreach(metadata, key, value)
	{
		if (!json_is_string(value) || json_string_length(value) > STORE_METADATA_MAX)
			return bad(e, "a metadata item that is no text, or too long");
		take_item(&m->entry, azattr_metadata_key(key), value);
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

/* ---- properties */

static const char *const property_members[STORE_PROPERTIES_N] = {
	[STORE_CONTENT_TYPE] = "content_type",
	[STORE_CONTENT_ENCODING] = "content_encoding",
	[STORE_CONTENT_LANGUAGE] = "content_language",
	[STORE_CONTENT_DISPOSITION] = "content_disposition",
	[STORE_CACHE_CONTROL] = "cache_control",
};

int
dirmeta_properties(const struct dirmeta *m, struct store_properties *out, struct err *e)
{
	json_t *value;
	const char *key;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < STORE_PROPERTIES_N; i++) {
		const char *text = json_string_value(json_object_get(m->json, property_members[i]));

		if (text != NULL && text[0] != '\0')
			r = store_property_set(out, (enum store_property)i, text, e);
	}
	json_object_foreach(json_object_get(m->json, "metadata"), key, value)
	{
		if (r == 0 && store_meta_get(out, key) == NULL)
			r = store_meta_set(out, key, json_string_value(value), e);
	}
	return r;
}

/* ---- a new metadata file */

static json_t *
metadata_of(const struct store_properties *p)
{
	json_t *metadata = json_object();

	for (size_t i = 0; i < p->n_meta; i++)
		if (json_object_set_new(metadata, p->meta[i].name, json_string(p->meta[i].value)) <
		    0) {
			json_decref(metadata);
			return NULL;
		}
	return metadata;
}

/* jansson refuses what is no UTF-8. */
static bool
fill(json_t *json, const struct dirmeta_record *r)
{
	const struct store_properties *p = r->properties;
	char modified[TIMETEXT_MAX + 1];

	timetext_print(r->modified_s * NS_PER_S, modified);
	for (unsigned i = 0; r->base == NULL && p != NULL && i < STORE_PROPERTIES_N; i++)
		if (p->text[i] != NULL &&
		    json_object_set_new(json, property_members[i], json_string(p->text[i])) < 0)
			return false;
	if (r->base == NULL && json_object_set_new(json, "blob_type", json_string("BlockBlob")) < 0)
		return false;
	if (p != NULL && json_object_set_new(json, "metadata", metadata_of(p)) < 0)
		return false;
	return json_object_set_new(json, "version", json_integer(1)) == 0 &&
	       json_object_set_new(json, "name",
				   json_stringn((const char *)r->name.p, r->name.n)) == 0 &&
	       json_object_set_new(json, "content", json_string(r->content)) == 0 &&
	       json_object_set_new(json, "length", json_integer((json_int_t)r->size)) == 0 &&
	       json_object_set_new(json, "etag", json_string(r->etag)) == 0 &&
	       json_object_set_new(json, "last_modified", json_string(modified)) == 0;
}

static int
dump(const json_t *json, struct buf *out, struct err *e)
{
	uint8_t *to;
	size_t n;
	int r = buf_reserve(out, DIRMETA_FILE_MAX, &to, e);

	if (r < 0)
		return r;
	n = json_dumpb(json, (char *)to, DIRMETA_FILE_MAX, JSON_COMPACT);
	if (n == 0 || n > DIRMETA_FILE_MAX)
		return err_set(e, EINVAL, "name and metadata are too long for this store");
	out->n += n;
	return 0;
}

int
dirmeta_print(const struct dirmeta_record *record, struct buf *out, struct err *e)
{
	json_t *json = record->base != NULL ? json_copy(record->base->json) : json_object();
	int r = json != NULL && fill(json, record)
			? dump(json, out, e)
			: err_set(e, EINVAL, "a name or a value that is not UTF-8");

	json_decref(json);
	return r;
}
