/* SPDX-License-Identifier: MIT */
/*
 * The blobs of tests/vectors/{python,dotnet,java} for C tests: see
 * tests/vectors/README.md for what they are.  Aborts when a file is missing
 * or not as the index says: that is a broken checkout, not a failed test.
 */
#ifndef TESTS_SUPPORT_VECTORS_H
#define TESTS_SUPPORT_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct vectors {
	char dir[64];
	json_t *index, *keys, *ranges;
	json_t *damaged; /* damaged.json, with variants.json behind it; empty array when the set has
			    none */
};

struct vector {
	const char *name, *kek, *wrap_alg; /* borrowed from the set */
	char *envelope;			   /* text of "encryptiondata" */
	char *key_text;			   /* the KEK's file: PEM, or base64 of an AES key */
	bool page_blob, rsa;
	uint8_t cek[32];
	uint8_t *plain, *stored;
	size_t n_plain, n_stored;
};

struct vectors *vectors_open(const char *dir);
void vectors_close(struct vectors *vs);

/*
 * Reads the blob of that index; where the set has no stored bytes they are made from the recipe
 * and checked.
 */
void vector_load(const struct vectors *vs, size_t i, struct vector *out);
void vector_load_named(const struct vectors *vs, const char *name, struct vector *out);
void vector_clear(struct vector *v);

/* A whole file of the set; NUL-terminated; the caller frees. */
uint8_t *vectors_file(const struct vectors *vs, const char *name, size_t *out_n);

#endif
