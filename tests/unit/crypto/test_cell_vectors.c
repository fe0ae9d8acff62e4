/* SPDX-License-Identifier: MIT */
/* crypto/cell: what the official clients of JavaScript and Java sealed, and the damaged cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/cell.h"
#include "tests/unit/crypto/cosmosset.h"

static struct cell_worker *worker;

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	return cell_worker_new(&worker, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	cell_worker_free(worker);
	return 0;
}

/* The set gives the plaintext as bytes: compared as such, since JSON of the set rounds numbers. */
static void
expect_plaintext(const struct cell_value *v, const json_t *cell)
{
	uint8_t want[64], have[8];
	const size_t n = cosmos_hex(cosmos_text(cell, "plaintextHex"), want, sizeof(want));
	uint64_t bits = 0;

	assert_int_equal(v->type, json_integer_value(json_object_get(cell, "typeMarker")));
	if (v->type == CELL_STRING) {
		assert_int_equal(v->text.n, n);
		assert_memory_equal(v->text.p, want, n);
		assert_memory_equal(v->text.p, cosmos_text(cell, "value"), n);
		return;
	}
	if (v->type == CELL_DOUBLE)
		memcpy(&bits, &v->real, sizeof(bits));
	else if (v->type == CELL_LONG)
		bits = (uint64_t)v->integer;
	else
		bits = v->boolean;
	for (int i = 0; i < 8; i++)
		have[i] = (uint8_t)(bits >> (8 * i));
	assert_int_equal(n, sizeof(have));
	assert_memory_equal(have, want, sizeof(have));
}

static void
try_cell(const json_t *keys, const json_t *cell)
{
	const bool det = strcmp(cosmos_text(cell, "encryptionType"), "Deterministic") == 0;
	const char *text = cosmos_text(cell, "cellBase64");
	struct dek_keys *k = cosmos_keys(keys, cosmos_text(cell, "clientEncryptionKeyId"));
	struct cell_value v;
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, 4096);
	assert_int_equal(cell_unseal(worker, k, det ? CELL_RANDOMIZED : CELL_DETERMINISTIC,
				     span_str(text), &v),
			 CELL_WRONG_IV);
	assert_int_equal(cell_unseal(worker, k, det ? CELL_DETERMINISTIC : CELL_RANDOMIZED,
				     span_str(text), &v),
			 CELL_GOOD);
	expect_plaintext(&v, cell);
	if (det) {
		assert_int_equal(cell_seal(worker, k, &v, BASE64_STANDARD, &b, &e), 0);
		assert_string_equal(buf_str(&b), text);
	}
	dek_keys_free(k);
}

static void
every_cell_of_the_sets_opens_and_seals_again(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(cosmos_sets); s++) {
		json_t *keys = cosmos_file(cosmos_sets[s], "keys/unwrapped.json");
		json_t *cells = cosmos_file(cosmos_sets[s], "cells.json");
		const json_t *cell;
		size_t i;

		assert_true(json_array_size(cells) >= 40);
		json_array_foreach(cells, i, cell) try_cell(keys, cell);
		json_decref(cells);
		json_decref(keys);
	}
}

/*
 * One line for each damage that either set has, with what must come of it.  The clients are of
 * another opinion here and there: Java's compares half of some tags.
 */
static const struct {
	const char *name;
	enum cell_verdict verdict;
} damages[] = {
	{ "intact", CELL_GOOD },
	{ "algorithm version byte changed", CELL_VERSION },
	{ "first tag byte changed", CELL_WRONG_TAG },
	{ "last tag byte changed", CELL_WRONG_TAG },
	{ "IV changed", CELL_WRONG_TAG },
	{ "ciphertext changed", CELL_WRONG_TAG },
	{ "last ciphertext byte changed", CELL_WRONG_TAG },
	{ "truncated by 16 bytes", CELL_NOT_ONE },
	{ "only the header", CELL_NOT_ONE },
	{ "type marker alone", CELL_NOT_ONE },
	{ "empty string", CELL_NOT_ONE },
	{ "not base64", CELL_NOT_ONE },
	{ "base64 of clear text", CELL_NOT_ONE },
	{ "base64 without padding", CELL_GOOD }, /* 66 bytes: it never had any */
	{ "url-safe base64 in a member not called id", CELL_GOOD },
	{ "type marker changed string to long (the marker is not authenticated)",
	  CELL_WRONG_PLAIN },
	{ "type marker changed to bool", CELL_WRONG_PLAIN },
	{ "type marker changed to double", CELL_WRONG_PLAIN },
	{ "type marker unknown (9)", CELL_VERSION },
	{ "type marker null (1)", CELL_VERSION },
	{ "valid cell of another client encryption key", CELL_WRONG_TAG },
	{ "bool retyped as long", CELL_GOOD },
	{ "one block: tag byte 15 changed", CELL_WRONG_TAG },
	{ "one block: tag byte 16 changed", CELL_WRONG_TAG },
	{ "one block: tag bytes 16 to 31 all changed", CELL_WRONG_TAG },
	{ "long retyped as bool", CELL_WRONG_PLAIN },
	{ "long retyped as double", CELL_GOOD },
	{ "long retyped as string", CELL_GOOD },
	{ "two or more blocks: tag byte 16 changed", CELL_WRONG_TAG },
	{ "two or more blocks: last tag byte changed", CELL_WRONG_TAG },
};

static enum cell_verdict
verdict_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(damages); i++)
		if (strcmp(damages[i].name, name) == 0)
			return damages[i].verdict;
	fail_msg("no verdict for \"%s\"", name);
	return CELL_FAILED;
}

/* The sets do not say whether a damaged cell is deterministic: one kind or the other opens it. */
static enum cell_verdict
unseal_either(const struct dek_keys *k, const char *text)
{
	struct cell_value v;
	enum cell_verdict r = cell_unseal(worker, k, CELL_DETERMINISTIC, span_str(text), &v);

	return r == CELL_WRONG_IV ? cell_unseal(worker, k, CELL_RANDOMIZED, span_str(text), &v) : r;
}

static void
damaged_cells_have_their_verdicts(void **state)
{
	size_t tried = 0;

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(cosmos_sets); s++) {
		json_t *keys = cosmos_file(cosmos_sets[s], "keys/unwrapped.json");
		json_t *cells = cosmos_file(cosmos_sets[s], "damaged-cells.json");
		const json_t *cell;
		size_t i;

		json_array_foreach(cells, i, cell)
		{
			const char *name = cosmos_text(cell, "name");
			struct dek_keys *k = cosmos_keys(
				keys, cosmos_text(cell, "clientEncryptionKeyId"));
			const enum cell_verdict have = unseal_either(k, cosmos_text(cell, "cell"));

			if (have != verdict_of(name))
				fail_msg("%s: %s: %s", cosmos_sets[s], name,
					 cell_verdict_text(have));
			dek_keys_free(k);
			tried++;
		}
		json_decref(cells);
		json_decref(keys);
	}
	assert_int_equal(tried, 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_of_the_sets_opens_and_seals_again),
		cmocka_unit_test(damaged_cells_have_their_verdicts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
