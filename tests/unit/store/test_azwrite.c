/* SPDX-License-Identifier: MIT */
/* Writing blobs against scripted answers: what is asked, which refusal is which errno, and what
 * becomes of answers that were lost. */
#include "tests/unit/store/http_double.h"

#include "backend/store/azblob.h"
#include "backend/store/storewrite.h"

#define VERSION "\nx-ms-version: 2021-12-02"
#define MADE \
	.status = 201, .headers = "ETag: \"e2\"\nLast-Modified: Fri, 20 Nov 2026 00:00:00 GMT\n"
#define MADE_NS (INT64_C(1795132800) * NS_PER_S)
#define THERE(etag, more)                                                                       \
	{                                                                                       \
		.status = 200, .headers = "ETag: \"" etag "\"\nContent-Length: 3\n"             \
					  "Last-Modified: Fri, 20 Nov 2026 00:00:00 GMT\n" more \
	}
#define REFUSED(status_, code)                                              \
	{                                                                   \
		.status = status_, .headers = "x-ms-error-code: " code "\n" \
	}
#define REFUSED_AFTER(status_, code)                                                       \
	{                                                                                  \
		.status = status_, .headers = "x-ms-error-code: " code "\n", .attempts = 2 \
	}
#define OURS "x-ms-meta-EncryptionData: envelope\n"
#define HEAD "HEAD https://a/ccc/p/x%20y" VERSION

static const struct deadline never = { 0 };
static const struct store_condition fresh = { .absent = true }, over = { .if_match = "e1" };
static const char name[] = "x y";

static struct store *store;
static struct store_properties properties;
static struct store_written made;
static struct err e;

static int
open_store(void **state)
{
	const struct azblob_config cfg = { "https://a/", "acct", "ccc", "p", false };
	struct err why = { 0 };

	(void)state;
	e = (struct err){ 0 };
	made = (struct store_written){ .etag = "" };
	if (azblob_store_open_take(&cfg, NULL, NULL, &store, &why) < 0 ||
	    store_meta_set(&properties, "encryptiondata", "envelope", &why) < 0)
		fail_msg("%s", why.text);
	return 0;
}

static int
close_store(void **state)
{
	(void)state;
	store_properties_clear(&properties);
	store_free(store);
	return 0;
}

/* Every script is played to its end. */
static void
assert_result(int r, int wanted)
{
	if (r != wanted)
		fail_msg("%d (%s), not %d", r, e.text, wanted);
	assert_int_equal(r, -e.no);
	assert_int_equal(script_at, script_n);
	e = (struct err){ 0 };
}

static int
put(struct store_condition c)
{
	return store_put(store, name, &properties, span_str("abc"), c, &made, never, &e);
}

static int
commit(struct store_condition c)
{
	static const struct store_upload u = { { 0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
						 14, 0xff } };

	return store_commit_blocks(store, name, &u, 2, 200, &properties, c, &made, never, &e);
}

static int
set_metadata(struct store_condition c)
{
	return store_set_metadata(store, name, &properties, c.if_match, &made, never, &e);
}

static int
copy(struct store_condition c)
{
	return store_copy(store, "old", "e0", name, c, &made, never, &e);
}

static int delete (struct store_condition c)
{
	return store_delete(store, name, c.if_match, never, &e);
}

/* ---- what is asked */

static void
a_put_is_one_request(void **state)
{
	(void)state;
	assert_int_equal(store_meta_set(&properties, "mtime", "2001-02-03T04:05:06Z", &e), 0);
	assert_int_equal(store_property_set(&properties, STORE_CONTENT_TYPE, "t/x", &e), 0);
	assert_int_equal(store_property_set(&properties, STORE_CONTENT_DISPOSITION, "inline", &e),
			 0);
	PLAY({ MADE });
	assert_result(put(fresh), 0);
	assert_string_equal(asked[0],
			    "PUT https://a/ccc/p/x%20y" VERSION "\nx-ms-blob-type: BlockBlob"
			    "\nx-ms-blob-content-type: t/x"
			    "\nx-ms-blob-content-disposition: inline"
			    "\nx-ms-meta-encryptiondata: envelope"
			    "\nx-ms-meta-mtime: 2001-02-03T04:05:06Z"
			    "\nIf-None-Match: *\nabc");
	assert_string_equal(made.etag, "e2");
	assert_int_equal(made.mtime_ns, INT64_C(981173106) * NS_PER_S);
}

static void
blocks_have_ids_of_their_upload(void **state)
{
	const struct store_upload u = { { 0xa0, 0x01 } };
	const struct store_block b = { 49999, 7, { (const uint8_t *)"bytes", 5 } };

	(void)state;
	PLAY({ .status = 201 });
	assert_result(store_put_block(store, name, &u, &b, never, &e), 0);
	/* base64 of "a00100000000000000000000000000" "00" "49999" */
	assert_string_equal(asked[0],
			    "PUT https://a/ccc/p/x%20y?comp=block&blockid="
			    "YTAwMTAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA0OTk5OQ%3D%3D" VERSION
			    "\nbytes");
}

static void
a_commit_names_blocks_metadata_and_condition(void **state)
{
	(void)state;
	PLAY({ MADE });
	assert_result(commit(over), 0);
	assert_string_equal(asked[0],
			    "PUT https://a/ccc/p/x%20y?comp=blocklist" VERSION
			    "\nx-ms-meta-encryptiondata: envelope\nIf-Match: \"e1\"\n"
			    "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>"
			    "<Latest>YTAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMGMwZDBlZmYwMDAwMA==</Latest>"
			    "<Latest>YTAwMTAyMDMwNDA1MDYwNzA4MDkwYTBiMGMwZDBlZmYwMDAwMQ==</Latest>"
			    "</BlockList>");
	assert_int_equal(made.mtime_ns, MADE_NS);
}

static void
the_other_requests(void **state)
{
	(void)state;
	PLAY({ .status = 200, .headers = "ETag: \"e2\"\n" });
	assert_result(set_metadata(over), 0);
	assert_string_equal(asked[0], "PUT https://a/ccc/p/x%20y?comp=metadata" VERSION
				      "\nx-ms-meta-encryptiondata: envelope\nIf-Match: \"e1\"");
	PLAY({ .status = 202 });
	assert_result(delete (over), 0);
	assert_string_equal(asked[0], "DELETE https://a/ccc/p/x%20y" VERSION "\nIf-Match: \"e1\"");
	PLAY({ .status = 202 });
	assert_result(delete ((struct store_condition){ 0 }), 0);
	assert_string_equal(asked[0], "DELETE https://a/ccc/p/x%20y" VERSION);
}

static void
properties_are_read_as_they_are(void **state)
{
	AUTO_STORE_PROPERTIES p = { .meta = NULL };

	(void)state;
	PLAY(THERE("e1", "Content-Type: t/x\nContent-Encoding: gzip\nCache-Control: no-store\n"
			 "x-ms-meta-Hdi_x: %41 b\nx-ms-meta-empty: \nx-ms-blob-type: BlockBlob\n"));
	assert_result(store_get_properties(store, name, "e1", &p, never, &e), 0);
	assert_string_equal(asked[0], HEAD "\nIf-Match: \"e1\"");
	assert_string_equal(p.text[STORE_CONTENT_TYPE], "t/x");
	assert_string_equal(p.text[STORE_CONTENT_ENCODING], "gzip");
	assert_string_equal(p.text[STORE_CACHE_CONTROL], "no-store");
	assert_null(p.text[STORE_CONTENT_LANGUAGE]);
	assert_int_equal(p.n_meta, 2);
	assert_string_equal(p.meta[0].name, "Hdi_x");
	assert_string_equal(p.meta[0].value, "%41 b");
	assert_string_equal(store_meta_get(&p, "EMPTY"), "");
	PLAY(REFUSED(404, "BlobNotFound"));
	assert_result(store_get_properties(store, name, NULL, &p, never, &e), -ENOENT);
	PLAY(REFUSED(412, "ConditionNotMet"));
	assert_result(store_get_properties(store, name, "e0", &p, never, &e), -ESTALE);
}

static void
what_cannot_be_said_is_not_sent(void **state)
{
	char long_name[1024];

	(void)state;
	PLAY({ 0 });
	script_n = 0;
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0'; /* with "p/" one too many */
	assert_result(
		store_put(store, long_name, &properties, span_str(""), fresh, &made, never, &e),
		-EINVAL);
	assert_result(store_put(store, "a\\b", &properties, span_str(""), fresh, &made, never, &e),
		      -EINVAL);
	assert_result(store_make_folder(store, "a\200", never, &e), -EINVAL);
	assert_int_equal(store_meta_set(&properties, "name", "\303\244", &e), 0);
	assert_result(put(fresh), -EINVAL);
	assert_int_equal(asked_n, 0);
}

static void
a_single_blob_may_be_written(void **state)
{
	const struct azblob_config cfg = { "https://a/", "acct", "ccc", "p/one", true };
	struct store *one = NULL;

	(void)state;
	assert_int_equal(azblob_store_open_take(&cfg, NULL, NULL, &one, &e), 0);
	PLAY({ MADE });
	assert_result(store_put(one, "one", &properties, span_str("1"), over, &made, never, &e), 0);
	assert_int_equal(strncmp(asked[0], "PUT https://a/ccc/p/one\n", 24), 0);
	assert_result(store_put(one, "two", &properties, span_str("1"), over, &made, never, &e),
		      -EACCES);
	store_free(one);
}

/* ---- refusals */

static void
refusals(void **state)
{
	static const struct {
		int status;
		const char *code;
		int fresh, over;
		const char *advises;
	} rows[] = {
		{ 409, "BlobAlreadyExists", -EEXIST, -EEXIST, NULL },
		{ 412, "ConditionNotMet", -EEXIST, -ESTALE, NULL },
		{ 412, "", -EEXIST, -ESTALE, NULL },
		{ 404, "BlobNotFound", -ENOENT, -ESTALE, NULL },
		{ 404, "", -ENOENT, -ESTALE, NULL },
		{ 404, "ContainerNotFound", -ENOENT, -ENOENT, NULL },
		{ 409, "ContainerBeingDeleted", -ENOENT, -ENOENT, NULL },
		{ 412, "LeaseIdMissing", -EBUSY, -EBUSY, NULL },
		{ 409, "PendingCopyOperation", -EBUSY, -EBUSY, NULL },
		{ 409, "SnapshotsPresent", -EBUSY, -EBUSY, "snapshots" },
		{ 400, "InvalidBlobOrBlock", -EBUSY, -EBUSY, "week" },
		{ 409, "BlobImmutableDueToPolicy", -EPERM, -EPERM, NULL },
		{ 409, "BlobArchived", -ENODATA, -ENODATA, "online tier" },
		{ 413, "RequestBodyTooLarge", -EFBIG, -EFBIG, NULL },
		{ 400, "MetadataTooLarge", -E2BIG, -E2BIG, NULL },
		{ 400, "InvalidMetadata", -EINVAL, -EINVAL, NULL },
		{ 400, "InvalidResourceName", -EINVAL, -EINVAL, NULL },
		{ 409, "InvalidBlobType", -EOPNOTSUPP, -EOPNOTSUPP, "remove it first" },
		{ 403, "AuthorizationPermissionMismatch", -EACCES, -EACCES, "Contributor" },
		{ 400, "SomethingNew", -EIO, -EIO, NULL },
	};
	char headers[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned k = 0; k < 4; k++) {
			int r;

			(void)snprintf(headers, sizeof(headers), "x-ms-error-code: %s\n",
				       rows[i].code);
			PLAY({ .status = rows[i].status, .headers = headers });
			r = k == 0   ? put(fresh)
			    : k == 1 ? put(over)
			    : k == 2 ? commit(over)
				     : set_metadata(over);
			if (rows[i].advises != NULL &&
			    (e.advice == NULL || strstr(e.advice, rows[i].advises) == NULL))
				fail_msg("%s: advice %s", rows[i].code, e.advice);
			if (r == -ESTALE)
				assert_string_equal(e.event, "remote.changed");
			if (r != (k == 0 ? rows[i].fresh : rows[i].over))
				fail_msg("%d %s: %d", rows[i].status, rows[i].code, r);
			assert_result(r, r);
		}
}

static void
refusals_of_deletion_and_copy(void **state)
{
	(void)state;
	PLAY(REFUSED(404, "BlobNotFound"));
	assert_result(delete (over), -ENOENT);
	PLAY(REFUSED(412, "ConditionNotMet"));
	assert_result(delete (over), -ESTALE);
	PLAY(REFUSED(404, "BlobNotFound"));
	assert_result(copy(over), -ENOENT);
	PLAY(REFUSED(404, "CannotVerifyCopySource"));
	assert_result(copy(fresh), -ENOENT);
	PLAY(REFUSED(412, "SourceConditionNotMet"));
	assert_result(copy(fresh), -ESTALE);
	PLAY(REFUSED(412, "ConditionNotMet")); /* the emulator's word for the source's */
	assert_result(copy(fresh), -ESTALE);
	PLAY(REFUSED(409, "BlobAlreadyExists"));
	assert_result(copy(fresh), -EEXIST);
	PLAY(REFUSED(412, "TargetConditionNotMet"));
	assert_result(copy(fresh), -EEXIST);
	PLAY(REFUSED(412, "TargetConditionNotMet"));
	assert_result(copy(over), -ESTALE);
}

/* Another writer's commit has thrown our blocks away: who was first is what counts. */
static void
blocks_that_are_gone(void **state)
{
	(void)state;
	PLAY(REFUSED(400, "InvalidBlockList"), THERE("e9", "x-ms-meta-encryptiondata: other\n"));
	assert_result(commit(over), -ESTALE);
	PLAY(REFUSED(400, "InvalidBlockList"), THERE("e9", "x-ms-meta-encryptiondata: other\n"));
	assert_result(commit(fresh), -EEXIST);
	PLAY(REFUSED(400, "InvalidBlockList"), THERE("e1", ""));
	assert_result(commit(over), -EIO);
}

/* ---- lost answers */

static void
an_answer_that_was_lost(void **state)
{
	static int (*const writes[])(struct store_condition c) = { put, commit };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
		/* The first attempt was carried out; the second one met its own work. */
		PLAY(REFUSED_AFTER(412, "ConditionNotMet"), THERE("e7", OURS));
		assert_result(writes[i](over), 0);
		assert_string_equal(asked[1], HEAD);
		assert_string_equal(made.etag, "e7");
		PLAY(REFUSED_AFTER(409, "BlobAlreadyExists"), THERE("e8", OURS));
		assert_result(writes[i](fresh), 0);
		assert_string_equal(made.etag, "e8");
		/* It was not: somebody else did. */
		PLAY(REFUSED_AFTER(412, "ConditionNotMet"),
		     THERE("e7", "x-ms-meta-encryptiondata: other\n"));
		assert_result(writes[i](over), -ESTALE);
		PLAY(REFUSED_AFTER(409, "BlobAlreadyExists"), THERE("e7", ""));
		assert_result(writes[i](fresh), -EEXIST);
		/* No answer at all, and then: */
		PLAY({ .fails = EIO }, THERE("e7", OURS));
		assert_result(writes[i](over), 0);
		PLAY({ .fails = ETIMEDOUT }, THERE("e1", "x-ms-meta-encryptiondata: other\n"));
		assert_result(writes[i](over), -ETIMEDOUT);
		PLAY({ .fails = ETIMEDOUT }, THERE("e3", "x-ms-meta-encryptiondata: other\n"));
		assert_result(writes[i](over), -ESTALE);
		PLAY({ .fails = EIO }, REFUSED(404, "BlobNotFound"));
		assert_result(writes[i](over), -ESTALE);
		PLAY({ .fails = EIO }, REFUSED(404, "BlobNotFound"));
		assert_result(writes[i](fresh), -EIO);
		PLAY({ .fails = EIO }, { .fails = ETIMEDOUT });
		assert_result(writes[i](fresh), -EIO);
		/* Nobody has seen these. */
		PLAY({ .fails = EACCES });
		assert_result(writes[i](fresh), -EACCES);
		PLAY({ .fails = ECANCELED });
		assert_result(writes[i](fresh), -ECANCELED);
		/* A first attempt's refusal needs no second look. */
		PLAY(REFUSED(409, "BlobAlreadyExists"));
		assert_result(writes[i](fresh), -EEXIST);
		/* 201 that names no version. */
		PLAY({ .status = 201 }, THERE("e9", OURS));
		assert_result(writes[i](fresh), 0);
		assert_string_equal(made.etag, "e9");
	}
}

static void
without_an_envelope_nothing_is_ours(void **state)
{
	(void)state;
	store_meta_remove(&properties, "encryptiondata");
	PLAY(REFUSED_AFTER(409, "BlobAlreadyExists"), THERE("e7", ""));
	assert_result(put(fresh), -EEXIST);
}

static void
metadata_that_were_set_though_the_answer_was_lost(void **state)
{
	(void)state;
	assert_int_equal(store_meta_set(&properties, "mtime", "2001-02-03T04:05:06Z", &e), 0);
	PLAY(REFUSED_AFTER(412, "ConditionNotMet"),
	     THERE("e7", OURS "x-ms-meta-mtime: 2001-02-03T04:05:06Z\n"));
	assert_result(set_metadata(over), 0);
	assert_string_equal(made.etag, "e7");
	assert_int_equal(made.mtime_ns, INT64_C(981173106) * NS_PER_S);
	PLAY(REFUSED_AFTER(412, "ConditionNotMet"), THERE("e7", OURS));
	assert_result(set_metadata(over), -ESTALE);
	PLAY(REFUSED_AFTER(412, "ConditionNotMet"),
	     THERE("e7", OURS "x-ms-meta-mtime: 2001-02-03T04:05:07Z\n"));
	assert_result(set_metadata(over), -ESTALE);
	PLAY({ .fails = EIO }, THERE("e1", OURS "x-ms-meta-mtime: 2001-02-03T04:05:06Z\n"));
	assert_result(set_metadata(over), -EIO); /* the old version: it is not ours yet */
}

static void
deletions_whose_answer_was_lost(void **state)
{
	(void)state;
	PLAY(REFUSED_AFTER(404, "BlobNotFound"), REFUSED(404, "BlobNotFound"));
	assert_result(delete (over), 0);
	PLAY({ .fails = EIO }, REFUSED(404, "BlobNotFound"));
	assert_result(delete (over), 0);
	PLAY({ .fails = EIO }, THERE("e1", ""));
	assert_result(delete (over), -EIO);
	PLAY({ .fails = EIO }, THERE("e2", ""));
	assert_result(delete (over), -ESTALE);
	PLAY(REFUSED_AFTER(412, "ConditionNotMet"), THERE("e2", ""));
	assert_result(delete (over), -ESTALE);
}

/* ---- copies */

#define STARTED(state)                                                                       \
	{                                                                                    \
		.status = 202,                                                               \
		.headers = "ETag: \"e2\"\nx-ms-copy-id: id-1\nx-ms-copy-status: " state "\n" \
	}
#define TARGET(etag, id, state) \
	THERE(etag, OURS "x-ms-copy-id: " id "\nx-ms-copy-status: " state "\n")
#define REMAINS                                                                             \
	{                                                                                   \
		.status = 200, .headers = "ETag: \"e5\"\nContent-Length: 0\nx-ms-copy-id: " \
					  "id-1\nx-ms-copy-status: aborted\n"               \
	}

static _Atomic int64_t now_ns;

static int64_t
now(void)
{
	return now_ns;
}

static int64_t
wall(void)
{
	return 1795132800;
}

static void
sleep_ns(int64_t ns)
{
	now_ns += ns;
}

static int
open_with_clock(void **state)
{
	static const struct clock_ops ops = { now, wall, sleep_ns };

	now_ns = 1000 * NS_PER_S;
	clock_replace(&ops);
	return open_store(state);
}

static int
close_with_clock(void **state)
{
	clock_replace(NULL);
	return close_store(state);
}

static void
a_copy_is_done_at_once(void **state)
{
	(void)state;
	PLAY(STARTED("success"), TARGET("e2", "id-1", "success"));
	assert_result(copy(fresh), 0);
	assert_string_equal(asked[0], "PUT https://a/ccc/p/x%20y" VERSION
				      "\nx-ms-copy-source: https://a/ccc/p/old"
				      "\nx-ms-source-if-match: \"e0\"\nIf-None-Match: *");
	assert_string_equal(made.etag, "e2");
	/* Somebody has replaced it since, or the look fails: it was done all the same. */
	PLAY(STARTED("success"), TARGET("e3", "id-2", "success"));
	assert_result(copy(over), 0);
	assert_string_equal(made.etag, "e2");
	PLAY(STARTED("success"), { .fails = EIO });
	assert_result(copy(over), 0);
}

static void
a_copy_is_waited_for(void **state)
{
	const int64_t start = now_ns;

	(void)state;
	PLAY(STARTED("pending"), TARGET("e2", "id-1", "pending"), TARGET("e2", "id-1", "pending"),
	     TARGET("e3", "id-1", "success"));
	assert_result(copy(fresh), 0);
	assert_string_equal(made.etag, "e3");
	assert_int_equal(now_ns - start, 300 * NS_PER_MS);
	PLAY(STARTED("pending"), TARGET("e2", "id-2", "pending"));
	assert_result(copy(fresh), -ESTALE); /* somebody else's copy */
}

static void
a_copy_that_fails_leaves_nothing(void **state)
{
	(void)state;
	PLAY(STARTED("pending"),
	     { .status = 200,
	       .headers = "ETag: \"e5\"\nContent-Length: 0\nx-ms-copy-id: id-1\n"
			  "x-ms-copy-status: failed\n" },
	     { .status = 202 });
	assert_result(copy(fresh), -EIO);
	assert_string_equal(asked[2], "DELETE https://a/ccc/p/x%20y" VERSION "\nIf-Match: \"e5\"");
}

static void
a_copy_is_called_off_at_the_deadline(void **state)
{
	static const char abort_request[] =
		"PUT https://a/ccc/p/x%20y?comp=copy&copyid=id-1" VERSION
		"\nx-ms-copy-action: abort";

	(void)state;
	PLAY(STARTED("pending"), TARGET("e2", "id-1", "pending"), { .status = 204 }, REMAINS,
	     { .status = 202 });
	assert_result(store_copy(store, "old", NULL, name, fresh, &made,
				 deadline_in(120 * NS_PER_MS), &e),
		      -ETIMEDOUT);
	assert_string_equal(asked[2], abort_request);
	assert_string_equal(asked[4], "DELETE https://a/ccc/p/x%20y" VERSION "\nIf-Match: \"e5\"");
	/* It was done in the meantime. */
	PLAY(STARTED("pending"), TARGET("e2", "id-1", "pending"),
	     REFUSED(409, "NoPendingCopyOperation"), TARGET("e6", "id-1", "success"),
	     TARGET("e6", "id-1", "success"));
	assert_result(store_copy(store, "old", NULL, name, fresh, &made,
				 deadline_in(120 * NS_PER_MS), &e),
		      0);
	assert_string_equal(made.etag, "e6");
}

static void
copies_whose_answer_was_lost(void **state)
{
	(void)state;
	PLAY(REFUSED_AFTER(409, "BlobAlreadyExists"), THERE("e0", OURS),
	     TARGET("e7", "id-1", "success"), TARGET("e7", "id-1", "success"));
	assert_result(copy(fresh), 0);
	assert_string_equal(asked[1], "HEAD https://a/ccc/p/old" VERSION "\nIf-Match: \"e0\"");
	assert_string_equal(made.etag, "e7");
	PLAY({ .fails = EIO }, THERE("e0", OURS), THERE("e1", OURS));
	assert_result(copy(over), -EIO); /* the old version has the same envelope */
	PLAY({ .fails = EIO }, THERE("e0", OURS), THERE("e4", "x-ms-meta-encryptiondata: other\n"));
	assert_result(copy(over), -ESTALE);
}

/* ---- folders */

#define XML(inner)                                                                  \
	{                                                                           \
		.status = 200, .body = "<EnumerationResults><Blobs>" inner          \
				       "</Blobs><NextMarker/></EnumerationResults>" \
	}
#define B(name, size)                                                  \
	"<Blob><Name>" name "</Name><Properties><Content-Length>" size \
	"</Content-Length><Etag>1</Etag></Properties></Blob>"
#define LIST_BELOW                                                                       \
	"GET https://a/ccc?restype=container&comp=list&include=metadata&prefix=p%2Fd%2F" \
	"&maxresults=2" VERSION
#define MARKER                                                               \
	{                                                                    \
		.status = 200, .headers = "ETag: \"m\"\nContent-Length: 0\n" \
					  "x-ms-meta-Hdi_IsFolder: true\n"   \
	}

static void
folders_are_made(void **state)
{
	(void)state;
	PLAY(XML(""), { MADE });
	assert_result(store_make_folder(store, "d", never, &e), 0);
	assert_string_equal(asked[0], LIST_BELOW);
	assert_string_equal(asked[1], "PUT https://a/ccc/p/d" VERSION
				      "\nx-ms-blob-type: BlockBlob\nx-ms-meta-hdi_isfolder: true"
				      "\nIf-None-Match: *");
	PLAY(XML(B("p/d/x", "3")));
	assert_result(store_make_folder(store, "d", never, &e), -EEXIST);
	PLAY(XML(B("p/d/", "0")));
	assert_result(store_make_folder(store, "d", never, &e), -EEXIST);
	PLAY(XML(""), REFUSED(409, "BlobAlreadyExists"));
	assert_result(store_make_folder(store, "d", never, &e), -EEXIST);
	PLAY(REFUSED(403, "AuthorizationPermissionMismatch"), { MADE });
	assert_result(store_make_folder(store, "d", never, &e), 0);
	PLAY(XML(""), REFUSED_AFTER(409, "BlobAlreadyExists"), MARKER);
	assert_result(store_make_folder(store, "d", never, &e), 0);
}

static void
folders_are_removed(void **state)
{
	(void)state;
	PLAY(XML(""), MARKER, { .status = 202 });
	assert_result(store_remove_folder(store, "d", never, &e), 0);
	assert_string_equal(asked[0], LIST_BELOW);
	assert_string_equal(asked[1], "HEAD https://a/ccc/p/d" VERSION);
	assert_string_equal(asked[2], "DELETE https://a/ccc/p/d" VERSION "\nIf-Match: \"m\"");
	PLAY(XML(B("p/d/", "0")), { .status = 202 }, REFUSED(404, "BlobNotFound"));
	assert_result(store_remove_folder(store, "d", never, &e), 0);
	assert_string_equal(asked[1], "DELETE https://a/ccc/p/d/" VERSION "\nIf-Match: \"1\"");
	PLAY(XML(B("p/d/", "0") B("p/d/x", "0")));
	assert_result(store_remove_folder(store, "d", never, &e), -ENOTEMPTY);
	PLAY(XML(B("p/d/", "7")));
	assert_result(store_remove_folder(store, "d", never, &e), -ENOTEMPTY);
	PLAY(XML(""), THERE("e1", "")); /* an object of that name is no folder */
	assert_result(store_remove_folder(store, "d", never, &e), 0);
	PLAY(XML(""), MARKER, REFUSED(412, "ConditionNotMet"));
	assert_result(store_remove_folder(store, "d", never, &e), -ESTALE);
	PLAY(XML(""), MARKER, REFUSED(409, "DirectoryNotEmpty"));
	assert_result(store_remove_folder(store, "d", never, &e), -ENOTEMPTY);
}

#define TEST(f)	      cmocka_unit_test_setup_teardown(f, open_store, close_store)
#define CLOCK_TEST(f) cmocka_unit_test_setup_teardown(f, open_with_clock, close_with_clock)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_put_is_one_request),
		TEST(blocks_have_ids_of_their_upload),
		TEST(a_commit_names_blocks_metadata_and_condition),
		TEST(the_other_requests),
		TEST(properties_are_read_as_they_are),
		TEST(what_cannot_be_said_is_not_sent),
		TEST(a_single_blob_may_be_written),
		TEST(refusals),
		TEST(refusals_of_deletion_and_copy),
		TEST(blocks_that_are_gone),
		TEST(an_answer_that_was_lost),
		TEST(without_an_envelope_nothing_is_ours),
		TEST(metadata_that_were_set_though_the_answer_was_lost),
		TEST(deletions_whose_answer_was_lost),
		CLOCK_TEST(a_copy_is_done_at_once),
		CLOCK_TEST(a_copy_is_waited_for),
		CLOCK_TEST(a_copy_that_fails_leaves_nothing),
		CLOCK_TEST(a_copy_is_called_off_at_the_deadline),
		CLOCK_TEST(copies_whose_answer_was_lost),
		TEST(folders_are_made),
		TEST(folders_are_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
