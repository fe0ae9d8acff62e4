/* SPDX-License-Identifier: MIT */
/* Fills a Cosmos DB account: see cosmos_fixture.h. */
#include "tests/contract/cosmos_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/net/cosmosauth.h"
#include "backend/net/url.h"
#include "base/jsonscan.h"

#define DATABASE "the shop"

enum { BODY_MAX = 4 << 20 };

static struct http_auth *
new_auth(void)
{
	struct secret_text *key = NULL;
	struct http_auth *auth = NULL;
	struct err e = { 0 };

	assert_int_equal(secret_text_new(span_str(getenv("AZC_COSMOS_KEY")), &key, &e), 0);
	if (cosmoskey_auth_new(key, &auth, &e) < 0)
		fail_msg("%s", e.text);
	secret_text_free(key);
	return auth;
}

/* ---- one request */

/* A path of names, as "dbs", "NAME", "colls", ..., up to a NULL. */
struct path {
	const char *piece[7];
};

static void
make_url(const struct cosmos_fixture *c, const struct path *path, struct buf *out)
{
	struct err e = { 0 };

	assert_int_equal(buf_add_str(out, c->url, &e), 0);
	for (unsigned i = 0; i < ARRAY_LEN(path->piece) && path->piece[i] != NULL; i++) {
		assert_int_equal(buf_add_str(out, "/", &e), 0);
		assert_int_equal(url_encode(out, path->piece[i], strlen(path->piece[i]), false, &e),
				 0);
	}
}

/* The status; the answer's body in out, unless it is NULL. */
static int
send(const struct cosmos_fixture *c, const char *method, struct path path, const char *partition,
     const char *body, char **out)
{
	struct http_request req = { .method = method, .max_body = BODY_MAX };
	AUTO_HTTP_RESPONSE answer;
	AUTO_BUF url, text;
	struct err e = { 0 };
	unsigned n = 0;

	http_response_init(&answer);
	buf_init(&url, 1 << 14);
	buf_init(&text, BODY_MAX);
	make_url(c, &path, &url);
	req.url = buf_str(&url);
	req.header[n++] = (struct http_header){ "x-ms-version", "2020-07-15" };
	if (body != NULL) {
		req.body = span_str(body);
		req.header[n++] = (struct http_header){ "Content-Type", "application/json" };
	}
	if (partition != NULL) {
		req.header[n++] = (struct http_header){ "x-ms-documentdb-is-upsert", "True" };
		req.header[n++] = (struct http_header){ "x-ms-documentdb-partitionkey", partition };
	}
	if (http_call(c->client, c->auth, &req, http_sink_to_buf(&text), deadline_in(20 * NS_PER_S),
		      &answer, &e) < 0)
		fail_msg("%s %s: %s", method, req.url, e.text);
	if (answer.status >= 300 && answer.status != 404 && answer.status != 409)
		fail_msg("%s %s: %d %s", method, req.url, answer.status,
			 buf_str(&answer.error_body));
	if (out != NULL)
		*out = strdup(buf_str(&text));
	return answer.status;
}

static char *
quoted(const char *s)
{
	struct err e = { 0 };
	struct buf text;
	char *out;

	buf_init(&text, 1 << 14);
	assert_int_equal(jsonscan_quote(span_str(s), &text, &e), 0);
	out = strdup(buf_str(&text));
	buf_clear(&text);
	return out;
}

/* ---- the fixture */

/* The service refuses these in an id. */
static bool
can_hold(const char *id)
{
	return strpbrk(id, "/\\?#") == NULL;
}

static void
reset(void *arg)
{
	(void)send(arg, "DELETE", (struct path){ { "dbs", DATABASE } }, NULL, NULL, NULL);
	assert_int_equal(send(arg, "POST", (struct path){ { "dbs" } }, NULL,
			      "{\"id\":\"" DATABASE "\"}", NULL),
			 201);
}

static void
make(void *arg, const char *container, const char *partition_key)
{
	char *id = quoted(container), *body;

	(void)send(arg, "DELETE", (struct path){ { "dbs", DATABASE, "colls", container } }, NULL,
		   NULL, NULL);
	assert_true(asprintf(&body, "{\"id\":%s,\"partitionKey\":%s}", id, partition_key) > 0);
	assert_int_equal(
		send(arg, "POST", (struct path){ { "dbs", DATABASE, "colls" } }, NULL, body, NULL),
		201);
	free(body);
	free(id);
}

static char *
put_key(void *arg, const char *id, const char *wrapped)
{
	const struct path keys = { { "dbs", DATABASE, "clientencryptionkeys" } },
			  one = { { "dbs", DATABASE, "clientencryptionkeys", id } };
	char *name = quoted(id), *body, *text = NULL;

	assert_true(asprintf(&body,
			     "{\"id\":%s,\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\","
			     "\"keyWrapMetadata\":{\"type\":\"AZURE_KEY_VAULT\",\"name\":\"k\","
			     "\"value\":\"https://v.vault.azure.net/keys/k/1\","
			     "\"algorithm\":\"RSA-OAEP\"},\"wrappedDataEncryptionKey\":\"%s\"}",
			     name, wrapped) > 0);
	if (send(arg, "POST", keys, NULL, body, &text) == 409) {
		free(text);
		assert_int_equal(send(arg, "PUT", one, NULL, body, &text), 200);
	}
	free(body);
	free(name);
	return text;
}

static char *
put(void *arg, const char *container, const struct contract_document *document)
{
	const struct path documents = { { "dbs", DATABASE, "colls", container, "docs" } };
	char *id = quoted(document->id), *body, *text = NULL;
	int status;

	assert_true(asprintf(&body, "{\"id\":%s,%s}", id, document->members) > 0);
	status = send(arg, "POST", documents, document->partition, body, &text);
	if (status != 200 && status != 201)
		fail_msg("put '%s': %d", document->id, status);
	free(body);
	free(id);
	return text;
}

static struct docstore *
open_store(void *arg)
{
	struct cosmos_fixture *c = arg;
	const struct cosmos_config cfg = { c->url, "emulated", "", "" };
	struct docstore *s = NULL;
	struct err e = { 0 };

	if (cosmos_store_open_take(&cfg, c->client, new_auth(), &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

bool
cosmos_fixture_init(struct cosmos_fixture *c)
{
	const struct http_config cfg = { .ca_file = getenv("AZC_COSMOS_CA") };
	struct err e = { 0 };

	c->url = getenv("AZC_COSMOS_URL");
	if (http_client_new(&cfg, &c->client, &e) < 0) {
		print_error("%s\n", e.text);
		return false;
	}
	c->auth = new_auth();
	return true;
}

void
cosmos_fixture_clear(struct cosmos_fixture *c)
{
	http_auth_free(c->auth);
	http_client_free(c->client);
}

struct docstore_fixture
cosmos_fixture_of(struct cosmos_fixture *c)
{
	return (struct docstore_fixture){ c,	DATABASE, can_hold, reset,
					  make, put_key,  put,	    open_store };
}
