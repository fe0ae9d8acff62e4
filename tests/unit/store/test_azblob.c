/* SPDX-License-Identifier: MIT */
/* The blob driver against scripted answers: what it asks, and what it believes. */
#include "tests/unit/store/http_double.h"

#include "backend/store/azblob.h"
#include "tests/unit/store/lines.h"

#define XML(inner) "<EnumerationResults><Blobs>" inner "</Blobs><NextMarker/></EnumerationResults>"
#define XML_MORE(inner, marker)                                           \
	"<EnumerationResults><Blobs>" inner "</Blobs><NextMarker>" marker \
	"</NextMarker></EnumerationResults>"
#define B(name)             \
	"<Blob><Name>" name \
	"</Name><Properties><Content-Length>1</Content-Length><Etag>1</Etag></Properties></Blob>"
#define P(name) "<BlobPrefix><Name>" name "</Name></BlobPrefix>"
#define OK_XML(...)                                \
	{                                          \
		.status = 200, .body = __VA_ARGS__ \
	}
#define REFUSED(status_, code)                                              \
	{                                                                   \
		.status = status_, .headers = "x-ms-error-code: " code "\n" \
	}
#define LIST	"GET https://a/ccc?restype=container&comp=list&include=metadata"
#define VERSION "\nx-ms-version: 2021-12-02"

static const struct deadline never = { 0 };

static struct store *
open_store(const char *container, const char *prefix, bool single)
{
	const struct azblob_config cfg = { "https://a/", "acct", container, prefix, single };
	struct store *s = NULL;
	struct err e = { 0 };

	if (azblob_store_open_take(&cfg, NULL, NULL, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

/* ---- what is asked */

static int
list(struct store *s, const char *prefix, bool delimited, unsigned max, struct buf *cursor,
     struct lines *lines)
{
	struct err e = { 0 };
	int r = store_list(s, span_str(prefix), delimited, max, cursor, lines_sink(lines), never,
			   &e);

	assert_true(r == -e.no);
	return r;
}

static void
test_list_requests(void **state)
{
	struct store *s = open_store("ccc", "p/q", false), *plain;
	struct lines lines;
	AUTO_BUF cursor;

	(void)state;
	buf_init(&cursor, STORE_CURSOR_MAX);
	PLAY(OK_XML(XML_MORE(B("p/q/x y") P("p/q/d/"), "m/1 &amp;")),
	     OK_XML(XML(B("p/q/") B("p/q/z"))));
	assert_int_equal(list(s, "", true, 7, &cursor, &lines), 0);
	assert_string_equal(asked[0], LIST "&delimiter=%2F&prefix=p%2Fq%2F&maxresults=7" VERSION);
	assert_string_equal(lines.text, "o x y 1 1\np d/\n");
	assert_string_equal(buf_str(&cursor), "m/1 &");
	assert_int_equal(list(s, "", true, 0, &cursor, &lines), 0);
	assert_string_equal(asked[1],
			    LIST "&delimiter=%2F&prefix=p%2Fq%2F&marker=m%2F1%20%26" VERSION);
	assert_string_equal(lines.text, "o z 1 1\n");
	assert_int_equal(cursor.n, 0);
	store_free(s);

	plain = open_store("ccc", "", false);
	PLAY(OK_XML(XML("")), OK_XML(XML("")));
	assert_int_equal(list(plain, "", false, 100000, &cursor, &lines), 0);
	assert_string_equal(asked[0], LIST "&maxresults=5000" VERSION);
	assert_int_equal(list(plain, "\303\244+%&", false, 0, &cursor, &lines), 0);
	assert_string_equal(asked[1], LIST "&prefix=%C3%A4%2B%25%26" VERSION);
	store_free(plain);
}

static void
test_listings_hold_what_was_asked_for(void **state)
{
	static const struct {
		const char *page, *prefix;
		bool delimited;
		unsigned max;
	} pages[] = {
		{ XML(B("p/b")), "a", true, 0 },   /* another prefix */
		{ XML(B("x")), "", true, 0 },	   /* outside of the store's prefix */
		{ XML(B("p/a/b")), "", true, 0 },  /* not folded */
		{ XML(P("p/a/b/")), "", true, 0 }, /* folded at another place */
		{ XML(P("p/a/")), "", false, 0 },  /* folded, not asked to */
		{ XML(P("p/")), "", true, 0 },	   /* the prefix itself */
		{ XML(B("p/a") B("p/b") B("p/c")), "", true, 2 }, /* more than asked for */
	};
	struct store *s = open_store("ccc", "p", false);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		struct lines lines;
		AUTO_BUF cursor;

		buf_init(&cursor, STORE_CURSOR_MAX);
		PLAY(OK_XML(pages[i].page));
		assert_int_equal(
			list(s, pages[i].prefix, pages[i].delimited, pages[i].max, &cursor, &lines),
			-EIO);
	}
	store_free(s);
}

static void
test_pages_that_break_off_or_go_nowhere(void **state)
{
	struct store *s = open_store("ccc", "", false);
	struct lines lines;
	struct err e = { 0 };
	AUTO_BUF cursor;

	(void)state;
	buf_init(&cursor, STORE_CURSOR_MAX);
	PLAY(OK_XML("<EnumerationResults><Blobs>" B("a")), OK_XML(XML(B("a"))));
	assert_int_equal(list(s, "", false, 0, &cursor, &lines), 0);
	assert_string_equal(lines.text, "o a 1 1\n"); /* once */
	PLAY(OK_XML("<EnumerationResults>"), OK_XML("<EnumerationResults>"));
	assert_int_equal(list(s, "", false, 0, &cursor, &lines), -EIO);
	assert_int_equal(asked_n, 2);
	/* An attempt that fails in the middle, then a whole one. */
	PLAY({ .status = 200, .body = XML(B("a")), .cut = 50 }, OK_XML(XML(B("b"))));
	assert_int_equal(list(s, "", false, 0, &cursor, &lines), 0);
	assert_string_equal(lines.text, "o b 1 1\n");
	PLAY(OK_XML(XML_MORE("", "same")));
	assert_int_equal(buf_add_str(&cursor, "same", &e), 0);
	assert_int_equal(list(s, "", false, 0, &cursor, &lines), -EIO);
	assert_string_equal(buf_str(&cursor), "same");
	PLAY(REFUSED(404, "ContainerNotFound"));
	assert_int_equal(list(s, "", false, 0, &cursor, &lines), -ENOENT);
	PLAY(REFUSED(403, "AuthorizationPermissionMismatch"));
	assert_int_equal(list(s, "", false, 0, &cursor, &lines), -EACCES);
	PLAY({ .fails = ETIMEDOUT });
	assert_int_equal(list(s, "", false, 0, &cursor, &lines), -ETIMEDOUT);
	store_free(s);
}

/* With a hierarchical namespace, a listing below a file is an error. */
static void
test_below_a_file_there_is_nothing(void **state)
{
	struct store *s = open_store("ccc", "", false);
	struct lines lines;
	AUTO_BUF cursor;

	(void)state;
	buf_init(&cursor, STORE_CURSOR_MAX);
	PLAY(REFUSED(409, "ResourceTypeMismatch"), REFUSED(404, "PathNotFound"),
	     REFUSED(409, "ResourceTypeMismatch"));
	assert_int_equal(list(s, "file/", true, 0, &cursor, &lines), 0);
	assert_int_equal(list(s, "file/", true, 0, &cursor, &lines), 0);
	assert_int_equal(list(s, "", true, 0, &cursor, &lines), -EIO);
	store_free(s);
}

/* ---- probe */

static void
test_probe(void **state)
{
	static const struct {
		const char *name;
		struct answer answers[3];
		unsigned n;
		const char *lines;
	} probes[] = {
		{ "nothing", { OK_XML(XML("")) }, 1, "" },
		{ "the object", { OK_XML(XML(B("n"))) }, 1, "o n 1 1\n" },
		{ "names below", { OK_XML(XML(P("n/"))) }, 1, "p n/\n" },
		{ "both", { OK_XML(XML(B("n") P("n/"))) }, 1, "o n 1 1\np n/\n" },
		{ "the fold first, as Azurite has it",
		  { OK_XML(XML(P("n/") B("n"))) },
		  1,
		  "p n/\no n 1 1\n" },
		{ "neighbours only", { OK_XML(XML(B("n-1") B("n.txt") P("n0/"))) }, 1, "" },
		{ "a page that goes past",
		  { OK_XML(XML_MORE(B("n") B("n0"), "m")) },
		  1,
		  "o n 1 1\n" },
		{ "a page that ends before, and something below",
		  { OK_XML(XML_MORE(B("n") B("n-1"), "m")), OK_XML(XML_MORE(B("n/x"), "m")) },
		  2,
		  "o n 1 1\np n/\n" },
		{ "a page that ends before, and nothing below",
		  { OK_XML(XML_MORE(B("n-1"), "m")), OK_XML(XML("")) },
		  2,
		  "" },
		{ "an empty page is not the end",
		  { OK_XML(XML_MORE("", "m")), OK_XML(XML(B("n"))) },
		  2,
		  "o n 1 1\n" },
		{ "an empty page before what is below",
		  { OK_XML(XML_MORE(B("n"), "m")), OK_XML(XML_MORE("", "m2")),
		    OK_XML(XML(B("n/x"))) },
		  3,
		  "o n 1 1\np n/\n" },
	};
	struct store *s = open_store("ccc", "", false);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		struct lines lines;
		struct err e = { 0 };

		play(probes[i].answers, probes[i].n);
		if (store_probe(s, "n", lines_sink(&lines), never, &e) < 0 ||
		    strcmp(lines.text, probes[i].lines) != 0)
			fail_msg("%s: %s%s", probes[i].name, lines.text, e.text);
		assert_int_equal(asked_n, probes[i].n);
		assert_string_equal(asked[0], LIST "&delimiter=%2F&prefix=n&maxresults=16" VERSION);
	}
	store_free(s);
}

static void
test_probe_without_permission_to_list(void **state)
{
	struct store *s = open_store("ccc", "", false);
	struct lines lines;
	struct err e = { 0 };

	(void)state;
	PLAY(REFUSED(403, "AuthorizationPermissionMismatch"), REFUSED(403, "AuthenticationFailed"));
	assert_int_equal(store_probe(s, "n", lines_sink(&lines), never, &e), -EACCES);
	assert_non_null(strstr(e.text, "AuthorizationPermissionMismatch"));
	assert_true(s->listable);
	err_clear(&e);
	PLAY(REFUSED(403, "AuthorizationPermissionMismatch"),
	     { .status = 200, .headers = "ETag: \"0x1\"\nContent-Length: 3\n" },
	     REFUSED(404, "BlobNotFound"));
	assert_int_equal(store_probe(s, "n", lines_sink(&lines), never, &e), 0);
	assert_string_equal(lines.text, "o n 3 0x1\n");
	assert_string_equal(asked[1], "HEAD https://a/ccc/n" VERSION);
	assert_false(s->listable);
	assert_int_equal(store_probe(s, "m", lines_sink(&lines), never, &e), 0);
	assert_string_equal(lines.text, "");
	assert_string_equal(asked[2], "HEAD https://a/ccc/m" VERSION);
	store_free(s);
}

static void
test_a_single_blob(void **state)
{
	struct store *s = open_store("ccc", "dir/one blob", true);
	struct lines lines;
	struct err e = { 0 };
	AUTO_BUF cursor;

	(void)state;
	buf_init(&cursor, STORE_CURSOR_MAX);
	assert_false(s->listable);
	PLAY({ .status = 200, .headers = "ETag: \"0x1\"\nContent-Length: 3\n" },
	     { .status = 200, .headers = "ETag: \"0x1\"\nContent-Length: 3\n" });
	assert_int_equal(list(s, "", true, 0, &cursor, &lines), 0);
	assert_string_equal(lines.text, "o one blob 3 0x1\n");
	assert_string_equal(asked[0], "HEAD https://a/ccc/dir/one%20blob" VERSION);
	assert_int_equal(list(s, "two", true, 0, &cursor, &lines), 0);
	assert_int_equal(store_probe(s, "dir", lines_sink(&lines), never, &e), 0);
	assert_string_equal(lines.text, "");
	assert_int_equal(store_probe(s, "one blob", lines_sink(&lines), never, &e), 0);
	assert_string_equal(lines.text, "o one blob 3 0x1\n");
	assert_int_equal(store_head(s, "two", NULL, lines_sink(&lines), NULL, never, &e), -ENOENT);
	assert_int_equal(asked_n, 2);
	store_free(s);
}

/* ---- a whole account */

static void
test_an_account(void **state)
{
	static const char containers[] =
		"<EnumerationResults><Containers><Container><Name>one</Name></Container></"
		"Containers><NextMarker/></EnumerationResults>";
	struct store *s = open_store(NULL, "", false);
	struct lines lines;
	struct err e = { 0 };
	AUTO_BUF cursor;

	(void)state;
	buf_init(&cursor, STORE_CURSOR_MAX);
	PLAY(OK_XML(containers), OK_XML(XML(B("x/y") P("x/d/"))), OK_XML(XML("")),
	     REFUSED(404, "ContainerNotFound"), OK_XML(XML(B("x"))),
	     REFUSED(404, "ContainerNotFound"),
	     { .status = 200, .headers = "ETag: \"0x1\"\nContent-Length: 3\n" });
	assert_int_equal(list(s, "", true, 0, &cursor, &lines), 0);
	assert_string_equal(lines.text, "p one/\n");
	assert_string_equal(asked[0], "GET https://a/?comp=list" VERSION);
	assert_int_equal(list(s, "one/x/", true, 0, &cursor, &lines), 0);
	assert_string_equal(lines.text, "o one/x/y 1 1\np one/x/d/\n");
	assert_string_equal(asked[1], "GET "
				      "https://a/"
				      "one?restype=container&comp=list&include=metadata&delimiter=%"
				      "2F&prefix=x%2F" VERSION);
	assert_int_equal(store_probe(s, "one", lines_sink(&lines), never, &e), 0);
	assert_string_equal(lines.text, "p one/\n");
	assert_int_equal(store_probe(s, "two", lines_sink(&lines), never, &e), 0);
	assert_string_equal(lines.text, "");
	assert_int_equal(store_probe(s, "one/x", lines_sink(&lines), never, &e), 0);
	assert_string_equal(lines.text, "o one/x 1 1\n");
	assert_int_equal(store_probe(s, "two/x", lines_sink(&lines), never, &e), 0);
	assert_string_equal(lines.text, "");
	assert_int_equal(store_head(s, "one/a/../b", NULL, lines_sink(&lines), NULL, never, &e), 0);
	assert_string_equal(asked[6], "HEAD https://a/one/a/../b" VERSION);
	/* Names that no container can have cost no request. */
	assert_int_equal(store_probe(s, "No", lines_sink(&lines), never, &e), 0);
	assert_int_equal(store_probe(s, "..", lines_sink(&lines), never, &e), 0);
	assert_int_equal(store_probe(s, "../x", lines_sink(&lines), never, &e), 0);
	assert_int_equal(list(s, "../", true, 0, &cursor, &lines), -ENOENT);
	assert_int_equal(list(s, "", false, 0, &cursor, &lines), -EOPNOTSUPP);
	assert_int_equal(store_head(s, "one", NULL, lines_sink(&lines), NULL, never, &e), -ENOENT);
	assert_int_equal(asked_n, 7);
	store_free(s);
}

/* ---- bytes */

struct got {
	char text[256];
	unsigned begun;
	uint64_t size;
	int fails;
};

static int
on_begin(void *arg, const struct store_entry *entry, struct err *e)
{
	struct got *g = arg;

	g->text[0] = '\0';
	g->begun++;
	g->size = entry->size;
	return g->fails != 0 ? err_set(e, g->fails, "the sink fails") : 0;
}

static int
on_data(void *arg, struct span piece, struct err *e)
{
	struct got *g = arg;

	(void)e;
	(void)strncat(g->text, (const char *)piece.p, piece.n);
	return 0;
}

static int
get_with(const char *container, struct store_get what, struct got *g, bool *same, struct err *e)
{
	struct store *s = open_store(container, "", false);
	int r;

	*g = (struct got){ .fails = g->fails };
	r = store_get(s, &what, (struct store_get_sink){ on_begin, on_data, g }, same, never, e);
	store_free(s);
	return r;
}

static int
get(struct store_get what, struct got *g, struct err *e)
{
	err_clear(e);
	return get_with("ccc", what, g, NULL, e);
}

#define RANGE(range, etag, length) \
	"Content-Range: bytes " range "\nETag: \"" etag "\"\nContent-Length: " length "\n"
#define PART(range, body_)                                                        \
	{                                                                         \
		.status = 206, .headers = RANGE(range, "0x1", "4"), .body = body_ \
	}

static void
test_get_requests(void **state)
{
	struct got g = { .fails = 0 };
	struct err e = { 0 };
	bool same = false;

	(void)state;
	PLAY(PART("3-6/10", "defg"));
	assert_int_equal(get((struct store_get){ .name = "a/../b c%\303\244",
						 .off = 3,
						 .len = 4,
						 .if_match = "0x1" },
			     &g, &e),
			 0);
	assert_string_equal(asked[0], "GET https://a/ccc/a/../b%20c%25%C3%A4" VERSION
				      "\nx-ms-range: bytes=3-6\nIf-Match: \"0x1\"");
	assert_string_equal(g.text, "defg");
	assert_int_equal(g.size, 10);
	PLAY({ .status = 304 });
	assert_int_equal(
		get_with("ccc", (struct store_get){ .name = "n", .max = 9, .if_none_match = "0x1" },
			 &g, &same, &e),
		0);
	assert_true(same);
	assert_string_equal(asked[0], "GET https://a/ccc/n" VERSION "\nIf-None-Match: \"0x1\"");
	PLAY({ .status = 200, .headers = "ETag: \"0x2\"\nContent-Length: 0\n" });
	assert_int_equal(get((struct store_get){ .name = "n", .max = 0 }, &g, &e), 0);
	assert_int_equal(g.begun, 1);
	/* Far beyond 4 GiB. */
	PLAY({ .status = 206,
	       .headers = RANGE("209715200000000-209715200000003/209715200000004", "0x1", "4"),
	       .body = "tail" });
	assert_int_equal(
		get((struct store_get){ .name = "n", .off = 209715200000000, .len = 4 }, &g, &e),
		0);
	assert_true(g.size == 209715200000004);
	PLAY(REFUSED(412, "ConditionNotMet"));
	assert_int_equal(
		get((struct store_get){ .name = "n", .len = 4, .if_match = "0x1" }, &g, &e),
		-ESTALE);
	/* A name that is no Unicode does not exist, and costs no request. */
	PLAY({ .status = 500 });
	assert_int_equal(get((struct store_get){ .name = "\300\257", .len = 4 }, &g, &e), -ENOENT);
	assert_int_equal(get((struct store_get){ .name = "\355\240\200", .len = 4 }, &g, &e),
			 -ENOENT);
	assert_int_equal(asked_n, 0);
}

/* Each is thrown away, asked for once more, and then a failure. */
static void
test_answers_that_were_not_asked_for(void **state)
{
	static const struct answer wrong[] = {
		PART("0-3/10", "abcd"),	 /* another range */
		PART("3-7/10", "defgh"), /* longer */
		PART("3-5/10", "def"),	 /* shorter */
		{ .status = 206,
		  .headers = "ETag: \"0x1\"\n",
		  .body = "defg" }, /* does not say which */
		{ .status = 206,
		  .headers = RANGE("3-6/10", "0x1", "5"),
		  .body = "defgh" }, /* longer than it says */
		{ .status = 206,
		  .headers = "Content-Range: bytes 3-6/10\nETag: \"0x1\"\n",
		  .body = "defgh" }, /* one byte more */
		{ .status = 206,
		  .headers = "Content-Range: bytes 3-6/10\nETag: \"0x1\"\n",
		  .body = "def" }, /* one byte less */
		{ .status = 206,
		  .headers = "Content-Range: bytes 3-6/5\nETag: \"0x1\"\n",
		  .body = "defg" }, /* ends before it begins */
		{ .status = 206,
		  .headers = "Content-Range: bytes 3-6/10\n",
		  .body = "defg" }, /* no version */
		{ .status = 200,
		  .headers = "ETag: \"0x1\"\nContent-Length: 10\n",
		  .body = "abcdefghij" }, /* everything */
		/* A range that only begins, or only ends, as asked; the right one under another
		   status. */
		{ .status = 206,
		  .headers = "Content-Range: bytes 2-6/10\nETag: \"0x1\"\n",
		  .body = "cdef" },
		{ .status = 206,
		  .headers = "Content-Range: bytes 3-7/10\nETag: \"0x1\"\n",
		  .body = "defg" },
		{ .status = 200, .headers = RANGE("3-6/10", "0x1", "4"), .body = "defg" },
		{ .status = 204 },
	};
	const struct store_get what = { .name = "n", .off = 3, .len = 4 };
	struct got g = { .fails = 0 };
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const struct answer good = PART("3-6/10", "defg");

		play((const struct answer[]){ wrong[i], wrong[i] }, 2);
		if (get(what, &g, &e) != -EIO)
			fail_msg("answer %zu is believed", i);
		assert_string_equal(e.event, "net.protocol");
		assert_int_equal(asked_n, 2);
		play((const struct answer[]){ wrong[i], good }, 2);
		assert_int_equal(get(what, &g, &e), 0);
		assert_string_equal(g.text, "defg");
	}
}

static void
test_whole_blobs(void **state)
{
	const struct store_get what = { .name = "n", .max = 4 };
	struct got g = { .fails = 0 };
	struct err e = { 0 };

	(void)state;
	PLAY({ .status = 200,
	       .headers = "ETag: \"0x1\"\nContent-Length: 4\nContent-Encoding: gzip\n",
	       .body = "\037\213xy" });
	assert_int_equal(get(what, &g, &e), 0);
	assert_string_equal(g.text, "\037\213xy"); /* as stored */
	PLAY({ .status = 200, .headers = "ETag: \"0x1\"\nContent-Length: 5\n", .body = "abcde" });
	assert_int_equal(get(what, &g, &e), -EFBIG);
	assert_int_equal(g.size, 5);
	assert_int_equal(asked_n, 1);
	PLAY({ .status = 200, .headers = "ETag: \"0x1\"\n", .body = "abcd" },
	     { .status = 200, .headers = "ETag: \"0x1\"\n", .body = "abcd" });
	assert_int_equal(get(what, &g, &e), -EIO); /* no length */
	PLAY({ .status = 206, .headers = RANGE("0-3/9", "0x1", "4"), .body = "abcd" },
	     { .status = 200, .headers = "ETag: \"0x1\"\nContent-Length: 2\n", .body = "ab" });
	assert_int_equal(get(what, &g, &e), 0);
	assert_string_equal(g.text, "ab");
	g.fails = EDOM;
	PLAY({ .status = 200, .headers = "ETag: \"0x1\"\nContent-Length: 2\n", .body = "ab" });
	assert_int_equal(get(what, &g, &e), -EDOM);
	g.fails = EIO; /* the sink's own EIO is not asked for again */
	PLAY({ .status = 200, .headers = "ETag: \"0x1\"\nContent-Length: 2\n", .body = "ab" });
	assert_int_equal(get(what, &g, &e), -EIO);
	assert_int_equal(asked_n, 1);
}

static void
test_one_version_only(void **state)
{
	const struct store_get pinned = { .name = "n", .off = 3, .len = 4, .if_match = "0x1" },
			       any = { .name = "n", .off = 3, .len = 4 };
	struct got g = { .fails = 0 };
	struct err e = { 0 };

	(void)state;
	/* A service that forgets about the condition. */
	PLAY({ .status = 206, .headers = RANGE("3-6/10", "0x2", "4"), .body = "DEFG" });
	assert_int_equal(get(pinned, &g, &e), -ESTALE);
	assert_string_equal(g.text, "");
	/* An attempt broken off; the next one starts over, with another version if need be. */
	PLAY({ .status = 206, .headers = RANGE("3-6/10", "0x1", "4"), .body = "defg", .cut = 2 },
	     { .status = 206, .headers = RANGE("3-6/12", "0x2", "4"), .body = "DEFG" });
	assert_int_equal(get(any, &g, &e), 0);
	assert_string_equal(g.text, "DEFG");
	assert_int_equal(g.begun, 2);
	/* The same version with another size. */
	PLAY({ .status = 206, .headers = RANGE("3-6/10", "0x1", "4"), .body = "defg", .cut = 2 },
	     { .status = 206, .headers = RANGE("3-6/12", "0x1", "4"), .body = "defg" },
	     { .status = 206, .headers = RANGE("3-6/12", "0x1", "4"), .body = "defg" });
	assert_int_equal(get(pinned, &g, &e), -EIO);
	assert_string_equal(e.event, "net.protocol");
	/* A refusal in the middle. */
	PLAY({ .status = 206, .headers = RANGE("3-6/10", "0x1", "4"), .body = "defg", .cut = 2 },
	     REFUSED(412, "ConditionNotMet"));
	assert_int_equal(get(pinned, &g, &e), -ESTALE);
}

static void
test_head(void **state)
{
	static const char headers[] = "ETag: \"0x8D\"\nContent-Length: 77\nx-ms-blob-type: "
				      "AppendBlob\nX-MS-Access-Tier: Archive\n"
				      "x-ms-meta-EncryptionData: {\"k\":1}\nx-ms-meta-other: "
				      "x\nx-ms-encryption-key-sha256: x\n";
	struct store *s = open_store("ccc", "p", false);
	struct lines lines;
	struct err e = { 0 };
	bool same = true;

	(void)state;
	PLAY({ .status = 200, .headers = headers }, { .status = 304 },
	     REFUSED(409, "BlobUsesCustomerSpecifiedEncryption"),
	     { .status = 200, .headers = "Content-Length: 77\n" }, { .status = 304 });
	assert_int_equal(store_head(s, "n", NULL, lines_sink(&lines), &same, never, &e), 0);
	assert_string_equal(lines.text, "o n 77 0x8D append archived hidden {\"k\":1}\n");
	assert_string_equal(asked[0], "HEAD https://a/ccc/p/n" VERSION);
	assert_false(same);
	assert_int_equal(store_head(s, "n", "0x8D", lines_sink(&lines), &same, never, &e), 0);
	assert_true(same);
	assert_string_equal(asked[1], "HEAD https://a/ccc/p/n" VERSION "\nIf-None-Match: \"0x8D\"");
	assert_int_equal(store_head(s, "n", NULL, lines_sink(&lines), NULL, never, &e),
			 -EOPNOTSUPP);
	err_clear(&e);
	assert_int_equal(store_head(s, "n", NULL, lines_sink(&lines), NULL, never, &e),
			 -EIO); /* no ETag */
	err_clear(&e);
	assert_int_equal(store_head(s, "n", NULL, lines_sink(&lines), NULL, never, &e),
			 -EIO); /* 304 to no condition */
	store_free(s);
}

static void
test_configurations(void **state)
{
	static const struct azblob_config wrong[] = {
		{ "https://a", "a", NULL, "p", false },
		{ "https://a", "a", NULL, "", true },
		{ "https://a", "a", "ccc", "", true },
		{ "https://a", "a", "Caps", "", false },
		{ "https://a", "a", "../..", "", false },
		{ "https://a", "a", "con?x", "", false },
		{ "https://a", "a", "ccc", "trail/", true },
	};
	struct store *s = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err e = { 0 };

		assert_int_equal(azblob_store_open_take(&wrong[i], NULL, NULL, &s, &e), -EINVAL);
		assert_null(s);
	}
	s = open_store("$root", "p/q", false);
	assert_string_equal(s->label, "acct/$root/p/q");
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_requests),
		cmocka_unit_test(test_listings_hold_what_was_asked_for),
		cmocka_unit_test(test_pages_that_break_off_or_go_nowhere),
		cmocka_unit_test(test_below_a_file_there_is_nothing),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_probe_without_permission_to_list),
		cmocka_unit_test(test_a_single_blob),
		cmocka_unit_test(test_an_account),
		cmocka_unit_test(test_get_requests),
		cmocka_unit_test(test_answers_that_were_not_asked_for),
		cmocka_unit_test(test_whole_blobs),
		cmocka_unit_test(test_one_version_only),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_configurations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
