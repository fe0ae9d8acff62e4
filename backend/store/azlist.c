/* SPDX-License-Identifier: MIT */
/*
 * List Blobs XML: see azlist.h.
 *
 * A stack holds what each open element is.  Which child means what depends on
 * its parent alone, so a <Name> elsewhere is nobody's name.  What is not known
 * is skipped with all that is in it.  An element that is a value collects text
 * and may hold no elements.
 */
#include "backend/store/azlist.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include <expat.h>

#include "backend/net/url.h"
#include "backend/store/azattr.h"

/* The parser copies what it is given at once. */
enum { VALUE_MAX = STORE_METADATA_MAX, ENCODED_NAME_MAX = 3 * STORE_NAME_MAX, PIECE = 128 << 10 };

enum tag {
	TAG_DOCUMENT, /* above the root */
	TAG_SKIP,
	TAG_RESULTS,
	TAG_ENTRIES, /* Blobs, Containers */
	TAG_BLOB,
	TAG_PREFIX,
	TAG_CONTAINER,
	TAG_PROPERTIES,
	TAG_METADATA,
	TAG_VALUES, /* the rest are values */
	TAG_NAME = TAG_VALUES,
	TAG_MARKER,
	TAG_DELETED,
	TAG_SNAPSHOT,
	TAG_IS_CURRENT,
	TAG_ATTRIBUTE
};

static const struct {
	enum tag parent;
	const char *name;
	enum tag tag;
} children[] = {
	{ TAG_DOCUMENT, "EnumerationResults", TAG_RESULTS },
	{ TAG_RESULTS, "Blobs", TAG_ENTRIES },
	{ TAG_RESULTS, "Containers", TAG_ENTRIES },
	{ TAG_RESULTS, "NextMarker", TAG_MARKER },
	{ TAG_ENTRIES, "Blob", TAG_BLOB },
	{ TAG_ENTRIES, "BlobPrefix", TAG_PREFIX },
	{ TAG_ENTRIES, "Container", TAG_CONTAINER },
	{ TAG_BLOB, "Name", TAG_NAME },
	{ TAG_BLOB, "Deleted", TAG_DELETED },
	{ TAG_BLOB, "Snapshot", TAG_SNAPSHOT },
	{ TAG_BLOB, "IsCurrentVersion", TAG_IS_CURRENT },
	{ TAG_BLOB, "Properties", TAG_PROPERTIES },
	{ TAG_BLOB, "Metadata", TAG_METADATA },
	{ TAG_PREFIX, "Name", TAG_NAME },
	{ TAG_CONTAINER, "Name", TAG_NAME },
	{ TAG_CONTAINER, "Deleted", TAG_DELETED },
};

struct azlist {
	XML_Parser parser;
	struct store_list_sink sink;
	struct err *e;
	int r; /* of the sink, or -EIO; parsing has been stopped when it is not 0 */

	enum tag stack[AZLIST_DEPTH_MAX + 1];
	unsigned depth;
	bool has_results;

	/* The entry under way. */
	struct azattr attr;
	bool has_name, name_encoded, skip;
	struct buf name;
	enum azattr_key key; /* of the attribute whose value is collected */

	/* The value under way. */
	size_t value_n;
	char value[VALUE_MAX + 1];

	bool has_marker;
	char marker[STORE_CURSOR_MAX + 1];
};

static void
stop(struct azlist *l, const char *what)
{
	if (l->r != 0)
		return;
	(void)err_set(l->e, EIO, "the listing is malformed in line %lu: %s",
		      (unsigned long)XML_GetCurrentLineNumber(l->parser), what);
	l->r = err_mark(l->e, "net.protocol", NULL);
	(void)XML_StopParser(l->parser, XML_FALSE);
}

static enum tag
child_tag(struct azlist *l, enum tag parent, const char *name)
{
	if (parent == TAG_PROPERTIES || parent == TAG_METADATA) {
		l->key = parent == TAG_PROPERTIES ? azattr_xml_key(name)
						  : azattr_metadata_key(name);
		return l->key != AZATTR_NONE ? TAG_ATTRIBUTE : TAG_SKIP;
	}
	for (size_t i = 0; i < ARRAY_LEN(children); i++)
		if (parent == children[i].parent && strcmp(name, children[i].name) == 0)
			return children[i].tag;
	return TAG_SKIP;
}

/* Whether an attribute, as expat hands them out in pairs, is there and true. */
static bool
is_true(const XML_Char **attributes, const char *name)
{
	for (; *attributes != NULL; attributes += 2)
		if (strcmp(attributes[0], name) == 0)
			return strcasecmp(attributes[1], "true") == 0;
	return false;
}

static void
begin_entry(struct azlist *l)
{
	azattr_reset(&l->attr);
	l->has_name = false;
	l->skip = false;
}

static void XMLCALL
on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct azlist *l = arg;
	enum tag parent = l->stack[l->depth], tag;

	if (l->r != 0)
		return;
	if (parent >= TAG_VALUES)
		return stop(l, "an element inside a value");
	if (l->depth == AZLIST_DEPTH_MAX)
		return stop(l, "too deep");
	tag = child_tag(l, parent, name);
	if (parent == TAG_DOCUMENT && tag != TAG_RESULTS)
		return stop(l, "not a listing");
	l->has_results |= tag == TAG_RESULTS;
	l->stack[++l->depth] = tag;
	l->value_n = 0;
	if (tag == TAG_BLOB || tag == TAG_PREFIX || tag == TAG_CONTAINER)
		begin_entry(l);
	else if (tag == TAG_NAME)
		l->name_encoded = is_true(attributes, "Encoded");
	else if (tag == TAG_METADATA && is_true(attributes, "Encrypted"))
		l->attr.entry.metadata_hidden = true;
}

static void XMLCALL
on_text(void *arg, const XML_Char *text, int n)
{
	struct azlist *l = arg;

	if (l->r != 0 || l->stack[l->depth] < TAG_VALUES)
		return;
	if ((size_t)n > VALUE_MAX - l->value_n)
		return stop(l, "a value is too long");
	memcpy(l->value + l->value_n, text, (size_t)n);
	l->value_n += (size_t)n;
}

static void
take_name(struct azlist *l)
{
	struct err ignored = { 0 };
	int r;

	if (l->has_name)
		return stop(l, "two names");
	buf_reset(&l->name);
	if (l->value_n > ENCODED_NAME_MAX)
		return stop(l, "a name is too long");
	if (l->name_encoded)
		r = url_decode(&l->name, l->value, l->value_n, &ignored);
	else
		r = buf_add(&l->name, l->value, l->value_n, &ignored);
	if (r < 0)
		return stop(l, "a name is too long or not well encoded");
	if (l->name.n == 0)
		return stop(l, "an empty name");
	l->has_name = true;
}

static void
take_marker(struct azlist *l)
{
	if (l->has_marker || l->value_n > STORE_CURSOR_MAX)
		return stop(l, "two markers, or one too long");
	memcpy(l->marker, l->value, l->value_n + 1);
	l->has_marker = true;
}

static void
deliver(struct azlist *l, const struct store_entry *entry)
{
	l->r = l->sink.entry(l->sink.arg, entry, l->e);
	if (l->r != 0)
		(void)XML_StopParser(l->parser, XML_FALSE);
}

static void
end_prefix(struct azlist *l, bool add_slash)
{
	struct store_entry entry = { .kind = STORE_PREFIX, .etag = "", .content_type = "" };
	struct err ignored = { 0 };

	if (!l->has_name)
		return stop(l, "no name");
	if (l->skip)
		return;
	if (add_slash && buf_add_str(&l->name, "/", &ignored) < 0)
		return stop(l, "a name is too long");
	if (l->name.p[l->name.n - 1] != '/')
		return stop(l, "a common prefix without the delimiter");
	entry.name = buf_span(&l->name);
	deliver(l, &entry);
}

static void
end_blob(struct azlist *l)
{
	if (!l->has_name)
		return stop(l, "no name");
	if (l->skip)
		return;
	if (!azattr_finish(&l->attr, buf_span(&l->name)))
		return stop(l, "a blob without size or ETag");
	deliver(l, &l->attr.entry);
}

/* Values that are not part of the current, live blob make all of the entry go. */
static void
end_value(struct azlist *l, enum tag tag)
{
	l->value[l->value_n] = '\0';
	if (tag == TAG_NAME)
		take_name(l);
	else if (tag == TAG_MARKER)
		take_marker(l);
	else if (tag == TAG_DELETED)
		l->skip |= strcasecmp(l->value, "true") == 0;
	else if (tag == TAG_SNAPSHOT)
		l->skip |= l->value_n > 0;
	else if (tag == TAG_IS_CURRENT)
		l->skip |= strcasecmp(l->value, "false") == 0;
	else if (!azattr_set(&l->attr, l->key, l->value, l->value_n))
		stop(l, "an odd property");
}

static void XMLCALL
on_end(void *arg, const XML_Char *name)
{
	struct azlist *l = arg;
	enum tag tag = l->stack[l->depth];

	(void)name;
	if (l->r != 0)
		return;
	assert(l->depth > 0);
	l->depth--;
	if (tag >= TAG_VALUES)
		end_value(l, tag);
	else if (tag == TAG_BLOB)
		end_blob(l);
	else if (tag == TAG_PREFIX || tag == TAG_CONTAINER)
		end_prefix(l, tag == TAG_CONTAINER);
}

static void XMLCALL
on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id,
	   int internal)
{
	(void)name, (void)system_id, (void)public_id, (void)internal;
	stop(arg, "a document type");
}

static enum XML_Status
feed(XML_Parser parser, struct span page)
{
	enum XML_Status status = XML_STATUS_OK;

	for (size_t at = 0; at < page.n && status == XML_STATUS_OK; at += PIECE)
		status = XML_Parse(parser, (const char *)page.p + at,
				   (int)(page.n - at < PIECE ? page.n - at : PIECE),
				   page.n - at <= PIECE);
	return status;
}

static int
parse_all(struct azlist *l, struct span page)
{
	enum XML_Status status;

	XML_SetUserData(l->parser, l);
	XML_SetElementHandler(l->parser, on_start, on_end);
	XML_SetCharacterDataHandler(l->parser, on_text);
	XML_SetStartDoctypeDeclHandler(l->parser, on_doctype);
	status = feed(l->parser, page);
	if (l->r == 0 && status != XML_STATUS_OK)
		stop(l, XML_ErrorString(XML_GetErrorCode(l->parser)));
	if (l->r == 0 && !l->has_results)
		stop(l, "not a listing");
	return l->r;
}

static int
set_marker(struct buf *marker, const char *text, struct err *e)
{
	if (strlen(text) > marker->max) {
		(void)err_set(e, EIO, "the listing's marker is too long");
		return err_mark(e, "net.protocol", NULL);
	}
	buf_reset(marker);
	return buf_add_str(marker, text, e);
}

int
azlist_parse(struct span page, struct store_list_sink sink, struct buf *marker, struct err *e)
{
	struct azlist *l;
	int r;

	assert(page.n <= AZLIST_PAGE_MAX);
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return err_set(e, ENOMEM, "out of memory");
	l->sink = sink;
	l->e = e;
	buf_init(&l->name, STORE_NAME_MAX);
	/* The encoding is named here so that no declaration can choose another one. */
	l->parser = XML_ParserCreate("UTF-8");
	r = l->parser != NULL ? parse_all(l, page) : err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = set_marker(marker, l->marker, e);
	if (l->parser != NULL)
		XML_ParserFree(l->parser);
	buf_clear(&l->name);
	free(l);
	return r;
}

bool
azlist_is_complete(struct span page)
{
	static const char tag[] = "</EnumerationResults>";
	size_t n = page.n;

	while (n > 0 && (page.p[n - 1] == '\n' || page.p[n - 1] == '\r' || page.p[n - 1] == ' ' ||
			 page.p[n - 1] == '\t'))
		n--;
	return n >= sizeof(tag) - 1 &&
	       memcmp(page.p + n - (sizeof(tag) - 1), tag, sizeof(tag) - 1) == 0;
}
