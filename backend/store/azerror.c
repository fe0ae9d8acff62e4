/* SPDX-License-Identifier: MIT */
/* Refusals of the blob service: see azerror.h. */
#include "backend/store/azerror.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "backend/store/azattr.h"
#include "base/clock.h"

/* A signature is refused when the clocks are a quarter of an hour apart; worth a word from a third
 * of that on. */
enum { SKEW_S = 300, SHOWN_DEPTH = 16 };

struct meaning {
	const char *code;
	int no;
	const char *text, *event, *advice;
};

static const char advice_archived[] =
	"move the blob to an online tier (hot, cool or cold) and wait until it is rehydrated";
static const char advice_entra[] = "use Entra ID: leave out the account key, and sign in with a "
				   "managed identity, a workload identity or az login";

static const struct meaning meanings[] = {
	{ "BlobNotFound", ENOENT, "the blob does not exist", "remote.gone", NULL },
	{ "ResourceNotFound", ENOENT, "the blob or container does not exist", "remote.gone", NULL },
	{ "PathNotFound", ENOENT, "the path does not exist", "remote.gone", NULL },
	{ "ContainerNotFound", ENOENT, "the container does not exist", "remote.gone", NULL },
	{ "FilesystemNotFound", ENOENT, "the container does not exist", "remote.gone", NULL },
	{ "ContainerBeingDeleted", ENOENT, "the container is being deleted", "remote.gone", NULL },

	{ "NoAuthenticationInformation", EACCES, "the service wants credentials", "auth.storage",
	  "give an account key, a SAS or an Entra identity" },
	{ "InvalidAuthenticationInfo", EACCES, "the service does not accept the token",
	  "auth.storage", NULL },
	{ "AuthenticationFailed", EACCES, "the service does not accept the key, SAS or token",
	  "auth.storage",
	  "check the account's name, its key or the SAS (expired?), and this machine's clock" },
	{ "AuthorizationFailure", EACCES, "this request is not allowed", "auth.storage",
	  "check the credentials, and the storage account's network rules" },
	{ "AuthorizationPermissionMismatch", EACCES, "this identity may not do that",
	  "auth.storage",
	  "assign the role Storage Blob Data Reader; for a SAS, grant the permissions r and l" },
	{ "AuthorizationServiceMismatch", EACCES, "the SAS is not for the blob service",
	  "auth.storage", NULL },
	{ "AuthorizationResourceTypeMismatch", EACCES, "the SAS is not for this kind of resource",
	  "auth.storage", "grant the resource types service, container and object" },
	{ "AuthorizationProtocolMismatch", EACCES, "the SAS is for https only", "auth.storage",
	  NULL },
	{ "AuthorizationSourceIPMismatch", EACCES, "the SAS is not for this address",
	  "auth.storage", NULL },
	{ "InsufficientAccountPermissions", EACCES, "the account's permissions are not enough",
	  "auth.storage", NULL },
	{ "AccountIsDisabled", EACCES, "the storage account is disabled", "auth.storage", NULL },
	{ "PublicAccessNotPermitted", EACCES, "the storage account allows no anonymous access",
	  "auth.storage", "give an account key, a SAS or an Entra identity" },
	{ "KeyBasedAuthenticationNotPermitted", EACCES,
	  "the storage account allows no account keys", "auth.storage", advice_entra },

	{ "ConditionNotMet", ESTALE, "the blob has been changed", "remote.changed", NULL },
	{ "LeaseIdMissing", EBUSY, "the blob is leased", "remote.leased", NULL },
	{ "LeaseIdMismatchWithBlobOperation", EBUSY, "the blob is leased", "remote.leased", NULL },
	{ "LeaseLost", EBUSY, "the lease is lost", "remote.leased", NULL },
	{ "LeaseAlreadyPresent", EBUSY, "the blob is leased", "remote.leased", NULL },
	{ "PendingCopyOperation", EBUSY, "a copy to this blob is under way", "remote.leased",
	  NULL },
	{ "SnapshotsPresent", EBUSY, "the blob has snapshots", "remote.leased",
	  "delete its snapshots first" },
	{ "BlobAlreadyExists", EEXIST, "the blob exists already", NULL, NULL },
	{ "ContainerAlreadyExists", EEXIST, "the container exists already", NULL, NULL },
	{ "PathAlreadyExists", EEXIST, "the path exists already", NULL, NULL },
	{ "BlobArchived", ENODATA, "the blob is archived", "remote.archived", advice_archived },
	{ "BlobBeingRehydrated", ENODATA, "the blob is being rehydrated from the archive",
	  "remote.archived", "wait until it is; that takes hours" },
	{ "BlobImmutableDueToPolicy", EPERM, "the blob is immutable by a policy",
	  "remote.immutable", NULL },
	{ "BlobImmutableDueToLegalHold", EPERM, "the blob is under legal hold", "remote.immutable",
	  NULL },
	{ "UnauthorizedBlobOverwrite", EPERM, "this identity may not write over the blob",
	  "remote.immutable", NULL },
	{ "BlobUsesCustomerSpecifiedEncryption", EOPNOTSUPP,
	  "the blob is encrypted by the service with a customer-provided key", "remote.unsupported",
	  "copy it to a blob without one; such keys are not supported" },
	{ "DirectoryNotEmpty", ENOTEMPTY, "the directory is not empty", NULL, NULL },
	{ "RequestBodyTooLarge", EFBIG, "more than one request may carry", NULL, NULL },
	{ "BlockCountExceedsLimit", EFBIG, "too many blocks", NULL, NULL },
	{ "BlockListTooLong", EFBIG, "too many blocks", NULL, NULL },
	{ "MetadataTooLarge", E2BIG, "the metadata is too large", NULL, NULL },
	{ "InvalidMetadata", EINVAL, "the service cannot have such metadata", NULL, NULL },
	{ "EmptyMetadataKey", EINVAL, "a metadata item needs a name", NULL, NULL },
	{ "InvalidBlobType", EOPNOTSUPP, "a page blob or append blob is there",
	  "remote.unsupported", "remove it first: only block blobs are written" },
	{ "InvalidRange", EIO, "the blob does not reach that far", "net.protocol", NULL },
	{ "OutOfRangeInput", ENOENT, "the service knows no such name", "remote.gone", NULL },
	{ "InvalidResourceName", ENOENT, "the service knows no such name", "remote.gone", NULL },
	{ "InvalidUri", ENOENT, "the service knows no such name", "remote.gone", NULL },
};

/* Where writing gives a code another meaning, or none but writing is answered so. */
static const struct meaning write_meanings[] = {
	{ "TargetConditionNotMet", ESTALE, "the blob has been changed", "remote.changed", NULL },
	{ "SourceConditionNotMet", ESTALE, "the blob has been changed", "remote.changed", NULL },
	{ "AuthorizationPermissionMismatch", EACCES, "this identity may not write there",
	  "auth.storage",
	  "assign the role Storage Blob Data Contributor; for a SAS, grant the permissions r, l, "
	  "c, w and d" },
	{ "OutOfRangeInput", EINVAL, "the service cannot have such a name", NULL, NULL },
	{ "InvalidResourceName", EINVAL, "the service cannot have such a name", NULL, NULL },
	{ "InvalidUri", EINVAL, "the service cannot have such a name", NULL, NULL },
	{ "InvalidBlobOrBlock", EBUSY, "another program's unfinished upload is in the way",
	  "remote.leased",
	  "it is gone after a week, or when a small file is written under that name" },
	{ "InvalidBlockList", EIO, "the blocks of this upload are gone", "remote.changed",
	  "somebody else has written the blob meanwhile: try again" },
};

/* Where there is no code, or one that is not known. */
static const struct {
	int status;
	struct meaning meaning;
} by_status[] = {
	{ 401,
	  { NULL, EACCES, "the service does not accept the credentials", "auth.storage", NULL } },
	{ 403, { NULL, EACCES, "the service refuses this request", "auth.storage", NULL } },
	{ 404, { NULL, ENOENT, "the blob or container does not exist", "remote.gone", NULL } },
	{ 408, { NULL, ETIMEDOUT, "the service took too long", "net.deadline", NULL } },
	{ 412, { NULL, ESTALE, "the blob has been changed", "remote.changed", NULL } },
	{ 416, { NULL, EIO, "the blob does not reach that far", "net.protocol", NULL } },
	{ 423, { NULL, EBUSY, "the blob is locked", "remote.leased", NULL } },
	{ 429, { NULL, ETIMEDOUT, "the service throttles", "net.deadline", NULL } },
	{ 503, { NULL, ETIMEDOUT, "the service is busy", "net.deadline", NULL } },
};

static const struct meaning unexpected = { NULL, EIO, "the service failed", NULL, NULL };

/* One element of <Error> out of a body: the text of the first so named. */
struct error_scan {
	XML_Parser parser;
	const char *wanted;
	unsigned depth;
	bool inside, done;
	char *out;
	size_t n, room;
};

static void XMLCALL
on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct error_scan *s = arg;

	(void)attributes;
	if (++s->depth > SHOWN_DEPTH)
		(void)XML_StopParser(s->parser, XML_FALSE);
	s->inside = s->depth == 2 && !s->done && strcmp(name, s->wanted) == 0;
}

static void XMLCALL
on_end(void *arg, const XML_Char *name)
{
	struct error_scan *s = arg;

	(void)name;
	s->done |= s->inside;
	s->inside = false;
	s->depth--;
}

static void XMLCALL
on_text(void *arg, const XML_Char *text, int n)
{
	struct error_scan *s = arg;
	size_t take = (size_t)n;

	if (!s->inside)
		return;
	if (take > s->room - s->n)
		take = s->room - s->n;
	memcpy(s->out + s->n, text, take);
	s->n += take;
}

static void XMLCALL
on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id,
	   int internal)
{
	struct error_scan *s = arg;

	(void)name, (void)system_id, (void)public_id, (void)internal;
	(void)XML_StopParser(s->parser, XML_FALSE);
}

/* out: room bytes and a NUL.  A body that is cut or not XML gives what was there before the fault.
 */
static void
body_element(const struct buf *body, const char *wanted, char *out, size_t room)
{
	struct error_scan s = { .wanted = wanted, .out = out, .room = room };

	out[0] = '\0';
	if (body->n == 0 || body->n > HTTP_ERROR_BODY_MAX)
		return;
	s.parser = XML_ParserCreate("UTF-8");
	if (s.parser == NULL)
		return;
	XML_SetUserData(s.parser, &s);
	XML_SetElementHandler(s.parser, on_start, on_end);
	XML_SetCharacterDataHandler(s.parser, on_text);
	XML_SetStartDoctypeDeclHandler(s.parser, on_doctype);
	(void)XML_Parse(s.parser, (const char *)body->p, (int)body->n, 1);
	XML_ParserFree(s.parser);
	out[s.n] = '\0';
}

static bool
is_code(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > AZERROR_CODE_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]))
			return false;
	return true;
}

void
azerror_code(const struct http_response *r, char out[AZERROR_CODE_MAX + 1])
{
	struct buf scratch;
	const char *code;

	buf_init(&scratch, HTTP_HEADERS_MAX);
	code = http_header_get(r, "x-ms-error-code", &scratch);
	if (code != NULL && is_code(code))
		memcpy(out, code, strlen(code) + 1);
	else
		body_element(&r->error_body, "Code", out, AZERROR_CODE_MAX);
	if (!is_code(out))
		out[0] = '\0';
	buf_clear(&scratch);
}

static const struct meaning *
find_meaning(int status, const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (strcmp(code, meanings[i].code) == 0)
			return &meanings[i];
	for (size_t i = 0; i < ARRAY_LEN(by_status); i++)
		if (status == by_status[i].status)
			return &by_status[i].meaning;
	return &unexpected;
}

/* Seconds that this machine's clock is ahead of the service's; 0 when it is near or cannot be told.
 */
static int64_t
clock_ahead_s(const struct http_response *r)
{
	struct buf scratch;
	const char *date;
	int64_t theirs, ahead = 0;

	buf_init(&scratch, HTTP_HEADERS_MAX);
	date = http_header_get(r, "Date", &scratch);
	if (date != NULL && azattr_http_date(date, &theirs))
		ahead = clock_wall_s() - theirs;
	buf_clear(&scratch);
	return llabs(ahead) > SKEW_S ? ahead : 0;
}

/* The two causes that the user can do something about but that the code does not tell apart. */
static void
explain_authentication(const struct http_response *r, char *out, size_t n)
{
	char detail[256];
	int64_t ahead = clock_ahead_s(r);

	out[0] = '\0';
	if (ahead != 0) {
		(void)snprintf(out, n, "; this machine's clock is %lld minutes %s the service's",
			       llabs(ahead) / 60, ahead > 0 ? "ahead of" : "behind");
		return;
	}
	body_element(&r->error_body, "AuthenticationErrorDetail", detail, sizeof(detail) - 1);
	if (strstr(detail, "specified time frame") != NULL)
		(void)snprintf(out, n, "; the SAS has expired or is not valid yet");
}

/* Records what it means. */
static int
set(const struct http_response *r, const char *code, const struct meaning *m, struct err *e)
{
	char why[96] = "";

	if (strcmp(code, "AuthenticationFailed") == 0)
		explain_authentication(r, why, sizeof(why));
	(void)err_set(e, m->no, "%s%s (HTTP %d%s%s)", m->text, why, r->status,
		      code[0] != '\0' ? " " : "", code);
	err_request(e, r->request_id);
	return err_mark(e, m->event, m->advice);
}

int
azerror_set(const struct http_response *r, struct err *e)
{
	char code[AZERROR_CODE_MAX + 1];

	azerror_code(r, code);
	return set(r, code, find_meaning(r->status, code), e);
}

static const struct meaning *
find_write_meaning(int status, const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(write_meanings); i++)
		if (strcmp(code, write_meanings[i].code) == 0)
			return &write_meanings[i];
	return find_meaning(status, code);
}

int
azerror_set_write(const struct http_response *r, struct store_condition c, struct err *e)
{
	static const struct meaning exists = { NULL, EEXIST, "a blob of that name is there", NULL,
					       NULL };
	static const struct meaning gone = { NULL, ESTALE, "the blob is not there any more",
					     "remote.changed", NULL };
	char code[AZERROR_CODE_MAX + 1];
	const struct meaning *m;

	azerror_code(r, code);
	m = find_write_meaning(r->status, code);
	if (c.absent && r->status == 412 && m->no == ESTALE &&
	    strcmp(code, "SourceConditionNotMet") != 0)
		m = &exists;
	else if (c.if_match != NULL && m->no == ENOENT && strstr(code, "Container") == NULL &&
		 strstr(code, "Filesystem") == NULL)
		m = &gone;
	return set(r, code, m, e);
}
