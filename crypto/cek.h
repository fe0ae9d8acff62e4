/* SPDX-License-Identifier: MIT */
/*
 * The content-encryption key of one blob, as it comes out of an unwrap.
 *
 * What an unwrap yields is 32 bytes for V1, and 40 for V2: the protocol's
 * name padded with zeros to eight bytes, then the key.  Length and prefix are
 * compared exactly: that, and nothing else, stops a V2 blob from being
 * relabelled V1 and its key used as a CBC oracle.
 *
 * Source: docs/FORMATS.md, "Wrapped key".
 */
#ifndef CRYPTO_CEK_H
#define CRYPTO_CEK_H

#include "base/err.h"
#include "base/span.h"
#include "crypto/envelope.h"

enum { CEK_LEN = 32, CEK_UNWRAPPED_MAX = 64 };

struct cek {
	uint8_t k[CEK_LEN];
};

void cek_wipe(struct cek *c);
#define AUTO_CEK struct cek CLEANUP(cek_wipe)

/*
 * Takes the key out of what the unwrap gave.  -EBADMSG (event "integrity.cek") when length or
 * prefix do not fit the protocol; *out is untouched then.  The comparison takes the same time
 * whatever differs.
 */
int cek_from_unwrapped(enum protocol p, struct span unwrapped, struct cek *out,
		       struct err *e) MUST_CHECK;

/* The other way: the bytes to wrap.  out has room for CEK_UNWRAPPED_MAX. */
void cek_to_unwrapped(enum protocol p, const struct cek *c, uint8_t out[static CEK_UNWRAPPED_MAX],
		      size_t *out_n);

#endif
