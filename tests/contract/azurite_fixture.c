/* SPDX-License-Identifier: MIT */
/* Fills a container of an Azurite: see azurite_fixture.h. */
#include "tests/contract/azurite_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/net/sharedkey.h"
#include "backend/net/url.h"
#include "backend/store/azblob.h"

/* The well-known key of every Azurite's devstoreaccount1. */
static const char known_key[] =
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

static struct http_auth *
new_auth(const struct azurite_fixture *a)
{
	const char *key = getenv("AZC_AZURITE_KEY");
	struct secret_text *secret = NULL;
	struct http_auth *auth = NULL;
	struct err e = { 0 };

	assert_int_equal(secret_text_new(span_str(key != NULL ? key : known_key), &secret, &e), 0);
	assert_int_equal(sharedkey_auth_new(a->account, secret, &auth, &e), 0);
	secret_text_free(secret);
	return auth;
}

/* name NULL: the container itself. */
static void
send(struct azurite_fixture *a, const char *method, const char *name,
     const struct contract_object *o, int wanted)
{
	struct http_request req = { .method = method, .max_body = 1 << 20, .idempotent = true };
	char header[80];
	AUTO_HTTP_RESPONSE answer;
	AUTO_BUF url, body;
	struct err e = { 0 };
	unsigned n = 0;

	http_response_init(&answer);
	buf_init(&url, 1 << 16);
	buf_init(&body, 1 << 20);
	assert_int_equal(buf_addf(&url, &e, "%s/%s", a->url, a->container), 0);
	if (name != NULL) {
		assert_int_equal(buf_add_str(&url, "/", &e), 0);
		assert_int_equal(url_encode(&url, name, strlen(name), true, &e), 0);
	} else {
		assert_int_equal(buf_add_str(&url, "?restype=container", &e), 0);
	}
	req.url = buf_str(&url);
	req.header[n++] = (struct http_header){ "x-ms-version", "2021-12-02" };
	if (o != NULL) {
		req.body = o->bytes;
		req.header[n++] = (struct http_header){ "x-ms-blob-type", "BlockBlob" };
		req.header[n++] = (struct http_header){ "Content-Type", "text/plain" };
	}
	if (o != NULL && o->metadata_name != NULL) {
		(void)snprintf(header, sizeof(header), "x-ms-meta-%s", o->metadata_name);
		req.header[n++] = (struct http_header){ header, o->metadata_value };
	}
	if (http_call(a->client, a->auth, &req, http_sink_to_buf(&body), deadline_in(20 * NS_PER_S),
		      &answer, &e) < 0)
		fail_msg("%s %s: %s", method, req.url, e.text);
	if (answer.status != wanted)
		fail_msg("%s %s: %d %s", method, req.url, answer.status,
			 buf_str(&answer.error_body));
}

static void
put(void *arg, const struct contract_object *o)
{
	send(arg, "PUT", o->name, o, 201);
}

static void
remove_object(void *arg, const char *name)
{
	send(arg, "DELETE", name, NULL, 202);
}

static void
reset(void *arg)
{
	struct azurite_fixture *a = arg;

	(void)snprintf(a->container, sizeof(a->container), "contract-%d-%u", (int)getpid(),
		       ++a->serial);
	send(a, "PUT", NULL, NULL, 201);
}

static struct store *
open_store(void *arg, const char *prefix)
{
	struct azurite_fixture *a = arg;
	const struct azblob_config cfg = { a->url, a->account, a->container, prefix, false };
	struct store *s = NULL;
	struct err e = { 0 };

	if (azblob_store_open_take(&cfg, a->client, new_auth(a), &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

/* Azurite refuses ".", and answers 500 to every listing once a name holds what XML cannot. */
static bool
can_hold(const char *name)
{
	if (strcmp(name, ".") == 0)
		return false;
	for (; *name != '\0'; name++)
		if ((unsigned char)*name < ' ' && *name != '\t' && *name != '\n')
			return false;
	return true;
}

bool
azurite_fixture_init(struct azurite_fixture *a)
{
	const struct http_config cfg = { .allow_http = NULL };
	struct err e = { 0 };

	a->url = getenv("AZC_AZURITE_URL");
	a->serial = 0;
	(void)snprintf(a->account, sizeof(a->account), "%s", strrchr(a->url, '/') + 1);
	if (http_client_new(&cfg, &a->client, &e) < 0) {
		print_error("%s\n", e.text);
		return false;
	}
	a->auth = new_auth(a);
	return true;
}

void
azurite_fixture_clear(struct azurite_fixture *a)
{
	http_auth_free(a->auth);
	http_client_free(a->client);
}

struct contract_fixture
azurite_fixture_of(struct azurite_fixture *a)
{
	return (struct contract_fixture){ .arg = a,
					  .can_hold = can_hold,
					  .reset = reset,
					  .put = put,
					  .remove = remove_object,
					  .open = open_store,
					  .sort = true,
					  .slow = true,
					  .loses_other_uploads = true,
					  .blurs_source = true };
}
