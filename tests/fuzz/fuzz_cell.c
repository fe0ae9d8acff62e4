/* SPDX-License-Identifier: MIT */
/*
 * Target: cell_unseal, cell_seal, cell_print (crypto/cell.c).
 * Input: a byte that says which of three, then
 *   0  the text of a cell, as it is: nobody without the key makes one that opens
 *   1  the bytes of a cell, given a right MAC and put into base64: what lies behind the MAC
 *   2  a type and a plaintext: sealed, it opens as the same value
 * Properties: outputs are left alone on failure; what opens as deterministic is sealed to the same
 * text, prints as JSON, and does not open as randomized.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "crypto/cell.h"
#include "crypto/mac.h"

enum { FRONT = 50, MAC_AT = 2, IV_AT = 34, INPUT_MAX = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

static struct cell_worker *worker;
static struct dek_keys *keys;

/* The MAC key of the DEK of zeros. */
static const uint8_t mac_key[32] = { 0x9d, 0x1f, 0x22, 0x95, 0xe5, 0x09, 0x51, 0x9e,
				     0xd0, 0xf1, 0xbf, 0xf7, 0x76, 0x59, 0x71, 0x32,
				     0x80, 0xa3, 0x65, 0x1f, 0xa2, 0xd7, 0xa7, 0x02,
				     0x3a, 0xbd, 0x1b, 0xa5, 0x19, 0x01, 0x25, 0x73 };

static void
set_up(void)
{
	const struct cek zeros = { { 0 } };
	struct err e = { 0 };

	if (worker != NULL)
		return;
	need(cell_worker_new(&worker, &e) == 0);
	need(dek_keys_new(&zeros, &keys, &e) == 0);
}

static void
add_base64(struct span bytes, struct buf *to)
{
	struct err e = { 0 };

	need(base64_encode(BASE64_STANDARD, bytes, to, &e) == 0);
}

/* A text that may be a cell. */
static void
try_text(struct span text)
{
	struct cell_value v = { .type = CELL_BOOLEAN }, other;
	struct err e = { 0 };
	enum cell_verdict have;
	AUTO_BUF again;
	AUTO_BUF json;

	buf_init(&again, 4 << 20);
	buf_init(&json, 16 << 20);
	have = cell_unseal(worker, keys, CELL_RANDOMIZED, text, &v);
	need(have != CELL_FAILED && (have == CELL_GOOD || v.type == CELL_BOOLEAN));
	have = cell_unseal(worker, keys, CELL_DETERMINISTIC, text, &v);
	if (have != CELL_GOOD)
		return;
	need(v.type != CELL_STRING || utf8_is_valid(v.text));
	need(cell_print(&v, &json, &e) == 0);
	need(cell_seal(worker, keys, &v,
		       memchr(text.p, '-', text.n) != NULL || memchr(text.p, '_', text.n) != NULL
			       ? BASE64_URL
			       : BASE64_STANDARD,
		       &again, &e) == 0);
	need(again.n == text.n && mac_equal(again.p, text.p, text.n));
	need(cell_unseal(worker, keys, CELL_RANDOMIZED, text, &other) == CELL_WRONG_IV);
}

static void
try_bytes(struct span bytes)
{
	struct err e = { 0 };
	uint8_t *cell = malloc(bytes.n + 1);
	AUTO_BUF text;

	buf_init(&text, 1 << 20);
	need(cell != NULL);
	memcpy(cell, bytes.p, bytes.n);
	cell[IV_AT - 1] = 1;
	cell[bytes.n] = 1;
	need(hmac_sha256(span_of(mac_key, sizeof(mac_key)),
			 span_of(cell + IV_AT - 1, bytes.n + 2 - IV_AT), cell + MAC_AT, &e) == 0);
	cell[1] = 1;
	add_base64(span_of(cell, bytes.n), &text);
	free(cell);
	try_text(buf_span(&text));
}

static void
try_value(uint8_t type, struct span plain)
{
	struct cell_value v = { .type = CELL_STRING, .text = plain };
	struct err e = { 0 };
	uint64_t bits = 0;
	AUTO_BUF text;

	buf_init(&text, 1 << 20);
	memcpy(&bits, plain.p, plain.n < sizeof(bits) ? plain.n : sizeof(bits));
	if (type % 4 == 1) {
		v = (struct cell_value){ .type = CELL_LONG, .integer = (int64_t)bits };
	} else if (type % 4 == 2) {
		v = (struct cell_value){ .type = CELL_DOUBLE };
		memcpy(&v.real, &bits, sizeof(bits));
	} else if (type % 4 == 3) {
		v = (struct cell_value){ .type = CELL_BOOLEAN, .boolean = (bits & 1) != 0 };
	}
	if (cell_seal(worker, keys, &v, type >= 128 ? BASE64_URL : BASE64_STANDARD, &text, &e) != 0)
		return;
	try_text(buf_span(&text));
	need(cell_unseal(worker, keys, CELL_DETERMINISTIC, buf_span(&text), &v) == CELL_GOOD);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	set_up();
	if (n < 2 || n > INPUT_MAX)
		return 0;
	if (data[0] % 3 == 0)
		try_text(span_of(data + 1, n - 1));
	else if (data[0] % 3 == 1 && n > FRONT)
		try_bytes(span_of(data + 1, n - 1));
	else if (data[0] % 3 == 2)
		try_value(data[1], span_of(data + 2, n - 2));
	return 0;
}
