/* SPDX-License-Identifier: MIT */
/*
 * The sets tests/vectors/cosmos-{js,java}, as far as tests of crypto/ need them.  To be included
 * behind cmocka.h.
 */
#ifndef TESTS_UNIT_CRYPTO_COSMOSSET_H
#define TESTS_UNIT_CRYPTO_COSMOSSET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "crypto/dek.h"

static const char *const cosmos_sets[] = { "cosmos-js", "cosmos-java" };

/* A file of a set; json_decref frees it. */
static inline json_t *
cosmos_file(const char *set, const char *name)
{
	char path[256];
	json_t *j;

	(void)snprintf(path, sizeof(path), "tests/vectors/%s/%s", set, name);
	j = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (j == NULL)
		fail_msg("%s cannot be read", path);
	return j;
}

static inline const char *
cosmos_text(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	if (s == NULL)
		fail_msg("no text %s", name);
	return s;
}

/* The bytes of a hexadecimal text, which must be n at most; returns how many. */
static inline size_t
cosmos_hex(const char *hex, uint8_t *out, size_t n)
{
	const size_t have = strlen(hex) / 2;

	assert_true(have <= n);
	for (size_t i = 0; i < have; i++) {
		const char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return have;
}

/* The entry of keys/unwrapped.json for that DEK. */
static inline const json_t *
cosmos_unwrapped(const json_t *keys, const char *id)
{
	const json_t *key;
	size_t i;

	json_array_foreach(keys, i, key) if (strcmp(cosmos_text(key, "clientEncryptionKeyId"),
						    id) == 0) return key;
	fail_msg("no key %s", id);
	return NULL;
}

static inline struct dek_keys *
cosmos_keys_of_hex(const char *hex)
{
	struct dek_keys *k = NULL;
	struct err e = { 0 };
	struct cek dek;

	assert_int_equal(cosmos_hex(hex, dek.k, sizeof(dek.k)), sizeof(dek.k));
	assert_int_equal(dek_keys_new(&dek, &k, &e), 0);
	return k;
}

static inline struct dek_keys *
cosmos_keys(const json_t *keys, const char *id)
{
	return cosmos_keys_of_hex(cosmos_text(cosmos_unwrapped(keys, id), "dataEncryptionKeyHex"));
}

#endif
