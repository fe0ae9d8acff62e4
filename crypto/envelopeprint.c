/* SPDX-License-Identifier: MIT */
/*
 * Writing the "encryptiondata" record: see envelope.h.
 *
 * Members stand in the order of the Python client.  It is text for a header: ASCII, one line.
 */
#include <errno.h>

#include "base/base64.h"
#include "base/jsonscan.h"
#include "base/utf8.h"
#include "crypto/envelope.h"
#include "crypto/layout.h"

enum { WRAPPED_AES = 48 /* what an AES key wrap makes of 40 bytes */ };
#define REGION_LEN_MAX (UINT64_C(1) << 30)

/* What envelope_parse would not give back is not written. */
static int
check(const struct envelope *env, struct err *e)
{
	enum wrap_alg known;
	const size_t n_kid = env->kid == NULL ? 0 : strlen(env->kid);

	if (env->protocol != PROTOCOL_V2_0 && env->protocol != PROTOCOL_V2_1)
		return err_set(e, EINVAL, "nothing is sealed with protocol %s",
			       protocol_name(env->protocol));
	if (!wrap_alg_parse(wrap_alg_name(env->alg), &known))
		return err_set(e, EINVAL, "no wrap algorithm");
	if (n_kid == 0 || n_kid > ENVELOPE_KID_MAX || !utf8_is_valid(span_str(env->kid)))
		return err_set(e, EINVAL,
			       "a key id must be 1 to %d bytes of UTF-8 to be written to a blob",
			       ENVELOPE_KID_MAX);
	if (env->n_wrapped == 0 || env->n_wrapped > ENVELOPE_WRAPPED_MAX ||
	    (!wrap_alg_is_rsa(env->alg) && env->n_wrapped != WRAPPED_AES))
		return err_set(e, EINVAL, "no wrapped key is %zu bytes long", env->n_wrapped);
	if (env->region_len == 0 || env->region_len > REGION_LEN_MAX)
		return err_set(e, EINVAL, "no region is %llu bytes long",
			       (unsigned long long)env->region_len);
	return 0;
}

static int
print_key(const struct envelope *env, struct buf *out, struct err *e)
{
	int r = buf_add_str(out, "{\"WrappedContentKey\":{\"KeyId\":", e);

	if (r == 0)
		r = jsonscan_quote_ascii(span_str(env->kid), out, e);
	if (r == 0)
		r = buf_add_str(out, ",\"EncryptedKey\":\"", e);
	if (r == 0)
		r = base64_encode(BASE64_STANDARD, span_of(env->wrapped, env->n_wrapped), out, e);
	if (r == 0)
		r = buf_addf(out, e, "\",\"Algorithm\":\"%s\"}", wrap_alg_name(env->alg));
	return r;
}

int
envelope_print(const struct envelope *env, const char *library, struct buf *out, struct err *e)
{
	const size_t before = out->n;
	int r = check(env, e);

	if (r < 0)
		return r;
	r = print_key(env, out, e);
	if (r == 0)
		r = buf_addf(out, e,
			     ",\"EncryptionAgent\":{\"Protocol\":\"%s\","
			     "\"EncryptionAlgorithm\":\"AES_GCM_256\"},"
			     "\"EncryptedRegionInfo\":{\"DataLength\":%llu,\"NonceLength\":%d},"
			     "\"KeyWrappingMetadata\":{\"EncryptionLibrary\":",
			     protocol_name(env->protocol), (unsigned long long)env->region_len,
			     REGION_NONCE_LEN);
	if (r == 0)
		r = jsonscan_quote_ascii(span_str(library), out, e);
	if (r == 0)
		r = buf_add_str(out, "},\"EncryptionMode\":\"FullBlob\"}", e);
	if (r < 0) {
		out->n = before;
		if (out->p != NULL)
			out->p[before] = '\0';
	}
	return r;
}
