/* SPDX-License-Identifier: MIT */
/* Asking a vault about one key: see vaultask.h. */
#include "backend/keys/vaultask.h"

#include <errno.h>
#include <stdio.h>

#include "backend/keys/vaultanswer.h"
#include "base/base64.h"

enum { URL_MAX = 1024, BODY_MAX = 4096 };

static int
write_body(const struct vaultask *q, struct buf *out, struct err *e)
{
	int r = buf_addf(out, e, "{\"alg\":\"%s\",\"value\":\"", wrap_alg_name(q->alg));

	if (r == 0)
		r = base64_encode(BASE64_URL, q->value, out, e);
	return r == 0 ? buf_add_str(out, "\"}", e) : r;
}

static int
write_operation_url(const struct vaultask *q, enum vault_op op, const char *version,
		    struct buf *out, struct err *e)
{
	return buf_addf(out, e, "%s/keys/%s%s%s/%s?%s", vaulthost_origin(q->host), q->kid.name,
			version[0] != '\0' ? "/" : "", version,
			op == VAULT_WRAP ? "wrapkey" : "unwrapkey", VAULTASK_API);
}

int
vaultask_operate(const struct vaultask *q, enum vault_op op, const char *version, struct room out,
		 size_t *out_n, struct kid *answered, bool *rejected, struct err *e)
{
	AUTO_BUF url, body, answer;
	struct kid expected = q->kid;
	int r;

	buf_init(&url, URL_MAX);
	buf_init(&body, BODY_MAX);
	buf_init(&answer, VAULT_ANSWER_MAX);
	*rejected = false;
	r = write_operation_url(q, op, version, &url, e);
	if (r == 0)
		r = write_body(q, &body, e);
	if (r != 0)
		return r;
	r = vaulthost_call(q->host, op, buf_str(&url), buf_span(&body), q->deadline, &answer, e);
	*rejected = r == -EBADMSG || r == -EINVAL;
	if (r != 0)
		return r;
	(void)snprintf(expected.version, sizeof(expected.version), "%s", version);
	return vaultanswer_value(buf_span(&answer), &expected, out, out_n, answered, e);
}

int
vaultask_get(const struct vaultask *q, const char *rest, const char *query, struct buf *answer,
	     struct err *e)
{
	AUTO_BUF url;
	int r;

	buf_init(&url, URL_MAX + VAULT_ANSWER_MAX);
	r = buf_addf(&url, e, "%s/keys/%s%s?%s", vaulthost_origin(q->host), q->kid.name, rest,
		     query);
	if (r != 0)
		return r;
	return vaulthost_call(q->host, VAULT_READ, buf_str(&url), span_of(NULL, 0), q->deadline,
			      answer, e);
}
