/* SPDX-License-Identifier: MIT */
/* List Blobs XML: what is read from pages as the service writes them, and that hostile ones are
 * refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/store/azlist.h"
#include "tests/unit/store/lines.h"

#define HEAD                                                             \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults " \
	"ServiceEndpoint=\"http://x/\" ContainerName=\"c\">"
#define PAGE(blobs, marker) \
	HEAD "<Blobs>" blobs "</Blobs><NextMarker>" marker "</NextMarker></EnumerationResults>"
#define PROPS	    "<Properties><Content-Length>5</Content-Length><Etag>0x1</Etag></Properties>"
#define BLOB(inner) "<Blob>" inner PROPS "</Blob>"

static const struct {
	const char *name, *page, *lines, *marker;
} golden[] = {
	{ "an empty page", HEAD "<Blobs /><NextMarker /></EnumerationResults>", "", "" },
	{ "an empty page that is not the last", PAGE("", "2!76!x"), "", "2!76!x" },
	{ "a blob with all there is",
	  PAGE("<Blob><Name>a b/&lt;&#228;&gt;</Name><Properties><Creation-Time>x</Creation-Time>"
	       "<Last-Modified>Fri, 20 Nov 2026 00:00:00 GMT</Last-Modified><Etag>0x8DC</Etag>"
	       "<Content-Length>18446744</Content-Length><Content-Type>text/plain</Content-Type>"
	       "<BlobType>PageBlob</BlobType><AccessTier>Archive</AccessTier></Properties>"
	       "<Metadata><x>y</x><encryptiondata>{&quot;a&quot;:&#x22;&amp;&#34;}</"
	       "encryptiondata></Metadata>"
	       "<OrMetadata><deep><er/></deep></OrMetadata></Blob>",
	       ""),
	  "o a b/<\303\244> 18446744 0x8DC page archived {\"a\":\"&\"}\n", "" },
	{ "an ETag in quotes",
	  PAGE("<Blob><Name>q</Name><Properties><Etag>\"0x9\"</Etag><Content-Length>0</"
	       "Content-Length>"
	       "<BlobType>AppendBlob</BlobType></Properties></Blob>",
	       ""),
	  "o q 0 0x9 append\n", "" },
	{ "prefixes and blobs in order",
	  PAGE("<BlobPrefix><Name>d/</Name></BlobPrefix>" BLOB("<Name>e</Name>"), ""),
	  "p d/\no e 5 0x1\n", "" },
	{ "metadata names in any case",
	  PAGE("<Blob><Name>n</Name>" PROPS
	       "<Metadata><ENCRYPTIONData>{}</ENCRYPTIONData></Metadata></Blob>",
	       ""),
	  "o n 5 0x1 {}\n", "" },
	{ "an envelope of no bytes is one",
	  PAGE("<Blob><Name>n</Name>" PROPS "<Metadata><encryptiondata/></Metadata></Blob>", ""),
	  "o n 5 0x1 \n", "" },
	{ "the first of two envelopes counts",
	  PAGE("<Blob><Name>n</Name>" PROPS
	       "<Metadata><a/><encryptiondata>1</encryptiondata><EncryptionData>2</EncryptionData>"
	       "</Metadata></Blob>",
	       ""),
	  "o n 5 0x1 1\n", "" },
	{ "a name in escapes", PAGE(BLOB("<Name Encoded=\"true\">a%01%2Fb%20+</Name>"), ""),
	  "o a\001/b + 5 0x1\n", "" },
	{ "a name with escapes of its own", PAGE(BLOB("<Name>a%01</Name>"), ""), "o a%01 5 0x1\n",
	  "" },
	{ "a customer-provided key",
	  PAGE("<Blob><Name>n</Name>" PROPS "<Metadata Encrypted=\"true\"/></Blob>", ""),
	  "o n 5 0x1 hidden\n", "" },
	{ "a folder marker",
	  PAGE("<Blob><Name>n</Name><Properties><Content-Length>0</Content-Length><Etag>1</Etag></"
	       "Properties>"
	       "<Metadata><Hdi_IsFolder>TRUE</Hdi_IsFolder></Metadata></Blob>",
	       ""),
	  "o n 0 1 folder\n", "" },
	{ "a folder marker with bytes is a file",
	  PAGE("<Blob><Name>n</Name>" PROPS
	       "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>",
	       ""),
	  "o n 5 0x1\n", "" },
	{ "a real directory",
	  PAGE("<Blob><Name>n</Name><Properties><ResourceType>directory</ResourceType>"
	       "<Content-Length>0</Content-Length><Etag>1</Etag></Properties></Blob>",
	       ""),
	  "o n 0 1 folder\n", "" },
	{ "a symlink marker means nothing",
	  PAGE("<Blob><Name>n</Name>" PROPS
	       "<Metadata><is_symlink>true</is_symlink></Metadata></Blob>",
	       ""),
	  "o n 5 0x1\n", "" },
	{ "the dead and the past are left out",
	  PAGE(BLOB("<Name>a</Name><Deleted>true</Deleted>")
		       BLOB("<Name>b</Name><Snapshot>2026</Snapshot>")
			       BLOB("<Name>c</Name><IsCurrentVersion>false</IsCurrentVersion>")
				       BLOB("<Name>d</Name><Deleted>false</Deleted>"),
	       ""),
	  "o d 5 0x1\n", "" },
	{ "a byte order mark", "\357\273\277" PAGE(BLOB("<Name>a</Name>"), ""), "o a 5 0x1\n", "" },
	{ "white space between", PAGE("\r\n  " BLOB("\n<Name>a</Name>\n") "\t", "") "\r\n",
	  "o a 5 0x1\n", "" },
	{ "blanks in a name stay", PAGE(BLOB("<Name> a\n</Name>"), ""), "o  a\n 5 0x1\n", "" },
	{ "a marker is text", PAGE("", "a&amp;b/c d"), "", "a&b/c d" },
	{ "containers",
	  HEAD "<Containers><Container><Name>one</Name><Properties><Etag>\"1\"</Etag></"
	       "Properties></Container>"
	       "<Container><Name>two</Name><Deleted>true</Deleted></Container></"
	       "Containers><NextMarker/></EnumerationResults>",
	  "p one/\n", "" },
	{ "a name elsewhere is nobody's",
	  PAGE("<Blob><Name>a</Name>" PROPS "<Tags><Name>b</Name></Tags></Blob>", ""),
	  "o a 5 0x1\n", "" },
	{ "a declared encoding changes nothing",
	  "<?xml version='1.0' encoding='iso-8859-1'?><EnumerationResults><Blobs>" BLOB(
		  "<Name>\303\244</Name>") "</Blobs></EnumerationResults>",
	  "o \303\244 5 0x1\n", "" },
};

#define DEEP4	"<x><x><x><x>"
#define UNDEEP4 "</x></x></x></x>"

static const struct {
	const char *name, *page;
} hostile[] = {
	{ "nothing", "" },
	{ "not XML", "Service unavailable" },
	{ "another document", "<Error><Code>x</Code></Error>" },
	{ "cut short", HEAD "<Blobs>" BLOB("<Name>a</Name>") },
	{ "a document type", "<!DOCTYPE x><EnumerationResults/>" },
	{ "an entity of its own",
	  "<!DOCTYPE x [<!ENTITY a \"b\">]>" PAGE(BLOB("<Name>&a;</Name>"), "") },
	{ "an external entity", "<!DOCTYPE x SYSTEM \"http://evil/\">" PAGE("", "") },
	{ "an unknown entity", PAGE(BLOB("<Name>&nbsp;</Name>"), "") },
	{ "too deep", PAGE(DEEP4 DEEP4 DEEP4 DEEP4 UNDEEP4 UNDEEP4 UNDEEP4 UNDEEP4, "") },
	{ "a blob without a name", PAGE(BLOB(""), "") },
	{ "an empty name", PAGE(BLOB("<Name/>"), "") },
	{ "two names", PAGE(BLOB("<Name>a</Name><Name>b</Name>"), "") },
	{ "an element in a name", PAGE(BLOB("<Name>a<b/></Name>"), "") },
	{ "a NUL in a name", PAGE(BLOB("<Name Encoded=\"true\">a%00</Name>"), "") },
	{ "a broken escape in a name", PAGE(BLOB("<Name Encoded=\"true\">a%0</Name>"), "") },
	{ "a NUL reference", PAGE(BLOB("<Name>&#0;</Name>"), "") },
	{ "bytes that are no UTF-8", PAGE(BLOB("<Name>\300\257</Name>"), "") },
	{ "no size",
	  PAGE("<Blob><Name>a</Name><Properties><Etag>1</Etag></Properties></Blob>", "") },
	{ "no ETag", PAGE("<Blob><Name>a</Name><Properties><Content-Length>1</Content-Length></"
			  "Properties></Blob>",
			  "") },
	{ "a negative size", PAGE("<Blob><Name>a</Name><Properties><Content-Length>-1</"
				  "Content-Length><Etag>1</Etag></Properties></Blob>",
				  "") },
	{ "a size beyond all files",
	  PAGE("<Blob><Name>a</Name><Properties><Content-Length>9223372036854775808</"
	       "Content-Length><Etag>1</Etag></Properties></Blob>",
	       "") },
	{ "a size in hexadecimal", PAGE("<Blob><Name>a</Name><Properties><Content-Length>0x5</"
					"Content-Length><Etag>1</Etag></Properties></Blob>",
					"") },
	{ "an ETag with a line break",
	  PAGE("<Blob><Name>a</Name><Properties><Content-Length>1</Content-Length><Etag>1&#10;x: "
	       "y</Etag></Properties></Blob>",
	       "") },
	{ "an ETag with a quote", PAGE("<Blob><Name>a</Name><Properties><Content-Length>1</"
				       "Content-Length><Etag>1\"2</Etag></Properties></Blob>",
				       "") },
	{ "a prefix without the delimiter", PAGE("<BlobPrefix><Name>a</Name></BlobPrefix>", "") },
	{ "a prefix without a name", PAGE("<BlobPrefix/>", "") },
	{ "two markers",
	  HEAD "<NextMarker>a</NextMarker><NextMarker>b</NextMarker></EnumerationResults>" },
	{ "something after the end", PAGE("", "") "<x/>" },
};

static int
parse(struct span page, struct lines *lines, struct buf *marker, struct err *e)
{
	return azlist_parse(page, lines_sink(lines), marker, e);
}

static void
test_pages_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(golden); i++) {
		struct lines lines;
		struct err e = { 0 };
		AUTO_BUF marker;

		buf_init(&marker, STORE_CURSOR_MAX);
		if (parse(span_str(golden[i].page), &lines, &marker, &e) < 0)
			fail_msg("%s: %s", golden[i].name, e.text);
		if (strcmp(lines.text, golden[i].lines) != 0)
			fail_msg("%s: %s", golden[i].name, lines.text);
		assert_string_equal(buf_str(&marker), golden[i].marker);
		assert_true(azlist_is_complete(span_str(golden[i].page)));
	}
}

static void
assert_refused(const char *name, struct span page)
{
	struct lines lines;
	struct err e = { 0 };
	AUTO_BUF marker;

	buf_init(&marker, STORE_CURSOR_MAX);
	assert_int_equal(buf_add_str(&marker, "kept", &e), 0);
	if (parse(page, &lines, &marker, &e) != -EIO)
		fail_msg("accepted: %s", name);
	assert_string_equal(e.event, "net.protocol");
	assert_string_equal(buf_str(&marker), "kept");
}

static void
test_hostile_pages_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++)
		assert_refused(hostile[i].name, span_str(hostile[i].page));
	assert_refused("a NUL byte", span_of(PAGE("\0", ""), sizeof(PAGE("\0", "")) - 1));
}

/* n bytes of one element's text, in a page. */
static void
assert_length(const char *before, size_t n, const char *after, bool fits)
{
	struct lines *lines = calloc(1, sizeof(*lines));
	struct err e = { 0 };
	AUTO_BUF page, marker;

	buf_init(&page, 1 << 20);
	buf_init(&marker, STORE_CURSOR_MAX);
	assert_int_equal(buf_add_str(&page, before, &e), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_add_str(&page, "n", &e), 0);
	assert_int_equal(buf_add_str(&page, after, &e), 0);
	assert_int_equal(parse(buf_span(&page), lines, &marker, &e), fits ? 0 : -EIO);
	free(lines);
}

static void
test_lengths_are_bounded(void **state)
{
	static const char name[] = HEAD "<Blobs><Blob><Name>",
			  after_name[] = "</Name>" PROPS "</Blob></Blobs></EnumerationResults>";
	static const char item[] = HEAD "<Blobs><Blob><Name>a</Name>" PROPS
					"<Metadata><encryptiondata>";
	static const char after_item[] =
		"</encryptiondata></Metadata></Blob></Blobs></EnumerationResults>";
	static const char marker[] = HEAD "<NextMarker>",
			  after_marker[] = "</NextMarker></EnumerationResults>";

	(void)state;
	assert_length(name, STORE_NAME_MAX, after_name, true);
	assert_length(name, STORE_NAME_MAX + 1, after_name, false);
	assert_length(item, STORE_METADATA_MAX, after_item, true);
	assert_length(item, STORE_METADATA_MAX + 1, after_item, false);
	assert_length(marker, STORE_CURSOR_MAX, after_marker, true);
	assert_length(marker, STORE_CURSOR_MAX + 1, after_marker, false);
}

static void
test_every_cut_is_noticed(void **state)
{
	static const char page[] = PAGE(
		BLOB("<Name>a</Name>") "<BlobPrefix><Name>d/</Name></BlobPrefix>", "m");

	(void)state;
	for (size_t n = 0; n < sizeof(page) - 1; n++) {
		assert_refused("a cut page", span_of(page, n));
		assert_false(azlist_is_complete(span_of(page, n)));
	}
}

static int
refuse_second(void *arg, const struct store_entry *entry, struct err *e)
{
	unsigned *n = arg;

	(void)entry;
	return ++*n == 2 ? err_set(e, ECANCELED, "enough") : 0;
}

static void
test_the_sink_ends_it(void **state)
{
	static const char page[] = PAGE(
		BLOB("<Name>a</Name>") BLOB("<Name>b</Name>") BLOB("<Name>c</Name>"), "m");
	struct err e = { 0 };
	unsigned n = 0;
	AUTO_BUF marker;

	(void)state;
	buf_init(&marker, STORE_CURSOR_MAX);
	assert_int_equal(azlist_parse(span_str(page), (struct store_list_sink){ refuse_second, &n },
				      &marker, &e),
			 -ECANCELED);
	assert_int_equal(n, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_are_read),
		cmocka_unit_test(test_hostile_pages_are_refused),
		cmocka_unit_test(test_lengths_are_bounded),
		cmocka_unit_test(test_every_cut_is_noticed),
		cmocka_unit_test(test_the_sink_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
