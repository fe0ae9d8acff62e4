/* SPDX-License-Identifier: MIT */
/* Documents of the contract suite: see docstore_held.h. */
#include "tests/contract/docstore_held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct deadline
docstore_soon(void)
{
	return deadline_in(60 * NS_PER_S);
}

/* ---- the documents of most tests */

static char id_255[256], id_1023[1024], id_wide[256];

static const struct contract_document flat[] = {
	{ "[\"a\"]", "1", "\"pk\":\"a\",\"x\":\"one\",\"n\":1,\"b\":true,\"z\":null" },
	{ "[\"a\"]", "2",
	  "\"pk\":\"a\",\"x\":\"two\",\"n\":2,\"b\":false,\"deep\":{\"a b\":{\"c\":1}}" },
	{ "[\"a\"]", "3", "\"pk\":\"a\",\"x\":\"one\",\"n\":1.0,\"deep\":{\"a b\":{\"c\":2}}" },
	{ "[\"a\"]", "blank and 100%", "\"pk\":\"a\",\"x\":\"1\",\"n\":-0.5e-3" },
	{ "[\"a\"]", "+&=;:@!$'(),~", "\"pk\":\"a\",\"x\":[\"one\"],\"n\":{\"c\":1}" },
	{ "[\"a\"]", E_AND_DAY, "\"pk\":\"a\",\"x\":\"\\u00e9\\u65e5\",\"n\":9007199254740991" },
	{ "[\"a\"]", "\"quoted\"", "\"pk\":\"a\",\"x\":\"a \\\"quote\\\" and \\\\\"" },
	{ "[\"a\"]", "a/b", "\"pk\":\"a\"" },
	{ "[\"a\"]", "back\\slash", "\"pk\":\"a\"" },
	{ "[\"a\"]", ".", "\"pk\":\"a\"" },
	{ "[\"a\"]", "..", "\"pk\":\"a\"" },
	{ "[\"a\"]", id_255, "\"pk\":\"a\"" },
	{ "[\"a\"]", id_1023, "\"pk\":\"a\"" },
	{ "[\"a\"]", id_wide, "\"pk\":\"a\"" },
	{ "[\"b\"]", "1", "\"pk\":\"b\",\"x\":\"one\",\"n\":3,\"b\":true" },
	{ "[\"\"]", "1", "\"pk\":\"\"" },
	{ "[1]", "1", "\"pk\":1,\"x\":1,\"b\":1" },
	{ "[1]", "of 1.0", "\"pk\":1.0" },
	{ "[1.5]", "1", "\"pk\":1.5" },
	{ "[-2]", "1", "\"pk\":-2" },
	{ "[\"1\"]", "1", "\"pk\":\"1\"" },
	{ "[true]", "1", "\"pk\":true" },
	{ "[false]", "1", "\"pk\":false" },
	{ "[null]", "1", "\"pk\":null" },
	{ "[{}]", "1", "\"q\":1" },
	{ "[{}]", "2", "\"q\":2,\"n\":1" },
	{ "[\"\\u00e9\\u65e5\"]", "1", "\"pk\":\"" E_AND_DAY "\"" },
	{ "[\"quo\\\"te\\\\\"]", "1", "\"pk\":\"quo\\\"te\\\\\"" },
	{ "[\"\\ud83d\\ude00\"]", "1", "\"pk\":\"\360\237\230\200\"" },
};

static const struct contract_document nested[] = {
	{ "[\"x\",1,\"u\"]", "1", "\"org\":\"x\",\"team\":1,\"user\":\"u\"" },
	{ "[\"x\",1,\"u\"]", "2", "\"org\":\"x\",\"team\":1,\"user\":\"u\"" },
	{ "[\"x\",1,\"v\"]", "1", "\"org\":\"x\",\"team\":1,\"user\":\"v\"" },
	{ "[\"x\",2,\"u\"]", "1", "\"org\":\"x\",\"team\":2,\"user\":\"u\"" },
	{ "[\"x\",\"1\",\"u\"]", "1", "\"org\":\"x\",\"team\":\"1\",\"user\":\"u\"" },
	{ "[\"x\",1,{}]", "1", "\"org\":\"x\",\"team\":1" },
	{ "[\"x\",1,null]", "1", "\"org\":\"x\",\"team\":1,\"user\":null" },
	{ "[\"x\",{},{}]", "1", "\"org\":\"x\"" },
	{ "[\"y\",true,\"u\"]", "1", "\"org\":\"y\",\"team\":true,\"user\":\"u\"" },
};

static void
make_long_ids(void)
{
	memset(id_255, 'i', 255);
	memset(id_1023, 'j', 1023);
	for (unsigned i = 0; i < 250; i += 5)
		memcpy(id_wide + i, E_AND_DAY, 5);
}

static struct docstore_held
fill(const struct docstore_fixture *f, const char *container, const char *key,
     const struct contract_document *documents, size_t n)
{
	struct docstore_held held = { .n = 0 };

	make_long_ids();
	f->make(f->arg, container, key);
	for (size_t i = 0; i < n; i++)
		if (f->can_hold(documents[i].id)) {
			held.document[held.n] = &documents[i];
			held.text[held.n++] = f->put(f->arg, container, &documents[i]);
		}
	return held;
}

struct docstore_held
docstore_held_flat(const struct docstore_fixture *f)
{
	f->reset(f->arg);
	return fill(f, "flat", BY_PK, flat, ARRAY_LEN(flat));
}

struct docstore_held
docstore_held_nested(const struct docstore_fixture *f)
{
	f->reset(f->arg);
	return fill(f, "nested", BY_ORG, nested, ARRAY_LEN(nested));
}

void
docstore_held_clear(struct docstore_held *h)
{
	for (unsigned i = 0; i < h->n; i++)
		free(h->text[i]);
	h->n = 0;
}

void
docstore_held_want(const struct docstore_held *h, const char *partition, struct docstore_seen *out)
{
	for (unsigned i = 0; i < h->n; i++)
		if (partition == NULL || strcmp(h->document[i]->partition, partition) == 0)
			docstore_seen_add(out, h->text[i]);
}

void
docstore_place_of(const struct docstore_fixture *f, struct docstore *s, const char *container,
		  struct docstore_place *out)
{
	const struct docstore_at at = { .database = f->database, .container = container };
	struct err e = { 0 };
	struct buf text;

	buf_init(&text, CONTAINER_TEXT_MAX);
	if (docstore_container(s, &at, &text, docstore_soon(), &e) < 0 ||
	    container_def_parse(buf_span(&text), &out->def, &e) < 0)
		fail_msg("container '%s': %s", container, e.text);
	buf_clear(&text);
	out->at = at;
	out->at.rid = out->def.rid;
	out->at.def = &out->def;
}

void
docstore_place_clear(struct docstore_place *p)
{
	container_def_clear(&p->def);
}

void
docstore_held_got(struct docstore *s, const struct docstore_at *at,
		  const struct contract_document *document, const char *etag, const char *wanted)
{
	struct err e = { 0 };
	bool same = wanted != NULL;
	struct buf text;

	buf_init(&text, 4 << 20);
	if (docstore_get(s, at, document->partition, document->id, etag, &text, &same,
			 docstore_soon(), &e) < 0)
		fail_msg("get '%.60s' in %s: %s", document->id, document->partition, e.text);
	assert_int_equal(same, wanted == NULL);
	assert_string_equal(buf_str(&text), wanted != NULL ? wanted : "");
	buf_clear(&text);
}

void
docstore_etag_of(const char *text, char out[DOCSTORE_ETAG_MAX + 3])
{
	const char *at = strstr(text, "\"_etag\":");
	size_t n = 0;

	assert_non_null(at);
	at += strlen("\"_etag\":");
	at += strspn(at, " ") + 1;
	for (; *at != '"'; at++) {
		assert_true(n < DOCSTORE_ETAG_MAX);
		if (*at == '\\')
			at++;
		out[n++] = *at;
	}
	out[n] = '\0';
	assert_true(n > 2 && out[0] == '"' && out[n - 1] == '"');
}
