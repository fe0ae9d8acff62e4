/* SPDX-License-Identifier: MIT */
/* The contract of stores as tests: see store_contract.h. */
#include "tests/contract/store_contract.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEN_MAX = 256, NAMES_MAX = STORE_CONTRACT_NAMES_MAX };

static const struct deadline no_deadline = { 0 };

/* ---- what a call has sent */

struct seen_entry {
	enum store_entry_kind kind;
	char *name, *etag, *envelope, *content_type;
	uint64_t size;
	int64_t mtime_ns;
	bool folder;
};

struct seen {
	struct seen_entry entry[SEEN_MAX];
	unsigned n;
	unsigned fail_at; /* fails at that entry, counting from 1; 0 = never */
};

static void
seen_clear(struct seen *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		free(s->entry[i].name);
		free(s->entry[i].etag);
		free(s->entry[i].envelope);
		free(s->entry[i].content_type);
	}
	s->n = 0;
}

static int
see(void *arg, const struct store_entry *entry, struct err *e)
{
	struct seen *s = arg;

	if (s->n + 1 == s->fail_at)
		return err_set(e, EDOM, "the test's sink fails");
	assert_true(s->n < SEEN_MAX);
	s->entry[s->n++] = (struct seen_entry){
		.kind = entry->kind,
		.name = strndup((const char *)entry->name.p, entry->name.n),
		.etag = strdup(entry->etag),
		.envelope = entry->envelope.p != NULL
				    ? strndup((const char *)entry->envelope.p, entry->envelope.n)
				    : NULL,
		.content_type = strdup(entry->content_type),
		.size = entry->size,
		.mtime_ns = entry->mtime_ns,
		.folder = entry->folder,
	};
	return 0;
}

static struct store_list_sink
sink_of(struct seen *s)
{
	return (struct store_list_sink){ see, s };
}

/* ---- the objects of most tests, sorted by the bytes of their names */

static char name_1024[1025], name_deep[1025], name_long_component[1025];

static const char *const all_names[] = {
	"\001control",
	"\ttab\nnewline",
	" blank ",
	"%25",
	"%2e%2e/z",
	"+",
	".",
	"..",
	"...",
	".hidden",
	"/lead",
	"?query=1&x#y",
	"a",
	"a!",
	"a-b",
	"a.b",
	"a/",
	"a/../b",
	"a/b",
	"a/b/c",
	"a//b",
	"a0",
	"back.slash",
	"case",
	"Case",
	"d",
	"d/x",
	"deep/er/still/file",
	"dot.",
	"dot./x",
	"file.d",
	"file.d/x.m",
	"file.m",
	"file.x",
	"only/here",
	"p",
	"p/q",
	"same-1",
	"same-2",
	"tilde~",
	"trail/",
	"x//",
	"x/y/",
	"\177del",
	"\303\244\303\266\303\274",
	"\343\202\255\343\203\274/\360\237\224\221",
	name_1024,
	name_deep,
	name_long_component,
};

/* 1,024 bytes as one component, as very many, and as one whose encoded form is cut inside an escape
 * everywhere. */
static void
make_long_names(void)
{
	memset(name_1024, 'n', 1024);
	for (unsigned i = 0; i < 200; i++)
		memcpy(name_deep + 2 * i, "y/", 2);
	strcpy(name_deep + 400, "z");
	strcpy(name_long_component, "zz");
	for (unsigned i = 2; i < 1022; i += 3)
		memcpy(name_long_component + i, "a==", 3);
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct names {
	const char *name[NAMES_MAX];
	unsigned n;
};

static struct names
names_of(const struct contract_fixture *f)
{
	struct names out = { .n = 0 };

	make_long_names();
	for (unsigned i = 0; i < ARRAY_LEN(all_names); i++)
		if (f->can_hold(all_names[i]))
			out.name[out.n++] = all_names[i];
	qsort(out.name, out.n, sizeof(*out.name), by_bytes);
	return out;
}

unsigned
store_contract_names(const struct contract_fixture *f, const char *out[STORE_CONTRACT_NAMES_MAX])
{
	const struct names names = names_of(f);

	memcpy(out, names.name, sizeof(names.name));
	return names.n;
}

/* Each object's content is its own name. */
static struct names
fill(const struct contract_fixture *f)
{
	struct names names = names_of(f);

	f->reset(f->arg);
	for (unsigned i = 0; i < names.n; i++) {
		const struct contract_object object = { names.name[i], span_str(names.name[i]),
							"EncryptionData", "{\"a\":\"<&>\"}" };

		f->put(f->arg, &object);
	}
	return names;
}

static bool
starts(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* What a listing must show, from the names alone: NUL-terminated lines in out. */
static unsigned
expect_listing(const struct names *names, const char *prefix, bool delimited, char *out[SEEN_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < names->n; i++) {
		const char *name = names->name[i], *slash;
		size_t len = strlen(name);

		if (!starts(name, prefix))
			continue;
		slash = delimited ? strchr(name + strlen(prefix), '/') : NULL;
		if (slash != NULL)
			len = (size_t)(slash - name) + 1;
		if (n > 0 && slash != NULL && strlen(out[n - 1]) == len &&
		    strncmp(out[n - 1], name, len) == 0)
			continue;
		out[n++] = strndup(name, len);
	}
	return n;
}

static void
list_all(struct store *s, const char *prefix, bool delimited, unsigned max, struct seen *seen)
{
	struct err e = { 0 };
	struct buf cursor;
	unsigned pages = 0;

	buf_init(&cursor, STORE_CURSOR_MAX);
	do {
		const unsigned before = seen->n;
		int r = store_list(s, span_str(prefix), delimited, max, &cursor, sink_of(seen),
				   no_deadline, &e);

		if (r < 0)
			print_error("list '%s': %s\n", prefix, e.text);
		assert_int_equal(r, 0);
		assert_true(max == 0 || seen->n - before <= max);
		assert_true(++pages < 2 * SEEN_MAX);
	} while (cursor.n > 0);
	buf_clear(&cursor);
}

static int
by_entry_name(const void *a, const void *b)
{
	return strcmp(((const struct seen_entry *)a)->name, ((const struct seen_entry *)b)->name);
}

/* A folded entry and an object may have the same name ("trail/"): what ends in '/' is told apart by
 * its content. */
static void
assert_listing(const struct contract_fixture *f, struct store *s, const struct names *names,
	       const char *prefix, bool delimited, unsigned max)
{
	struct seen seen = { .n = 0 };
	char *want[SEEN_MAX];
	unsigned n = expect_listing(names, prefix, delimited, want);

	list_all(s, prefix, delimited, max, &seen);
	if (f->sort)
		qsort(seen.entry, seen.n, sizeof(seen.entry[0]), by_entry_name);
	for (unsigned i = 0; i < n && i < seen.n; i++) {
		const bool folds = delimited && strchr(want[i] + strlen(prefix), '/') != NULL;

		assert_string_equal(seen.entry[i].name, want[i]);
		assert_int_equal(seen.entry[i].kind, folds ? STORE_PREFIX : STORE_OBJECT);
		if (!folds) {
			assert_int_equal(seen.entry[i].size, strlen(want[i]));
			assert_string_equal(seen.entry[i].envelope, "{\"a\":\"<&>\"}");
		}
	}
	assert_int_equal(seen.n, n);
	seen_clear(&seen);
	for (unsigned i = 0; i < n; i++)
		free(want[i]);
}

/* ---- tests */

void
store_contract_empty(const struct contract_fixture *f)
{
	struct store_get get = { .name = "none", .len = 1 };
	struct seen seen = { .n = 0 };
	struct err e = { 0 };
	struct store *s;

	f->reset(f->arg);
	s = f->open(f->arg, "");
	list_all(s, "", true, 0, &seen);
	list_all(s, "", false, 1, &seen);
	list_all(s, "no/such", true, 0, &seen);
	assert_int_equal(store_probe(s, "none", sink_of(&seen), no_deadline, &e), 0);
	assert_int_equal(store_probe(s, "none/below", sink_of(&seen), no_deadline, &e), 0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(store_head(s, "none", NULL, sink_of(&seen), NULL, no_deadline, &e),
			 -ENOENT);
	err_clear(&e);
	assert_int_equal(store_get(s, &get,
				   (struct store_get_sink){ .data = (int (*)(void *, struct span,
									     struct err *))abort },
				   NULL, no_deadline, &e),
			 -ENOENT);
	store_free(s);
}

void
store_contract_listing(const struct contract_fixture *f)
{
	static const char *const prefixes[] = {
		"",	   "a",	      "a/",    "a//",	   "a/b", "a/b/",  "d",	     "d/", "d/x",
		"/",	   "x/",      "x//",   "trail/",   "tr",  "only",  "only/",  "..", "file.d",
		"file.d/", "nothing", "a/../", "\303\244", "%",	  "same-", "y/y/y/", "nn"
	};
	struct names names = fill(f);
	struct store *s = f->open(f->arg, "");

	for (unsigned i = 0; i < ARRAY_LEN(prefixes); i++) {
		assert_listing(f, s, &names, prefixes[i], true, 0);
		assert_listing(f, s, &names, prefixes[i], false, 0);
	}
	store_free(s);
}

void
store_contract_paging(const struct contract_fixture *f)
{
	struct names names = fill(f);
	struct store *s = f->open(f->arg, "");

	for (unsigned max = 1; max <= names.n + 1; max = max < 6 ? max + 1 : max * 2) {
		assert_listing(f, s, &names, "", false, max);
		assert_listing(f, s, &names, "", true, max);
		assert_listing(f, s, &names, "a/", true, max);
	}
	assert_listing(f, s, &names, "", false, names.n);
	assert_listing(f, s, &names, "", false, names.n + 1);
	store_free(s);
}

static void
assert_probe(struct store *s, const struct names *names, const char *name)
{
	bool object = false, below = false;
	struct seen seen = { .n = 0 };
	struct err e = { 0 };
	char below_name[STORE_NAME_MAX + 2];
	int r = store_probe(s, name, sink_of(&seen), no_deadline, &e);

	if (r < 0)
		print_error("probe '%s': %s\n", name, e.text);
	assert_int_equal(r, 0);
	(void)snprintf(below_name, sizeof(below_name), "%s/", name);
	for (unsigned i = 0; i < names->n; i++) {
		object |= strcmp(names->name[i], name) == 0;
		below |= starts(names->name[i], below_name);
	}
	if (seen.n != (unsigned)object + below)
		print_error("probe '%s'\n", name);
	assert_int_equal(seen.n, object + below);
	for (unsigned i = 0; i < seen.n; i++) {
		const bool is_object = strcmp(seen.entry[i].name, name) == 0;

		assert_string_equal(seen.entry[i].name, is_object ? name : below_name);
		assert_int_equal(seen.entry[i].kind, is_object ? STORE_OBJECT : STORE_PREFIX);
	}
	seen_clear(&seen);
}

void
store_contract_probe(const struct contract_fixture *f)
{
	static const char *const others[] = { "a/b/c/d",
					      "A",
					      "b",
					      "deep",
					      "deep/er",
					      "deep/er/still",
					      "deep/nothing",
					      "only",
					      "trail",
					      "trail//",
					      "x",
					      "x/y",
					      "/",
					      "//",
					      "same",
					      "same-",
					      "y",
					      "y/y",
					      "file",
					      "file.m/x",
					      "a/..",
					      "%",
					      "%2e%2e" };
	struct names names = fill(f);
	struct store *s = f->open(f->arg, "");

	for (unsigned i = 0; i < names.n; i++)
		assert_probe(s, &names, names.name[i]);
	for (unsigned i = 0; i < ARRAY_LEN(others); i++)
		assert_probe(s, &names, others[i]);
	store_free(s);
}

/* "q" has more neighbours before "q/" than one small page can hold. */
static void
probe_among_neighbours(const struct contract_fixture *f)
{
	struct names names = { .n = 0 };
	static char neighbour[40][8];
	struct store *s;

	f->reset(f->arg);
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(neighbour[i], sizeof(neighbour[i]), "q-%02u", i);
		names.name[names.n++] = neighbour[i];
	}
	names.name[names.n++] = "q/below";
	for (unsigned i = 0; i < names.n; i++)
		f->put(f->arg,
		       &(struct contract_object){ .name = names.name[i], .bytes = span_str("x") });
	s = f->open(f->arg, "");
	assert_probe(s, &names, "q");
	assert_probe(s, &names, "q-0");
	f->remove(f->arg, "q/below");
	names.n--;
	assert_probe(s, &names, "q");
	store_free(s);
}

void
store_contract_attributes(const struct contract_fixture *f)
{
	static const struct contract_object objects[] = {
		{ "folder", { NULL, 0 }, "Hdi_isfolder", "True" },
		{ "no-folder", { (const uint8_t *)"x", 1 }, "hdi_isfolder", "true" },
		{ "plain", { (const uint8_t *)"xy", 2 }, NULL, NULL },
		{ "sealed", { (const uint8_t *)"xyz", 3 }, "ENCRYPTIONDATA", "{ }" },
	};
	struct seen listed = { .n = 0 }, headed = { .n = 0 };
	struct err e = { 0 };
	struct store *s;
	bool same = true;

	f->reset(f->arg);
	for (unsigned i = 0; i < ARRAY_LEN(objects); i++)
		f->put(f->arg, &objects[i]);
	s = f->open(f->arg, "");
	list_all(s, "", true, 0, &listed);
	assert_int_equal(listed.n, ARRAY_LEN(objects));
	for (unsigned i = 0; i < listed.n; i++) {
		const struct seen_entry *l = &listed.entry[i], *h = &headed.entry[i];

		assert_int_equal(store_head(s, objects[i].name, NULL, sink_of(&headed), &same,
					    no_deadline, &e),
				 0);
		assert_false(same);
		assert_string_equal(h->name, objects[i].name);
		assert_string_equal(l->etag, h->etag);
		assert_null(strchr(l->etag, '"'));
		assert_int_equal(l->size, objects[i].bytes.n);
		assert_int_equal(h->size, l->size);
		assert_true(l->mtime_ns > 1600000000 * NS_PER_S);
		assert_int_equal(h->mtime_ns, l->mtime_ns);
		assert_int_equal(l->folder, i == 0);
		assert_int_equal(h->folder, l->folder);
		assert_int_equal(l->envelope != NULL, i == 3);
		assert_int_equal(h->envelope != NULL, i == 3);
		assert_string_equal(h->content_type, l->content_type);
	}
	assert_string_equal(listed.entry[3].envelope, "{ }");
	assert_string_equal(headed.entry[3].envelope, "{ }");
	seen_clear(&listed);
	seen_clear(&headed);
	store_free(s);
	probe_among_neighbours(f);
}

/* ---- bytes */

struct got {
	uint8_t bytes[1 << 20];
	size_t n;
	unsigned begun, fail_begin, fail_data;
	uint64_t size;
	char etag[STORE_ETAG_MAX + 1];
};

static int
got_begin(void *arg, const struct store_entry *entry, struct err *e)
{
	struct got *g = arg;

	g->n = 0;
	g->begun++;
	g->size = entry->size;
	(void)snprintf(g->etag, sizeof(g->etag), "%s", entry->etag);
	return g->fail_begin ? err_set(e, EDOM, "the test's sink fails") : 0;
}

static int
got_data(void *arg, struct span piece, struct err *e)
{
	struct got *g = arg;

	if (g->fail_data)
		return err_set(e, EDOM, "the test's sink fails");
	assert_true(piece.n <= sizeof(g->bytes) - g->n);
	memcpy(g->bytes + g->n, piece.p, piece.n);
	g->n += piece.n;
	return 0;
}

static struct store_get_sink
into(struct got *g)
{
	memset(g, 0, offsetof(struct got, n) + 0);
	g->n = 0;
	g->begun = 0;
	return (struct store_get_sink){ got_begin, got_data, g };
}

static int
get(struct store *s, struct store_get what, struct got *g)
{
	struct err e = { 0 };
	int r = store_get(s, &what, into(g), NULL, no_deadline, &e);

	assert_int_equal(r, -e.no);
	return r;
}

static void
assert_ranges(struct store *s, const char *name, struct span bytes, struct got *g)
{
	const uint64_t n = bytes.n;
	const uint64_t at[] = { 0, 1, n / 2, n - 2, n - 1 }, len[] = { 1, 2, n / 2, n - 1, n };

	for (unsigned i = 0; i < ARRAY_LEN(at); i++)
		for (unsigned j = 0; j < ARRAY_LEN(len); j++) {
			const bool fits = at[i] + len[j] <= n;

			assert_int_equal(
				get(s,
				    (struct store_get){ .name = name, .off = at[i], .len = len[j] },
				    g),
				fits ? 0 : -EIO);
			if (!fits)
				continue;
			assert_int_equal(g->n, len[j]);
			assert_memory_equal(g->bytes, bytes.p + at[i], len[j]);
			assert_int_equal(g->size, n);
		}
	assert_int_equal(get(s, (struct store_get){ .name = name, .off = n, .len = 1 }, g), -EIO);
	assert_int_equal(get(s, (struct store_get){ .name = name, .off = n + 1000, .len = 5 }, g),
			 -EIO);
}

void
store_contract_bytes(const struct contract_fixture *f)
{
	static uint8_t bytes[700001];
	struct got *g = calloc(1, sizeof(*g));
	struct store *s;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251);
	f->reset(f->arg);
	f->put(f->arg,
	       &(struct contract_object){ .name = "big", .bytes = { bytes, sizeof(bytes) } });
	f->put(f->arg, &(struct contract_object){ .name = "empty" });
	s = f->open(f->arg, "");
	assert_ranges(s, "big", span_of(bytes, sizeof(bytes)), g);
	assert_int_equal(get(s, (struct store_get){ .name = "big", .max = sizeof(bytes) }, g), 0);
	assert_int_equal(g->n, sizeof(bytes));
	assert_memory_equal(g->bytes, bytes, sizeof(bytes));
	assert_int_equal(get(s, (struct store_get){ .name = "big", .max = sizeof(bytes) - 1 }, g),
			 -EFBIG);
	assert_int_equal(g->size, sizeof(bytes)); /* begin has told before */
	assert_int_equal(get(s, (struct store_get){ .name = "empty", .max = 10 }, g), 0);
	assert_int_equal(g->n, 0);
	assert_int_equal(g->begun, 1);
	assert_int_equal(get(s, (struct store_get){ .name = "empty", .len = 1 }, g), -EIO);
	assert_int_equal(get(s, (struct store_get){ .name = "none", .len = 1 }, g), -ENOENT);
	store_free(s);
	free(g);
}

void
store_contract_versions(const struct contract_fixture *f)
{
	const struct contract_object old = { .name = "v", .bytes = span_str("old") },
				     new = { .name = "v", .bytes = span_str("newer") };
	struct got *g = calloc(1, sizeof(*g));
	struct seen seen = { .n = 0 };
	struct err e = { 0 };
	bool same = false;
	struct store *s;
	char first[STORE_ETAG_MAX + 1];
	int r;
	struct store_get if_first = { .name = "v", .len = 3, .if_match = first };
	struct store_get unless_first = { .name = "v", .max = 100, .if_none_match = first };

	f->reset(f->arg);
	f->put(f->arg, &old);
	s = f->open(f->arg, "");
	assert_int_equal(get(s, (struct store_get){ .name = "v", .max = 100 }, g), 0);
	(void)snprintf(first, sizeof(first), "%s", g->etag);
	assert_int_equal(get(s, if_first, g), 0);
	assert_memory_equal(g->bytes, "old", 3);
	assert_int_equal(store_get(s, &unless_first, into(g), &same, no_deadline, &e), 0);
	assert_true(same);
	assert_int_equal(g->begun, 0);
	same = false;
	assert_int_equal(store_head(s, "v", first, sink_of(&seen), &same, no_deadline, &e), 0);
	assert_true(same);
	assert_int_equal(seen.n, 0);

	f->put(f->arg, &new);
	assert_int_equal(get(s, if_first, g), -ESTALE);
	assert_int_equal(g->begun, 0);
	assert_int_equal(store_get(s, &unless_first, into(g), &same, no_deadline, &e), 0);
	assert_false(same);
	assert_memory_equal(g->bytes, "newer", 5);
	assert_string_not_equal(g->etag, first);
	same = true;
	assert_int_equal(store_head(s, "v", first, sink_of(&seen), &same, no_deadline, &e), 0);
	assert_false(same);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.entry[0].etag, g->etag);

	f->remove(f->arg, "v");
	r = get(s, if_first, g);
	assert_true(r == -ENOENT || r == -ESTALE); /* what is gone is not that version either */
	assert_int_equal(store_head(s, "v", first, sink_of(&seen), &same, no_deadline, &e),
			 -ENOENT);
	seen_clear(&seen);
	store_free(s);
	free(g);
}

void
store_contract_sink_errors(const struct contract_fixture *f)
{
	struct got *g = calloc(1, sizeof(*g));
	struct store_get whole = { .name = "a", .max = 100 };
	struct seen seen = { .fail_at = 2 };
	struct err e = { 0 };
	struct buf cursor;
	struct store *s;

	f->reset(f->arg);
	f->put(f->arg, &(struct contract_object){ .name = "a", .bytes = span_str("x") });
	f->put(f->arg, &(struct contract_object){ .name = "a/b", .bytes = span_str("y") });
	s = f->open(f->arg, "");
	buf_init(&cursor, STORE_CURSOR_MAX);
	assert_int_equal(
		store_list(s, span_str(""), false, 0, &cursor, sink_of(&seen), no_deadline, &e),
		-EDOM);
	assert_int_equal(seen.n, 1);
	assert_int_equal(cursor.n, 0);
	seen_clear(&seen);
	for (seen.fail_at = 1; seen.fail_at <= 2; seen.fail_at++) {
		err_clear(&e);
		assert_int_equal(store_probe(s, "a", sink_of(&seen), no_deadline, &e), -EDOM);
		assert_int_equal(seen.n, seen.fail_at - 1);
		seen_clear(&seen);
	}
	seen.fail_at = 1;
	err_clear(&e);
	assert_int_equal(store_head(s, "a", NULL, sink_of(&seen), NULL, no_deadline, &e), -EDOM);
	g->fail_begin = 1;
	assert_int_equal(get(s, whole, g), -EDOM);
	assert_int_equal(g->begun, 1);
	g->fail_begin = 0;
	g->fail_data = 1;
	assert_int_equal(get(s, whole, g), -EDOM);
	store_free(s);
	free(g);
}

void
store_contract_prefix(const struct contract_fixture *f)
{
	static const char *const prefixes[] = { "a", "a/b",  "d",	"trail",
						"x", "only", "nothing", "y/y" };
	struct names names = fill(f);
	struct got *g = calloc(1, sizeof(*g));

	for (unsigned i = 0; i < ARRAY_LEN(prefixes); i++) {
		struct store *s = f->open(f->arg, prefixes[i]);
		struct names below = { .n = 0 };
		struct seen seen = { .n = 0 };
		char with_slash[16];

		(void)snprintf(with_slash, sizeof(with_slash), "%s/", prefixes[i]);
		for (unsigned j = 0; j < names.n; j++)
			if (starts(names.name[j], with_slash) &&
			    names.name[j][strlen(with_slash)] != '\0')
				below.name[below.n++] = names.name[j] + strlen(with_slash);
		list_all(s, "", false, 0, &seen);
		assert_int_equal(seen.n, below.n);
		for (unsigned j = 0; j < below.n; j++) {
			assert_string_equal(seen.entry[j].name, below.name[j]);
			assert_probe(s, &below, below.name[j]);
			assert_int_equal(
				get(s, (struct store_get){ .name = below.name[j], .max = 5000 }, g),
				0);
			assert_int_equal(g->n, strlen(with_slash) + strlen(below.name[j]));
		}
		assert_probe(s, &below, "b");
		assert_probe(s, &below, "nothing");
		seen_clear(&seen);
		store_free(s);
	}
	free(g);
}
