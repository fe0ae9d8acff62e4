/* SPDX-License-Identifier: MIT */
/*
 * One encrypted JSON leaf: AEAD_AES_256_CBC_HMAC_SHA256 behind a type marker.
 *
 *   cell = marker(1) 0x01 MAC(32) IV(16) C        in base64, in a JSON string
 *   MAC  = HMAC(mac key, 0x01 IV C 0x01)          the marker is outside of it
 *   C    = AES-256-CBC(enc key, IV, PKCS#7(plain))
 *   IV   = deterministic: HMAC(iv key, plain)[0..15]; randomized: random
 *
 * All 32 bytes of the MAC are compared, in constant time, before anything is decrypted.  What the
 * MAC does not cover is checked as far as it can be: the length and value range of the plaintext
 * for its type, UTF-8, a finite double, and for deterministic cells the IV.
 *
 * Source: docs/FORMATS.md, "Cells".
 */
#ifndef CRYPTO_CELL_H
#define CRYPTO_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/dek.h"

enum cell_kind { CELL_DETERMINISTIC, CELL_RANDOMIZED };
enum cell_type { CELL_BOOLEAN = 2, CELL_DOUBLE = 3, CELL_LONG = 4, CELL_STRING = 5 };
enum {
	CELL_MIN = 66,	    /* bytes, marker included */
	CELL_MAX = 2 << 20, /* a document has no more */
	CELL_TEXT_MIN = 88  /* base64 of CELL_MIN */
};

struct cell_value {
	enum cell_type type;
	union {
		bool boolean;
		double real; /* finite */
		int64_t integer;
		struct span text; /* valid UTF-8, may hold NUL */
	};
};

/* OpenSSL's contexts and scratch memory: one thread at a time; reusable; wiped when freed.  Until
 * then the ciphers stay keyed for the DEKs that it was used with last. */
struct cell_worker;
int cell_worker_new(struct cell_worker **out, struct err *e) MUST_CHECK;
void cell_worker_free(struct cell_worker *w);

/* What became of it, for callers who go on after a failure without the cost of a sentence. */
enum cell_verdict {
	CELL_GOOD,
	CELL_NOT_ONE,	  /* not base64 of a possible cell: too short, odd length, wrong alphabet */
	CELL_VERSION,	  /* not version 1, or a type marker that does not exist */
	CELL_WRONG_TAG,	  /* authentication failed under this key */
	CELL_WRONG_PLAIN, /* padding, length or value that its type cannot have, not UTF-8 */
	CELL_WRONG_IV,	  /* not the IV that a deterministic cell of this value has */
	CELL_FAILED	  /* out of memory, or OpenSSL failed */
};
/* What a verdict means, without a value: "authentication failed" ...; static. */
const char *cell_verdict_text(enum cell_verdict v);

/*
 * text: the base64 (canonical, padding required, either alphabet but not both in one cell).  On
 * CELL_GOOD *out is set; a string's bytes lie in w until the next call.  On anything else what was
 * decrypted is wiped and *out untouched.  kind CELL_DETERMINISTIC recomputes the IV;
 * CELL_RANDOMIZED refuses an IV that is the deterministic one (CELL_WRONG_IV): the cell was moved.
 */
enum cell_verdict cell_unseal(struct cell_worker *w, const struct dek_keys *k, enum cell_kind kind,
			      struct span text, struct cell_value *out) MUST_CHECK;

/*
 * Appends the deterministic cell of a value, as base64 with padding in the given alphabet
 * (BASE64_URL for ids).  Byte for byte what the official clients write.  -EINVAL: a text that is
 * not UTF-8, a number that is not finite; -EFBIG.  A value that cell_unseal gave may be sealed with
 * the same worker.
 */
int cell_seal(struct cell_worker *w, const struct dek_keys *k, const struct cell_value *v,
	      enum base64_kind alphabet, struct buf *out, struct err *e) MUST_CHECK;

/* The same for either kind; CELL_RANDOMIZED draws the IV. */
int cell_seal_kind(struct cell_worker *w, const struct dek_keys *k, enum cell_kind kind,
		   const struct cell_value *v, enum base64_kind alphabet, struct buf *out,
		   struct err *e) MUST_CHECK;

/* Appends a value as JSON: shortest double, 64-bit integer, escaped string. */
int cell_print(const struct cell_value *v, struct buf *out, struct err *e) MUST_CHECK;

#endif
