/* SPDX-License-Identifier: MIT */
/* Refusals of Cosmos DB: see cosmoserror.h. */
#include "backend/store/cosmoserror.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/jsonscan.h"
#include "base/num.h"

enum { SENTENCE_MAX = 200, WORD_MIN = 3, CODE_MAX = 63, SUBSTATUS_MAX = 99999, ANY = -1 };

static const char advice_key[] =
	"check the account's name, its key or the identity, and this machine's clock";
static const char advice_role[] =
	"assign the role Cosmos DB Built-in Data Reader of the account's data plane, and check the "
	"account's network rules";

static const char advice_write[] = "assign the role Cosmos DB Built-in Data Contributor of the "
				   "account's data plane, and check "
				   "the account's network rules";

/* The first that fits counts. */
static const struct meaning {
	int status, substatus;
	int no;
	const char *text, *event, *advice;
} meanings[] = {
	{ 400, COSMOS_SUB_RECREATED, ESTALE, "the container has been made anew", "remote.recreated",
	  NULL },
	{ 401, ANY, EACCES, "the service does not accept the key or token", "auth.cosmos",
	  advice_key },
	{ 403, 3, EROFS, "the account takes no writes here", NULL, NULL },
	{ 403, 1008, EIO, "the account is not served here any more", NULL, NULL },
	{ 403, ANY, EACCES, "the service refuses this request", "auth.cosmos", advice_role },
	{ 404, COSMOS_SUB_SESSION, EIO, "the service lags behind what it has shown before", NULL,
	  NULL },
	{ 404, 1003, ENOENT, "the container or database does not exist", "remote.gone", NULL },
	{ 404, ANY, ENOENT, "it does not exist", "remote.gone", NULL },
	{ 408, ANY, ETIMEDOUT, "the service took too long", "net.deadline", NULL },
	{ 409, ANY, EEXIST, "a document of that id is there", NULL, NULL },
	{ 410, ANY, EIO, "the service is moving this partition", NULL, NULL },
	{ 412, ANY, ESTALE, "it has been changed", "remote.changed", NULL },
	{ 413, ANY, EFBIG, "more than one request may carry", NULL, NULL },
	{ 429, ANY, ETIMEDOUT, "the service throttles", "net.deadline",
	  "provision more throughput, or ask for less with ru=" },
	{ 449, ANY, ETIMEDOUT, "the service is busy with the same item", "net.deadline", NULL },
	{ 503, ANY, ETIMEDOUT, "the service is busy", "net.deadline", NULL },
};

static const struct meaning unexpected = { 0, ANY, EIO, "the service failed", NULL, NULL };
static const struct meaning other_key = { 400,
					  COSMOS_SUB_PARTITION,
					  ESTALE,
					  "the container's partition key is another",
					  "remote.recreated",
					  NULL };

unsigned
cosmoserror_substatus(const struct http_response *r)
{
	AUTO_BUF scratch;
	const char *value;
	uint64_t n;

	buf_init(&scratch, HTTP_HEADERS_MAX);
	value = http_header_get(r, "x-ms-substatus", &scratch);
	if (value == NULL || !u64_parse_str(value, &n) || n > SUBSTATUS_MAX)
		return 0;
	return (unsigned)n;
}

/* What stands between the quotes of a member that is a string; n == 0: there is none. */
static struct span
string_of(const struct buf *body, const char *member)
{
	struct jsonscan s;

	jsonscan_init(&s, buf_span(body), 4, NULL);
	if (jsonscan_next(&s) != JSONSCAN_OBJECT)
		return span_of(NULL, 0);
	while (jsonscan_next(&s) == JSONSCAN_NAME) {
		if (jsonscan_is(s.token, s.escaped, span_str(member)))
			return jsonscan_next(&s) == JSONSCAN_STRING ? s.token : span_of(NULL, 0);
		if (!jsonscan_skip(&s))
			break;
	}
	return span_of(NULL, 0);
}

/* The member "code" of the body where it is one word; else "". */
static void
code_of(const struct buf *body, char out[CODE_MAX + 1])
{
	const struct span code = string_of(body, "code");

	out[0] = '\0';
	if (code.n == 0 || code.n > CODE_MAX)
		return;
	for (size_t i = 0; i < code.n; i++)
		if (isalnum(code.p[i]) == 0)
			return;
	memcpy(out, code.p, code.n);
	out[code.n] = '\0';
}

static const struct meaning *
find_meaning(int status, unsigned substatus, bool partitioned)
{
	if (status == 400 && substatus == COSMOS_SUB_PARTITION && partitioned)
		return &other_key;
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (status == meanings[i].status &&
		    (meanings[i].substatus == ANY || meanings[i].substatus == (int)substatus))
			return &meanings[i];
	return &unexpected;
}

int
cosmoserror_set(const struct http_response *r, bool partitioned, struct err *e)
{
	const unsigned substatus = cosmoserror_substatus(r);
	const struct meaning *m = find_meaning(r->status, substatus, partitioned);
	char code[CODE_MAX + 1], sub[16] = "";

	code_of(&r->error_body, code);
	if (substatus != 0)
		(void)snprintf(sub, sizeof(sub), "/%u", substatus);
	(void)err_set(e, m->no, "%s (HTTP %d%s%s%s)", m->text, r->status, sub,
		      code[0] != '\0' ? " " : "", code);
	err_request(e, r->request_id);
	return err_mark(e, m->event, m->advice);
}

/* ---- writes */

/*
 * Appends the service's sentence, up to its end or the first line's: what it quotes of the document
 * is no matter for a log, so a word that stands there becomes "*".
 */
static void
add_sentence(const char *text, struct span sent, char out[SENTENCE_MAX])
{
	static const char between[] = " \t.,:;'\"()[]{}<>/\\=|\r\n";
	size_t n = 0;

	while (*text != '\0' && *text != '\r' && *text != '\n') {
		const size_t word = strcspn(text, between);
		const bool quoted = word >= WORD_MIN && sent.n > 0 &&
				    memmem(sent.p, sent.n, text, word) != NULL;
		const size_t take = word > 0 ? word : 1, add = quoted ? 1 : take;

		if (n + add >= SENTENCE_MAX)
			break;
		memcpy(out + n, quoted ? "*" : text, add);
		n += add;
		text += take;
	}
	while (n > 0 && strchr(between, out[n - 1]) != NULL)
		n--;
	out[n] = '\0';
}

static int
set_invalid(const struct http_response *r, struct span sent, struct err *e)
{
	struct err ignored = { 0 };
	char sentence[SENTENCE_MAX] = "";
	AUTO_BUF text;

	buf_init(&text, HTTP_ERROR_BODY_MAX);
	if (jsonscan_unescape(string_of(&r->error_body, "message"), &text, &ignored) == 0)
		add_sentence(buf_str(&text), sent, sentence);
	(void)err_set(e, EINVAL, "the service takes no such document%s%s (HTTP %d)",
		      sentence[0] != '\0' ? ": " : "", sentence, r->status);
	err_request(e, r->request_id);
	return -e->no;
}

int
cosmoserror_set_write(const struct http_response *r, bool replaces, struct span sent, struct err *e)
{
	const unsigned substatus = cosmoserror_substatus(r);
	int no;

	if (r->status == 400 && substatus != COSMOS_SUB_RECREATED)
		return set_invalid(r, sent, e);
	no = cosmoserror_set(r, false, e);
	if (r->status == 404 && substatus == 0 && replaces && sent.n > 0) {
		err_clear(e);
		(void)err_set(e, ESTALE, "it is not there any more (HTTP 404)");
		err_request(e, r->request_id);
		return err_mark(e, "remote.changed", NULL);
	}
	return no == -EACCES && r->status == 403 ? err_mark(e, NULL, advice_write) : no;
}

int
cosmoserror_broken(struct err *e, const char *what)
{
	(void)err_set(e, EIO, "%s", what);
	return err_mark(e, "net.protocol", NULL);
}
