/* SPDX-License-Identifier: MIT */
/*
 * Target: bind_parse and bind_check (crypto/bind.c).  Properties: a failure says what it is and
 * leaves the output alone; what is taken prints as the very text again; no text but the right one
 * is good, and only one with the key's own check value is wrong.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/base64.h"
#include "crypto/bind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

static bool
same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0; /* not secret */
}

static void
check_verdict(const uint8_t tag[static BIND_RAW_LEN], struct span text)
{
	static const struct cek cek = { { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
					  11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
					  22, 23, 24, 25, 26, 27, 28, 29, 30, 31 } };
	static const struct bind_facts facts = { PROTOCOL_V2_0, 4 << 20, 1, 0, NONCE_PYTHON };
	char right[BIND_TEXT_LEN + 1];
	uint8_t raw[BIND_RAW_LEN];
	enum bind_verdict v;
	struct err e = { 0 };

	need(bind_make(&cek, &facts, right, &e) == 0);
	need(bind_parse(span_str(right), raw, &e) == 0);
	need(bind_check(&cek, &facts, tag, &v, &e) == 0);
	need((v == BIND_GOOD) == same(text, span_str(right)));
	need((v == BIND_FOREIGN) == !same(span_of(tag + 1, 8), span_of(raw + 1, 8)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t tag[BIND_RAW_LEN] = { 0xee };
	struct err e = { 0 };
	const int r = bind_parse(span_of(data, n), tag, &e);
	AUTO_BUF text;

	need(r == -e.no);
	if (r < 0) {
		need(r == -EBADMSG && tag[0] == 0xee && tag[1] == 0);
		return 0;
	}
	buf_init(&text, BIND_TEXT_LEN);
	err_clear(&e);
	need(base64_encode(BASE64_STANDARD, span_of(tag, sizeof(tag)), &text, &e) == 0);
	need(same(buf_span(&text), span_of(data, n)));
	check_verdict(tag, span_of(data, n));
	return 0;
}
